internal import CZeroMQ

/// The connections of a socket that listens, as a value: which are open, whose they are, and which are to be cut.
///
/// libzmq cannot end one connection of a socket; it tells descriptors, and whoever shuts one down ends its connection.
/// What it tells may be late, so that a descriptor may have passed to another connection: then that one breaks too, and
/// its worker opens another.
struct Connections {
  private struct Peer: Sendable {
    var name: [UInt8]
    var keyNumber: Int?
    var isDoomed = false
  }

  /// The most that may be open at a time: strangers shall not take the descriptors with which the store and the
  /// artefacts are opened.
  private let most: Int
  /// Time that a peer has to hear what was said last before its connection is cut.
  private let grace: Duration
  /// Descriptors.
  private var open: Set<Int32> = []
  /// Peers that have said something, and back: one name a descriptor, at most.
  private var peers: [Int32: Peer] = [:]
  private var descriptors: [[UInt8]: Int32] = [:]
  /// Names of peers to be cut, by time.
  private var doomed: ArraySlice<(name: [UInt8], at: ContinuousClock.Instant)> = []
  private var excess = Tally()

  /// Creates a record without connections.
  init(most: Int, grace: Duration) {
    self.most = most
    self.grace = grace
  }

  /// Takes note of what became of connections.
  ///
  /// - Returns: Descriptors to be cut, and what is to be told to people.
  mutating func note(_ events: [Socket.ConnectionEvent]) -> (cut: [Int32], remark: String?) {
    var cut: [Int32] = []
    var remark: String?
    for event in events {
      let descriptor = Int32(bitPattern: event.value)
      forget(descriptor)
      switch event.kind {
      case ZMQ_EVENT_ACCEPTED:
        open.insert(descriptor)
        guard open.count > most else { continue }
        cut.append(descriptor)
        if excess.isWorthTelling() {
          remark =
            "\(most) connections are open, the most that the limit of open files leaves room for: others are cut "
            + "(\(excess.count) so far); raise it with `ulimit -n`"
        }
      default: open.remove(descriptor)
      }
    }
    return (cut, remark)
  }

  private mutating func forget(_ descriptor: Int32) {
    if let peer = peers.removeValue(forKey: descriptor) { descriptors[peer.name] = nil }
  }

  /// Takes note of whose connection it is that a message came over.
  ///
  /// - Parameter news: Gives what became of connections and has not been noted; asked of strangers only. A connection is
  ///   told of before its first message arrives, but whoever reads may come to the message first. Noted after it, that
  ///   news would wipe out whose connection it is, and the connection could never be cut.
  /// - Returns: What ``note(_:)`` returns of the news.
  mutating func heard(
    _ name: [UInt8], keyNumber: Int?, over descriptor: Int32, news: () -> [Socket.ConnectionEvent]
  ) -> (cut: [Int32], remark: String?) {
    guard peers[descriptor]?.name != name else { return ([], nil) }
    let noted = note(news())
    forget(descriptor)
    if let old = descriptors[name] { peers[old] = nil }
    peers[descriptor] = Peer(name: name, keyNumber: keyNumber)
    descriptors[name] = descriptor
    return noted
  }

  /// Lets a peer's connection be cut when its grace is over. Once is enough.
  mutating func doom(_ name: [UInt8], at now: ContinuousClock.Instant) {
    guard let descriptor = descriptors[name], peers[descriptor]?.isDoomed == false else { return }
    peers[descriptor]?.isDoomed = true
    doomed.append((name, now + grace))
  }

  /// Does the same for all whose keys are of a kind.
  mutating func doom(where isDoomed: (_ keyNumber: Int) -> Bool, at now: ContinuousClock.Instant) {
    for (_, peer) in peers.sorted(by: { $0.key < $1.key }) where peer.keyNumber.map(isDoomed) == true {
      doom(peer.name, at: now)
    }
  }

  /// The descriptors of the peers whose grace is over, each once.
  mutating func due(at now: ContinuousClock.Instant) -> [Int32] {
    var due: [Int32] = []
    while let first = doomed.first, first.at <= now {
      doomed.removeFirst()
      if let descriptor = descriptors[first.name] { due.append(descriptor) }
    }
    if doomed.isEmpty { doomed = [] }
    return due
  }

  /// Time until a peer's grace is over.
  func pause(at now: ContinuousClock.Instant) -> Duration? {
    doomed.first.map { max(.zero, $0.at - now) }
  }
}
