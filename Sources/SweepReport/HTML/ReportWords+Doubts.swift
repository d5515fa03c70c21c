internal import Foundation
internal import SweepCore

/// How a method stands to the best, and what may not be read into its numbers.
extension ReportWords {
  /// How it stands to the method of fewest tokens where both remove equally much.
  func comparison(_ summary: MethodSummary) -> [String] {
    guard let best = sweep.ranking.first(where: { $0.place != summary.place }) else { return [] }
    let pairs = Array(zip(summary.method.matched, best.method.matched))
    guard let (own, other) = pairs.last(where: { !$0.0.chosen.isEmpty && !$0.1.chosen.isEmpty }) else { return [] }
    var (more, less, alike): ([String], [String], [String]) = ([], [], [])
    for corpus in sweep.keptCorpora {
      let mine = own.chosen.compactMap { $0.cost(in: corpus) }
      let theirs = other.chosen.compactMap { $0.cost(in: corpus) }
      guard !mine.isEmpty, !theirs.isEmpty else { continue }
      let name = corpus.name.capitalised
      let figures = "\(name) (\(signed(SeedSpread(mine).median)) against \(signed(SeedSpread(theirs).median)))"
      switch verdict(own.chosen, other.chosen, corpus) {
      case .worse: more.append(figures)
      case .better: less.append(figures)
      case .withinNoise: alike.append(name)
      }
    }
    var parts: [String] = []
    if !more.isEmpty { parts.append("it costs more than \(best.method.name) in \(list(more))") }
    if !less.isEmpty { parts.append("it costs less than \(best.method.name) in \(list(less))") }
    if !alike.isEmpty { parts.append("in \(list(alike)) the difference from \(best.method.name) is within noise") }
    guard !parts.isEmpty else { return [] }
    let level = own.level.shortTitle.replacing(" ", with: "\u{A0}")
    return [
      "Where both take \(forget) \(level) of the way, at whatever token budget, \(parts.joined(separator: "; "))."
    ]
  }

  /// Whether the first edits cost less in a corpus than the second, seen the same way whatever text of its kind had been
  /// held out; where results do not tell what their windows read, whether the ranges over seeds are apart.
  private func verdict(
    _ first: [TradeOffPoint], _ second: [TradeOffPoint], _ corpus: CorpusReference
  ) -> EditComparison.Verdict {
    let comparison = sweep.quantity(of: corpus).flatMap { quantity in
      PairedBootstrap().comparison(
        of: quantity, on: .test, between: first, and: second, uniformGuess: analysis.uniformGuess)
    }
    if let comparison { return comparison.verdict }
    let (a, b) = (
      SeedSpread(first.compactMap { $0.cost(in: corpus) }), SeedSpread(second.compactMap { $0.cost(in: corpus) })
    )
    return a.maximum < b.minimum ? .better : a.minimum > b.maximum ? .worse : .withinNoise
  }

  // MARK: What the numbers do not show

  func caveats(_ summary: MethodSummary) -> [String] {
    var sentences: [String] = []
    let target = summary.method.tokensToTarget
    let budgets = summary.method.budgets.map(\.tokenBudget)
    let isLeast = target.chosen.contains { $0.tokenBudget == budgets.first }
    if summary.isReached, summary.isTrained, isLeast, let least = budgets.first {
      sentences.append("\(grouped(least)) is the smallest budget that was tried: fewer may be enough.")
    }
    sentences += edges(summary)
    let early = summary.points.filter { !$0.isFinal }
    if !early.isEmpty {
      let steps = Set(early.map(\.evaluation.step)).sorted().map(grouped)
      sentences.append(
        "\(count(early.count, "of these edits is", "of these edits are")) from along the way (step \(list(steps))), "
          + "where training was measured but not stopped.")
    }
    switch target.choices.count {
    case 1 where summary.isTrained: sentences.append("One seed says nothing of the spread over seeds.")
    case 2...3:
      sentences.append(
        "\(target.choices.count) seeds give a range and not a distribution: differences are indications.")
    default: break
    }
    let missing = summary.method.cells.filter { $0.key != .completed }.values.reduce(0, +)
    if missing > 0 {
      let failed = summary.method.cells[.failed, default: 0]
      sentences.append(
        "\(count(missing, "cell")) of its grid \(missing == 1 ? "has" : "have") no result"
          + (failed > 0 ? " (\(failed) failed)" : "") + "; a better edit may be among them.")
    }
    return sentences
  }

  /// Chosen settings that lie at an end of the grid: a better one may lie beyond.
  private func edges(_ summary: MethodSummary) -> [String] {
    let cells = sweep.records.filter { $0.cell.method == summary.method.name }.map(\.cell)
    let all = cells.map { CellSettings($0.specification) }
    let chosen = summary.points.map { CellSettings($0.cell.specification) }
    let found = CellSettings.edgeFields.compactMap { field -> String? in
      let tried = Set(all.compactMap(field.value)).sorted()
      guard let least = tried.first, let most = tried.last, least < most else { return nil }
      let values = chosen.compactMap(field.value)
      let (low, high) = (values.count { $0 == least }, values.count { $0 == most })
      func end(_ count: Int, _ word: String, _ value: Double) -> String {
        "\(field.name) \(plain(value)), the \(word) tried, for \(count) of \(self.count(values.count, "edit"))"
      }
      let ends = (low > 0 ? [end(low, "smallest", least)] : []) + (high > 0 ? [end(high, "largest", most)] : [])
      return ends.isEmpty || tried.count == 2 && low > 0 && high > 0 ? nil : ends.joined(separator: " and ")
    }
    guard !found.isEmpty else { return [] }
    return ["The choice lies at an edge of the grid (\(found.joined(separator: "; "))): a better one may lie beyond."]
  }
}

extension CellSettings {
  /// A setting whose grid has a smallest and a largest number.
  struct EdgeField {
    let name: String
    let value: (CellSettings) -> Double?
  }

  /// The settings beyond whose grid a better choice may lie.
  static var edgeFields: [EdgeField] {
    [
      EdgeField(name: "learning rate") { $0.learningRate }, EdgeField(name: "retain weight") { $0.retainWeight },
      EdgeField(name: "steps") { $0.steps.map(Double.init) }, EdgeField(name: "rank") { $0.rank.map(Double.init) },
      EdgeField(name: "alpha") { $0.alpha },
    ]
  }
}
