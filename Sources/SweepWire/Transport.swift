/// One connection of one worker, as the coordinator's transport names it. A worker that connects again is another
/// peer; which worker it is, its hello says.
public struct PeerID: Sendable, Hashable {
  /// The transport's name for the connection, at most 255 bytes.
  public let bytes: [UInt8]
  /// The name of the key that the peer has proved to have; `nil` where none is asked for.
  public let key: String?

  /// Creates a name.
  public init(_ bytes: [UInt8], key: String? = nil) {
    self.bytes = bytes
    self.key = key
  }
}

extension PeerID: CustomStringConvertible {
  /// Hexadecimal digits.
  public var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

/// What reaches the coordinator.
public enum CoordinatorEvent: Sendable, Hashable {
  /// A peer said something.
  case message(PeerID, FromWorker)
  /// A peer sent what cannot be read. ``WireError/unknownVersion(_:)`` deserves a ``ToWorker/refuse(reason:)``.
  case undecodable(PeerID, WireError)
  /// A message to the peer was dropped, because the connection is gone or the peer has long stopped reading. What was
  /// sent after it is dropped too, or arrives with a gap: the peer must say hello again on a new connection.
  case unreachable(PeerID)
  /// The key of this name is no longer admitted: nothing more will come from its peers, whose connections are about to
  /// be cut.
  case revoked(key: String)
  /// The transport has something to tell people, on one line.
  case remark(String)
}

/// What reaches a worker.
public enum WorkerEvent: Sendable, Hashable {
  /// The coordinator said something.
  case message(ToWorker)
  /// The coordinator sent what cannot be read.
  case undecodable(WireError)
  /// The connection broke after it had been made. Nothing more comes over it.
  case disconnected
  /// The connection was refused before it was made; the reason is for people. Another attempt may fare better.
  case rejected(reason: String)
}

/// A message and the peer that it goes to.
public struct OutgoingMessage: Sendable, Hashable {
  /// Where it goes.
  public var peer: PeerID
  /// What is said.
  public var message: ToWorker

  /// Creates an addressed message.
  public init(to peer: PeerID, _ message: ToWorker) {
    self.peer = peer
    self.message = message
  }
}

/// The coordinator's end of the connections to all workers.
///
/// Messages between two ends keep their order. Delivery is not promised: whatever must arrive is repeated by the
/// protocol until it is answered. A transport has no clock; liveness is judged above it.
public protocol CoordinatorTransport: Sendable {
  /// What arrives, in batches that are never empty; each is handed out once, to one consumer. While the consumer does
  /// not ask for the next batch, the transport stops reading, so that a flood cannot pile up in memory. Ends after
  /// ``close()``.
  var incoming: AsyncStream<[CoordinatorEvent]> { get }

  /// Hands messages on to be sent, in order, and returns at once. After ``close()`` they are dropped.
  func send(_ messages: [OutgoingMessage])

  /// Hands messages on to be sent when nothing else is to be sent, in order among themselves, and returns at once.
  func sendLater(_ messages: [OutgoingMessage])

  /// Ends the connections of peers that are done with, soon after what ``send(_:)`` was given for them, and returns at
  /// once. A worker hears of it as of a connection that broke.
  func drop(_ peers: [PeerID])

  /// Sends what was handed on before, as far as that is possible within a short time, and frees all resources. Safe
  /// to call more than once.
  func close() async
}

/// A worker's end of one connection to the coordinator. After a loss the worker makes another.
public protocol WorkerTransport: Sendable {
  /// What arrives, under the terms of ``CoordinatorTransport/incoming``.
  var incoming: AsyncStream<[WorkerEvent]> { get }

  /// Hands messages on to be sent, in order, and returns at once. They wait while there is no connection; after
  /// ``close()`` they are dropped.
  func send(_ messages: [FromWorker])

  /// Under the terms of ``CoordinatorTransport/close()``.
  func close() async

  /// Frees all resources without sending what waits, and returns at once: a hello that arrived from a connection
  /// already given up would be answered there.
  func abandon()
}
