import CZeroMQ

/// A bare DEALER socket that can send what the project's own never would. Used on one thread at a time.
@safe
final class RawDealer {
  private let context: UnsafeMutableRawPointer?
  private let socket: UnsafeMutableRawPointer?

  /// Connects to a port on loopback.
  ///
  /// - Parameters:
  ///   - name: the routing identifier that the socket claims.
  ///   - patience: milliseconds that sending and receiving wait.
  init(port: UInt16, name: String? = nil, patience: Int32 = 10_000) {
    unsafe context = zmq_ctx_new()
    unsafe socket = zmq_socket(context, ZMQ_DEALER)
    if let name { unsafe zmq_setsockopt(socket, ZMQ_ROUTING_ID, name, name.utf8.count) }
    for (option, value) in [
      (ZMQ_LINGER, Int32(0)), (ZMQ_SNDTIMEO, patience), (ZMQ_RCVTIMEO, patience), (ZMQ_SNDHWM, 1), (ZMQ_RCVHWM, 1),
    ] {
      var value = value
      unsafe zmq_setsockopt(socket, option, &value, MemoryLayout<Int32>.size)
    }
    unsafe zmq_connect(socket, "tcp://127.0.0.1:\(port)")
  }

  deinit {
    unsafe zmq_close(socket)
    unsafe zmq_ctx_term(context)
  }

  /// Sends one message; `false` if it could not be sent in time.
  func send(_ frames: [[UInt8]]) -> Bool {
    for (index, frame) in frames.enumerated() {
      let flags = index + 1 < frames.count ? ZMQ_SNDMORE : 0
      if unsafe zmq_send(socket, frame, frame.count, flags) < 0 { return false }
    }
    return true
  }

  /// The frames of the next message, each cut to 256 bytes; `nil` if none came in time.
  func receive() -> [[UInt8]]? {
    var frames: [[UInt8]] = []
    while true {
      var buffer = [UInt8](repeating: 0, count: 256)
      let size = unsafe zmq_recv(socket, &buffer, buffer.count, 0)
      if size < 0 { return nil }
      frames.append(Array(buffer.prefix(Int(size))))
      var more: Int32 = 0
      var length = MemoryLayout<Int32>.size
      unsafe zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &length)
      if more == 0 { return frames }
    }
  }
}
