internal import CZeroMQ
internal import SweepWire

/// The coordinator's sockets: the ROUTER that workers connect to, and where there are keys the one on which libzmq asks
/// whom to admit. A message has the connection's name as its first frame.
struct RouterEnd: SocketEnd, ~Copyable {
  /// What the coordinator can have done.
  enum Order: Sendable {
    /// A message is to be sent.
    case send(OutgoingMessage)
    /// A connection is to end.
    case drop(PeerID)
  }

  let endpoint: Endpoint
  private let socket: Socket
  private let gate: Gate?
  private var connections: Connections
  /// What came of looking at connections, until ``news()`` sees to it.
  private var noted: (cut: [Int32], remarks: [String]) = ([], [])

  /// Listens.
  ///
  /// - Parameters:
  ///   - mostConnections: how many may be open at a time.
  ///   - grace: time that a peer has to hear what was said last before its connection is cut.
  init(
    _ endpoint: Endpoint, _ security: CoordinatorSecurity, mostConnections: Int, grace: Duration
  ) throws(TransportError) {
    let address = try endpoint.resolve()
    let context = try Context(for: endpoint)
    let socket = try Socket(
      ZMQ_ROUTER, in: context, for: endpoint, monitoring: ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED)
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
    let gate: Gate?
    switch security {
    case .loopback:
      guard address.isLoopback else { throw .beyondLoopback(endpoint, address: address.description) }
      gate = nil
    case .insecure: gate = nil
    case .keys(let folder): gate = try Gate(folder, guarding: socket, in: context, for: endpoint)
    }
    // Last: whoever connects finds everything in place.
    let chosen = try socket.bind(to: address, port: endpoint.port)
    self.endpoint = chosen
    self.gate = gate
    connections = Connections(most: mostConnections, grace: grace)
    self.socket = socket
  }

  mutating func send(_ order: Order) -> Departure<CoordinatorEvent> {
    switch order {
    case .drop(let peer): connections.doom(peer.bytes, at: .now)
    case .send(let outgoing):
      for body in MessageCodec.encode(outgoing.message) {
        switch socket.send([outgoing.peer.bytes, MessageCodec.versionFrame, body]) {
        case .queued: continue
        case .full, .unreachable: return .failed(.unreachable(outgoing.peer))
        }
      }
    }
    return .gone
  }

  mutating func receive() -> Arrival<CoordinatorEvent>? {
    guard let message = socket.receive(mostFrames: 3) else { return nil }
    let name = message.frames[0]
    note(
      connections.heard(name, keyNumber: message.keyNumber, over: message.descriptor) { socket.connectionEvents() })
    var key: String?
    switch message.keyNumber.flatMap({ gate?.standing(of: $0) }) {
    case .admitted(let name): key = name
    case .revoked:
      connections.doom(name, at: .now)
      return Arrival(message: nil, size: 0)
    case nil: break
    }
    let peer = PeerID(name, key: key)
    let frames = Array(message.frames.dropFirst())
    let size = frames.reduce(0) { $0 + $1.count }
    do throws(WireError) {
      return Arrival(message: .message(peer, try MessageCodec.decodeFromWorker(frames)), size: size)
    } catch {
      return Arrival(message: .undecodable(peer, error), size: size)
    }
  }

  mutating func news() -> [CoordinatorEvent] {
    let now = ContinuousClock.now
    note(connections.note(socket.connectionEvents()))
    var cut = noted.cut
    var news = noted.remarks.map { CoordinatorEvent.remark($0) }
    noted = ([], [])
    if let gate {
      let more = gate.news(at: now)
      news += more
      if more.contains(where: { if case .revoked = $0 { true } else { false } }) {
        connections.doom(where: { gate.standing(of: $0) == .revoked }, at: now)
      }
    }
    cut += connections.due(at: now)
    for descriptor in cut { Socket.cut(descriptor) }
    return news
  }

  /// Keeps what came of looking at connections.
  private mutating func note(_ outcome: (cut: [Int32], remark: String?)) {
    noted.cut += outcome.cut
    if let remark = outcome.remark { noted.remarks.append(remark) }
  }

  func wait(forInput: Bool, forOutput: Bool, or doorbell: Doorbell) {
    var items: [zmq_pollitem_t] = unsafe []
    unsafe socket.addInterest(to: &items, forInput: forInput, forOutput: forOutput)
    unsafe gate?.addInterest(to: &items)
    let now = ContinuousClock.now
    unsafe doorbell.wait(
      orFor: items, atMost: [connections.pause(at: now), gate?.pause(at: now)].compactMap(\.self).min())
  }

  func forgetUnsent() {
    socket.forgetUnsent()
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
