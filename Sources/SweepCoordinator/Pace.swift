internal import SweepCore

/// How long cells take, learned from those that have been completed.
struct Pace: Sendable {
  private struct Mean: Sendable {
    var seconds = 0.0
    var cells = 0
    var value: Double? { cells > 0 ? seconds / Double(cells) : nil }
  }

  private var groups: [Mean]
  private var all = Mean()

  init(groups: Int) {
    self.groups = Array(repeating: Mean(), count: groups)
  }

  /// Takes note of a cell of a group that took so long.
  mutating func note(seconds: Double, group: Int) {
    guard seconds.isFinite, seconds >= 0 else { return }
    groups[group].seconds += seconds
    groups[group].cells += 1
    all.seconds += seconds
    all.cells += 1
  }

  /// The time that so many cells of each group take in so many slots. A group that is not known yet is taken to be
  /// like all others.
  func remaining(_ cells: [Int], slots: Int) -> Duration? {
    guard slots > 0, let usual = all.value else { return nil }
    let seconds = zip(cells, groups).reduce(0) { $0 + Double($1.0) * ($1.1.value ?? usual) }
    return .seconds(seconds / Double(slots))
  }
}
