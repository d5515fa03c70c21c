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
    return text + targets.text + intervalNote
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
    let intervals = points.intervals(.test)
    func text(_ number: Double, _ quantity: TradeOffQuantity) -> String {
      let text = fixedDecimal(number, 3, signed: quantity != .removal)
      guard let interval = intervals?[quantity] else { return text }
      return "\(text) \(plusMinus)\(fixedDecimal((interval.high - interval.low) / 2, 3))"
    }
    let costs = observed.map { name in
      let quantity = TradeOffQuantity.offTargetCost(corpus: name)
      let increases = points.compactMap { $0.value(of: quantity, on: .test) }
      return increases.isEmpty ? "-" : text(SeedSpread(increases).median, quantity)
    }
    return [text(removal, .removal), reaches ? "*" : "", text(cost, .retentionCost)] + costs
  }

  /// What stands before half an interval.
  private var plusMinus: String { "\u{B1}" }

  /// What the tables' intervals are, and that they are missing where they are.
  private var intervalNote: String {
    let shown = analysis.methods.flatMap { $0.plane.map { analysis.points[$0] } + $0.tokensToTarget.chosen }
    let known = shown.count { $0.windows != nil }
    var note = ""
    if known > 0 {
      note += "\n\(plusMinus) half the 95 % interval, by drawing the test windows anew; for medians the seeds as well\n"
    }
    if known < shown.count {
      note += "\nNo interval where a result does not tell what its windows read: pdsweep did not keep it before\n"
    }
    return note
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
