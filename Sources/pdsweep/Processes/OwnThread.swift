internal import Foundation

/// Runs long computations away from Swift's cooperative threads, which are few and have messages to carry.
enum OwnThread {
  /// Runs `body` on a thread of its own, with a stack of 16 MiB as engines have, and returns what it returns.
  static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let thread = Thread { continuation.resume(with: Result { try body() }) }
      thread.stackSize = 16 << 20
      thread.start()
    }
  }
}
