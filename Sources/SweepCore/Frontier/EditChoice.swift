/// An edit of a sweep that is worth keeping, and why.
///
/// Each choice is made on the validation split, among the measurements of one method, those along the way included. An
/// edit that nothing was learned for (a trained method's budget of 0) changes nothing and is never chosen.
public struct EditChoice: Sendable, Hashable {
  /// What an edit was chosen for.
  public enum Reason: String, Sendable, Hashable, Codable, CaseIterable {
    /// It is what tokens-to-target chose for its seed: the fewest tokens that reach the goal, then the least cost.
    case tokensToTarget = "tokens-to-target"
    /// It reaches the goal at the least retention cost of its method and budget.
    case reachesGoal = "reaches-goal"
    /// None of its method and budget reaches the goal, and it removes the most within the goal's retention cost.
    case removesMost = "removes-most"
    /// All of its method and budget cost more than the goal allows, and it costs the least.
    case costsLeast = "costs-least"
  }

  /// The measurement that it was chosen by.
  public let point: TradeOffPoint
  /// What it was chosen for; at least one reason, in their order.
  public let reasons: [Reason]
}

extension FrontierAnalysis {
  /// The edits worth keeping: of every method and token budget the one that is best by itself, and of every seed the one
  /// that tokens-to-target chose; by method, then ascending budget, cell and step.
  ///
  /// The best of a method and budget lies on its frontier there: among those that reach the goal the one of least
  /// retention cost; where none does, the one that removes most within the goal's cost; where all cost more, the one
  /// that costs least.
  public var winners: [EditChoice] {
    methods.flatMap { method in
      let candidates = method.points.map { points[$0] }.filter(\.changesModel)
      let ofBudgets = Dictionary(grouping: candidates, by: \.tokenBudget).compactMap { best(of: $0.value) }
      return Self.merged(ofBudgets + chosenForTokens(method))
    }
  }

  /// One edit to show of each method that has any: the middle one of those that tokens-to-target chose for its seeds, a
  /// seed that never reaches the goal counting as more tokens than any; where the middle one is such a seed, the best
  /// by itself over all budgets.
  public var representatives: [EditChoice] {
    methods.compactMap { method in
      let chosen = chosenForTokens(method).sorted { Self.isPreferred($0.point, to: $1.point) }
      let middle = (method.tokensToTarget.choices.count - 1) / 2
      if middle >= 0, middle < chosen.count { return chosen[middle] }
      return best(of: method.points.map { points[$0] }.filter(\.changesModel))
    }
  }

  private func chosenForTokens(_ method: MethodFrontier) -> [EditChoice] {
    method.tokensToTarget.chosen.filter(\.changesModel).map { EditChoice(point: $0, reasons: [.tokensToTarget]) }
  }

  private func best(of points: [TradeOffPoint]) -> EditChoice? {
    let reaching = points.filter { goal.isMet(by: $0.validation, uniformGuess: uniformGuess) }
    if let point = reaching.min(by: isCheaper) { return EditChoice(point: point, reasons: [.reachesGoal]) }
    let allowed = points.filter { $0.validation.retentionCost <= goal.retentionCostAtMost }
    if let point = allowed.min(by: removesMore) { return EditChoice(point: point, reasons: [.removesMost]) }
    return points.filter { !$0.validation.axes.hasNaN }.min(by: isCheaper)
      .map { EditChoice(point: $0, reasons: [.costsLeast]) }
  }

  /// Less retention cost, then more removal up to a uniform guess, then fewer tokens, then the earlier cell and step.
  private func isCheaper(_ left: TradeOffPoint, than right: TradeOffPoint) -> Bool {
    let (a, b) = (capped(left), capped(right))
    return (a.retentionCost, -a.removal, left.tokenBudget, left.cell.index, left.evaluation.step)
      < (b.retentionCost, -b.removal, right.tokenBudget, right.cell.index, right.evaluation.step)
  }

  /// More removal up to a uniform guess, then less retention cost, then fewer tokens, then the earlier cell and step.
  private func removesMore(_ left: TradeOffPoint, than right: TradeOffPoint) -> Bool {
    let (a, b) = (capped(left), capped(right))
    return (-a.removal, a.retentionCost, left.tokenBudget, left.cell.index, left.evaluation.step)
      < (-b.removal, b.retentionCost, right.tokenBudget, right.cell.index, right.evaluation.step)
  }

  private func capped(_ point: TradeOffPoint) -> TradeOffReading { point.validation.capped(at: uniformGuess) }

  /// Fewer tokens, then less retention cost, then the earlier cell and step.
  private static func isPreferred(_ left: TradeOffPoint, to right: TradeOffPoint) -> Bool {
    (left.tokenBudget, left.validation.retentionCost, left.cell.index, left.evaluation.step)
      < (right.tokenBudget, right.validation.retentionCost, right.cell.index, right.evaluation.step)
  }

  /// Each edit once, with all its reasons.
  private static func merged(_ choices: [EditChoice]) -> [EditChoice] {
    Dictionary(grouping: choices, by: \.point).map { point, choices in
      let reasons = choices.flatMap(\.reasons)
      return EditChoice(point: point, reasons: EditChoice.Reason.allCases.filter(reasons.contains))
    }.sorted { left, right in
      let (a, b) = (left.point, right.point)
      return (a.tokenBudget, a.cell.index, a.evaluation.step) < (b.tokenBudget, b.cell.index, b.evaluation.step)
    }
  }
}

extension TradeOffPoint {
  /// Whether the edit can differ from the base model: it was trained, or set.
  public var changesModel: Bool {
    if case .prefactors(_, .fixed(let alpha)) = cell.specification.edit { return alpha != 1 }
    return tokenBudget > 0 && evaluation.step > 0
  }
}
