/// Finds the name that a mistyped one was probably meant to be.
public enum NearestName {
  /// The candidate nearest to `name` by edit distance, if one is near enough to be worth suggesting: at most a third
  /// of the longer name's characters apart. Case and the choice between `-`, `_` and `.` do not count.
  public static func suggestion(for name: String, among candidates: some Sequence<String>) -> String? {
    let typed = folded(name)
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
      let wanted = folded(candidate)
      let allowed = max(typed.count, wanted.count) / 3
      guard abs(typed.count - wanted.count) <= allowed else { continue }
      let distance = editDistance(typed, wanted)
      if distance <= allowed, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.candidate
  }

  private static func folded(_ name: String) -> [Character] {
    name.lowercased().map { $0 == "-" || $0 == "." ? "_" : $0 }
  }

  /// The number of insertions, deletions, replacements and swaps of neighbours that turn one sequence into the other
  /// (optimal string alignment). O(n m) time, O(m) space.
  static func editDistance(_ left: [Character], _ right: [Character]) -> Int {
    var twoAbove = [Int]()
    var above = Array(0...right.count)
    for (i, character) in left.enumerated() {
      var row = [i + 1]
      for (j, other) in right.enumerated() {
        var distance = min(above[j + 1] + 1, row[j] + 1, above[j] + (character == other ? 0 : 1))
        if i > 0, j > 0, character == right[j - 1], left[i - 1] == other {
          distance = min(distance, twoAbove[j - 1] + 1)
        }
        row.append(distance)
      }
      (twoAbove, above) = (above, row)
    }
    return above[right.count]
  }
}
