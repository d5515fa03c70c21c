/// What a worker needs to be admitted, and to know that it talks to the coordinator that it was made for: the content
/// of the one file that is carried to the worker's machine.
public struct WorkerKey: Sendable {
  /// The name by which the coordinator lists the key.
  public let name: WorkerKeyName
  let pair: CurveKeyPair
  let coordinator: CurvePublicKey

  init(name: WorkerKeyName, pair: CurveKeyPair, coordinator: CurvePublicKey) {
    self.name = name
    self.pair = pair
    self.coordinator = coordinator
  }

  /// Reads a key file.
  ///
  /// - Throws: ``KeyError``; a file that others than its owner may read is refused, because a warning would be read by
  ///   nobody in the log of a cluster's job, and the key is all that an impostor needs.
  public init(file path: String) throws(KeyError) {
    let fields = try KeyFields(file: path, names: ["name", "secret", "coordinator"])
    name = try fields.read("name", "the name of the key") { try? WorkerKeyName($0) }
    pair = try CurveKeyPair(try fields.read("secret", "40 characters of Z85") { CurveSecretKey($0) })
    coordinator = try fields.read("coordinator", "40 characters of Z85") { CurvePublicKey($0) }
  }

  /// The content of the key file.
  var fileContent: String {
    """
    # pdsweep key of worker \(name). Secret: whoever has this file can work as \(name).
    name: \(name)
    secret: \(pair.secretKey.text)
    coordinator: \(coordinator)

    """
  }
}

/// The name of a worker's key: part of a file's name, and the first part of the names of its workers.
public struct WorkerKeyName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name.
  public let description: String

  /// Takes 1 to 64 letters, digits, hyphens, underscores and dots of ASCII, of which the first is a letter or digit.
  ///
  /// - Throws: ``KeyError/badName(_:)`` for anything else, and for the name of the coordinator's own key.
  public init(_ text: String) throws(KeyError) {
    let marks = "-_.".utf8
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: false
      }
    }
    guard (1...64).contains(text.utf8.count), text.utf8.first.map(isAlphanumeric) == true,
      text.utf8.allSatisfy({ isAlphanumeric($0) || marks.contains($0) }), text != "coordinator"
    else { throw .badName(text) }
    description = text
  }

  /// By the bytes of the names.
  public static func < (left: WorkerKeyName, right: WorkerKeyName) -> Bool {
    left.description < right.description
  }
}
