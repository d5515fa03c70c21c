import ContentHash
import SweepCore
import Testing

@testable import SweepCoordinator
@testable import pdsweep

@Suite
struct ProgressTests {
  private func progress(completed: Int, of total: Int, failed: Int = 0) -> SweepProgress {
    SweepProgress(
      sweeps: [
        .init(
          name: "demo",
          methods: [
            .init(name: "lora", cells: [.completed: completed, .failed: failed, .pending: total - completed - failed])
          ], isPaused: false, completedHere: completed, faults: 0)
      ], workers: [], elapsed: .seconds(20), remaining: .seconds(150), isDraining: false)
  }

  @Test
  func theLineTellsWhatMattersMostFirst() {
    let best = BestRemoval(removal: 8.126, retentionCost: 0.0312, method: "lora", tokenBudget: 1)
    #expect(
      progress(completed: 40, of: 97, failed: 2).line(Standing(best: best, hypervolume: 4.6337))
        == "demo: 42/97 cells (43 %), 2 failed, 0 workers, 2.0 cells/s, 3 min left, "
        + "best removal 8.13 nats at a cost of +0.031 (lora, 1 token), hypervolume 4.634, lora 42/97")
    #expect(progress(completed: 1, of: 97).line(nil).contains("20.0 s a cell"))
    #expect(progress(completed: 97, of: 97).line(nil) == "demo: 97/97 cells (100 %), 0 workers, lora 97/97")
  }

  @Test
  func estimatesHaveThePrecisionOfEstimates() {
    let estimates: [Duration] = [.milliseconds(300), .seconds(99), .seconds(150), .seconds(7200), .seconds(864_000)]
    #expect(estimates.map(\.estimate) == ["1 s", "99 s", "3 min", "2 h", "10 days"])
  }

  @Test
  func plainLinesComeFirstLastAndNowAndThen() {
    var cadence = PlainCadence()
    let moments: [(ended: Int, seconds: Int, isDue: Bool)] = [
      (0, 0, true), (4, 1, false), (5, 2, true), (5, 11, false), (5, 12, true), (99, 13, true), (100, 13, true),
      (100, 14, false),
    ]
    for moment in moments {
      let isDue = cadence.isDue(ended: moment.ended, of: 100, after: .seconds(moment.seconds))
      #expect(isDue == moment.isDue, "\(moment)")
    }
  }

  @Test
  func theBestRemovalIsTheGreatestWithinTheGoalsCost() throws {
    let goal = SweepGoal(removal: .uniform, retentionCostAtMost: 0.05)
    func point(_ removal: Double, cost: Double) -> EvaluationPoint {
      func score(_ role: CorpusRole, _ base: Double, _ edited: Double) -> CorpusScore {
        CorpusScore(
          name: role.rawValue, role: role, base: .init(validation: base, test: 0),
          edited: .init(validation: edited, test: 0))
      }
      return EvaluationPoint(step: 1, corpora: [score(.forget, 3, removal), score(.retain, 3, 3 + cost)])
    }
    func better(than best: BestRemoval?, _ points: EvaluationPoint...) -> BestRemoval? {
      let result = CellResult(
        evaluations: points, steps: [], edit: .prefactors(alphas: [2]), forgetTokens: 4, retainTokens: 0)
      return BestRemoval.better(of: best, and: Self.cell, result, goal: goal)
    }
    let first = try #require(better(than: nil, point(9, cost: 0.5), point(6, cost: 0.03125), point(5, cost: 0)))
    #expect(first.removal == 6)
    #expect(first.retentionCost == 0.03125)
    #expect(better(than: first, point(5.5, cost: 0))?.removal == 6)
    #expect(better(than: first, point(6.5, cost: 0))?.removal == 6.5)
    #expect(better(than: nil, point(9, cost: 0.5)) == nil)
  }

  private static let cell = Cell(
    index: 0, method: "scan",
    specification: CellSpecification(
      target: TargetReference(
        weights: .init(of: "w"), configuration: .init(of: "c"), tokenizer: .init(of: "t"), decomposition: nil),
      corpora: [], start: "\n", evaluation: EvaluationSettings(tokensPerCorpus: 64, context: 32),
      edit: .prefactors(subcomponents: ["h.0.mlp.c_fc:0"], alphas: .fixed(2)), training: nil, seed: 0))
}
