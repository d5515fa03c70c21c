/// How long to wait before a process is started again that keeps ending.
public struct RestartBackoff: Sendable, Hashable {
  /// A life of this length is taken for a working one.
  public static let longLife = Duration.seconds(30)

  /// Short lives in a row, the latest included.
  public private(set) var shortLives = 0

  /// Creates the backoff of a process that has not ended yet.
  public init() {}

  /// Takes note of an end and returns the pause before the next start.
  ///
  ///     short lives in a row   0      1      2      3      4      5      6 and more
  ///     pause, seconds         0.2    0.2    0.4    0.8    1.6    3.2    6.4
  public mutating func ended(after life: Duration) -> Duration {
    shortLives = life >= Self.longLife ? 0 : shortLives + 1
    return .milliseconds(200) * (1 << min(max(0, shortLives - 1), 5))
  }
}
