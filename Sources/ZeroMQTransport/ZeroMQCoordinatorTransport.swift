internal import CZeroMQ
public import SweepWire

/// The coordinator's end over ZeroMQ: a ROUTER socket that listens.
///
/// libzmq names each connection itself. A worker's own name is in its hello and never decides where messages go, so
/// that no peer can take over another's connection.
public final class ZeroMQCoordinatorTransport: CoordinatorTransport {
  /// The address in use, with the port that was taken.
  public let endpoint: Endpoint
  private let thread: SocketThread<Router>

  /// What workers say, in batches.
  public var incoming: AsyncStream<[CoordinatorEvent]> { thread.incoming }

  /// Listens on an address.
  ///
  /// - Parameters:
  ///   - endpoint: where; port 0 lets the system choose.
  ///   - insecure: whether an address that other machines can reach is allowed: messages are neither encrypted nor
  ///     authenticated.
  /// - Throws: `TransportError` if the address cannot or must not be listened on.
  public static func listen(
    on endpoint: Endpoint, insecure: Bool = false
  ) async throws(TransportError) -> ZeroMQCoordinatorTransport {
    let (thread, chosen) = try await SocketThread.start(
      Router(endpoint: endpoint, isInsecure: insecure), for: endpoint)
    return ZeroMQCoordinatorTransport(thread, chosen)
  }

  private init(_ thread: SocketThread<Router>, _ endpoint: Endpoint) {
    self.thread = thread
    self.endpoint = endpoint
  }

  deinit {
    thread.beginClosing(.dropping)
  }

  /// Puts messages into the outbox of the socket's thread.
  public func send(_ messages: [OutgoingMessage]) {
    thread.send(messages)
  }

  /// Sends what is in the outbox, for at most a second, and closes the socket.
  public func close() async {
    await thread.close()
  }
}

/// The ROUTER socket. A message has the connection's name as its first frame.
private struct Router: SocketRole {
  let endpoint: Endpoint
  let isInsecure: Bool
  var broken: CoordinatorEvent? { nil }
  static var mostFrames: Int { 3 }

  func open() throws(TransportError) -> Opened {
    let address = try endpoint.resolve()
    guard address.isLoopback || isInsecure else {
      throw .beyondLoopback(endpoint, address: address.description)
    }
    let socket = try Socket(ZMQ_ROUTER, for: endpoint, isMonitored: false)
    socket.setCommonOptions()
    // A message to nobody, or to a peer whose queue is full, is an error and not silently dropped.
    socket.set(ZMQ_ROUTER_MANDATORY, 1)
    // Peers do not name themselves; one that does cannot take a name in use.
    socket.set(ZMQ_ROUTER_HANDOVER, 0)
    socket.setLargestFrame(WireProtocol.resultBytes)
    // With the largest frame, the bound on what libzmq keeps of each peer while nobody reads.
    socket.set(ZMQ_RCVHWM, 64)
    socket.set(ZMQ_SNDHWM, 1024)
    // Workers may all come at once after a restart.
    socket.set(ZMQ_BACKLOG, 4096)
    // A peer that connects and says nothing is let go.
    socket.set(ZMQ_HANDSHAKE_IVL, 5000)
    let chosen = try socket.bind(to: address, port: endpoint.port)
    return Opened(socket: socket, endpoint: chosen)
  }

  func frames(of outgoing: OutgoingMessage) -> [[[UInt8]]] {
    MessageCodec.encode(outgoing.message).map { [outgoing.peer.bytes, MessageCodec.versionFrame, $0] }
  }

  func read(_ frames: [[UInt8]]) -> CoordinatorEvent {
    let peer = PeerID(frames[0])
    do throws(WireError) {
      return .message(peer, try MessageCodec.decodeFromWorker(Array(frames.dropFirst())))
    } catch {
      return .undecodable(peer, error)
    }
  }

  func undeliverable(_ outgoing: OutgoingMessage) -> CoordinatorEvent? {
    .unreachable(outgoing.peer)
  }
}

extension Socket {
  /// Sets what the sockets of both ends share.
  func setCommonOptions() {
    // Closing waits this long, in milliseconds, for messages that are still to be sent.
    set(ZMQ_LINGER, 1000)
    set(ZMQ_IPV6, 0)
    // A connection that the other machine has forgotten is noticed after about a minute, even if nobody speaks.
    set(ZMQ_TCP_KEEPALIVE, 1)
    set(ZMQ_TCP_KEEPALIVE_IDLE, 30)
    set(ZMQ_TCP_KEEPALIVE_INTVL, 10)
    set(ZMQ_TCP_KEEPALIVE_CNT, 3)
    set(ZMQ_TCP_MAXRT, 60_000)
  }
}
