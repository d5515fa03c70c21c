internal import CZeroMQ
internal import Glibc

/// Wakes a thread that polls: an eventfd. Any thread may ring.
final class Doorbell: Sendable {
  /// The descriptor to poll for input.
  let descriptor: Int32

  /// Returns `nil` if the process cannot open another file.
  init?() {
    descriptor = pdsweep_eventfd()
    guard descriptor >= 0 else { return nil }
  }

  deinit {
    close(descriptor)
  }

  /// Makes the descriptor readable.
  func ring() {
    var one: UInt64 = 1
    // Fails only where 2^64 - 1 rings are unanswered; then the descriptor is readable already.
    _ = unsafe write(descriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// Makes the descriptor unreadable until it is rung again.
  func answer() {
    var rings: UInt64 = 0
    _ = unsafe read(descriptor, &rings, MemoryLayout<UInt64>.size)
  }
}
