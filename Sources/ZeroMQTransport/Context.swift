internal import CZeroMQ
internal import Glibc

/// A ZeroMQ context: libzmq's own threads, and the names by which sockets within a process find each other.
///
/// Each transport has its own, shared by its sockets, and libzmq's questions whom to admit are answered within it. It
/// ends after the last of them, which takes up to their linger time if messages are still to be sent.
@safe
final class Context {
  let handle: UnsafeMutableRawPointer

  /// Makes a context without sockets.
  ///
  /// - Parameters:
  ///   - endpoint: what errors name.
  ///   - sockets: how many it is to hold at most; libzmq's own limit where that is more.
  init(for endpoint: Endpoint, sockets: Int = 1) throws(TransportError) {
    // A socket takes a descriptor for what libzmq's threads tell it and one for its connection.
    guard Self.descriptorsAreFree(30 + 2 * sockets) else { throw .tooManyOpenFiles(endpoint) }
    guard let handle = unsafe zmq_ctx_new() else { throw .failed("open a context for", endpoint) }
    let most = max(sockets + 1, Int(ZMQ_MAX_SOCKETS_DFLT))
    let status = unsafe zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, Int32(most))
    precondition(status == 0, "libzmq refuses \(most) sockets")
    unsafe self.handle = handle
  }

  deinit {
    while unsafe zmq_ctx_term(handle) != 0, errno == EINTR {}
  }

  /// Whether the process can open as many files as a context and its sockets take. libzmq aborts the process where it
  /// cannot have what it needs, so this is looked at before.
  private static func descriptorsAreFree(_ count: Int) -> Bool {
    let probes = (0..<count).map { _ in pdsweep_eventfd() }
    for probe in probes where probe >= 0 { close(probe) }
    return probes.allSatisfy { $0 >= 0 }
  }
}
