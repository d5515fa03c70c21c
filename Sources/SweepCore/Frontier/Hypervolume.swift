/// The size of the region that a set of points dominates, up to a reference point: one figure for how good a front
/// is (Zitzler and Thiele, doi 10.1109/4235.797969).
///
/// Points that are not strictly better than the reference on every axis add nothing, and neither do points with a
/// coordinate that is not a number. The volume is infinite if an axis of a counted point or of the reference is.
public enum Hypervolume {
  /// The dominated area. O(n log n).
  ///
  /// - Parameter maximise: The axes on which more is better; less is better on the others.
  public static func area(
    of points: [SIMD2<Double>],
    maximise: SIMDMask<SIMD2<Int64>>,
    reference: SIMD2<Double>
  ) -> Double {
    let reference = reference.asCosts(maximise)
    var staircase = Staircase()
    for cost in points.map({ $0.asCosts(maximise) }).filter({ all($0 .< reference) }).sorted(by: { $0.x < $1.x }) {
      _ = staircase.insert(cost)
    }
    return staircase.area(to: reference)
  }

  /// The dominated volume, summed in slabs along the third axis. O(n log n + levels x front), where levels are the
  /// different values of the third coordinate.
  ///
  /// The area of each slab is summed afresh: carrying it from slab to slab would add up rounding errors.
  ///
  /// - Parameter maximise: The axes on which more is better; less is better on the others.
  public static func volume(
    of points: [SIMD3<Double>],
    maximise: SIMDMask<SIMD3<Int64>>,
    reference: SIMD3<Double>
  ) -> Double {
    let reference = reference.asCosts(maximise)
    let costs = points.map { $0.asCosts(maximise) }.filter { all($0 .< reference) }.sorted { $0.z < $1.z }
    var staircase = Staircase()
    var volume = 0.0
    var rest = costs[...]
    while let floor = rest.first?.z {
      let slab = rest.prefix { $0.z == floor }
      rest = rest.dropFirst(slab.count)
      for cost in slab { _ = staircase.insert(SIMD2(cost.x, cost.y)) }
      let ceiling = rest.first?.z ?? reference.z
      volume += staircase.area(to: SIMD2(reference.x, reference.y)) * (ceiling - floor)
    }
    return volume
  }
}
