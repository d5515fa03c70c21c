internal import CZeroMQ
public import SweepWire

/// A worker's end over ZeroMQ: a DEALER socket that connects.
public final class ZeroMQWorkerTransport: WorkerTransport {
  private let thread: SocketThread<Dealer>

  /// What the coordinator says, in batches.
  public var incoming: AsyncStream<[WorkerEvent]> { thread.incoming }

  /// Begins to connect to a coordinator. Returns before there is a connection: libzmq goes on trying, and what is sent
  /// meanwhile waits.
  ///
  /// - Throws: `TransportError` if the address cannot be one of a coordinator.
  public static func connect(to endpoint: Endpoint) async throws(TransportError) -> ZeroMQWorkerTransport {
    ZeroMQWorkerTransport(try await SocketThread.start(Dealer(endpoint: endpoint), for: endpoint).0)
  }

  private init(_ thread: SocketThread<Dealer>) {
    self.thread = thread
  }

  deinit {
    thread.beginClosing(.dropping)
  }

  /// Puts messages into the outbox of the socket's thread.
  public func send(_ messages: [FromWorker]) {
    thread.send(messages)
  }

  /// Sends what is in the outbox, for at most a second, and closes the socket.
  public func close() async {
    await thread.close()
  }

  /// Closes the socket without sending what is in the outbox.
  public func abandon() {
    thread.beginClosing(.dropping)
  }
}

/// The DEALER socket.
private struct Dealer: SocketRole {
  let endpoint: Endpoint
  var broken: WorkerEvent? { .disconnected }
  static var mostFrames: Int { 2 }

  func open() throws(TransportError) -> Opened {
    guard endpoint.port > 0 else { throw .portMissing(endpoint) }
    let address = try endpoint.resolve()
    let socket = try Socket(ZMQ_DEALER, for: endpoint, isMonitored: true)
    socket.setCommonOptions()
    // Room for the largest message and the tags around its content.
    socket.setLargestFrame(WireProtocol.replyBytes)
    socket.set(ZMQ_RCVHWM, 64)
    socket.set(ZMQ_SNDHWM, 1024)
    // Milliseconds between attempts to connect; the pause doubles up to the second figure.
    socket.set(ZMQ_RECONNECT_IVL, 50)
    socket.set(ZMQ_RECONNECT_IVL_MAX, 2000)
    socket.set(ZMQ_CONNECT_TIMEOUT, 5000)
    socket.set(ZMQ_HANDSHAKE_IVL, 5000)
    try socket.connect(to: address, port: endpoint.port)
    return Opened(socket: socket, endpoint: endpoint)
  }

  func frames(of outgoing: FromWorker) -> [[[UInt8]]] {
    [[MessageCodec.versionFrame, MessageCodec.encode(outgoing)]]
  }

  func read(_ frames: [[UInt8]]) -> WorkerEvent {
    do throws(WireError) {
      return .message(try MessageCodec.decodeToWorker(frames))
    } catch {
      return .undecodable(error)
    }
  }

  func undeliverable(_ outgoing: FromWorker) -> WorkerEvent? { nil }
}
