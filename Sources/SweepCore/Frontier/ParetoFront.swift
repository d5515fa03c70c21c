/// Exact sets of non-dominated points.
///
/// A point dominates another if it is no worse on every axis and better on at least one; hence equal points do not
/// dominate each other. A point with a coordinate that is not a number is never on a front and dominates nothing;
/// infinities are ordinary values.
public enum ParetoFront {
  /// What becomes of equal points on a front.
  public enum Duplicates: Sendable, Hashable {
    /// Every one is kept.
    case all
    /// The first is kept.
    case first
  }

  /// The non-dominated points of a plane, as ascending indices. O(n log n).
  ///
  /// - Parameter maximise: The axes on which more is better; less is better on the others.
  public static func indices(
    of points: [SIMD2<Double>],
    maximise: SIMDMask<SIMD2<Int64>>,
    duplicates: Duplicates = .all
  ) -> [Int] {
    indices(ofCosts: points.map { SIMD3($0.asCosts(maximise), 0) }, duplicates: duplicates)
  }

  /// The non-dominated points of a space, as ascending indices. O(n log n) comparisons; where every third
  /// coordinate differs and the front is large, up to O(n x front) corners of a staircase are also moved.
  ///
  /// - Parameter maximise: The axes on which more is better; less is better on the others.
  public static func indices(
    of points: [SIMD3<Double>],
    maximise: SIMDMask<SIMD3<Int64>>,
    duplicates: Duplicates = .all
  ) -> [Int] {
    indices(ofCosts: points.map { $0.asCosts(maximise) }, duplicates: duplicates)
  }

  /// Kung, Luccio and Preparata's sweep (doi 10.1145/321906.321910): a point's dominators come before it in
  /// lexicographic order from the last axis, so its last coordinate can be forgotten and the other two be held
  /// against the staircase of the points before it.
  private static func indices(ofCosts costs: [SIMD3<Double>], duplicates: Duplicates) -> [Int] {
    let order = costs.indices.filter { !costs[$0].hasNaN }.sorted { left, right in
      let (a, b) = (costs[left], costs[right])
      if a.z != b.z { return a.z < b.z }
      if a.x != b.x { return a.x < b.x }
      if a.y != b.y { return a.y < b.y }
      return left < right
    }
    var staircase = Staircase()
    var front: [Int] = []
    var rest = order[...]
    while let first = rest.first {
      let equals = rest.prefix { costs[$0] == costs[first] }
      rest = rest.dropFirst(equals.count)
      guard staircase.insert(SIMD2(costs[first].x, costs[first].y)) else { continue }
      switch duplicates {
      case .all: front += equals
      case .first: front.append(first)
      }
    }
    return front.sorted()
  }
}

extension SIMD where Scalar == Double {
  /// The point with every axis turned so that less is better.
  func asCosts(_ maximise: SIMDMask<MaskStorage>) -> Self {
    replacing(with: -self, where: maximise)
  }

  /// Whether any coordinate is not a number.
  var hasNaN: Bool {
    indices.contains { self[$0].isNaN }
  }
}
