internal import SweepCore

extension ReportedSweep {
  /// How few tokens each method needs, and what that costs the others.
  func headlineTable() -> ReportTable {
    let goal = analysis.goal
    let forget = title(of: .forget).capitalised
    let least = fixedDecimal(goal.leastRemoval(uniformGuess: analysis.uniformGuess), 3)
    let base = analysis.points.first.map { fixedDecimal($0.evaluation.baseRemoval(.test), 3) } ?? "unknown"
    var table = ReportTable(
      name: "headline", title: "How few tokens each method needs, and what it costs",
      caption: "Tokens: the fewest of \(forget) with which a method reaches \(least) nats at a cost of at most "
        + "\(fixedDecimal(goal.retentionCostAtMost, 3)) nats in \(title(of: .retain).capitalised), chosen for each "
        + "seed on the validation split; set: nothing is trained, and the choice there is all. Other numbers are "
        + "readings of the chosen edits on the test split: the cross-entropy of \(forget) (base model: \(base)) and "
        + "increases over the base model, in nats; medians over seeds, with the smallest and the largest below. Pale: "
        + "the goal is not reached by more than half of the seeds, and the row shows the edits that remove most "
        + "within its cost." + noteOnIntervals,
      columns: [
        .init(title: "Method", alignment: .left), .init(title: "Tokens", alignment: .right),
        .init(title: "Seeds", alignment: .right), .init(title: "Learned", alignment: .left),
        .init(title: title(of: .forget).capitalised, alignment: .right),
      ] + keptCorpora.map { .init(title: "\($0.name.capitalised) cost", alignment: .right) })
    for summary in summaries {
      let target = summary.method.tokensToTarget
      let budgets = target.chosen.map { Double($0.tokenBudget) }
      let learned = summary.learned
      var tokens = ReportTable.Field(text: target.tokens.map(tokenCount) ?? "never")
      if let low = budgets.min(), let high = budgets.max(), low != high {
        tokens.detail = "\(tokenCount(low)) to \(tokenCount(high))"
      }
      if !summary.isTrained, target.tokens != nil { tokens = ReportTable.Field(text: "set") }
      var row = [
        ReportTable.Field(text: summary.method.name, method: summary.place), tokens,
        ReportTable.Field(text: summary.seedsReaching), ReportTable.Field(text: learned.text, detail: learned.detail),
      ]
      row += readings(of: summary.points)
      if !summary.isReached { for place in row.indices.dropFirst() { row[place].isPale = true } }
      table.append(row)
    }
    return table
  }

  /// What edits cost where they remove equally much.
  func matchedTable() -> ReportTable {
    var table = ReportTable(
      name: "matched", title: "Cost at matched removal",
      caption: "For every seed the cheapest edit of the method, whatever its token budget, that reaches the level of "
        + "removal on the validation split: a part of the way from the base model to a uniform guess. Readings on "
        + "the test split, in nats; medians over the seeds that reach it, with the smallest and the largest. "
        + "Methods that no seed takes to a level are left out of it." + noteOnIntervals,
      isGrouped: true,
      columns: [
        .init(title: "Level", alignment: .left), .init(title: "Method", alignment: .left),
        .init(title: "Seeds", alignment: .right), .init(title: "Tokens", alignment: .right),
        .init(title: title(of: .forget).capitalised, alignment: .right),
      ] + keptCorpora.map { .init(title: "\($0.name.capitalised) cost", alignment: .right) })
    for (level, removal) in analysis.levels.enumerated() {
      for (place, summary) in summaries.enumerated() {
        let method = summary.method
        let matched = method.matched[level]
        guard !matched.chosen.isEmpty else { continue }
        let tokens = SeedSpread(matched.chosen.map { Double($0.tokenBudget) })
        var row = [
          ReportTable.Field(text: "\(removal.shortTitle) (\(fixedDecimal(removal.nats, 2)))"),
          ReportTable.Field(text: method.name, method: place),
          ReportTable.Field(text: "\(matched.chosen.count) of \(matched.choices.count)"),
          summary.isTrained
            ? ReportTable.Field(
              text: tokenCount(tokens.median),
              detail: tokens.minimum == tokens.maximum
                ? nil : "\(tokenCount(tokens.minimum)) to \(tokenCount(tokens.maximum))")
            : ReportTable.Field(text: "set"),
        ]
        row += readings(of: matched.chosen)
        if !matched.isReached { for place in row.indices.dropFirst(2) { row[place].isPale = true } }
        table.append(row)
      }
    }
    return table
  }

  /// The edits behind the headline table, one a method and seed.
  func chosenTable() -> ReportTable {
    let describer = SettingsDescriber(records)
    var table = ReportTable(
      name: "chosen", title: "The chosen edits",
      caption: "What stands behind each row of the headline table, seed by seed, and the fingerprint by which the cell "
        + "is found in cells.csv and in the store. Readings on the test split, in nats. Pale: the nearest edit of a "
        + "method that does not reach the goal.",
      columns: [
        .init(title: "Method", alignment: .left), .init(title: "Seed", alignment: .right),
        .init(title: "Tokens", alignment: .right), .init(title: "Settings", alignment: .left),
        .init(title: "Cell", alignment: .right), .init(title: "Fingerprint", alignment: .left),
        .init(title: title(of: .forget).capitalised, alignment: .right),
        .init(title: "\(title(of: .retain).capitalised) cost", alignment: .right),
        .init(title: "Goal on test", alignment: .left),
      ])
    for summary in summaries {
      for point in summary.points {
        let isMet = analysis.goal.isMet(by: point.test, uniformGuess: analysis.uniformGuess)
        var row = [
          ReportTable.Field(text: summary.method.name, method: summary.place),
          ReportTable.Field(text: "\(point.cell.specification.seed)"),
          ReportTable.Field(text: grouped(point.tokenBudget)), ReportTable.Field(text: describer.text(for: point)),
          ReportTable.Field(text: "\(point.cell.index)"),
          ReportTable.Field(text: String("\(point.cell.fingerprint)".prefix(12))),
          ReportTable.Field(text: fixedDecimal(point.test.removal, 3)),
          ReportTable.Field(text: fixedDecimal(point.test.retentionCost, 3, signed: true)),
          ReportTable.Field(text: isMet ? "reached" : "missed"),
        ]
        if !summary.isReached { for place in row.indices.dropFirst() { row[place].isPale = true } }
        table.append(row)
      }
    }
    return table
  }
}
