import SweepCore
import TestSupport
import Testing

@Suite struct HypervolumeTests {
  /// The volume of the union of boxes [point, reference), by counting the cells of the grid of all coordinates.
  static func bruteForce(_ costs: [[Double]], reference: [Double]) -> Double {
    let boxes = costs.filter { zip($0, reference).allSatisfy { $0 < $1 } }
    var cells: [(lower: [Double], size: Double)] = [([], 1)]
    for axis in reference.indices {
      let cuts = Set(boxes.map { $0[axis] } + [reference[axis]]).sorted()
      cells = cells.flatMap { cell in
        zip(cuts, cuts.dropFirst()).map { (cell.lower + [$0], cell.size * ($1 - $0)) }
      }
    }
    return cells.filter { cell in boxes.contains { zip($0, cell.lower).allSatisfy { $0 <= $1 } } }
      .map(\.size).reduce(0, +)
  }

  static func agree(_ a: Double, _ b: Double) -> Bool {
    abs(a - b) <= 1e-10 * max(abs(a), abs(b))
  }

  @Test(arguments: 0..<200 as Range<UInt64>)
  func agreesWithTheUnionOfBoxes(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let count = Int.random(in: 0...12, using: &generator)
    let coarse = Bool.random(using: &generator)
    func number() -> Double {
      coarse ? Double(Int.random(in: 0...4, using: &generator)) : Double.random(in: 0...4, using: &generator)
    }
    let points = (0..<count).map { _ in [number(), number(), number()] }
    let reference = [number(), number(), number()]
    let flags = (0..<3).map { _ in Bool.random(using: &generator) }
    func cost(_ point: [Double], axes: Int) -> [Double] {
      zip(point, flags).prefix(axes).map { $1 ? -$0 : $0 }
    }

    let area = Hypervolume.area(
      of: points.map { SIMD2($0[0], $0[1]) },
      maximise: [flags[0], flags[1]],
      reference: SIMD2(reference[0], reference[1])
    )
    let expectedArea = Self.bruteForce(points.map { cost($0, axes: 2) }, reference: cost(reference, axes: 2))
    #expect(Self.agree(area, expectedArea), "seed \(seed): \(area), expected \(expectedArea)")

    let volume = Hypervolume.volume(
      of: points.map { SIMD3($0) },
      maximise: [flags[0], flags[1], flags[2]],
      reference: SIMD3(reference)
    )
    let expectedVolume = Self.bruteForce(points.map { cost($0, axes: 3) }, reference: cost(reference, axes: 3))
    #expect(Self.agree(volume, expectedVolume), "seed \(seed): \(volume), expected \(expectedVolume)")
  }

  @Test func countsOnlyPointsStrictlyBetterThanTheReference() {
    let reference: SIMD2<Double> = [1, 0]
    func area(_ points: [SIMD2<Double>]) -> Double {
      Hypervolume.area(of: points, maximise: [false, true], reference: reference)
    }
    #expect(area([]) == 0)
    #expect(area([[1, 5], [0, 0], [2, -1], [.nan, 5], [0, .nan]]) == 0)
    #expect(area([[0.5, 2], [1, 5], [.nan, 9]]) == 1)
    #expect(area([[0.5, 2], [0.5, 2]]) == 1)
  }

  @Test func isInfiniteWhereACountedPointOrTheReferenceIs() {
    #expect(
      Hypervolume.area(of: [[-.infinity, 2], [0, 3]], maximise: [false, true], reference: [1, 0]) == .infinity
    )
    #expect(
      Hypervolume.area(of: [[0, 2], [-1, 1]], maximise: [false, true], reference: [.infinity, 0]) == .infinity
    )
    #expect(
      Hypervolume.volume(
        of: [[0, 2, -.infinity], [0, 3, 0]],
        maximise: [false, true, false],
        reference: [1, 0, 1]
      ) == .infinity
    )
    #expect(Hypervolume.area(of: [[0, 1]], maximise: [false, true], reference: [.nan, 0]) == 0)
  }
}
