internal import Foundation
internal import SweepCore

/// What the numbers show and what they do not, in sentences that are computed from them.
struct ReportWords {
  let sweep: ReportedSweep

  var analysis: FrontierAnalysis { sweep.analysis }
  var forget: String { sweep.title(of: .forget).capitalised }
  var retain: String { sweep.title(of: .retain).capitalised }

  // MARK: The answer

  /// How few tokens each method needs, and what it costs the others.
  func answer() -> String {
    guard !analysis.points.isEmpty else { return "No cell has a result yet." }
    var sentences = [goal()]
    let ranking = sweep.ranking
    for (place, summary) in ranking.enumerated() {
      let tokens = tokens(summary.method.tokensToTarget.tokens ?? 0)
      let start = place == 0 ? "\(summary.method.name) reaches it with" : "\(summary.method.name) with"
      sentences.append("\(start) \(tokens) (\(seeds(summary))) at a cost of \(costs(summary.points)).")
    }
    if ranking.isEmpty { sentences.append("No trained method reaches it with more than half of its seeds.") }
    for summary in sweep.summaries where summary.isReached && !summary.isTrained {
      sentences.append(
        "\(summary.method.name), which is set and not trained, reaches it at a cost of \(costs(summary.points)).")
    }
    let others = sweep.summaries.filter { !$0.isReached && !$0.method.points.isEmpty }
    if !ranking.isEmpty, !others.isEmpty {
      sentences.append("Not with more than half of their seeds: \(list(others.map(\.method.name))).")
    }
    let missing = sweep.records.count - sweep.cells[.completed, default: 0]
    if missing > 0 {
      sentences.append(
        "\(missing) of \(sweep.records.count) cells have no result: what is said here is said of the others.")
    }
    return sentences.joined(separator: " ")
  }

  private func goal() -> String {
    let least = analysis.goal.leastRemoval(uniformGuess: analysis.uniformGuess)
    let meaning =
      switch analysis.goal.removal {
      case .uniform: ", that of a uniform guess over \(grouped(sweep.vocabularySize)) tokens"
      case .nats: ""
      }
    let base = analysis.points.first.map { " (the base model reads \(nats($0.evaluation.baseRemoval(.test))))" } ?? ""
    return "The goal is a \(forget) cross-entropy of at least \(nats(least)) nats\(meaning)\(base), at a "
      + "cost of at most \(nats(analysis.goal.retentionCostAtMost)) nats in \(retain)."
  }

  // MARK: One method

  /// What its numbers show and what they do not.
  func paragraph(of summary: MethodSummary) -> String {
    let method = summary.method
    guard !method.points.isEmpty else {
      return "\(subject(summary)) None of its cells has a result, so nothing can be said of it."
    }
    var sentences = [subject(summary)]
    sentences += summary.isReached ? reached(summary) : notReached(summary)
    sentences += comparison(summary)
    sentences += caveats(summary)
    return sentences.joined(separator: " ")
  }

  /// What is edited, and how much of the grid is done.
  private func subject(_ summary: MethodSummary) -> String {
    let cells = sweep.records.filter { $0.cell.method == summary.method.name }.map(\.cell)
    let what = Set(cells.map { self.what($0.specification.edit) })
    let edited = what.count == 1 ? what.first ?? "" : "\(what.count) kinds of edit"
    let done = summary.method.cells[.completed, default: 0]
    let all = summary.method.cells.values.reduce(0, +)
    let count = done == all ? "\(count(all, "cell"))" : "\(done) of \(count(all, "cell")) done"
    return "\(summary.isTrained ? "Trains" : "Sets") \(edited) (\(count))."
  }

  private func what(_ edit: EditSpecification) -> String {
    switch edit {
    case .prefactors(let subcomponents, let alphas):
      let tied =
        switch alphas {
        case .shared: " as one number"
        case .separate, .fixed: ""
        }
      return subcomponents.count == 1
        ? "the prefactor of \(subcomponents[0])" : "the prefactors of \(subcomponents.count) subcomponents\(tied)"
    case .lora(let rank, let sites, _):
      return "a LoRA of rank \(rank) at \(places(sites))"
    case .full(let sites): return "all weights of \(places(sites))"
    }
  }

  private func places(_ sites: SiteSelection) -> String {
    switch sites {
    case .all: "every matrix"
    case .named(let paths): paths.count == 1 ? paths[0] : "\(paths.count) matrices"
    }
  }

