internal import CZeroMQ
internal import Glibc

/// A ZeroMQ socket together with the context that it lives in.
///
/// A socket is born, used and closed on one thread. The context is ended after its sockets: the other way round,
/// `zmq_ctx_term` would wait for ever.
@safe
struct Socket: ~Copyable {
  private let endpoint: Endpoint
  private let context: Context
  private let handle: UnsafeMutableRawPointer
  private let monitor: UnsafeMutableRawPointer?
  /// Where frames are received into; it must not move between calls.
  private let frame: UnsafeMutablePointer<zmq_msg_t>

  /// What became of a message that was to be sent.
  enum Sent {
    /// It is on its way.
    case queued
    /// The queue to the peer is full.
    case full
    /// There is no such peer.
    case unreachable
  }

  /// A message that has arrived.
  struct Message {
    var frames: [[UInt8]]
    /// The number that the doorkeeper gave the connection; `nil` where there is none.
    var keyNumber: Int?
    /// The descriptor of the connection, which may be closed by now.
    var descriptor: Int32
  }

  /// What a monitor tells of connections.
  struct ConnectionEvent {
    /// One of the `ZMQ_EVENT_...`.
    var kind: Int32
    /// What libzmq says with it: a descriptor or an error.
    var value: UInt32
  }

  /// Opens a socket that neither listens nor connects yet.
  ///
  /// - Parameters:
  ///   - kind: `ZMQ_ROUTER`, `ZMQ_DEALER` or `ZMQ_REP`.
  ///   - context: where it lives.
  ///   - endpoint: what errors name.
  ///   - events: the `ZMQ_EVENT_...` that ``connectionEvents()`` is to tell; 0 = none.
  init(
    _ kind: Int32, in context: Context, for endpoint: Endpoint, monitoring events: Int32 = 0
  ) throws(TransportError) {
    guard let handle = unsafe zmq_socket(context.handle, kind) else { throw .failed("open a socket for", endpoint) }
    var monitor: UnsafeMutableRawPointer?
    if events != 0 {
      // One socket of a context is monitored, so the name cannot be taken.
      let name = "inproc://monitor"
      if unsafe zmq_socket_monitor(handle, name, events) == 0 {
        unsafe monitor = zmq_socket(context.handle, ZMQ_PAIR)
      }
      // Telling blocks libzmq's own thread where the queue is full: it must not be.
      var unlimited: Int32 = 0
      let isConnected = unsafe monitor.map { monitor in
        unsafe zmq_setsockopt(monitor, ZMQ_RCVHWM, &unlimited, MemoryLayout<Int32>.size) == 0
          && zmq_connect(monitor, name) == 0
      }
      guard isConnected == true else {
        let error = TransportError.failed("watch a socket for", endpoint)
        if let monitor = unsafe monitor { unsafe zmq_close(monitor) }
        unsafe zmq_close(handle)
        throw error
      }
    }
    self.endpoint = endpoint
    self.context = context
    unsafe self.handle = handle
    unsafe self.monitor = monitor
    unsafe frame = .allocate(capacity: 1)
  }

  deinit {
    unsafe frame.deallocate()
    if let monitor = unsafe monitor {
      unsafe zmq_socket_monitor(handle, nil, 0)
      unsafe zmq_close(monitor)
    }
    unsafe zmq_close(handle)
  }

