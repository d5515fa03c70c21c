/// The fewest forget-corpus tokens with which a method reaches the goal.
///
/// For every seed, hyper-parameters (and the step, where a run was evaluated along the way) are chosen on the
/// validation split: the smallest budget at which any setting reaches the goal, and there the setting of least
/// retention cost. What the chosen edits read on the test split is told beside it.
public struct TokensToTarget: Sendable, Hashable {
  /// Every seed of the method, ascending, with the edit that was chosen; `nil` where no setting reaches the goal with
  /// the seed.
  public let choices: [SeedChoice]
  /// Every seed, ascending, with the edit that removes most of those within the goal's retention cost, both on
  /// validation and whatever its budget; `nil` where none is within it. How near a method comes that does not reach
  /// the goal.
  public let nearest: [SeedChoice]

  /// The median over seeds, where a seed that never reaches the goal counts as infinite; `nil` if the median is.
  public var tokens: Double? {
    guard !choices.isEmpty else { return nil }
    let median = SeedSpread(choices.map { $0.point.map { Double($0.tokenBudget) } ?? .infinity }).median
    return median.isFinite ? median : nil
  }

  /// The chosen edits, by ascending seed.
  public var chosen: [TradeOffPoint] { choices.compactMap(\.point) }

  /// Chooses for every seed.
  ///
  /// - Parameters:
  ///   - points: One method's points.
  ///   - seeds: All its seeds, those without results included.
  ///   - goal: What must be reached.
  ///   - uniformGuess: The cross-entropy of a uniform guess, nats.
  init(points: [TradeOffPoint], seeds: Set<UInt64>, goal: SweepGoal, uniformGuess: Double) {
    let reaching = Dictionary(
      grouping: points.filter { goal.isMet(by: $0.validation, uniformGuess: uniformGuess) },
      by: \.cell.specification.seed)
    choices = seeds.sorted().map { seed in
      SeedChoice(seed: seed, point: reaching[seed]?.min(by: Self.isPreferred))
    }
    let affordable = Dictionary(
      grouping: points.filter {
        $0.validation.retentionCost <= goal.retentionCostAtMost && !$0.validation.removal.isNaN
      }, by: \.cell.specification.seed)
    nearest = seeds.sorted().map { seed in
      SeedChoice(seed: seed, point: affordable[seed]?.min { Self.isNearer($0, than: $1, cap: uniformGuess) })
    }
  }

  /// More removal, then less retention cost, then fewer tokens, then the earlier cell and step.
  private static func isNearer(_ left: TradeOffPoint, than right: TradeOffPoint, cap: Double) -> Bool {
    let (a, b) = (left.validation.capped(at: cap), right.validation.capped(at: cap))
    if a.removal != b.removal { return a.removal > b.removal }
    if a.retentionCost != b.retentionCost { return a.retentionCost < b.retentionCost }
    if left.tokenBudget != right.tokenBudget { return left.tokenBudget < right.tokenBudget }
    return (left.cell.index, left.evaluation.step) < (right.cell.index, right.evaluation.step)
  }

  /// Fewer tokens, then less retention cost, then more removal, then the earlier cell and step.
  private static func isPreferred(_ left: TradeOffPoint, to right: TradeOffPoint) -> Bool {
    if left.tokenBudget != right.tokenBudget { return left.tokenBudget < right.tokenBudget }
    let (a, b) = (left.validation, right.validation)
    if a.retentionCost != b.retentionCost { return a.retentionCost < b.retentionCost }
    if a.removal != b.removal { return a.removal > b.removal }
    return (left.cell.index, left.evaluation.step) < (right.cell.index, right.evaluation.step)
  }
}

/// A seed and what was chosen for it.
public struct SeedChoice: Sendable, Hashable {
  /// The seed.
  public let seed: UInt64
  /// The chosen edit; `nil` where none will do.
  public let point: TradeOffPoint?
}

extension SweepGoal {
  /// The least removal that counts, nats.
  ///
  /// - Parameter uniformGuess: The cross-entropy of a uniform guess, nats.
  public func leastRemoval(uniformGuess: Double) -> Double {
    switch removal {
    case .uniform: uniformGuess
    case .nats(let nats): nats
    }
  }

  /// Whether a reading reaches the goal; never where a number of it is not one.
  ///
  /// - Parameter uniformGuess: The cross-entropy of a uniform guess, nats.
  public func isMet(by reading: TradeOffReading, uniformGuess: Double) -> Bool {
    reading.removal >= leastRemoval(uniformGuess: uniformGuess) && reading.retentionCost <= retentionCostAtMost
  }
}
