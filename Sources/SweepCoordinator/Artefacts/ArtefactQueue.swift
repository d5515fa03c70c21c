internal import DequeModule
internal import SweepCore
internal import SweepWire

/// Which request for a part of an artefact is answered next, as a value.
///
/// Peers take turns, a request each. What is on its way to a peer, sent and not yet proved to have arrived, is bounded;
/// so is what is on its way to all of them, and the number of requests of each that wait.
struct ArtefactQueue: Sendable {
  /// The bounds.
  struct Limits: Sendable {
    /// Bytes on their way to a peer, unless it is a single part.
    var window = WireProtocol.artefactWindow
    /// Bytes on their way to all peers.
    var total = 128 << 20
    /// Requests of a peer that wait.
    var requests = WireProtocol.artefactRequests
  }

  /// What is known of a peer.
  private struct Line: Sendable {
    var waiting: Deque<ArtefactRequest> = []
    /// Parts on their way, in the order in which they were sent.
    var flying: Deque<(receipt: UInt64, bytes: Int)> = []
    var flyingBytes = 0
    /// When a part was last proved to have arrived, or the first of those on their way was sent.
    var lastProof = Instant(nanoseconds: 0)
    /// Whether it is among those that take turns.
    var hasTurn = false
    /// Whether a request of it is being answered.
    var isBusy = false

    var isIdle: Bool { waiting.isEmpty && flying.isEmpty && !isBusy }
  }

  private let limits: Limits
  private var lines: [PeerID: Line] = [:]
  /// Peers with a request for which their windows have room.
  private var turns: Deque<PeerID> = []
  /// Bytes on their way to all peers.
  private(set) var flyingBytes = 0

  init(_ limits: Limits = Limits()) {
    self.limits = limits
  }

  /// Peers of which anything is kept.
  var peers: Int { lines.count }

  /// Takes note of a request. One that gives the receipt alone, or is one too many, waits for no answer.
  mutating func note(_ request: ArtefactRequest, of peer: PeerID, at now: Instant) {
    var line = lines[peer] ?? Line()
    if let place = line.flying.firstIndex(where: { $0.receipt == request.receipt }) {
      for part in line.flying.prefix(place + 1) {
        line.flyingBytes -= part.bytes
        flyingBytes -= part.bytes
      }
      line.flying.removeFirst(place + 1)
      line.lastProof = now
    }
    if request.count > 0, line.waiting.count < limits.requests { line.waiting.append(request) }
    giveTurn(to: peer, &line)
    lines[peer] = line.isIdle ? nil : line
  }

  /// Takes the next request that may be answered out of the queue; `nil` if there is none, or
  /// if too much is on its way.
  mutating func next() -> (peer: PeerID, request: ArtefactRequest)? {
    guard let peer = turns.first else { return nil }
    guard var line = lines[peer], let request = line.waiting.first else {
      preconditionFailure("a peer without a request has the turn")
    }
    guard flyingBytes == 0 || flyingBytes + request.count <= limits.total else { return nil }
    turns.removeFirst()
    line.hasTurn = false
    line.isBusy = true
    line.waiting.removeFirst()
    lines[peer] = line
    return (peer, request)
  }

  /// Takes note of the answer to the request that ``next()`` gave.
  ///
  /// - Parameters:
  ///   - receipt: what will prove that it has arrived.
  ///   - bytes: its length; 0 for one that nothing need prove.
  /// - Returns: Whether it is to be sent; not to a peer that was forgotten meanwhile.
  mutating func answered(_ peer: PeerID, receipt: UInt64, bytes: Int, at now: Instant) -> Bool {
    guard var line = lines[peer], line.isBusy else { return false }
    line.isBusy = false
    if bytes > 0 {
      if line.flying.isEmpty { line.lastProof = now }
      line.flying.append((receipt, bytes))
      line.flyingBytes += bytes
      flyingBytes += bytes
    }
    giveTurn(to: peer, &line)
    lines[peer] = line.isIdle ? nil : line
    return true
  }

  /// Drops all that is kept of a peer.
  mutating func forget(_ peer: PeerID) {
    guard let line = lines.removeValue(forKey: peer) else { return }
    flyingBytes -= line.flyingBytes
    if line.hasTurn { turns.removeAll { $0 == peer } }
  }

  /// Whether peers that could be answered wait for others to prove that they read.
  var isHeldUp: Bool { !turns.isEmpty }

  /// The peers with parts on their way that have proved nothing for so long: they do not read.
  func stalled(at now: Instant, patience: Duration) -> [PeerID] {
    lines.filter { !$1.flying.isEmpty && now >= $1.lastProof + patience }.map(\.key)
  }

  private mutating func giveTurn(to peer: PeerID, _ line: inout Line) {
    guard !line.hasTurn, !line.isBusy, let request = line.waiting.first,
      line.flying.isEmpty || line.flyingBytes + request.count <= limits.window
    else { return }
    line.hasTurn = true
    turns.append(peer)
  }
}