  /// Sets an option; a value that libzmq refuses is our own error.
  func set(_ option: Int32, _ value: Int32) {
    var value = value
    let status = unsafe zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size)
    precondition(status == 0, "libzmq refuses socket option \(option)")
  }

  /// Sets an option that is text.
  func set(_ option: Int32, _ value: String) {
    let status = unsafe zmq_setsockopt(handle, option, value, value.utf8.count)
    precondition(status == 0, "libzmq refuses socket option \(option)")
  }

  /// Lets the closing of the socket drop what is still to be sent.
  func forgetUnsent() {
    set(ZMQ_LINGER, 0)
  }

  /// Sets the size in bytes beyond which a frame breaks the connection it comes from.
  func setLargestFrame(_ size: Int) {
    var size = Int64(size)
    let status = unsafe zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &size, MemoryLayout<Int64>.size)
    precondition(status == 0, "libzmq refuses a largest frame of \(size) bytes")
  }

  /// Listens within the context.
  func bind(inProcess address: String) throws(TransportError) {
    guard unsafe zmq_bind(handle, address) == 0 else { throw .failed("answer for", endpoint) }
  }

  /// Listens, and returns the address with the port that was taken.
  func bind(to address: IPv4Address, port: UInt16) throws(TransportError) -> Endpoint {
    guard unsafe zmq_bind(handle, "tcp://\(address):\(port == 0 ? "*" : String(port))") == 0 else {
      throw .failed("listen on", endpoint)
    }
    var text = [CChar](repeating: 0, count: 64)
    var size = text.count
    guard unsafe zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &size) == 0 else {
      throw .failed("ask for the address of", endpoint)
    }
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let chosen = try Endpoint(String(decoding: bytes, as: UTF8.self))
    // A name that was given stays; the port may have been chosen.
    return Endpoint(host: endpoint.host, port: chosen.port)
  }

  /// Begins to connect; libzmq goes on trying.
  func connect(to address: IPv4Address, port: UInt16) throws(TransportError) {
    guard unsafe zmq_connect(handle, "tcp://\(address):\(port)") == 0 else {
      throw .failed("connect to", endpoint)
    }
  }

  /// Hands a message to libzmq without waiting.
  func send(_ frames: [[UInt8]]) -> Sent {
    for (index, frame) in frames.enumerated() {
      let flags = ZMQ_DONTWAIT | (index + 1 < frames.count ? ZMQ_SNDMORE : 0)
      while unsafe zmq_send(handle, frame, frame.count, flags) < 0 {
        // Only the first frame can be refused: with it libzmq has made room for all.
        switch errno {
        case EINTR: continue
        case EAGAIN where index == 0: return .full
        case EHOSTUNREACH where index == 0: return .unreachable
        default: preconditionFailure("zmq_send: \(TransportError.lastReason)")
        }
      }
    }
    return .queued
  }

  /// The next message that has arrived, without waiting; `nil` if there is none. Of a message with more than
  /// `mostFrames` frames, the last is left out and the others are dropped.
  func receive(mostFrames: Int) -> Message? {
    var frames: [[UInt8]] = []
    while true {
      unsafe zmq_msg_init(frame)
      defer { unsafe zmq_msg_close(frame) }
      while unsafe zmq_msg_recv(frame, handle, ZMQ_DONTWAIT) < 0 {
        switch errno {
        case EINTR: continue
        // The frames of a message arrive together, so only the first can be missing.
        case EAGAIN where frames.isEmpty: return nil
        default: preconditionFailure("zmq_msg_recv: \(TransportError.lastReason)")
        }
      }
      if frames.count <= mostFrames {
        let content = unsafe UnsafeRawBufferPointer(start: zmq_msg_data(frame), count: zmq_msg_size(frame))
        frames.append(unsafe Array(content))
      }
      if unsafe zmq_msg_more(frame) == 0 {
        let number = unsafe zmq_msg_gets(frame, "User-Id").flatMap { Int(unsafe String(cString: $0)) }
        return Message(frames: frames, keyNumber: number, descriptor: unsafe zmq_msg_get(frame, ZMQ_SRCFD))
      }
    }
  }

  /// What has become of connections since this was last asked.
  func connectionEvents() -> [ConnectionEvent] {
    guard let monitor = unsafe monitor else { return [] }
    var events: [ConnectionEvent] = []
    var buffer = [UInt8](repeating: 0, count: 256)
    // An event is two frames: two bytes of kind and four of value, in the machine's order, and an address.
    while unsafe zmq_recv(monitor, &buffer, buffer.count, ZMQ_DONTWAIT) == 6 {
      let event = buffer.prefix(6)
      unsafe zmq_recv(monitor, &buffer, buffer.count, 0)
      let (kind, value) = unsafe event.withUnsafeBytes { event in
        unsafe (event.loadUnaligned(as: UInt16.self), event.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
      }
      events.append(ConnectionEvent(kind: Int32(kind), value: value))
    }
    return events
  }

  /// Ends a connection of this process by its descriptor.
  static func cut(_ descriptor: Int32) {
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  /// Appends what ``Poll/wait(_:for:or:)`` is to wait for.
  ///
  /// - Parameters:
  ///   - forInput: whether messages that arrive are something to do.
  ///   - forOutput: whether room for messages to be sent is.
  func addInterest(to items: inout [zmq_pollitem_t], forInput: Bool, forOutput: Bool) {
    let events = (forInput ? ZMQ_POLLIN : 0) | (forOutput ? ZMQ_POLLOUT : 0)
    if events != 0 {
      unsafe items.append(zmq_pollitem_t(socket: handle, fd: 0, events: Int16(events), revents: 0))
    }
    if let monitor = unsafe monitor {
      unsafe items.append(zmq_pollitem_t(socket: monitor, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
    }
  }
}

extension Doorbell {
  /// Waits until it is rung, which answers it; until one of `items` has something to do; or until the time is over.
  func wait(orFor items: consuming [zmq_pollitem_t], atMost time: Duration?) {
    unsafe items.append(zmq_pollitem_t(socket: nil, fd: descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
    // Rounded up: to wake before the moment would be to wait once more.
    let milliseconds = time.map { Int((($0 / .milliseconds(1)).rounded(.up))) } ?? -1
    let count = unsafe zmq_poll(&items, Int32(items.count), milliseconds)
    precondition(count >= 0 || errno == EINTR, "zmq_poll: \(TransportError.lastReason)")
    if count > 0, unsafe items.last?.revents != 0 { answer() }
  }
}

extension TransportError {
  /// What the last call of this thread into libzmq failed of.
  static var lastReason: String {
    unsafe String(cString: zmq_strerror(zmq_errno()))
  }

  /// The error of a call into libzmq that just failed.
  static func failed(_ operation: String, _ endpoint: Endpoint) -> TransportError {
    switch zmq_errno() {
    case EADDRINUSE: .portInUse(endpoint)
    case EADDRNOTAVAIL, ENODEV: .addressElsewhere(endpoint)
    case EACCES, EPERM: .notPermitted(endpoint)
    case EMFILE, ENFILE: .tooManyOpenFiles(endpoint)
    default: .system(endpoint, operation: operation, reason: lastReason)
    }
  }
}
