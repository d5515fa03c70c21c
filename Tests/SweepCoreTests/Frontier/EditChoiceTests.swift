import SweepCore
import Testing

/// Which edits of a sweep are worth keeping. A uniform guess is 7.62 nats; the goal allows a cost of 0.05.
@Suite struct EditChoiceTests {
  private typealias Fixture = FrontierAnalysisTests

  /// Cell and reasons of each choice.
  private func described(_ choices: [EditChoice]) -> [String] {
    choices.map { "\($0.point.cell.index): \($0.reasons.map(\.rawValue).joined(separator: " "))" }
  }

  @Test func theBestOfABudgetReachesTheGoalAtTheLeastCost() {
    let analysis = Fixture.analysis([
      Fixture.one(0, 9, 0.04), Fixture.one(1, 8, 0.01), Fixture.one(2, 7, 0), Fixture.one(3, 12, 0.2),
    ])
    #expect(described(analysis.winners) == ["1: tokens-to-target reaches-goal"])
  }

  @Test func whereNoneReachesTheGoalTheBestRemovesMostWithinItsCost() {
    let analysis = Fixture.analysis([Fixture.one(0, 5, 0.05), Fixture.one(1, 6, 0.03), Fixture.one(2, 9, 0.06)])
    #expect(described(analysis.winners) == ["1: removes-most"])
  }

  @Test func whereAllCostTooMuchTheBestCostsLeast() {
    let analysis = Fixture.analysis([Fixture.one(0, 9, 0.3), Fixture.one(1, 6, 0.1), Fixture.one(2, 9, 0.1)])
    #expect(described(analysis.winners) == ["2: costs-least"])
  }

  @Test func everyMethodAndBudgetHasItsOwnAndEverySeedItsTokensToTarget() {
    let analysis = Fixture.analysis([
      Fixture.one(0, of: "a", budget: 1, seed: 0, 8, 0.01), Fixture.one(1, of: "a", budget: 1, seed: 1, 8, 0.02),
      Fixture.one(2, of: "a", budget: 4, seed: 0, 8, 0.02), Fixture.one(3, of: "a", budget: 4, seed: 1, 8, 0.01),
      Fixture.one(4, of: "b", budget: 4, seed: 0, 5, 0.01),
    ])
    #expect(
      described(analysis.winners) == [
        "0: tokens-to-target reaches-goal", "1: tokens-to-target", "3: reaches-goal", "4: removes-most",
      ])
  }

  @Test func everyWinnerLiesOnItsMethodsFrontierAtItsBudget() {
    // A hundred readings on a coarse lattice, so that ties abound.
    let records = (0..<100).map { index in
      Fixture.one(
        index, of: "m\(index % 2)", budget: 1 + index % 3, seed: UInt64(index % 4),
        4 + Double(index * 37 % 11) * 0.5, Double(index * 53 % 13) * 0.01 + (index % 3 == 2 ? 0.06 : 0))
    }
    let analysis = Fixture.analysis(records)
    let best = analysis.winners.filter { $0.reasons != [.tokensToTarget] }
    #expect(best.count == 6)
    #expect(Set(best.flatMap(\.reasons)).isSuperset(of: [.reachesGoal, .costsLeast]))
    for choice in best {
      let method = analysis.methods.first { $0.name == choice.point.cell.method }
      let budget = method?.budgets.first { $0.tokenBudget == choice.point.tokenBudget }
      #expect(budget?.plane.contains { analysis.points[$0] == choice.point } == true, "\(choice)")
    }
  }

  @Test func theTestSplitDecidesNothing() {
    let records = [Fixture.one(0, 8, 0.01), Fixture.one(1, 8, 0.02)]
    let turned = [
      Fixture.one(0, 8, 0.01, testRemoval: 3, testCost: 5), Fixture.one(1, 8, 0.02, testRemoval: 9, testCost: 0),
    ]
    #expect(described(Fixture.analysis(records).winners) == described(Fixture.analysis(turned).winners))
    #expect(described(Fixture.analysis(turned).representatives) == ["0: tokens-to-target"])
  }

  @Test func anEditThatCannotChangeTheModelIsNeverChosen() {
    let beginning = Fixture.Reading(removal: 9, cost: 0, step: 0)
    let analysis = Fixture.analysis([
      Fixture.one(0, budget: 0, 9, 0), Fixture.record(1, "m", budget: 4, [beginning]),
      Fixture.one(2, budget: 4, 4, 0.01),
    ])
    #expect(described(analysis.winners) == ["2: removes-most"])
    #expect(described(analysis.representatives) == ["2: removes-most"])
    #expect(Fixture.analysis([Fixture.one(0, budget: 0, 9, 0)]).winners.isEmpty)
  }

  @Test func aMeasurementAlongTheWayCanWin() {
    let readings = [
      Fixture.Reading(removal: 8, cost: 0.01, step: 30), Fixture.Reading(removal: 9, cost: 0.5, step: 100),
    ]
    let winners = Fixture.analysis([Fixture.record(0, "m", budget: 4, readings)]).winners
    #expect(winners.map(\.point.evaluation.step) == [30])
  }

  @Test func theRepresentativeIsTheMiddleSeed() {
    var records = [16, 4, 64].enumerated().map { seed, budget in
      Fixture.one(seed, budget: budget, seed: UInt64(seed), 8, 0.01)
    }
    #expect(described(Fixture.analysis(records).representatives) == ["0: tokens-to-target"])
    // Two of five seeds reach the goal: there is no middle one, and the best by itself stands in.
    records = [
      Fixture.one(0, budget: 4, seed: 0, 8, 0.02), Fixture.one(1, budget: 64, seed: 1, 8, 0.01),
      Fixture.one(2, budget: 4, seed: 2, 4, 0.01), Fixture.one(3, budget: 4, seed: 3, 4, 0.01),
      Fixture.one(4, budget: 4, seed: 4, 4, 0.01),
    ]
    #expect(described(Fixture.analysis(records).representatives) == ["1: reaches-goal"])
  }
}
