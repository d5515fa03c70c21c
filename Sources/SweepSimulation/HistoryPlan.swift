internal import ContentHash
internal import SweepCore
internal import SweepStore

/// What a history is about, drawn from its seed: sweeps, workers, and what is wrong with them.
struct HistoryPlan {
  /// What engines make of a cell.
  enum Nature {
    /// A result.
    case sound
    /// A crash, every time.
    case poisonous
    /// A failure that would repeat.
    case diverging
  }

  /// What is wrong with a worker.
  enum Health {
    case good
    /// Half of its engines' runs crash.
    case flaky
    /// Its engines do not start.
    case broken
  }

  /// Sweeps by their cells in ``TrialCells/all``. A cell may be in several.
  let sweeps: [SweepEntry]
  /// Of each sweep's cells, their places in ``TrialCells/all``.
  let sources: [[Int]]
  /// By place in ``TrialCells/all``.
  let natures: [Nature]
  let settings: Scheduler.Settings
  let workers: [Health]
  /// When the chaos ends, nanoseconds.
  let calmAfter: Int64

  init(_ random: inout SeededRandom) {
    natures = TrialCells.all.map { _ in
      random.chance(1, in: 12) ? .poisonous : random.chance(1, in: 16) ? .diverging : .sound
    }
    var sources: [[Int]] = []
    var sweeps: [SweepEntry] = []
    for number in 0...(random.chance(1, in: 2) ? 1 : 0) {
      let first = Int.random(in: 0...12, using: &random)
      let own = Array(first..<first + Int.random(in: 1...8, using: &random))
      let cells = own.enumerated().map { place, source in
        var cell = TrialCells.all[source].cell
        cell.index = place
        return cell
      }
      let description = SweepDescription(
        name: "trial-\(number)", digest: SHA256Digest(of: "\(number) \(own)"), file: "sweep: trial\n",
        vocabularySize: 1000, goal: SweepGoal(), auditFraction: [0, 0, 0.5, 1].randomElement(using: &random) ?? 0)
      sources.append(own)
      sweeps.append(SweepEntry(description, cells: cells))
    }
    self.sources = sources
    self.sweeps = sweeps
    settings = Scheduler.Settings(
      copyAfter: .seconds(3), auditPatience: .seconds(3),
      quarantine: .init(failures: 2, forgivenAfter: 5, firstProbe: .seconds(1), longestProbe: .seconds(4)))
    workers = (0..<Int.random(in: 1...3, using: &random)).map { _ in
      random.chance(1, in: 6) ? .flaky : random.chance(1, in: 16) ? .broken : .good
    }
    calmAfter = random.time(2...10)
  }
}
