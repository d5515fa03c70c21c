import Foundation
import LanguageModel
import Testing

/// `pdsweep decompose`, through the built program.
@Suite(.serialized)
struct DecomposeCommandTests {
  private static func recipe(_ method: String) -> String {
    """
    decompose: new
    model: target
    sites: [h.0.mlp.down_proj, h.1.attn.o_proj]
    method: \(method)
    corpora: {german: de.txt, english: en.txt}
    context: 32
    evaluation: {tokens_per_corpus: 64}

    """
  }

  @Test(arguments: ["ica\nica: {tokens: 500, seeds: [0], iterations: 10}", "svd", "neurons"])
  func aModelIsDecomposedExactly(method: String) async throws {
    let laboratory = try Laboratory()
    try laboratory.write(Self.recipe(method), to: "recipe.yaml")
    let outcome = try await Command.run(["decompose", "recipe.yaml", "--json"], in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    for site in try #require(report["sites"] as? [[String: Any]]) {
      #expect(try #require(site["faithfulness"] as? Double) < 1e-9)
    }
    let evaluation = try #require(report["evaluation"] as? [String: Any])
    for corpus in try #require(evaluation["corpora"] as? [[String: Any]]) {
      let decomposed = try #require(corpus["decomposed"] as? [String: Double])
      #expect(abs(try #require(corpus["base"] as? Double) - (try #require(decomposed["cross_entropy"]))) < 1e-4)
    }
    let written = try Decomposition(
      path: laboratory.folder.appending(path: "target/new.safetensors").path, configuration: Laboratory.configuration)
    #expect(written.sites.map { "\($0.site)" } == ["h.0.mlp.down_proj", "h.1.attn.o_proj"])
    #expect(try laboratory.read("target/new.provenance.json").contains("pdsweep"))
  }

  @Test
  func whatIsWrongIsToldAndNothingIsWritten() async throws {
    let laboratory = try Laboratory()
    try laboratory.write(Self.recipe("pca"), to: "recipe.yaml")
    let outcome = try await Command.run(["decompose", "recipe.yaml"], in: laboratory)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("recipe.yaml:4:9: method: expected ica, svd, neurons or vpd, found pca"))

    try laboratory.write(Self.recipe("svd"), to: "recipe.yaml")
    let nowhere = try await Command.run(["decompose", "recipe.yaml", "--output", "none/x.safetensors"], in: laboratory)
    #expect(nowhere.status == 2)
    #expect(nowhere.errors.contains("expected a file in a folder that exists"), "\(nowhere.errors)")
    #expect(!FileManager.default.fileExists(atPath: laboratory.folder.appending(path: "target/new.safetensors").path))
  }
}
