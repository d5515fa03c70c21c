import Testing

@testable import SettingsFiles

@Suite("Nearest names")
struct NearestNameTests {
  @Test("edit distance counts insertions, deletions, replacements and swaps")
  func editDistance() {
    func distance(_ left: String, _ right: String) -> Int { NearestName.editDistance(Array(left), Array(right)) }
    #expect(distance("", "") == 0)
    #expect(distance("", "abc") == 3)
    #expect(distance("abc", "") == 3)
    #expect(distance("rnak", "rank") == 1)
    #expect(distance("kitten", "sitting") == 3)
    #expect(distance("steps", "steps") == 0)
  }

  @Test("agrees with a recursive definition of the edit distance on all short words")
  func editDistanceOracle() {
    func oracle(_ a: ArraySlice<Character>, _ b: ArraySlice<Character>) -> Int {
      guard let x = a.last else { return b.count }
      guard let y = b.last else { return a.count }
      var best = min(
        oracle(a.dropLast(), b) + 1, oracle(a, b.dropLast()) + 1, oracle(a.dropLast(), b.dropLast()) + (x == y ? 0 : 1))
      if a.count > 1, b.count > 1, a.dropLast().last == y, b.dropLast().last == x {
        best = min(best, oracle(a.dropLast(2), b.dropLast(2)) + 1)
      }
      return best
    }
    var words: [[Character]] = [[]]
    for word in words where word.isEmpty { words += ["a", "b", "c"].map { [$0] } }
    for word in words where word.count == 1 { words += ["a", "b", "c"].map { word + [$0] } }
    for word in words where word.count == 2 { words += ["a", "b", "c"].map { word + [$0] } }
    #expect(words.count == 40)
    for left in words {
      for right in words {
        #expect(NearestName.editDistance(left, right) == oracle(left[...], right[...]), "\(left) \(right)")
      }
    }
  }

  @Test("a suggestion is made only for what is near")
  func suggestions() {
    let keys = ["learning_rate", "retain_weight", "steps", "seed"]
    #expect(NearestName.suggestion(for: "learning-rate", among: keys) == "learning_rate")
    #expect(NearestName.suggestion(for: "Step", among: keys) == "steps")
    #expect(NearestName.suggestion(for: "banana", among: keys) == nil)
    #expect(NearestName.suggestion(for: "", among: keys) == nil)
  }
}
