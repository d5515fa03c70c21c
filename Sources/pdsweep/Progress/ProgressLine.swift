internal import Foundation
internal import SweepCore
internal import SweepCoordinator

/// The greatest removal so far among the measurements whose retention cost is within the goal's, on validation.
struct BestRemoval: Sendable {
  /// Removal, nats.
  let removal: Double
  /// Retention cost, nats.
  let retentionCost: Double
  /// The method that reached it.
  let method: String
  /// The token budget under which it did.
  let tokenBudget: Int

  /// The better of what is known and what a cell came to.
  static func better(of best: BestRemoval?, and cell: Cell, _ result: CellResult, goal: SweepGoal) -> BestRemoval? {
    result.evaluations.reduce(best) { best, evaluation in
      let removal = evaluation.removal(.validation)
      let cost = evaluation.retentionCost(.validation)
      guard cost <= goal.retentionCostAtMost, removal > best?.removal ?? -.infinity else { return best }
      return BestRemoval(
        removal: removal, retentionCost: cost, method: cell.method,
        tokenBudget: cell.specification.training?.tokenBudget ?? 0)
    }
  }
}

/// What the results of a sweep amount to so far, on validation.
struct Standing: Sendable {
  /// The greatest removal within the goal's cost; `nil` where no edit is within it.
  var best: BestRemoval?
  /// What the front of all methods dominates, nats squared: it can only grow.
  var hypervolume: Double
}

extension SweepProgress {
  /// One line for people, what matters most first: a narrow terminal cuts off its end.
  func line(_ standing: Standing?) -> String {
    let (total, ended) = (total, ended)
    let names = sweeps.map(\.name).joined(separator: ", ")
    var parts = ["\(names): \(ended)/\(total) cells (\(total == 0 ? 100 : 100 * ended / total) %)"]
    if waitsForStore != nil { parts.append("waiting for the store") }
    if count(.failed) > 0 { parts.append("\(count(.failed)) failed") }
    if count(.cancelled) > 0 { parts.append("\(count(.cancelled)) cancelled") }
    if isDraining { parts.append("stopping") }
    let slots = workers.reduce(0) { $0 + $1.slots }
    parts.append(
      "\(workers.count) \(workers.count == 1 ? "worker" : "workers")"
        + (slots > workers.count ? " (\(slots) slots)" : ""))
    let aside = workers.count { $0.setAside != nil }
    if aside > 0 { parts.append("\(aside) set aside") }
    if ended < total, !isDraining {
      if let rate = cellsPerSecond {
        parts.append(
          rate >= 0.95 ? String(format: "%.1f cells/s", rate) : String(format: "%.1f s a cell", 1 / rate))
      }
      if let remaining { parts.append("\(remaining.estimate) left") }
    }
    if let best = standing?.best {
      let figures = String(format: "%.2f nats at a cost of %+.3f", best.removal, best.retentionCost)
      let tokens = "\(best.tokenBudget) \(best.tokenBudget == 1 ? "token" : "tokens")"
      parts.append("best removal \(figures) (\(best.method), \(tokens))")
    }
    if let standing { parts.append(String(format: "hypervolume %.3f", standing.hypervolume)) }
    parts += sweeps.filter(\.isPaused).map { sweeps.count == 1 ? "paused" : "\($0.name) paused" }
    if sweeps.count == 1 {
      parts += sweeps[0].methods.map { "\($0.name) \($0.ended)/\($0.cells.values.reduce(0, +))" }
    } else {
      parts += sweeps.map { "\($0.name) \($0.ended)/\($0.total)" }
    }
    return parts.joined(separator: ", ").printable
  }
}

extension SweepProgress.Method {
  /// Cells that have come to their end.
  fileprivate var ended: Int {
    [CellRecord.State.completed, .failed, .cancelled].reduce(0) { $0 + cells[$1, default: 0] }
  }
}

extension Duration {
  /// The span of time to the precision that an estimate has.
  var estimate: String {
    let seconds = self / .seconds(1)
    return switch seconds {
    case ..<100: "\(Int(seconds.rounded(.up))) s"
    case ..<6000: "\(Int((seconds / 60).rounded())) min"
    case ..<360_000: "\(Int((seconds / 3600).rounded())) h"
    default: String(format: "%.0f days", seconds / 86_400)
    }
  }
}
