/// The keys that a coordinator admits while it runs, as a value.
///
/// Every admission of a key gets a number that is never used again. libzmq attaches it to all messages of the
/// connections that the key opened, so that each message shows whether its key is still admitted.
struct KeyRing {
  /// What a number stands for.
  enum Standing: Equatable {
    /// The key of this name is admitted.
    case admitted(String)
    /// It was revoked.
    case revoked
  }

  private var numbers: [CurvePublicKey: Int] = [:]
  private var standings: [Standing] = []

  /// Takes over a list, and returns the names of the keys that are no longer in it. A name with a new key is a name
  /// whose old key is revoked.
  mutating func replace(with list: [AdmittedKey]) -> [String] {
    var revoked: [String] = []
    let listed = Dictionary(list.map { ($0.publicKey, $0.name.description) }) { first, _ in first }
    for (key, number) in numbers.sorted(by: { $0.value < $1.value }) {
      guard case .admitted(let name) = standings[number], listed[key] != name else { continue }
      standings[number] = .revoked
      numbers[key] = nil
      revoked.append(name)
    }
    for entry in list where numbers[entry.publicKey] == nil {
      numbers[entry.publicKey] = standings.count
      standings.append(.admitted(entry.name.description))
    }
    return revoked
  }

  /// The number of a key that is admitted.
  func number(of key: CurvePublicKey) -> Int? {
    numbers[key]
  }

  /// What has become of the key with a number; `nil` for a number that was never given out.
  func standing(_ number: Int) -> Standing? {
    standings.indices.contains(number) ? standings[number] : nil
  }
}
