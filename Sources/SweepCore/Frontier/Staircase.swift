/// The non-dominated points of a plane in which both axes are costs, kept as points come in.
///
/// Corners ascend strictly in x and descend strictly in y, so the region they dominate is a staircase. Finding a
/// place takes O(log n); making room moves at most the corners behind it, none if points come by ascending x.
struct Staircase {
  /// The corners, by ascending x. No coordinate is NaN.
  private(set) var corners: [SIMD2<Double>] = []

  /// Adds a point and drops the corners that it dominates.
  ///
  /// - Returns: False, with nothing changed, if a corner is equal to the point or dominates it.
  mutating func insert(_ point: SIMD2<Double>) -> Bool {
    let behind = firstCorner { $0.x > point.x }
    // Of the corners at or left of the point, the last is the lowest.
    if behind > 0, corners[behind - 1].y <= point.y { return false }
    let start = firstCorner { $0.x >= point.x }
    let end = firstCorner { $0.y < point.y }
    corners.replaceSubrange(start..<max(start, end), with: CollectionOfOne(point))
    return true
  }

  /// The area between the corners and a reference point that every corner is strictly better than.
  ///
  /// Each strip is a product of positive numbers, so nothing cancels, and an infinite corner gives infinity.
  func area(to reference: SIMD2<Double>) -> Double {
    var area = 0.0
    var top = reference.y
    for corner in corners {
      area += (reference.x - corner.x) * (top - corner.y)
      top = corner.y
    }
    return area
  }

  /// The first corner for which a condition holds, which must then hold for all that follow.
  private func firstCorner(where condition: (SIMD2<Double>) -> Bool) -> Int {
    var low = 0
    var high = corners.count
    while low < high {
      let middle = (low + high) / 2
      if condition(corners[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
