internal import SweepCore

/// What the report says of one method: the edits that stand for it, one a seed.
///
/// Where more than half of the seeds reach the goal these are the edits that do so with the fewest tokens; otherwise
/// those that come nearest to it within its cost. They are chosen on validation; all readings here are of test.
struct MethodSummary {
  /// The method's place in the sweep.
  let place: Int
  let method: MethodFrontier
  let sweep: ReportedSweep

  /// Whether more than half of the seeds reach the goal.
  var isReached: Bool { method.tokensToTarget.tokens != nil }

  /// Whether any of its cells is trained; the others are set, as in an alpha scan.
  var isTrained: Bool {
    sweep.records.contains { $0.cell.method == method.name && $0.cell.specification.training != nil }
  }

  /// The edits that stand for the method, by ascending seed.
  var points: [TradeOffPoint] {
    isReached ? method.tokensToTarget.chosen : method.tokensToTarget.nearest.compactMap(\.point)
  }

  /// Removal of each edit, nats.
  var removals: [Double] { points.map(\.test.removal) }

  /// The increase of a corpus's cross-entropy by each edit, nats.
  func costs(in corpus: CorpusReference) -> [Double] {
    points.compactMap { $0.cost(in: corpus) }
  }

  /// Edits that reach the goal on validation and miss it on test.
  var misses: [TradeOffPoint] {
    method.tokensToTarget.chosen.filter {
      !sweep.analysis.goal.isMet(by: $0.test, uniformGuess: sweep.analysis.uniformGuess)
    }
  }

  /// Seeds that reach the goal, of all: `5 of 5`.
  var seedsReaching: String {
    "\(method.tokensToTarget.chosen.count) of \(method.tokensToTarget.choices.count)"
  }

  /// What was learned: the alphas, or what a LoRA is made of and how large it or a full fine-tune is. Names and numbers are apart.
  var learned: (text: String, detail: String?) {
    var alphas: [[Double]] = []
    var norms: [Double] = []
    for edit in points.compactMap(\.edit) {
      switch edit {
      case .prefactors(let values): alphas.append(values)
      case .lora(let sites), .full(let sites): norms.append(EditSummary.total(of: sites))
      }
    }
    if let width = alphas.first?.count, !alphas.isEmpty {
      let values = alphas.flatMap { $0 }
      if width == 1 {
        let field = ReportTable.Field.spread(values, 2)
        return ("alpha \(field.text)", field.detail)
      }
      let range = SeedSpread(values)
      return ("\(width) alphas", "\(fixedDecimal(range.minimum, 2)) to \(fixedDecimal(range.maximum, 2))")
    }
    guard let made else { return ("\u{2013}", nil) }
    guard !norms.isEmpty else { return (made, "stopped early") }
    let field = ReportTable.Field.spread(norms, 2)
    return (made, "norm \(field.text)" + (field.detail.map { ", \($0)" } ?? ""))
  }

  /// What a change of whole matrices is made of; `nil` for prefactors.
  private var made: String? {
    let edits = points.map(\.cell.specification.edit)
    if edits.contains(where: { if case .full = $0 { true } else { false } }) { return "all weights" }
    let ranks = Set(points.compactMap { CellSettings($0.cell.specification).rank }).sorted()
    return ranks.isEmpty ? nil : "rank \(ranks.map(\.description).joined(separator: ", "))"
  }
}

extension ReportedSweep {
  /// What the report says of every method, in the order of the sweep file.
  var summaries: [MethodSummary] {
    analysis.methods.enumerated().map { MethodSummary(place: $0, method: $1, sweep: self) }
  }

  /// The summaries of trained methods that reach the goal, those of fewest tokens first and among them the cheapest
  /// first.
  var ranking: [MethodSummary] {
    func key(_ summary: MethodSummary) -> (Double, Double, Int) {
      let costs = summary.points.map(\.test.retentionCost)
      let cost = costs.isEmpty ? .infinity : SeedSpread(costs).median
      return (summary.method.tokensToTarget.tokens ?? .infinity, cost, summary.place)
    }
    return summaries.filter { $0.isReached && $0.isTrained }.sorted { key($0) < key($1) }
  }
}

extension ReportedSweep {
  /// What a corpus's cost is called where intervals are found; `nil` for one of several to retain, whose cost by itself
  /// is no axis.
  func quantity(of corpus: CorpusReference) -> TradeOffQuantity? {
    switch corpus.role {
    case .forget: nil
    case .retain: names(of: .retain).count == 1 ? .retentionCost : nil
    case .observe: .offTargetCost(corpus: corpus.name)
    }
  }

  /// The fields of edits that are one choice over its seeds: removal and every kept corpus's cost on test, with
  /// intervals where the results tell what their windows read.
  func readings(of points: [TradeOffPoint]) -> [ReportTable.Field] {
    let intervals = points.intervals(.test) ?? [:]
    let costs = keptCorpora.map { corpus in
      ReportTable.Field.spread(
        points.compactMap { $0.cost(in: corpus) }, 3, signed: true,
        interval: quantity(of: corpus).flatMap { intervals[$0] })
    }
    return [.spread(points.map(\.test.removal), 3, interval: intervals[.removal])] + costs
  }

  /// What is said of intervals under a table.
  var noteOnIntervals: String {
    analysis.points.contains { $0.windows != nil }
      ? " In brackets: 95 % intervals by drawing the test windows anew, and for medians the seeds as well."
      : " No intervals: these results do not tell what their evaluation windows read."
  }
}
