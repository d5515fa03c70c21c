internal import SweepCore

/// What `frontier.svg` shows, before anything has a place on the page.
struct FrontierPlotData {
  /// One setting of a method over its seeds, on the test split.
  struct Mark {
    let cost: SeedSpread
    let removal: SeedSpread
    /// What it is, for people who point at it.
    let title: String

    /// Whether it can be drawn at all.
    var isFinite: Bool {
      [cost.minimum, cost.maximum, removal.minimum, removal.maximum].allSatisfy(\.isFinite)
    }
  }

  /// A method's marks at one token budget.
  struct Series {
    /// The method's place in the sweep.
    let method: Int
    /// Settings that another of the method's dominates.
    let dominated: [Mark]
    /// Settings on the front of medians.
    let front: [Mark]
    /// What seeds attain: the edits on their fronts on validation, as the test split reads them.
    let attainment: AttainmentSurfaces
  }

  /// All marks at one token budget.
  struct Panel {
    let title: String
    let series: [Series]
  }

  /// One panel for each token budget of the sweep's cells, ascending; an empty one where there are no cells.
  let panels: [Panel]
  /// Removal of the base model on test, nats.
  let baseRemoval: Double?
  /// The greatest number of seeds of any mark on a front.
  let seeds: Int

  init(_ sweep: ReportedSweep) {
    let analysis = sweep.analysis
    let describer = SettingsDescriber(sweep.records)
    let cells = Dictionary(grouping: sweep.records.map(\.cell.specification)) { $0.training?.tokenBudget ?? 0 }
    let panels = cells.sorted { $0.key < $1.key }.map { tokenBudget, cells in
      let series = analysis.methods.enumerated().compactMap { place, method -> Series? in
        guard let budget = method.budgets.first(where: { $0.tokenBudget == tokenBudget }) else { return nil }
        let marks = budget.settings.map { Mark($0, describer) }
        let front = Set(budget.settingsFront)
        return Series(
          method: place, dominated: marks.indices.filter { !front.contains($0) }.map { marks[$0] }.filter(\.isFinite),
          front: budget.settingsFront.map { marks[$0] }.filter(\.isFinite), attainment: budget.attainment.test)
      }
      let isTrained = cells.contains { $0.training != nil }
      return Panel(title: tokenCount(tokenBudget) + (isTrained ? "" : ": set, not trained"), series: series)
    }
    self.panels = panels.isEmpty ? [Panel(title: "no cells", series: [])] : panels
    baseRemoval = analysis.points.lazy.map { $0.evaluation.baseRemoval(.test) }.first(where: \.isFinite)
    seeds =
      analysis.methods.flatMap(\.budgets).flatMap { budget in
        budget.settingsFront.map { budget.settings[$0].members.count }
      }.max() ?? 0
  }

  /// All marks.
  var marks: [Mark] { panels.flatMap(\.series).flatMap { $0.front + $0.dominated } }

  /// Removals to make room for: medians of all marks, extremes of those on fronts; or corners of surfaces.
  func removals(_ kind: FrontierPlot.Kind) -> [Double] {
    let base = baseRemoval.map { [$0] } ?? []
    return switch kind {
    case .settings: extents(\.removal) + base
    case .attainment: corners.map(\.y) + base
    }
  }

  /// Retention costs to make room for.
  func costs(_ kind: FrontierPlot.Kind) -> [Double] {
    switch kind {
    case .settings: extents(\.cost)
    case .attainment: corners.map(\.x)
    }
  }

  private var corners: [SIMD2<Double>] {
    panels.flatMap(\.series).flatMap { series in
      [AttainmentLevel.lowerQuartile, .median, .upperQuartile].flatMap { series.attainment[$0] }
    }
  }

  private func extents(_ axis: KeyPath<Mark, SeedSpread>) -> [Double] {
    panels.flatMap(\.series).flatMap { series in
      series.dominated.map { $0[keyPath: axis].median }
        + series.front.flatMap { [$0[keyPath: axis].minimum, $0[keyPath: axis].maximum] }
    }
  }
}

extension FrontierPlotData.Mark {
  init(_ group: SeedGroup, _ describer: SettingsDescriber) {
    cost = group.retentionCost(.test)
    removal = group.removal(.test)
    let setting = [group.first.cell.method, tokenCount(group.first.tokenBudget), describer.text(for: group.first)]
    let seeds = group.members.count == 1 ? "1 seed" : "\(group.members.count) seeds"
    title =
      setting.filter { !$0.isEmpty }.joined(separator: ", ")
      + ": removal \(fixedDecimal(removal.median, 3)), cost \(fixedDecimal(cost.median, 3)) (\(seeds))"
  }
}

private func tokenCount(_ tokens: Int) -> String {
  tokens == 1 ? "1 token" : "\(grouped(tokens)) tokens"
}
