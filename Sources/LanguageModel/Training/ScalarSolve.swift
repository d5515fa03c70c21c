internal import Foundation

/// A two-sided search for the alpha of least loss.
///
/// Near alpha = 1 the forget loss is flat and its slope has an arbitrary sign, so a gradient method from there may
/// stall or take the weaker side. The search instead tries a log-spaced grid on both sides of 0, with 0 and 1, all in
/// shared passes, then narrows the best grid point's neighbourhood by golden sections (Kiefer 1953).
struct ScalarSolve {
  /// A value that was tried.
  struct Trial: Sendable, Hashable {
    let alpha: Double
    let losses: FineTuneProblem.Losses
  }

  /// 0, 1, and 12 magnitudes from 0.5 to 64 on each side; ascending.
  ///
  /// 128 to the power x as 2 to the power 7 x: of a constant base that is a power of 2, the optimiser makes just that,
  /// and a build without it would otherwise differ in the last bit.
  static let grid: [Double] = {
    let magnitudes = (0..<12).map { 0.5 * exp2(7 * (Double($0) / 11)) }
    return (magnitudes.map { -$0 } + [0, 1] + magnitudes).sorted()
  }()

  /// The search ends when the bracket is narrower than this share of |alpha| (or of 1, near 0).
  static let tolerance = 2e-3

  /// The trials in the order in which they were made, and the best of them. A value whose loss is not a number counts
  /// as infinitely bad; of equals the one closest to 1, the base model, wins.
  ///
  /// - Parameter evaluate: the losses at each of several alphas; ends the search by throwing.
  static func search<Failure: Error>(
    _ evaluate: ([Double]) throws(Failure) -> [FineTuneProblem.Losses]
  ) throws(Failure) -> (trials: [Trial], best: Trial) {
    var trials = zip(grid, try evaluate(grid)).map(Trial.init)
    let start = best(of: trials)
    let index = grid.firstIndex(of: start.alpha) ?? 0
    var low = grid[max(index - 1, 0)]
    var high = grid[min(index + 1, grid.count - 1)]
    let ratio = (5.0.squareRoot() - 1) / 2

    func probe(_ alpha: Double) throws(Failure) -> Double {
      let trial = Trial(alpha: alpha, losses: try evaluate([alpha])[0])
      trials.append(trial)
      return cost(trial)
    }
    var left = high - ratio * (high - low)
    var right = low + ratio * (high - low)
    var leftCost = try probe(left)
    var rightCost = try probe(right)
    while high - low > tolerance * max(1, abs(low + high) / 2) {
      if leftCost <= rightCost {
        (high, right, rightCost) = (right, left, leftCost)
        left = high - ratio * (high - low)
        leftCost = try probe(left)
      } else {
        (low, left, leftCost) = (left, right, rightCost)
        right = low + ratio * (high - low)
        rightCost = try probe(right)
      }
    }
    return (trials, best(of: trials))
  }

  private static func cost(_ trial: Trial) -> Double {
    trial.losses.isFinite ? trial.losses.total : .infinity
  }

  private static func best(of trials: [Trial]) -> Trial {
    trials.dropFirst().reduce(trials[0]) { best, trial in
      (cost(trial), abs(trial.alpha - 1)) < (cost(best), abs(best.alpha - 1)) ? trial : best
    }
  }
}
