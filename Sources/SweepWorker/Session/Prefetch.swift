internal import SweepCore

/// How many leases a worker wants beyond the cells that it runs, so that no engine waits for a round trip.
///
/// A few are enough where cells take long. The shorter they are, the more of them must be at hand: as many as the worker
/// runs in ``horizon``, as its latest cells show, up to ``most``. What waits is lost to nobody: the coordinator takes it
/// back when another worker is idle.
struct Prefetch: Sendable {
  /// Work that is to be at hand, in time.
  static let horizon = Duration.milliseconds(50)
  /// The most leases that are asked for to that end.
  static let most = 64
  /// Cells that show a pace.
  private static let sample = 16

  /// The leases wanted now.
  private(set) var count: Int
  private let least: Int
  private let isFixed: Bool
  private let slots: Int
  /// Since the count was last looked at: cells that ended, and the time that they took together.
  private var ended = 0
  private var taken = Duration.zero

  /// Creates a count.
  ///
  /// - Parameters:
  ///   - fixed: where it stays; `nil` = it follows the pace, from 1 and one more for every four slots upwards.
  init(_ fixed: Int?, slots: Int) {
    least = fixed ?? 1 + slots / 4
    isFixed = fixed != nil
    self.slots = slots
    count = least
  }

  /// Takes note of a cell that ended, and how long an engine was busy with it.
  ///
  /// The count is doubled while it is too small, and cut when it is at least four times too large, so that a pace which
  /// varies a little changes nothing.
  mutating func note(_ time: Duration) {
    guard !isFixed else { return }
    ended += 1
    taken += time
    guard ended == Self.sample || taken >= Self.horizon * Self.sample else { return }
    let inTime = taken > .zero ? Self.horizon * (slots * ended) / taken : .infinity
    if Double(count) < inTime {
      count = min(2 * count, max(least, Self.most))
    } else if Double(count) >= 4 * inTime {
      count = max(Int(inTime.rounded(.up)), least)
    }
    ended = 0
    taken = .zero
  }
}
