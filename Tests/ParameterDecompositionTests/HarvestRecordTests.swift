import Foundation
import Testing

@testable import ParameterDecomposition

/// Which subcomponents stand for a language.
@Suite
struct HarvestRecordTests {
  private func record(_ subcomponents: [(site: String, label: String, ratio: Double)]) throws -> HarvestRecord {
    let lines = subcomponents.enumerated().map { index, part in
      """
      {"site":"\(part.site)","index":\(index),"label":"\(part.label)","strength":{"german":\(10 * part.ratio)},
      "attribution":{},"density":{},"examples":[],"selectivity":{"language":"german","ratio":\(part.ratio)}}
      """
    }
    let text = """
      {"provenance":{"inputs":{},"languages":["german","french"],"tokens":1},"subcomponents":[\(lines.joined(separator: ","))]}
      """
    return try JSONDecoder().decode(HarvestRecord.self, from: Data(text.utf8))
  }

  @Test
  func thoseOfOneSiteThatAreAboutTheLanguageAloneStandForIt() throws {
    let selected = try record([
      ("h.0.mlp.c_fc", "german", 6),
      ("h.1.mlp.c_fc", "german", 5),
      ("h.1.mlp.c_fc", "german, rare: ung", 90),
      ("h.1.mlp.c_fc", "all languages", 2.9),
      ("h.1.mlp.c_fc", "german", 7),
      ("h.1.mlp.c_fc", "languages: french german", 1.5),
      ("h.2.mlp.c_fc", "german", 6.5),
    ]).selected
    #expect(selected["german"]?.map(\.subcomponent) == ["h.1.mlp.c_fc:4", "h.1.mlp.c_fc:1"])
    #expect(selected["german"]?.map(\.selectivity) == [7, 5])
    #expect(selected["german"]?.map(\.strength) == [70, 50])
    #expect(selected.keys.sorted() == ["german"])
  }

  @Test
  func ofEquallySelectiveOnesTheFirstDecidesTheSite() throws {
    let selected = try record([
      ("h.0.mlp.c_fc", "all languages", 1), ("h.3.mlp.c_fc", "german", 4), ("h.2.mlp.c_fc", "german", 4),
    ]).selected
    #expect(selected["german"]?.map(\.subcomponent) == ["h.3.mlp.c_fc:1"])
    #expect(try record([]).selected.isEmpty)
  }
}
