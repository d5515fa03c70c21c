import SweepCore
import TestSupport
import Testing

@Suite struct GrowingFrontierTests {
  typealias Frontiers = FrontierAnalysisTests
  typealias PointID = GrowingFrontier.PointID

  /// Results of two methods at three budgets, some of them with a measurement half-way; readings from a handful of
  /// values, so that ties are common, or from all, with what is not a number now and then.
  static func records(_ count: Int, using generator: inout SeededGenerator) -> [CellRecord] {
    let coarse = Bool.random(using: &generator)
    func number(_ range: ClosedRange<Double>) -> Double {
      if Int.random(in: 0..<20, using: &generator) == 0 { return .nan }
      let value = Double.random(in: range, using: &generator)
      return coarse ? (value * 4).rounded() / 4 : value
    }
    return (0..<count).map { index in
      let readings = (0...Int.random(in: 0...1, using: &generator)).map { place in
        Frontiers.Reading(
          removal: number(2...10), cost: number(-0.25...1.25), testRemoval: number(2...10),
          testCost: number(-0.25...1.25), step: 50 * (place + 1))
      }
      return Frontiers.record(
        index, ["a", "b"][Int.random(in: 0...1, using: &generator)],
        budget: [1, 4, 16][Int.random(in: 0...2, using: &generator)], readings)
    }
  }

  static func names(_ indices: [Int], _ analysis: FrontierAnalysis) -> [[Int]] {
    indices.map { [analysis.points[$0].cell.index, analysis.points[$0].evaluation.step] }
  }

  static func names(_ points: [PointID]) -> [[Int]] {
    points.map { [$0.cell, $0.step] }
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func afterEveryResultItHoldsWhatTheAnalysisOfAllSays(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let records = Self.records(24, using: &generator).shuffled(using: &generator)
    var growing = GrowingFrontier(vocabularySize: 2048, largestBudget: 16)
    // The reference follows from the largest budget of all cells, finished or not.
    let waiting = Frontiers.pending(1000, of: "z", budget: 16, seed: 0)
    for (place, record) in records.enumerated() {
      growing.insert(try #require(record.result), of: record.cell)
      let analysis = Frontiers.analysis(Array(records.prefix(place + 1)) + [waiting])
      #expect(Self.names(growing.fronts.plane) == Self.names(analysis.plane, analysis), "seed \(seed)")
      #expect(Self.names(growing.fronts.space) == Self.names(analysis.space, analysis), "seed \(seed)")
      for method in analysis.methods where method.name != "z" {
        let own = try #require(growing.methods[method.name])
        #expect(Self.names(own.fronts.plane) == Self.names(method.plane, analysis), "seed \(seed)")
        #expect(Self.names(own.fronts.space) == Self.names(method.space, analysis), "seed \(seed)")
        #expect(own.fronts.hypervolume == method.hypervolume, "seed \(seed)")
        #expect(own.budgets == method.budgets.map(\.tokenBudget), "seed \(seed)")
        for budget in method.budgets {
          #expect(
            Self.names(own.plane(at: budget.tokenBudget)) == Self.names(budget.plane, analysis), "seed \(seed)")
        }
      }
    }
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func theOrderOfResultsDoesNotMatter(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let records = Self.records(40, using: &generator)
    func grown(_ records: [CellRecord]) throws -> GrowingFrontier {
      var growing = GrowingFrontier(vocabularySize: 2048, largestBudget: 16)
      for record in records { growing.insert(try #require(record.result), of: record.cell) }
      return growing
    }
    let (one, other) = (try grown(records), try grown(records.shuffled(using: &generator)))
    #expect(one.fronts.space == other.fronts.space && one.fronts.plane == other.fronts.plane)
    #expect(one.fronts.hypervolume == other.fronts.hypervolume)
    #expect(one.fronts.hypervolume.plane.validation > 0)
  }
}
