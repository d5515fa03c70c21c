internal import SweepCore

extension ReportedSweep {
  /// The frontier of every method and its tokens-to-target, for a terminal: lines that end in a line feed.
  public func frontierTable() -> String {
    let describer = SettingsDescriber(records)
    let forget = title(of: .forget)
    let goal = analysis.goal
    let least = fixedDecimal(goal.leastRemoval(uniformGuess: analysis.uniformGuess), 3)
    var text = heading(least: least)
    guard !analysis.points.isEmpty else { return text + "No cell has a result yet.\n" }

    text += "\nFrontier of each method (chosen on validation; \(forget) in nats and costs in nats, on test; "
    text += "* reaches the goal)\n\n"
    var table = AlignedTable(
      [("method", .left), ("tokens", .right), ("settings", .left), ("learned", .left), ("seed", .right)]
        + readingColumns)
    for method in analysis.methods {
      for point in method.plane.map({ analysis.points[$0] }) {
        let learned = point.edit.map(learned) ?? ""
        table.append(
          [
            method.name, grouped(point.tokenBudget), describer.text(for: point), learned,
            "\(point.cell.specification.seed)",
          ] + readings([point]))
      }
    }
    text += table.text

    text += "\nTokens to target: fewest \(forget) tokens to \(least) nats for at most "
    text += "\(fixedDecimal(goal.retentionCostAtMost, 3)) nats of \(title(of: .retain))\n"
    text += "(settings chosen for each seed on validation; medians over seeds, read on test)\n\n"
    var targets = AlignedTable(
      [("method", .left), ("cells", .right), ("tokens", .right), ("seeds", .right)] + readingColumns
        + [("hypervolume", .right)])
    for method in analysis.methods {
      let target = method.tokensToTarget
      let all = method.cells.values.reduce(0, +)
      targets.append(
        [
          method.name, "\(method.cells[.completed, default: 0])/\(all)", tokens(target.tokens),
          "\(target.chosen.count)/\(target.choices.count)",
        ] + readings(target.chosen) + [method.hypervolume.map { fixedDecimal($0.plane.test, 3) } ?? "-"])
    }
    return text + targets.text
  }

  private func heading(least: String) -> String {
    let counts = cells
    let states = CellRecord.State.allCases.compactMap { state in
      counts[state].map { "\($0) \(state.rawValue)" }
    }
    let goal = "\(title(of: .forget)) to \(least) nats"
    let cost = "\(title(of: .retain)) cost at most \(fixedDecimal(analysis.goal.retentionCostAtMost, 3)) nats"
    var text = "\(name): \(records.count) cells: \(states.joined(separator: ", "))\n"
    text += "Goal: \(goal), \(cost)."
    text += " Uniform guess: ln \(vocabularySize) = \(fixedDecimal(analysis.uniformGuess, 3))."
    if let base = analysis.points.first?.evaluation.baseRemoval(.test) {
      text += " Base model: \(fixedDecimal(base, 3))."
    }
    return text.split(separator: "\n").map { DisplayText.printable(String($0)) + "\n" }.joined()
  }

  private var readingColumns: [(title: String, alignment: AlignedTable.Alignment)] {
    [(title(of: .forget), .right), ("", .left), ("\(title(of: .retain)) cost", .right)]
      + names(of: .observe).map { ("\($0) cost", .right) }
  }

  /// The fields of ``readingColumns``: medians over the points' test readings.
  private func readings(_ points: [TradeOffPoint]) -> [String] {
    let observed = names(of: .observe)
    guard !points.isEmpty else { return ["-", "", "-"] + observed.map { _ in "-" } }
    let removal = SeedSpread(points.map(\.test.removal)).median
    let cost = SeedSpread(points.map(\.test.retentionCost)).median
    let reading = TradeOffReading(removal: removal, retentionCost: cost)
    let reaches = analysis.goal.isMet(by: reading, uniformGuess: analysis.uniformGuess)
    let costs = observed.map { name in
      let increases = points.compactMap { point in
        point.evaluation.corpora.first { $0.name == name && $0.role == .observe }?.increase(.test)
      }
      return increases.isEmpty ? "-" : fixedDecimal(SeedSpread(increases).median, 3, signed: true)
    }
    return [fixedDecimal(removal, 3), reaches ? "*" : "", fixedDecimal(cost, 3, signed: true)] + costs
  }

  /// What was learned, in few words: an alpha, the range of several, or the size of the change.
  private func learned(_ edit: EditSummary) -> String {
    switch edit {
    case .prefactors(let alphas):
      guard let least = alphas.min(), let greatest = alphas.max() else { return "" }
      let range = least == greatest ? "" : " .. \(fixedDecimal(greatest, 2))"
      return "alpha \(fixedDecimal(least, 2))\(range)"
    case .lora(let norms), .full(let norms): return "norm \(fixedDecimal(EditSummary.total(of: norms), 2))"
    }
  }

  private func tokens(_ median: Double?) -> String {
    guard let median else { return "never" }
    return median == median.rounded() ? grouped(Int(median)) : fixedDecimal(median, 1)
  }
}
