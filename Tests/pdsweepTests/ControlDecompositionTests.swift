import Foundation
import Testing

/// Decompositions that were made without a look at language, named beside the one that a sweep is about.
@Suite
struct ControlDecompositionTests {
  @Test
  func eachMethodMayNameADecompositionOfItsOwn() async throws {
    let laboratory = try Laboratory(empty: ())
    for (seed, name) in ["de", "en"].enumerated() {
      var made = MadeUpLanguage(seed: UInt64(seed))
      try laboratory.write(made.text(lines: 1500), to: "\(name).txt")
    }
    let kinds = ["ica", "svd", "neurons"]
    let methods = kinds.map { kind in
      "  \(kind): {edit: prefactors, decomposition: decomposition-\(kind).safetensors, "
        + "subcomponents: [\"h.1.mlp.c_fc:3\"], scan: {alpha: [8]}}\n"
    }
    try laboratory.write(
      """
      sweep: controls
      target: reference
      corpora: {forget: {german: de.txt}, retain: {english: en.txt}}
      evaluation: {tokens_per_corpus: 64, context: 64}
      methods:
      \(methods.joined())
      """, to: "sweep.yaml")
    let run = try await Command.run(["run", "sweep.yaml", "--quiet"], in: laboratory)
    try #require(run.status == 0, "\(run.errors)")
    let export = try await Command.run(["export", "--output", "out"], in: laboratory)
    #expect(export.status == 0, "\(export.errors)")
    let lines = try laboratory.read("out/cells.csv").split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    let column = try #require(lines[0].firstIndex(of: "removal_validation"))
    #expect(lines.dropFirst().map { $0[1] } == kinds)
    // The same name stands for three directions, and three edits come of it.
    #expect(Set(lines.dropFirst().map { $0[column] }).count == 3, "\(lines)")
  }
}
