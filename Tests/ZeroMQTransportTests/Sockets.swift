import ContentHash
import Foundation
import Glibc
import SweepCore
import SweepWire
import ZeroMQTransport

/// The coordinator's end on a free port of loopback.
func listen() async throws -> ZeroMQCoordinatorTransport {
  try await ZeroMQCoordinatorTransport.listen(on: Endpoint("tcp://127.0.0.1:*"))
}

/// Takes the events of a stream one by one out of its batches.
struct Events<Event: Sendable> {
  private var batches: AsyncStream<[Event]>.Iterator
  private var rest: ArraySlice<Event> = []

  init(_ stream: AsyncStream<[Event]>) {
    batches = stream.makeAsyncIterator()
  }

  /// The next event; `nil` at the end.
  mutating func next() async -> Event? {
    while rest.isEmpty {
      guard let batch = await batches.next() else { return nil }
      rest = batch[...]
    }
    return rest.popFirst()
  }
}

/// A result of a given size.
func result(_ attempt: UInt64, bytes: Int) -> FromWorker {
  .result(
    AttemptResult(
      attempt: AttemptID(attempt), fingerprint: SHA256Digest(of: "cell"),
      result: [UInt8](repeating: 0x20, count: bytes), report: [0x20]))
}

/// A bare TCP connection to a port on loopback.
final class RawConnection {
  private let descriptor: Int32

  init(port: UInt16) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let status = unsafe withUnsafePointer(to: &address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    precondition(status == 0, "cannot connect to port \(port)")
  }

  deinit {
    close(descriptor)
  }

  /// Sends bytes; a connection that the other side has closed takes them silently.
  func send(_ bytes: [UInt8]) {
    _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }
}

/// Threads and open files of this process.
func resources() throws -> (threads: Int, files: Int) {
  let files = FileManager.default
  return (
    try files.contentsOfDirectory(atPath: "/proc/self/task").count,
    try files.contentsOfDirectory(atPath: "/proc/self/fd").count
  )
}

/// Opens files until the numbers of this process's open files have no gap, and counts them.
func filesOpenWithoutGaps() throws -> Int {
  let highest = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init).max() ?? 2
  while true {
    let filler = dup(STDIN_FILENO)
    guard filler >= 0 else { throw POSIXError(.EMFILE) }
    if filler > highest { return Int(filler) + 1 }
  }
}
