internal import CZeroMQ
public import SweepWire

/// A worker's end over ZeroMQ: a DEALER socket that connects.
public final class ZeroMQWorkerTransport: WorkerTransport {
  private let thread: SocketThread<DealerEnd>

  /// What the coordinator says, in batches.
  public var incoming: AsyncStream<[WorkerEvent]> { thread.incoming }

  /// Begins to connect to a coordinator. Returns before there is a connection: libzmq goes on trying, and what is sent
  /// meanwhile waits.
  ///
  /// - Parameters:
  ///   - endpoint: where the coordinator listens.
  ///   - key: what the worker proves who it is with, and knows the coordinator by; `nil` = messages are in the clear.
  /// - Throws: `TransportError` if the address cannot be one of a coordinator.
  public static func connect(
    to endpoint: Endpoint, key: WorkerKey? = nil
  ) async throws(TransportError) -> ZeroMQWorkerTransport {
    let (thread, _) = try await SocketThread.start(for: endpoint) { () throws(TransportError) in
      try DealerEnd(endpoint, key)
    }
    return ZeroMQWorkerTransport(thread)
  }

  private init(_ thread: SocketThread<DealerEnd>) {
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
struct DealerEnd: SocketEnd, ~Copyable {
  let endpoint: Endpoint
  private let isEncrypted: Bool
  private let socket: Socket

  /// What becomes of a connection that a worker has to know.
  private static var worthKnowing: Int32 {
    ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
      | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
  }

  init(_ endpoint: Endpoint, _ key: WorkerKey?) throws(TransportError) {
    guard endpoint.port > 0 else { throw .portMissing(endpoint) }
    let address = try endpoint.resolve()
    guard address.bytes != [0, 0, 0, 0] else { throw .hostMissing(endpoint) }
    try self.init(endpoint, at: address, key, in: Context(for: endpoint), monitoring: Self.worthKnowing)
  }

  /// Connects within a context that others share.
  ///
  /// - Parameter events: what ``news()`` is to tell of; only one socket of a context can tell.
  init(
    _ endpoint: Endpoint, at address: IPv4Address, _ key: WorkerKey?, in context: Context, monitoring events: Int32 = 0
  ) throws(TransportError) {
    let socket = try Socket(ZMQ_DEALER, in: context, for: endpoint, monitoring: events)
    socket.setCommonOptions()
    if let key {
      socket.set(ZMQ_CURVE_SERVERKEY, key.coordinator.description)
      socket.set(ZMQ_CURVE_PUBLICKEY, key.pair.publicKey.description)
      socket.set(ZMQ_CURVE_SECRETKEY, key.pair.secretKey.text)
    }
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
    self.endpoint = endpoint
    isEncrypted = key != nil
    self.socket = socket
  }

  func send(_ outgoing: FromWorker) -> Departure<WorkerEvent> {
    switch socket.send([MessageCodec.versionFrame, MessageCodec.encode(outgoing)]) {
    case .queued: .gone
    case .full, .unreachable: .kept
    }
  }

  func receive() -> Arrival<WorkerEvent>? {
    guard let frames = socket.receive(mostFrames: 2)?.frames else { return nil }
    let size = frames.reduce(0) { $0 + $1.count }
    do throws(WireError) {
      return Arrival(message: .message(try MessageCodec.decodeToWorker(frames)), size: size)
    } catch {
      return Arrival(message: .undecodable(error), size: size)
    }
  }

  func news() -> [WorkerEvent] {
    socket.connectionEvents().map { event in
      switch event.kind {
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: .rejected(reason: rejection)
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
      where event.value == UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH):
        .rejected(reason: mismatch)
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        .rejected(reason: misunderstanding)
      default: .disconnected
      }
    }
  }

  func wait(forInput: Bool, forOutput: Bool, or doorbell: Doorbell) {
    var items: [zmq_pollitem_t] = unsafe []
    unsafe socket.addInterest(to: &items, forInput: forInput, forOutput: forOutput)
    unsafe doorbell.wait(orFor: items, atMost: nil)
  }

  func forgetUnsent() {
    socket.forgetUnsent()
  }

  private var rejection: String {
    "\(endpoint): the coordinator does not admit this worker's key; ask for one made by `pdsweep keys new`"
  }

  private var mismatch: String {
    isEncrypted
      ? "\(endpoint): the coordinator has no keys and cannot use this worker's; start it with --keys, or the worker "
        + "without --key"
      : "\(endpoint): the coordinator asks for a key; name the one made by `pdsweep keys new` with --key"
  }

  private var misunderstanding: String {
    "\(endpoint): what listens there ended the connection before it was made; "
      + (isEncrypted
        ? "it is not the coordinator that this worker's key was made for, or has no keys"
        : "it may ask for a key, to be named with --key, or be no coordinator")
  }
}
