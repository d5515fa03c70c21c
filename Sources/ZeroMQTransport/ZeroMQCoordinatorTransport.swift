internal import CZeroMQ
public import SweepWire

/// Who may connect to a coordinator.
public enum CoordinatorSecurity: Sendable {
  /// Whoever is on this machine; messages are in the clear.
  case loopback
  /// Whoever reaches the address; messages are in the clear.
  case insecure
  /// Who has a key that the folder lists; messages are encrypted and authenticated (CURVE, ZeroMQ RFC 26).
  case keys(KeyFolder)
}

/// The coordinator's end over ZeroMQ: a ROUTER socket that listens.
///
/// libzmq names each connection itself. A worker's own name is in its hello and never decides where messages go, so
/// that no peer can take over another's connection.
public final class ZeroMQCoordinatorTransport: CoordinatorTransport {
  /// The address in use, with the port that was taken.
  public let endpoint: Endpoint
  private let thread: SocketThread<RouterEnd>

  /// What workers say, in batches.
  public var incoming: AsyncStream<[CoordinatorEvent]> { thread.incoming }

  /// Listens on an address. Where keys are asked for, the folder's list is looked at every second from then on.
  ///
  /// - Parameters:
  ///   - endpoint: where; port 0 lets the system choose.
  ///   - security: who may connect.
  /// - Throws: `TransportError` if the address cannot or must not be listened on, or the keys cannot be read.
  public static func listen(
    on endpoint: Endpoint, security: CoordinatorSecurity = .loopback
  ) async throws(TransportError) -> ZeroMQCoordinatorTransport {
    try await listen(on: endpoint, security: security, mostConnections: OpenFiles.mostConnections, grace: .seconds(1))
  }

  /// Listens, with bounds of choice; see ``RouterEnd``.
  static func listen(
    on endpoint: Endpoint, security: CoordinatorSecurity, mostConnections: Int, grace: Duration
  ) async throws(TransportError) -> ZeroMQCoordinatorTransport {
    let (thread, chosen) = try await SocketThread.start(for: endpoint) { () throws(TransportError) in
      try RouterEnd(endpoint, security, mostConnections: mostConnections, grace: grace)
    }
    return ZeroMQCoordinatorTransport(thread, chosen)
  }

  private init(_ thread: SocketThread<RouterEnd>, _ endpoint: Endpoint) {
    self.thread = thread
    self.endpoint = endpoint
  }

  deinit {
    thread.beginClosing(.dropping)
  }

  /// Puts messages into the outbox of the socket's thread.
  public func send(_ messages: [OutgoingMessage]) {
    thread.send(messages.map { .send($0) })
  }

  /// Lets messages be sent when the outbox is empty.
  public func sendLater(_ messages: [OutgoingMessage]) {
    thread.sendLater(messages.map { .send($0) })
  }

  /// Lets connections be cut a second after what is in the outbox has been sent.
  public func drop(_ peers: [PeerID]) {
    thread.send(peers.map { .drop($0) })
  }

  /// Sends what is in the outbox, for at most a second, and closes the socket.
  public func close() async {
    await thread.close()
  }
}