  private func reached(_ summary: MethodSummary) -> [String] {
    let target = summary.method.tokensToTarget
    var sentences = [
      summary.isTrained
        ? "It reaches the goal with \(tokens(target.tokens ?? 0)) (\(seeds(summary)))."
        : "It reaches the goal with what is chosen on the validation text, which no token budget counts."
    ]
    let removals = SeedSpread(summary.removals)
    sentences.append(
      "On test the chosen edits read \(spread(removals)) nats of \(forget), at a cost of \(costs(summary.points)).")
    let misses = summary.misses
    if !misses.isEmpty {
      let whose = count(misses.count, "of them reaches", "of them reach")
      sentences.append(
        "\(whose) the goal on validation, where edits are chosen, but not on test "
          + "(\(misses.map(miss).joined(separator: "; "))).")
    }
    return sentences
  }

  private func miss(_ point: TradeOffPoint) -> String {
    "seed \(point.cell.specification.seed): \(nats(point.test.removal)) at "
      + fixedDecimal(point.test.retentionCost, 3, signed: true).withTrueMinus
  }

  private func notReached(_ summary: MethodSummary) -> [String] {
    let target = summary.method.tokensToTarget
    var sentences = [
      target.chosen.isEmpty
        ? "It does not reach the goal with any of \(count(target.choices.count, "seed"))."
        : "It reaches the goal with \(summary.seedsReaching) seeds only, which is no more than half."
    ]
    let removals = summary.removals
    let limit = nats(analysis.goal.retentionCostAtMost)
    guard !removals.isEmpty else {
      return sentences + ["No edit of it stays within a cost of \(limit) nats in \(retain)."]
    }
    let spread = SeedSpread(removals)
    let base = analysis.points.first?.evaluation.baseRemoval(.test) ?? 0
    let part = (min(spread.median, analysis.uniformGuess) - base) / (analysis.uniformGuess - base)
    let way = part.isFinite ? " (\(fixedDecimal(max(part, 0) * 100, 0)) % of the way to a uniform guess)" : ""
    sentences.append(
      "Within a cost of \(limit) nats in \(retain) on validation, its edits remove up to \(self.spread(spread)) nats of "
        + "\(forget) on test\(way), at a cost of \(costs(summary.points)).")
    if let full = summary.method.matched.last(where: { !$0.chosen.isEmpty }), !isWithinGoal(full) {
      sentences.append(
        "Whatever the cost, it comes to \(full.level.shortTitle.replacing(" ", with: "\u{A0}")) of the way with "
          + "\(full.chosen.count) of \(count(full.choices.count, "seed")), at a cost of \(costs(full.chosen)).")
    }
    return sentences
  }

  private func isWithinGoal(_ matched: MatchedRemoval) -> Bool {
    matched.chosen.allSatisfy { $0.validation.retentionCost <= analysis.goal.retentionCostAtMost }
  }

  // MARK: Pieces

  func seeds(_ summary: MethodSummary) -> String {
    let target = summary.method.tokensToTarget
    return "\(target.chosen.count) of \(count(target.choices.count, "seed"))"
  }

  /// Costs in every kept corpus, medians over the edits.
  func costs(_ points: [TradeOffPoint]) -> String {
    let parts = sweep.keptCorpora.compactMap { corpus -> String? in
      let costs = points.compactMap { $0.cost(in: corpus) }
      return costs.isEmpty ? nil : "\(signed(SeedSpread(costs).median)) in \(corpus.name.capitalised)"
    }
    return parts.isEmpty ? "nothing that was measured" : list(parts)
  }

  func spread(_ spread: SeedSpread) -> String {
    let (low, high) = (nats(spread.minimum), nats(spread.maximum))
    return low == high ? nats(spread.median) : "\(nats(spread.median)) (\(low) to \(high))"
  }

  func nats(_ value: Double) -> String {
    fixedDecimal(value, 3).withTrueMinus
  }

  func signed(_ value: Double) -> String {
    fixedDecimal(value, 3, signed: true).withTrueMinus
  }

  func plain(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? fixedDecimal(value, 0) : value.description
  }

  func tokens(_ tokens: Double) -> String {
    "\(tokenCount(tokens)) \(tokens == 1 ? "token" : "tokens") of \(forget)"
  }

  func count(_ count: Int, _ noun: String) -> String {
    "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")"
  }

  func count(_ count: Int, _ one: String, _ several: String) -> String {
    "\(grouped(count)) \(count == 1 ? one : several)"
  }

  func list(_ parts: [String], separator: String = ",") -> String {
    guard parts.count > 1, let last = parts.last else { return parts.first ?? "" }
    return parts.dropLast().joined(separator: "\(separator) ") + "\(separator == "," ? "" : separator) and \(last)"
  }
}
