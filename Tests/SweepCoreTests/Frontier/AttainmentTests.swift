import SweepCore
import TestSupport
import Testing

@Suite struct AttainmentTests {
  /// Whether at least `count` runs have a point that is no worse than `place`, both axes costs.
  static func attain(_ runs: [[SIMD2<Double>]], _ place: SIMD2<Double>, count: Int) -> Bool {
    runs.count { run in run.contains { $0.x <= place.x && $0.y <= place.y } } >= count
  }

  /// Runs of up to six points; coordinates from a handful of values, so that ties are common, or from all.
  static func runs(using generator: inout SeededGenerator) -> [[SIMD2<Double>]] {
    let few: [Double] = [0, 1, 2, 3, 4, .infinity, -.infinity, .nan]
    let coarse = Bool.random(using: &generator)
    func number() -> Double {
      coarse ? few[Int.random(in: 0..<few.count, using: &generator)] : Double.random(in: 0...4, using: &generator)
    }
    return (0..<Int.random(in: 1...5, using: &generator)).map { _ in
      (0..<Int.random(in: 0...6, using: &generator)).map { _ in SIMD2(number(), number()) }
    }
  }

  @Test(arguments: 0..<150 as Range<UInt64>)
  func aPlaceIsBeyondTheSurfaceExactlyWhereSoManyRunsAttainIt(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let runs = Self.runs(using: &generator)
    let found = AttainmentSurfaces(of: runs, maximise: [false, false]).surfaces
    #expect(found.count == runs.count)
    let finite = runs.joined().filter { $0.x < .infinity && $0.y < .infinity }
    var places: [SIMD2<Double>] = [SIMD2(-1, -1), SIMD2(1e9, 1e9)]
    for a in finite { places += finite.map { b in SIMD2(a.x, b.y) } }
    for (place, corners) in found.enumerated() {
      #expect(
        places.allSatisfy { here in
          Self.attain(runs, here, count: place + 1) == Self.attain([corners], here, count: 1)
        }, "seed \(seed), \(place + 1) of \(runs.count)")
      // No corner is superfluous.
      #expect(zip(corners, corners.dropFirst()).allSatisfy { $0.x < $1.x && $0.y > $1.y }, "seed \(seed)")
    }
  }

  @Test func axesMayBeMaximised() {
    let runs: [[SIMD2<Double>]] = [[[0.1, 4], [0.3, 7]], [[0.2, 5]], []]
    let surfaces = AttainmentSurfaces(of: runs, maximise: [false, true]).surfaces
    #expect(surfaces == [[[0.1, 4], [0.2, 5], [0.3, 7]], [[0.2, 4], [0.3, 5]], []])
  }

  @Test func theSurfaceOfOneRunIsItsFront() {
    let runs: [[SIMD2<Double>]] = [[[3, 1], [1, 3], [2, 3], [1, 4], [.nan, 0], [0, .infinity]]]
    #expect(AttainmentSurfaces(of: runs, maximise: [false, false]).surfaces == [[[1, 3], [3, 1]]])
    #expect(AttainmentSurfaces(of: [], maximise: [false, false])[.median] == [])
  }

  @Test func aLevelIsAttainedByMoreThanItsPartOfTheRuns() {
    func counts(_ level: AttainmentLevel) -> [Int] { (1...8).map(level.count) }
    #expect(counts(.best) == [1, 1, 1, 1, 1, 1, 1, 1])
    #expect(counts(.lowerQuartile) == [1, 1, 1, 2, 2, 2, 2, 3])
    #expect(counts(.median) == [1, 2, 2, 3, 3, 4, 4, 5])
    #expect(counts(.upperQuartile) == [1, 2, 3, 4, 4, 5, 6, 7])
    #expect(counts(.worst) == [1, 2, 3, 4, 5, 6, 7, 8])
  }

  // MARK: In a sweep

  typealias Frontiers = FrontierAnalysisTests

  @Test func everySeedIsARunDecidedOnValidationAndReadOnTest() {
    let analysis = Frontiers.analysis([
      // Seed 0: cell 1 is dominated on validation, though the test split prefers it.
      Frontiers.one(0, seed: 0, weight: 1, 6, 0.1, testRemoval: 5, testCost: 0.2),
      Frontiers.one(1, seed: 0, weight: 2, 5, 0.2, testRemoval: 9, testCost: 0),
      // Seed 1: more than a uniform guess counts as that much.
      Frontiers.one(2, seed: 1, weight: 1, 12, 0.3, testRemoval: 4, testCost: 0.1),
      Frontiers.pending(3, seed: 2),
      // Another budget is another matter.
      Frontiers.one(4, budget: 2, seed: 0, 7, 0),
    ])
    let attainment = analysis.methods[0].budgets[0].attainment
    #expect(attainment.seeds.map(\.seed) == [0, 1, 2])
    #expect(attainment.seeds.map { Frontiers.cells($0.plane, analysis) } == [[0], [2], []])
    #expect(attainment.validation[.best] == [[0.1, 6], [0.3, analysis.uniformGuess]])
    #expect(attainment.validation[.median] == [[0.3, 6]])
    #expect(attainment.validation[.worst] == [])
    #expect(attainment.test[.best] == [[0.1, 4], [0.2, 5]])
    #expect(attainment.test[.median] == [[0.2, 4]])
  }
}
