internal import CZeroMQ
internal import Glibc
internal import SweepWire

/// A ZeroMQ socket together with the context that it lives in.
///
/// A socket is born, used and closed on one thread. The context is terminated after its socket: the other way round,
/// `zmq_ctx_term` would wait for ever. Both happen when the value ends, which takes up to the linger time if messages
/// are still to be sent.
@safe
struct Socket: ~Copyable {
  private let endpoint: Endpoint
  private let context: UnsafeMutableRawPointer
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

  /// Opens a socket that neither listens nor connects yet.
  ///
  /// - Parameters:
  ///   - kind: `ZMQ_ROUTER` or `ZMQ_DEALER`.
  ///   - endpoint: what errors name.
  ///   - isMonitored: whether ``connectionBroke()`` is to be asked.
  init(_ kind: Int32, for endpoint: Endpoint, isMonitored: Bool) throws(TransportError) {
    guard Self.descriptorsAreFree else { throw .tooManyOpenFiles(endpoint) }
    guard let context = unsafe zmq_ctx_new() else { throw .failed("open a context for", endpoint) }
    guard let handle = unsafe zmq_socket(context, kind) else {
      let error = TransportError.failed("open a socket for", endpoint)
      unsafe Self.terminate(context)
      throw error
    }
    var monitor: UnsafeMutableRawPointer?
    if isMonitored {
      // The context belongs to this socket alone, so the name cannot be taken.
      let name = "inproc://monitor"
      if unsafe zmq_socket_monitor(handle, name, ZMQ_EVENT_DISCONNECTED) == 0 {
        unsafe monitor = zmq_socket(context, ZMQ_PAIR)
      }
      let isConnected = unsafe monitor.map { unsafe zmq_connect($0, name) == 0 } ?? false
      guard isConnected else {
        let error = TransportError.failed("watch a socket for", endpoint)
        if let monitor = unsafe monitor { unsafe zmq_close(monitor) }
        unsafe zmq_close(handle)
        unsafe Self.terminate(context)
        throw error
      }
    }
    self.endpoint = endpoint
    unsafe self.context = context
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
    unsafe Self.terminate(context)
  }

  /// Whether the process can open as many files as a context and its sockets take. libzmq aborts the process where it
  /// cannot have what it needs, so this is looked at before.
  private static var descriptorsAreFree: Bool {
    let probes = (0..<24).map { _ in pdsweep_eventfd() }
    for probe in probes where probe >= 0 { close(probe) }
    return probes.allSatisfy { $0 >= 0 }
  }

  private static func terminate(_ context: UnsafeMutableRawPointer) {
    while unsafe zmq_ctx_term(context) != 0, errno == EINTR {}
  }

  /// Sets an option; a value that libzmq refuses is our own error.
  func set(_ option: Int32, _ value: Int32) {
    var value = value
    let status = unsafe zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size)
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
  func receive(mostFrames: Int) -> [[UInt8]]? {
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
      if unsafe zmq_msg_more(frame) == 0 { return frames }
    }
  }

  /// Whether the connection has broken since this was last asked.
  func connectionBroke() -> Bool {
    guard let monitor = unsafe monitor else { return false }
    var broke = false
    var buffer: [UInt8] = Array(repeating: 0, count: 256)
    // An event is two frames, of which the first holds a number and the second an address.
    while unsafe zmq_recv(monitor, &buffer, buffer.count, ZMQ_DONTWAIT) >= 0 {
      broke = true
    }
    return broke
  }

  /// Waits until there is something to do.
  ///
  /// - Parameters:
  ///   - forInput: whether messages that arrive are something to do.
  ///   - forOutput: whether room for messages to be sent is.
  ///   - doorbell: always is, when rung; it is answered.
  func wait(forInput: Bool, forOutput: Bool, or doorbell: Doorbell) {
    let events = (forInput ? ZMQ_POLLIN : 0) | (forOutput ? ZMQ_POLLOUT : 0)
    var items = unsafe [
      zmq_pollitem_t(socket: nil, fd: doorbell.descriptor, events: Int16(ZMQ_POLLIN), revents: 0)
    ]
    if events != 0 {
      unsafe items.append(zmq_pollitem_t(socket: handle, fd: 0, events: Int16(events), revents: 0))
    }
    if let monitor = unsafe monitor {
      unsafe items.append(zmq_pollitem_t(socket: monitor, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
    }
    let count = unsafe zmq_poll(&items, Int32(items.count), -1)
    precondition(count >= 0 || errno == EINTR, "zmq_poll: \(TransportError.lastReason)")
    if count > 0, unsafe items[0].revents != 0 { doorbell.answer() }
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
