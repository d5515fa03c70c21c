import Foundation
import SweepCore
import Testing

@Suite("Selections from the target that comes with the program")
struct ShippedSelectionTests {
  private static let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("../../..").standardizedFileURL

  /// Resolves a sweep file against the built-in target, with a line for each corpus.
  private static func resolve(_ text: String) throws -> ResolvedSweep {
    let folder = try SweepFolder(sweep: text)
    defer { folder.remove() }
    try folder.write("text of it", to: "text/it.txt")
    return try SweepResolver(
      sweepFile: URL(fileURLWithPath: folder.path("sweep.yaml")), corpora: folder.path("text"),
      shelves: [repository.appendingPathComponent("Sources/pdsweep/Targets", isDirectory: true)]
    ).resolve(folder.spec())
  }

  private static func sweep(_ file: String) throws -> ResolvedSweep {
    try resolve(String(contentsOf: repository.appendingPathComponent("sweeps/\(file)"), encoding: .utf8))
  }

  private static let german = "h.1.attn.o_proj:3"

  @Test("find the subcomponents that the demo was made with")
  func demo() throws {
    let sweep = try Self.sweep("demo.yaml")
    #expect(sweep.scaled(by: "one-scalar-solved") == [Self.german])
    #expect(sweep.scaled(by: "one-scalar") == [Self.german])
    #expect(sweep.scaled(by: "alpha-scan") == [Self.german])
    #expect(
      sweep.scaled(by: "several-scalars")
        == [Self.german, "h.1.mlp.c_fc:3", "h.0.attn.o_proj:9", "h.2.attn.v_proj:3"])
    #expect(sweep.adapted(by: "lora-localised") == ["h.1.attn.o_proj"])
    #expect(sweep.cells.count == 145)
  }

  @Test("find the one subcomponent of the sweep of few tokens")
  func fewTokens() throws {
    let sweep = try Self.sweep("few-tokens.yaml")
    #expect(sweep.scaled(by: "one-scalar") == [Self.german])
    #expect(sweep.adapted(by: "lora-localised") == ["h.1.attn.o_proj"])
  }

  @Test(
    "name the same site for every language",
    arguments: [("german", 3), ("french", -1), ("spanish", -1), ("italian", -1)])
  func languages(language: String, index: Int) throws {
    let corpora = ["german": "de", "french": "fr", "spanish": "es", "italian": "it"]
    let file = try #require(corpora[language])
    let sweep = try Self.resolve(
      """
      sweep: s
      target: reference
      decomposition: decomposition-ica.safetensors
      corpora: {forget: {\(language): \(file).txt}, retain: {english: en.txt}}
      evaluation: {tokens_per_corpus: 128, context: 128}
      methods:
        selective: {edit: prefactors, subcomponents: {select: most-selective, corpus: \(language), count: 1}, scan: {alpha: [0]}}
        labelled: {edit: prefactors, subcomponents: {select: labelled, corpus: \(language), count: 1}, scan: {alpha: [0]}}
      """)
    let chosen = try #require(sweep.scaled(by: "selective").first)
    #expect(sweep.scaled(by: "labelled") == [chosen])
    #expect(chosen.hasPrefix("h.1.attn.o_proj:"))
    if index >= 0 { #expect(chosen.hasSuffix(":\(index)")) }
    #expect(sweep.selections[0].subcomponents[0].label == language)
  }
}
