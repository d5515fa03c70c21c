/// What so many of several runs attain in a plane: the picture of a front's spread over seeds (Fonseca, Grunert da
/// Fonseca and Hall, doi 10.1007/3-540-44719-9_15).
///
/// A run attains a place of the plane if one of its points is no worse there on either axis. What at least k of n runs
/// attain is bounded by a staircase, the k-of-n attainment surface; the first is the front of all runs together. A
/// point with a coordinate that is not a number, or that is infinitely bad, attains nothing; a run without points
/// counts among the n and attains nothing.
public struct AttainmentSurfaces: Sendable, Hashable {
  /// The staircases: at `k - 1` the corners of the k-of-n surface, from the best on the first axis to the worst, each
  /// better on the second than those before it. Empty where fewer than k runs attain anything.
  public let surfaces: [[SIMD2<Double>]]

  /// The number of runs.
  public var runs: Int { surfaces.count }

  /// Finds all surfaces of some runs. O(m log m + m n) for m points of n runs.
  ///
  /// - Parameter maximise: The axes on which more is better; less is better on the others.
  public init(of runs: [[SIMD2<Double>]], maximise: SIMDMask<SIMD2<Int64>>) {
    let points = runs.enumerated().flatMap { run, points in
      points.map { (run: run, cost: $0.asCosts(maximise)) }
    }
    var rest = points.filter { $0.cost.x < .infinity && $0.cost.y < .infinity }.sorted { $0.cost.x < $1.cost.x }[...]

    // The lowest second cost of each run up to here, and the same in ascending order: the k-th is the k-of-n surface.
    var lowest = [Double](repeating: .infinity, count: runs.count)
    var ranked = lowest
    var surfaces = [[SIMD2<Double>]](repeating: [], count: runs.count)
    while let x = rest.first?.cost.x {
      let column = rest.prefix { $0.cost.x == x }
      rest = rest.dropFirst(column.count)
      let before = ranked
      for point in column where point.cost.y < lowest[point.run] {
        Self.lower(lowest[point.run], to: point.cost.y, in: &ranked)
        lowest[point.run] = point.cost.y
      }
      for place in ranked.indices where ranked[place] < before[place] {
        surfaces[place].append(SIMD2(x, ranked[place]).asCosts(maximise))
      }
    }
    self.surfaces = surfaces
  }

  /// Replaces an element of an ascending list by a smaller number, and keeps it ascending.
  private static func lower(_ value: Double, to smaller: Double, in ranked: inout [Double]) {
    var place = ranked.firstIndex(of: value) ?? ranked.endIndex - 1
    while place > 0, ranked[place - 1] > smaller {
      ranked[place] = ranked[place - 1]
      place -= 1
    }
    ranked[place] = smaller
  }

  /// The staircase of a level; empty without runs.
  public subscript(level: AttainmentLevel) -> [SIMD2<Double>] {
    runs == 0 ? [] : surfaces[level.count(of: runs) - 1]
  }
}

/// How large a part of the runs attains what a surface bounds.
///
/// A quartile or the median is attained by *more* than that part of the runs: by 1, 2, 2, 3 and 3 of 1, 2, 3, 4 and 5
/// runs in the case of the median. Of an even number it is hence the worse of the two middle surfaces, as a method
/// that fails with half of its seeds has no median of tokens-to-target.
public enum AttainmentLevel: String, Sendable, Hashable, CaseIterable {
  /// By at least one.
  case best
  /// By more than a quarter.
  case lowerQuartile = "lower-quartile"
  /// By more than half.
  case median
  /// By more than three quarters.
  case upperQuartile = "upper-quartile"
  /// By all.
  case worst

  /// The k of this level's k-of-n surface.
  ///
  /// - Parameter runs: n; at least 1.
  public func count(of runs: Int) -> Int {
    switch self {
    case .best: 1
    case .lowerQuartile: runs / 4 + 1
    case .median: runs / 2 + 1
    case .upperQuartile: 3 * runs / 4 + 1
    case .worst: runs
    }
  }
}

/// What the seeds of a method attain at one token budget: retention cost (less) and removal (more, up to that of a
/// uniform guess).
///
/// Each seed is a run, those without results too. Its points are the edits on its own front, which the validation
/// split decides. The surfaces of the test split are those of the same edits as the test split reads them: an edit
/// that only looked good on validation is neither hidden nor replaced.
public struct SeedAttainment: Sendable, Hashable {
  /// A seed and its front.
  public struct Seed: Sendable, Hashable {
    /// The seed.
    public let seed: UInt64
    /// The points on its front, by ascending retention cost on validation.
    public let plane: [Int]
  }

  /// The seeds, ascending.
  public let seeds: [Seed]
  /// As the validation split reads the fronts.
  public let validation: AttainmentSurfaces
  /// As the test split reads the same edits.
  public let test: AttainmentSurfaces

  /// - Parameters:
  ///   - indices: The method's points at the budget.
  ///   - seeds: The seeds of its cells at the budget.
  init(indices: [Int], seeds: Set<UInt64>, chooser: FrontChooser) {
    let indicesOfSeed = Dictionary(grouping: indices) { chooser.points[$0].cell.specification.seed }
    let fronts = seeds.sorted().map { seed in
      Seed(seed: seed, plane: chooser.plane(of: indicesOfSeed[seed, default: []]))
    }
    func surfaces(_ split: EvaluationSplit) -> AttainmentSurfaces {
      AttainmentSurfaces(
        of: fronts.map { $0.plane.map { chooser.points[$0].reading(split).capped(at: chooser.cap).axes } },
        maximise: [false, true])
    }
    validation = surfaces(.validation)
    test = surfaces(.test)
    self.seeds = fronts
  }

  /// The surfaces as a split reads them.
  public func surfaces(_ split: EvaluationSplit) -> AttainmentSurfaces {
    switch split {
    case .validation: validation
    case .test: test
    }
  }
}
