/// How often workers give signs of life: the more there are, the less often, so that a coordinator of ten thousand is
/// not kept busy by them.
///
///     workers    up to n    up to 2n    up to 4n    ...    up to 64n and beyond
///     interval         1           2           4                             64
///
/// Both in multiples: n workers at the shortest interval give ``Scheduler/Settings/mostHeartbeats`` a second.
struct HeartbeatPace: Sendable {
  /// Times that the interval is doubled.
  private(set) var doublings = 0
  /// Workers for which the shortest interval will do.
  private let capacity: Int

  private static let mostDoublings = 6

  init(_ settings: Scheduler.Settings) {
    capacity = max(1, Int(Double(settings.mostHeartbeats) * (settings.heartbeatInterval / .seconds(1))))
  }

  /// Takes note of how many workers there are. The way back is taken at half as many: where they come and go, they are
  /// not told something else again and again.
  mutating func note(workers: Int) {
    while doublings < Self.mostDoublings, workers > capacity << doublings { doublings += 1 }
    while doublings > 0, 2 * workers <= capacity << (doublings - 1) { doublings -= 1 }
  }
}
