import TensorKernels
import Testing

@testable import LanguageModel

/// Numbers that leave the range of floats on the way.
@Suite struct OverflowTests {
  @Test("a trial whose weighted total overflows is worse than every finite one")
  func overflowingTotal() {
    func losses(_ alpha: Double) -> FineTuneProblem.Losses {
      let isFar = abs(alpha) > 4
      return FineTuneProblem.Losses(forget: -abs(alpha), retain: 0, total: isFar ? -.infinity : -abs(alpha))
    }
    let (trials, best) = ScalarSolve.search { $0.map(losses) }
    #expect(best.losses.isFinite && abs(best.alpha) <= 4)
    #expect(trials.contains { !$0.losses.isFinite })
  }

  @Test(
    "losses are finite only if all three are",
    arguments: [(1.0, 1.0, 1.0, true), (1, 1, .infinity, false), (.nan, 1, 1, false)])
  func finiteness(forget: Double, retain: Double, total: Double, expected: Bool) {
    #expect(FineTuneProblem.Losses(forget: forget, retain: retain, total: total).isFinite == expected)
  }
}
