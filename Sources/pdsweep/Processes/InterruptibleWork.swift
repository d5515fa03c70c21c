internal import ArgumentParser
internal import Synchronization

/// Long computations of a command that write nothing before they are complete.
enum InterruptibleWork {
  /// Runs `body` on a thread of its own. Ctrl-C and SIGTERM ask it to end early, a second one ends the process.
  ///
  /// - Parameter body: asks `isCancelled` now and then, and throws something once it says so.
  /// - Throws: what `body` throws; after a signal, an `ExitCode` in its place.
  static func run<Value: Sendable>(
    _ body: @escaping @Sendable (_ isCancelled: @escaping () -> Bool) throws -> Value
  ) async throws -> Value {
    let interruption = Mutex<Interruption?>(nil)
    do {
      return try await OwnThread.run {
        let interruptions = Interruptions { signal in interruption.withLock { $0 = signal } }
        defer { withExtendedLifetime(interruptions) {} }
        return try body { interruption.withLock { $0 != nil } }
      }
    } catch {
      guard let signal = interruption.withLock({ $0 }) else { throw error }
      Terminal.writeError("pdsweep: stopped; nothing is written")
      throw ExitCode(signal.exitStatus)
    }
  }
}
