import ContentHash
import Foundation
import SweepCore
import TestSupport
import Testing

@Suite struct FrontierAnalysisTests {
  /// A finished edit that reads the same on both splits unless said otherwise; the base removal is 3 nats.
  struct Reading {
    var removal: Double
    var cost: Double
    var testRemoval: Double?
    var testCost: Double?
    var step = 100
  }

  static func record(
    _ index: Int, _ method: String, budget: Int, seed: UInt64 = 0, weight: Double = 1, _ readings: [Reading]
  ) -> CellRecord {
    let digest = SHA256Digest(of: "file")
    let specification = CellSpecification(
      target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: nil),
      corpora: [], start: "\n", evaluation: EvaluationSettings(tokensPerCorpus: 128, context: 128),
      edit: .lora(rank: 1, sites: .all, scale: 1),
      training: TrainingSpecification(
        tokenBudget: budget, retainTokens: 64, forgetLoss: .hinge, retainLoss: .kl, retainWeight: weight,
        optimiser: .adamW(AdamWSettings(learningRate: 0.01, steps: 100))), seed: seed)
    let evaluations = readings.map { reading in
      let removal = SplitLosses(validation: reading.removal, test: reading.testRemoval ?? reading.removal)
      let cost = SplitLosses(validation: reading.cost, test: reading.testCost ?? reading.cost)
      return EvaluationPoint(
        step: reading.step,
        corpora: [
          CorpusScore(name: "german", role: .forget, base: SplitLosses(validation: 3, test: 3), edited: removal),
          CorpusScore(name: "english", role: .retain, base: SplitLosses(validation: 0, test: 0), edited: cost),
        ])
    }
    return CellRecord(
      cell: Cell(index: index, method: method, specification: specification), state: .completed,
      result: CellResult(
        evaluations: evaluations, steps: [], edit: .lora(deltaNorms: []), forgetTokens: 0, retainTokens: 0))
  }

  static func one(
    _ index: Int, of method: String = "m", budget: Int = 1, seed: UInt64 = 0, weight: Double = 1, _ removal: Double,
    _ cost: Double, testRemoval: Double? = nil, testCost: Double? = nil
  ) -> CellRecord {
    let reading = Reading(removal: removal, cost: cost, testRemoval: testRemoval, testCost: testCost)
    return record(index, method, budget: budget, seed: seed, weight: weight, [reading])
  }

  static func pending(_ index: Int, of method: String = "m", budget: Int = 1, seed: UInt64) -> CellRecord {
    CellRecord(cell: one(index, of: method, budget: budget, seed: seed, 0, 0).cell, state: .pending)
  }

  static func analysis(_ records: [CellRecord], goal: SweepGoal = SweepGoal()) -> FrontierAnalysis {
    FrontierAnalysis(records: records, vocabularySize: 2048, goal: goal)
  }

  static func cells(_ indices: [Int], _ analysis: FrontierAnalysis) -> [Int] {
    indices.map { analysis.points[$0].cell.index }
  }

  @Test func validationDecidesAndTestDoesNot() {
    let analysis = Self.analysis([
      Self.one(0, 6, 0.1, testRemoval: 4, testCost: 1), Self.one(1, 5, 0.2, testRemoval: 9, testCost: 0),
    ])
    #expect(Self.cells(analysis.plane, analysis) == [0])
    #expect(Self.cells(analysis.space, analysis) == [0])
    #expect(Self.cells(analysis.methods[0].budgets[0].plane, analysis) == [0])
    #expect(analysis.methods[0].budgets[0].settingsFront == [0])
  }

  @Test func removalBeyondAUniformGuessCountsForNothing() {
    let analysis = Self.analysis([Self.one(0, 8, 0.1), Self.one(1, 12, 0.2), Self.one(2, 7.7, 0.1)])
    #expect(Self.cells(analysis.plane, analysis) == [0, 2])
    #expect(Self.cells(analysis.space, analysis) == [0, 2])
  }

  @Test func frontsArePerBudgetPerMethodAndOverAll() {
    let analysis = Self.analysis([
      Self.one(0, of: "a", budget: 1, 4, 0.1), Self.one(1, of: "a", budget: 4, 5, 0.1),
      Self.one(2, of: "a", budget: 4, 4.5, 0.2),
      Self.one(3, of: "b", budget: 4, 6, 0.3), Self.one(4, of: "b", budget: 16, 5, 0.05),
    ])
    #expect(analysis.methods.map(\.name) == ["a", "b"])
    #expect(analysis.methods.map { Self.cells($0.plane, analysis) } == [[1], [4, 3]])
    #expect(analysis.methods.map { Self.cells($0.space, analysis) } == [[0, 1], [4, 3]])
    #expect(analysis.methods[0].budgets.map(\.tokenBudget) == [1, 4])
    #expect(analysis.methods[0].budgets.map { Self.cells($0.plane, analysis) } == [[0], [1]])
    #expect(Self.cells(analysis.plane, analysis) == [4, 3])
    #expect(Self.cells(analysis.space, analysis) == [4, 0, 1, 3])
  }

  @Test func evaluationsAlongTheWayArePointsOfTheirOwn() {
    let record = Self.record(
      7, "m", budget: 1, [Reading(removal: 5, cost: 0.1, step: 10), Reading(removal: 4, cost: 0.2, step: 100)])
    let analysis = Self.analysis([record])
    #expect(analysis.points.map(\.evaluation.step) == [10, 100])
    #expect(analysis.points.map(\.isFinal) == [false, true])
    #expect(analysis.plane == [0])
  }

  @Test func readingsThatAreNotNumbersAreOnNoFront() {
    let analysis = Self.analysis([Self.one(0, .nan, 0), Self.one(1, 7, .nan), Self.one(2, 4, 0.1)])
    #expect(Self.cells(analysis.plane, analysis) == [2])
    #expect(Self.cells(analysis.space, analysis) == [2])
    let alone = Self.analysis([Self.one(0, .nan, .nan)])
    #expect(alone.plane.isEmpty && alone.methods[0].budgets[0].settingsFront.isEmpty)
    #expect(alone.methods[0].tokensToTarget.tokens == nil)
  }

  @Test func methodsWithoutResultsAreThereAndEmpty() {
    let analysis = Self.analysis([Self.pending(0, of: "early", seed: 3), Self.one(1, of: "late", 4, 0.1)])
    #expect(analysis.methods.map(\.name) == ["early", "late"])
    #expect(analysis.methods[0].points.isEmpty)
    #expect(analysis.methods[0].cells == [.pending: 1])
    #expect(analysis.methods[0].tokensToTarget.choices.map(\.seed) == [3])
    #expect(Self.analysis([]).methods.isEmpty)
    #expect(Self.analysis([]).reference == nil)
  }

  @Test func hypervolumesAreMeasuredFromTheBaseModelAndANat() throws {
    let guess = log(2048.0)
    let analysis = Self.analysis([
      Self.one(0, of: "a", budget: 1, 4, 0.5, testRemoval: 5, testCost: 0.25), Self.one(1, of: "a", budget: 3, 9, 0.75),
      Self.one(2, of: "a", budget: 3, 20, 1.5), Self.pending(3, of: "b", budget: 7, seed: 0),
    ])
    let reference = try #require(analysis.reference)
    #expect(reference.tokenDoublings == 4)
    let volume = try #require(analysis.methods[0].hypervolume)
    let plane = 0.5 * 1 + 0.25 * (guess - 4)
    #expect(abs(volume.plane.validation - plane) < 1e-12)
    #expect(abs(volume.plane.test - (0.75 * 2 + 0.25 * (guess - 5))) < 1e-12)
    // From one doubling (1 token) to two (3 tokens) there is the first point alone, then both.
    #expect(abs(volume.space.validation - (0.5 * 1 * 1 + plane * 2)) < 1e-12)
    #expect(analysis.methods[1].hypervolume?.plane == SplitLosses(validation: 0, test: 0))
  }

  // MARK: Tokens to target

  @Test func tokensToTargetIsTheMedianOverSeedsOfTheSmallestBudgetThatReachesTheGoal() {
    let records = [
      Self.one(0, budget: 1, seed: 0, 7, 0), Self.one(1, budget: 4, seed: 0, 8, 0.04),
      Self.one(2, budget: 16, seed: 0, 8, 0.01), Self.one(3, budget: 4, seed: 1, 8, 0.06),
      Self.one(4, budget: 16, seed: 1, 8, 0.05), Self.one(5, budget: 1, seed: 2, 8, 0.01),
    ]
    let target = Self.analysis(records).methods[0].tokensToTarget
    #expect(target.choices.map(\.point?.cell.index) == [1, 4, 5])
    #expect(target.tokens == 4)
    // With an even number of seeds, half-way between the two in the middle.
    #expect(Self.analysis(Array(records.prefix(5))).methods[0].tokensToTarget.tokens == 10)
  }

  @Test func aSeedThatNeverReachesTheGoalCountsAsInfinite() {
    let reaching = [Self.one(0, budget: 4, seed: 0, 8, 0), Self.one(1, budget: 8, seed: 1, 8, 0)]
    #expect(Self.analysis(reaching + [Self.one(2, seed: 2, 4, 0)]).methods[0].tokensToTarget.tokens == 8)
    #expect(Self.analysis(reaching + [Self.pending(2, seed: 2)]).methods[0].tokensToTarget.tokens == 8)
    let half = Self.analysis(reaching + [Self.one(2, seed: 2, 4, 0), Self.one(3, seed: 3, 4, 0)])
    #expect(half.methods[0].tokensToTarget.tokens == nil)
    #expect(half.methods[0].tokensToTarget.chosen.count == 2)
  }

  @Test func atTheSmallestBudgetTheCheapestSettingOnValidationIsChosen() {
    let target = Self.analysis([
      Self.one(0, weight: 1, 8, 0.04, testCost: 0), Self.one(1, weight: 2, 8, 0.02, testCost: 0.9),
      Self.one(2, weight: 3, 9, 0.02), Self.one(3, weight: 4, 9, 0.02), Self.one(4, weight: 5, 7.5, 0),
    ]).methods[0].tokensToTarget
    #expect(target.chosen.map(\.cell.index) == [2])
  }

  @Test func theGoalMayBeAnotherThanAUniformGuess() {
    let records = [Self.one(0, budget: 2, 6, 0.3), Self.one(1, budget: 4, 8, 0.01)]
    let goal = SweepGoal(removal: .nats(6), retentionCostAtMost: 0.3)
    #expect(Self.analysis(records, goal: goal).methods[0].tokensToTarget.tokens == 2)
    #expect(Self.analysis(records).methods[0].tokensToTarget.tokens == 4)
  }

  // MARK: Seeds

  @Test func settingsAreGroupedOverSeedsAndTheirMediansMakeAFront() {
    let analysis = Self.analysis([
      Self.one(0, seed: 0, weight: 1, 4, 0.1), Self.one(1, seed: 0, weight: 2, 5, 0.2),
      Self.one(2, seed: 1, weight: 1, 6, 0.3), Self.one(3, seed: 1, weight: 2, 9, 0.4),
      Self.one(4, seed: 2, weight: 1, 5, 0.2), Self.one(5, seed: 0, weight: 3, 4.5, 0.25),
    ])
    let budget = analysis.methods[0].budgets[0]
    #expect(budget.settings.map { $0.members.map(\.cell.index) } == [[0, 2, 4], [1, 3], [5]])
    #expect(budget.settings[0].removal(.test) == SeedSpread([4, 6, 5]))
    #expect(budget.settings[0].median(.validation) == TradeOffReading(removal: 5, retentionCost: 0.2))
    #expect(budget.settings[1].median(.validation).removal == 7)
    #expect(budget.settingsFront == [0, 1])
  }

  @Test func spreadsHaveTheMedianAndTheExtremes() {
    let even = SeedSpread([4, 1, 2, 9])
    #expect(even.median == 3 && even.minimum == 1 && even.maximum == 9)
    let odd = SeedSpread([3, -1, 2])
    #expect(odd.median == 2 && odd.minimum == -1 && odd.maximum == 3)
    #expect(SeedSpread([1, .infinity]).median == .infinity)
    let spoilt = SeedSpread([1, .nan, 2])
    #expect(spoilt.median.isNaN && spoilt.minimum.isNaN && spoilt.maximum.isNaN)
  }

  @Test(arguments: 0..<30 as Range<UInt64>)
  func theOrderOfRecordsDoesNotMatter(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let records = (0..<40).map { index in
      Self.one(
        index, of: ["a", "b"][index % 2], budget: [1, 4][index / 2 % 2], seed: UInt64(index / 4 % 2),
        weight: Double(index / 8), Double(Int.random(in: 3...9, using: &generator)),
        Double(Int.random(in: 0...4, using: &generator)) / 16)
    }
    func summary(_ analysis: FrontierAnalysis) -> [[Int]] {
      [Self.cells(analysis.plane, analysis), Self.cells(analysis.space, analysis)]
        + analysis.methods.map { Self.cells($0.plane, analysis) }
        + analysis.methods.flatMap { $0.budgets.map(\.settingsFront) }
        + analysis.methods.map { $0.tokensToTarget.chosen.map(\.cell.index) }
    }
    #expect(
      summary(Self.analysis(records.shuffled(using: &generator))) == summary(Self.analysis(records)), "seed \(seed)")
  }
}
