import SweepCore
import TestSupport
import Testing

@Suite struct ParetoFrontTests {
  /// The definition, point against point, for any number of axes.
  static func bruteForce(_ points: [[Double]], maximise: [Bool]) -> [Int] {
    func dominates(_ a: [Double], _ b: [Double]) -> Bool {
      guard !(a + b).contains(where: \.isNaN) else { return false }
      let axes = zip(zip(a, b), maximise).map { pair, more in more ? (pair.1, pair.0) : pair }
      return axes.allSatisfy { $0.0 <= $0.1 } && axes.contains { $0.0 < $0.1 }
    }
    return points.indices.filter { candidate in
      !points[candidate].contains(where: \.isNaN) && !points.contains { dominates($0, points[candidate]) }
    }
  }

  static func firsts(_ indices: [Int], _ points: [[Double]]) -> [Int] {
    var seen: [[Double]] = []
    return indices.filter { index in
      defer { seen.append(points[index]) }
      return !seen.contains(points[index])
    }
  }

  /// Coordinates from a handful of values, so that ties and duplicates are common, with infinities and NaN mixed in;
  /// or from all values.
  static func points(_ count: Int, axes: Int, using generator: inout SeededGenerator) -> [[Double]] {
    let few: [Double] = [0, -0.0, 1, 2, 3, 4, .infinity, -.infinity, .nan]
    let coarse = Bool.random(using: &generator)
    return (0..<count).map { _ in
      (0..<axes).map { _ in
        coarse ? few[Int.random(in: 0..<few.count, using: &generator)] : Double.random(in: -1...1, using: &generator)
      }
    }
  }

  @Test(arguments: 0..<300 as Range<UInt64>)
  func agreesWithTheDefinition(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let count = Int.random(in: 0...60, using: &generator)
    let flags = (0..<3).map { _ in Bool.random(using: &generator) }

    let plane = Self.points(count, axes: 2, using: &generator)
    let expected2 = Self.bruteForce(plane, maximise: Array(flags.prefix(2)))
    let mask2: SIMDMask<SIMD2<Int64>> = [flags[0], flags[1]]
    let points2 = plane.map { SIMD2($0) }
    #expect(ParetoFront.indices(of: points2, maximise: mask2) == expected2, "seed \(seed)")
    #expect(
      ParetoFront.indices(of: points2, maximise: mask2, duplicates: .first) == Self.firsts(expected2, plane),
      "seed \(seed)"
    )

    let space = Self.points(count, axes: 3, using: &generator)
    let expected3 = Self.bruteForce(space, maximise: flags)
    let mask3: SIMDMask<SIMD3<Int64>> = [flags[0], flags[1], flags[2]]
    let points3 = space.map { SIMD3($0) }
    #expect(ParetoFront.indices(of: points3, maximise: mask3) == expected3, "seed \(seed)")
    #expect(
      ParetoFront.indices(of: points3, maximise: mask3, duplicates: .first) == Self.firsts(expected3, space),
      "seed \(seed)"
    )
  }

  @Test func keepsEveryDuplicateOfAFrontPointOrOnlyTheFirst() {
    let points: [SIMD2<Double>] = [[1, 1], [0, 2], [0, 2], [3, 0], [0, 2]]
    #expect(ParetoFront.indices(of: points, maximise: [false, true]) == [1, 2, 4])
    #expect(ParetoFront.indices(of: points, maximise: [false, true], duplicates: .first) == [1])
  }

  @Test func neverHoldsAPointThatIsNotANumber() {
    let points: [SIMD2<Double>] = [[.nan, 9], [-.infinity, .nan], [5, 1]]
    #expect(ParetoFront.indices(of: points, maximise: [false, true]) == [2])
    #expect(ParetoFront.indices(of: [SIMD2<Double>](), maximise: [false, true]) == [])
  }

  @Test func takesInfinitiesAsValues() {
    let points: [SIMD2<Double>] = [
      [.infinity, .infinity], [-.infinity, -.infinity], [.infinity, 3], [0, .infinity],
    ]
    #expect(ParetoFront.indices(of: points, maximise: [false, true]) == [1, 3])
  }
}
