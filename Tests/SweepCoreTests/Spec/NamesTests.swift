import Testing

@testable import SweepCore

@Suite("Names in a sweep file")
struct NamesTests {
  @Test("a site is read from its path and written back to it")
  func sites() {
    for block in [0, 1, 11] {
      for matrix in SitePath.Matrix.allCases {
        let site = SitePath(block: block, matrix: matrix)
        #expect(SitePath(site.description) == site)
      }
    }
    for wrong in [
      "", "h", "h.1", "h.1.mlp", "h.1.mlp.c_fc.", ".h.1.mlp.c_fc", "h.01.mlp.c_fc", "h.-1.mlp.c_fc", "h.+1.mlp.c_fc",
      "h..mlp.c_fc", "h.1.mlp.q_proj", "h.1.attn.c_fc", "H.1.mlp.c_fc", "h.99999999999999999999.mlp.c_fc",
      "h.١.mlp.c_fc",
    ] {
      #expect(SitePath(wrong) == nil, "\(wrong)")
    }
  }

  @Test("sites are ordered as the model applies them")
  func siteOrder() {
    let inOrder = [0, 2, 10].flatMap { block in SitePath.Matrix.allCases.map { SitePath(block: block, matrix: $0) } }
    #expect(inOrder.shuffled().sorted() == inOrder)
  }

  @Test("a subcomponent is read from `site:index` and written back to it")
  func subcomponents() {
    #expect(SubcomponentPath("h.2.mlp.down_proj:2359")?.description == "h.2.mlp.down_proj:2359")
    for wrong in ["h.2.mlp.down_proj", "h.2.mlp.down_proj:", "h.2.mlp.down_proj:01", "h.2.mlp.down_proj:1:2", ":1"] {
      #expect(SubcomponentPath(wrong) == nil, "\(wrong)")
    }
  }

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

  @Test("agrees with a recursive definition of the edit distance on random words")
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
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<200 {
      let words = (0..<2).map { _ in
        (0..<Int.random(in: 0...5, using: &generator)).map { _ in "abc".randomElement(using: &generator) ?? "a" }
      }
      #expect(NearestName.editDistance(words[0], words[1]) == oracle(words[0][...], words[1][...]), "\(words)")
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
