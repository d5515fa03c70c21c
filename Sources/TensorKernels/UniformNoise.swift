/// Uniformly distributed numbers that depend on a seed and their place alone.
///
/// Bits are those of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) from the seed on, two numbers of 24 bits out of
/// each 64.
public enum UniformNoise {
  /// Overwrites a matrix, row by row, by numbers from `low` to just below `high`.
  public static func fill(_ matrix: Matrix, seed: UInt64, from low: Float = 0, to high: Float = 1) {
    let scale = (high - low) / Float(1 << 24)
    var state = seed
    for row in 0..<matrix.rows {
      let elements = unsafe matrix.pointer + row * matrix.stride
      var column = 0
      while column < matrix.columns {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        bits ^= bits >> 31
        unsafe elements[column] = low + scale * Float(Int32(truncatingIfNeeded: bits & 0xff_ffff))
        if column + 1 < matrix.columns {
          unsafe elements[column + 1] = low + scale * Float(Int32(truncatingIfNeeded: (bits >> 32) & 0xff_ffff))
        }
        column += 2
      }
    }
  }
}
