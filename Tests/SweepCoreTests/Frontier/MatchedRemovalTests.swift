import Foundation
import SweepCore
import TestSupport
import Testing

@Suite struct MatchedRemovalTests {
  typealias Frontiers = FrontierAnalysisTests

  static func chosen(_ matched: MatchedRemoval) -> [Int?] {
    matched.choices.map { $0.point?.cell.index }
  }

  @Test func levelsGoFromTheBaseToAUniformGuess() {
    // The base removal is 3 nats.
    let analysis = Frontiers.analysis([Frontiers.one(0, 4, 0)])
    let guess = log(2048.0)
    #expect(analysis.levels.map(\.nats) == [0.25, 0.5, 0.75, 0.9].map { 3 + $0 * (guess - 3) } + [guess])
    #expect(analysis.levels.map(\.meaning) == [.part(0.25), .part(0.5), .part(0.75), .part(0.9), .part(1)])
    let modest = Frontiers.analysis(
      [Frontiers.one(0, 4, 0)], goal: SweepGoal(removal: .nats(5), retentionCostAtMost: 1))
    #expect(modest.levels.map(\.meaning) == [.part(0.25), .goal, .part(0.5), .part(0.75), .part(0.9), .part(1)])
    #expect(Frontiers.analysis([Frontiers.pending(0, seed: 0)]).levels.isEmpty)
  }

  @Test func everySeedGivesTheCheapestEditThatReachesTheLevelOnValidation() {
    let records = [
      // Seed 0: the test split would take cell 1, and the cheaper cell 2 does not reach the level.
      Frontiers.one(0, seed: 0, weight: 1, 8, 0.2, testRemoval: 6, testCost: 0.9),
      Frontiers.one(1, seed: 0, weight: 2, 8, 0.3, testRemoval: 9, testCost: 0),
      Frontiers.one(2, seed: 0, weight: 3, 7, 0.1),
      // Seed 1: of equal cost the one that removes more, where beyond a uniform guess nothing counts.
      Frontiers.one(3, budget: 4, seed: 1, weight: 1, 7.7, 0.2),
      Frontiers.one(4, budget: 2, seed: 1, weight: 2, 9, 0.2), Frontiers.one(5, budget: 4, seed: 1, weight: 3, 12, 0.2),
      // Seed 2: reaches nothing.
      Frontiers.one(6, seed: 2, weight: 1, 4, 0),
    ]
    let analysis = Frontiers.analysis(records)
    let full = analysis.methods[0].matched[4]
    #expect(full.level.meaning == .part(1))
    #expect(Self.chosen(full) == [0, 4, nil])
    #expect(full.isReached)
    #expect(Self.chosen(analysis.methods[0].matched[0]) == [2, 4, nil])

    let budgets = analysis.methods[0].budgets
    #expect(budgets.map(\.tokenBudget) == [1, 2, 4])
    #expect(budgets.map { Self.chosen($0.matched[4]) } == [[0, nil], [4], [3]])
    #expect(budgets.map(\.matched[4].isReached) == [false, true, true])
  }

  @Test func whatIsNotANumberReachesNothing() {
    let analysis = Frontiers.analysis([
      Frontiers.one(0, weight: 1, .nan, 0), Frontiers.one(1, weight: 2, 9, .nan), Frontiers.one(2, weight: 3, 9, 0.5),
    ])
    #expect(Self.chosen(analysis.methods[0].matched[4]) == [2])
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func aChoiceIsOnItsSeedsFront(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let records = (0..<30).map { index in
      Frontiers.one(
        index, budget: [1, 4][index % 2], seed: UInt64(index / 2 % 3), weight: Double(index / 6),
        Double(Int.random(in: 6...18, using: &generator)) / 2, Double(Int.random(in: 0...4, using: &generator)) / 16)
    }
    for budget in Frontiers.analysis(records).methods[0].budgets {
      let fronts = budget.attainment.seeds.map { Set($0.plane) }
      let analysis = Frontiers.analysis(records)
      for matched in budget.matched {
        for (choice, front) in zip(matched.choices, fronts) {
          let reaching = analysis.points.filter {
            $0.tokenBudget == budget.tokenBudget && $0.cell.specification.seed == choice.seed
              && $0.validation.removal >= matched.level.nats
          }
          let least = reaching.map(\.validation.retentionCost).min()
          #expect(choice.point?.validation.retentionCost == least, "seed \(seed)")
          if let point = choice.point { #expect(front.contains { analysis.points[$0] == point }, "seed \(seed)") }
        }
      }
    }
  }
}
