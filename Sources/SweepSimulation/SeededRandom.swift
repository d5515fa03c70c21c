/// SplitMix64 (Steele, Lea and Flood, doi 10.1145/2660193.2660195): a history follows from its seed alone.
struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }

  /// True `count` times in `total`.
  mutating func chance(_ count: Int, in total: Int) -> Bool {
    Int.random(in: 0..<total, using: &self) < count
  }

  /// A time between two, nanoseconds.
  mutating func time(_ range: ClosedRange<Double>) -> Int64 {
    Int64(Double.random(in: range, using: &self) * 1e9)
  }
}
