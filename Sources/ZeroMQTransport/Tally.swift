/// Counts what strangers can repeat at will: told the first time, the second, the fourth, and so on.
struct Tally {
  private(set) var count = 0

  /// Counts one more, and says whether people should hear of it.
  mutating func isWorthTelling() -> Bool {
    count += 1
    return count.nonzeroBitCount == 1
  }
}
