/// A removal at which methods are compared.
public struct RemovalLevel: Sendable, Hashable {
  /// What makes it worth comparing at.
  public enum Meaning: Sendable, Hashable {
    /// This part of the way from the base model to a uniform guess.
    case part(Double)
    /// The goal's, where it is another than a uniform guess.
    case goal
  }

  /// What makes it worth comparing at.
  public let meaning: Meaning
  /// Removal on the validation split, nats.
  public let nats: Double

  /// The levels of a sweep, ascending: a quarter, half, three quarters, nine tenths and all of the way from the base
  /// model's removal on validation to a uniform guess, and the goal.
  ///
  /// - Parameters:
  ///   - base: Removal of the base model on validation, nats.
  ///   - uniformGuess: The cross-entropy of a uniform guess, nats.
  static func levels(base: Double, uniformGuess: Double, goal: SweepGoal) -> [RemovalLevel] {
    var levels = [0.25, 0.5, 0.75, 0.9].map { part in
      RemovalLevel(meaning: .part(part), nats: base + part * (uniformGuess - base))
    }
    levels.append(RemovalLevel(meaning: .part(1), nats: uniformGuess))
    let least = goal.leastRemoval(uniformGuess: uniformGuess)
    if !levels.contains(where: { $0.nats == least }) { levels.append(RemovalLevel(meaning: .goal, nats: least)) }
    return levels.sorted { $0.nats < $1.nats }
  }
}

/// What a method's edits cost where they remove equally much.
///
/// For every seed the cheapest edit is chosen that reaches the level, both on validation: one of its front there. What
/// it reads on the test split is reported. Nothing is interpolated: between two points of a front lie costs that no
/// edit was seen to have.
public struct MatchedRemoval: Sendable, Hashable {
  /// The removal to be reached.
  public let level: RemovalLevel
  /// Every seed of the method, ascending, with the edit that was chosen; `nil` where none reaches the level.
  public let choices: [SeedChoice]

  /// The chosen edits, by ascending seed.
  public var chosen: [TradeOffPoint] { choices.compactMap(\.point) }

  /// Whether more than half of the seeds reach the level.
  public var isReached: Bool { 2 * chosen.count > choices.count }

  /// Chooses for every seed.
  ///
  /// - Parameters:
  ///   - points: One method's points, or those of one of its budgets.
  ///   - seeds: All its seeds, those without results included.
  ///   - cap: Removal counts up to here, nats.
  init(level: RemovalLevel, points: [TradeOffPoint], seeds: Set<UInt64>, cap: Double) {
    self.level = level
    let reaching = Dictionary(
      grouping: points.filter { $0.validation.removal >= level.nats && !$0.validation.retentionCost.isNaN },
      by: \.cell.specification.seed)
    choices = seeds.sorted().map { seed in
      SeedChoice(seed: seed, point: reaching[seed]?.min { Self.isPreferred($0, to: $1, cap: cap) })
    }
  }

  /// Less retention cost, then more removal, then fewer tokens, then the earlier cell and step.
  private static func isPreferred(_ left: TradeOffPoint, to right: TradeOffPoint, cap: Double) -> Bool {
    let (a, b) = (left.validation.capped(at: cap), right.validation.capped(at: cap))
    if a.retentionCost != b.retentionCost { return a.retentionCost < b.retentionCost }
    if a.removal != b.removal { return a.removal > b.removal }
    if left.tokenBudget != right.tokenBudget { return left.tokenBudget < right.tokenBudget }
    return (left.cell.index, left.evaluation.step) < (right.cell.index, right.evaluation.step)
  }
}
