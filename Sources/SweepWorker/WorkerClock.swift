public import SweepCore

/// What a worker knows of time.
public protocol WorkerClock: Sendable {
  /// The present moment, on a monotonic clock.
  var now: Instant { get }

  /// Returns at `deadline`, or when the task is cancelled.
  func sleep(until deadline: Instant) async
}

/// The system's monotonic clock, counted from the value's creation.
public struct SystemClock: WorkerClock {
  private let start = ContinuousClock.now

  /// Creates a clock that starts at 0.
  public init() {}

  /// Time since the clock's creation.
  public var now: Instant {
    Instant(nanoseconds: 0) + (ContinuousClock.now - start)
  }

  /// Sleeps on Swift's clock.
  public func sleep(until deadline: Instant) async {
    // The only error is cancellation, after which nobody waits for the moment.
    try? await Task.sleep(until: start + (deadline - Instant(nanoseconds: 0)), clock: .continuous)
  }
}
