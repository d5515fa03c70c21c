internal import SweepCore

/// The tables of a report with full numbers: losses and costs in nats, by the shortest numeral that reads back exactly;
/// an empty field where there is none. `*_low` and `*_high`: where a median lies with 95 % confidence
/// (``PairedBootstrap``).
extension ReportedSweep {
  /// `headline.csv`: a row for each method. `basis` is `goal` where more than half of the seeds reach it, and then the
  /// readings are of the edits that do so with the fewest tokens; otherwise `nearest`, and they are of the edits that
  /// remove most within the goal's cost. Readings are of the test split.
  func headlineCSV() -> String {
    let kept = keptCorpora
    var table = CSVTable(
      header: ["method", "cells_completed", "cells", "seeds", "seeds_reaching", "tokens_to_target", "basis", "learned"]
        + spreadNames("removal") + kept.flatMap { spreadNames("cost_\($0.name)") }
        + ["misses_on_test", "hypervolume_validation", "hypervolume_test"])
    for summary in summaries {
      let method = summary.method
      let learned = summary.learned
      var row = [
        method.name, "\(method.cells[.completed, default: 0])", "\(method.cells.values.reduce(0, +))",
        "\(method.tokensToTarget.choices.count)", "\(method.tokensToTarget.chosen.count)",
        method.tokensToTarget.tokens?.description ?? "", summary.isReached ? "goal" : "nearest",
        learned.detail.map { "\(learned.text); \($0)" } ?? learned.text,
      ]
      row += spreads(summary.points)
      row += [
        "\(summary.misses.count)", method.hypervolume?.plane.validation.description ?? "",
        method.hypervolume?.plane.test.description ?? "",
      ]
      table.append(row)
    }
    return table.text
  }

  /// `matched.csv`: a row for each method, level and token budget, and one with an empty budget for all budgets
  /// together.
  func matchedCSV() -> String {
    let kept = keptCorpora
    var table = CSVTable(
      header: ["method", "token_budget", "level", "level_nats", "seeds", "seeds_reaching", "cells"]
        + spreadNames("removal") + kept.flatMap { spreadNames("cost_\($0.name)") })
    for method in analysis.methods {
      let budgets: [(name: String, matched: [MatchedRemoval])] =
        [("", method.matched)] + method.budgets.map { ("\($0.tokenBudget)", $0.matched) }
      for (name, matched) in budgets {
        for matched in matched {
          let points = matched.chosen
          var row = [
            method.name, name, matched.level.shortTitle, "\(matched.level.nats)", "\(matched.choices.count)",
            "\(points.count)", points.map { "\($0.cell.index)" }.joined(separator: " "),
          ]
          row += spreads(points)
          table.append(row)
        }
      }
    }
    return table.text
  }

  /// `attainment.csv`: the corners of every k-of-n attainment surface, by ascending retention cost on each split.
  func attainmentCSV() -> String {
    var table = CSVTable(
      header: ["method", "token_budget", "split", "seeds_attaining", "seeds", "retention_cost", "removal"])
    for method in analysis.methods {
      for budget in method.budgets {
        for split in EvaluationSplit.allCases {
          let surfaces = budget.attainment.surfaces(split).surfaces
          for (place, corners) in surfaces.enumerated() {
            for corner in corners {
              table.append([
                method.name, "\(budget.tokenBudget)", split.rawValue, "\(place + 1)", "\(surfaces.count)",
                "\(corner.x)", "\(corner.y)",
              ])
            }
          }
        }
      }
    }
    return table.text
  }

  private func spreadNames(_ name: String) -> [String] {
    ["\(name)_median", "\(name)_minimum", "\(name)_maximum", "\(name)_low", "\(name)_high"]
  }

  private func spread(_ values: [Double], _ interval: Interval?) -> [String] {
    guard !values.isEmpty else { return ["", "", "", "", ""] }
    let spread = SeedSpread(values)
    return ["\(spread.median)", "\(spread.minimum)", "\(spread.maximum)"]
      + (interval.map { ["\($0.low)", "\($0.high)"] } ?? ["", ""])
  }

  /// Removal and every kept corpus's cost.
  private func spreads(_ points: [TradeOffPoint]) -> [String] {
    let intervals = points.intervals(.test) ?? [:]
    let costs = keptCorpora.flatMap { corpus in
      spread(points.compactMap { $0.cost(in: corpus) }, quantity(of: corpus).flatMap { intervals[$0] })
    }
    return spread(points.map(\.test.removal), intervals[.removal]) + costs
  }
}
