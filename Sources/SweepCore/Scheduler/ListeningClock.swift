/// Counts only the time in which somebody listened.
///
/// A coordinator that was stopped, starved or asleep heard nothing, and must not hold that silence against its
/// workers, nor a worker against its engines: a gap between two events longer than it ever leaves on purpose is taken
/// out of the count.
public struct ListeningClock: Sendable {
  /// The longest gap between two events that still counts, in nanoseconds.
  private let longestGap: Int64
  /// The moment of the latest event.
  public private(set) var last: Instant
  /// Nanoseconds taken out so far.
  private var deaf: Int64 = 0

  /// Creates a clock whose listening time begins at `start`.
  public init(longestGap: Int64, start: Instant) {
    self.longestGap = longestGap
    last = start
  }

  /// Moves on to `now`, never backwards, and returns the listening time then.
  public mutating func advance(to now: Instant) -> Instant {
    let gap = max(0, now.nanoseconds - last.nanoseconds)
    if gap > longestGap { deaf += gap }
    last = max(last, now)
    return present
  }

  /// The listening time of the latest event.
  var present: Instant { Instant(nanoseconds: last.nanoseconds - deaf) }

  /// The moment at which the listening time will be `instant` if no gap comes between.
  public func moment(of instant: Instant) -> Instant {
    Instant(nanoseconds: instant.nanoseconds + deaf)
  }
}
