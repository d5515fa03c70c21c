public import Foundation
public import SweepCore

/// What a coordinator knows of time.
public struct CoordinatorClock: Sendable {
  /// The present moment, on a monotonic clock.
  public var now: @Sendable () -> Instant
  /// The present time of day, for the store.
  public var date: @Sendable () -> Date
  /// Returns at a moment, or when the task is cancelled.
  public var sleep: @Sendable (_ deadline: Instant) async -> Void

  /// Creates a clock.
  public init(
    now: @escaping @Sendable () -> Instant, date: @escaping @Sendable () -> Date,
    sleep: @escaping @Sendable (_ deadline: Instant) async -> Void
  ) {
    self.now = now
    self.date = date
    self.sleep = sleep
  }

  /// The system's clocks; the monotonic one starts at 0.
  public static func system() -> CoordinatorClock {
    let start = ContinuousClock.now
    return CoordinatorClock(
      now: { Instant(nanoseconds: 0) + (ContinuousClock.now - start) },
      date: { Date() },
      sleep: { deadline in
        // The only error is cancellation, after which nobody waits for the moment.
        try? await Task.sleep(until: start + (deadline - Instant(nanoseconds: 0)), clock: .continuous)
      })
  }
}
