import TestSupport

extension SeededGenerator {
  /// A number within a range, with a liking for its ends.
  mutating func number(_ range: ClosedRange<Int>) -> Int {
    switch UInt8.random(in: 0..<4, using: &self) {
    case 0: range.lowerBound
    case 1: range.upperBound
    default: Int.random(in: range, using: &self)
    }
  }

  mutating func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
    (0..<Int.random(in: count, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
  }
}
