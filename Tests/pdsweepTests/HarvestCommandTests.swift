import Foundation
import Testing

/// `pdsweep harvest`, through the built program.
@Suite(.serialized)
struct HarvestCommandTests {
  private static let arguments = [
    "harvest", "target/decomposition.safetensors", "--corpus", "german=de.txt", "--corpus", "english=en.txt",
    "--tokens", "200",
  ]

  @Test
  func aHarvestHasALineForEachSubcomponentAndRepeats() async throws {
    let laboratory = try Laboratory()
    let outcome = try await Command.run(Self.arguments, in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("h.1.mlp.c_fc:"), "\(outcome.output)")
    let written = try laboratory.read("target/decomposition.harvest.json")
    let document = try #require(try JSONSerialization.jsonObject(with: Data(written.utf8)) as? [String: Any])
    let subcomponents = try #require(document["subcomponents"] as? [[String: Any]])
    #expect(subcomponents.map { $0["index"] as? Int } == Array(0..<8))
    for subcomponent in subcomponents {
      #expect((subcomponent["strength"] as? [String: Double])?.keys.sorted() == ["english", "german"])
      #expect((subcomponent["examples"] as? [Any])?.count == 5)
    }
    // The table of sites names the most selective subcomponent of each language.
    let selectivity = try subcomponents.map { try #require($0["selectivity"] as? [String: Any]) }
    let ratios = selectivity.enumerated().compactMap { index, one in
      one["language"] as? String == "german" ? (index, one["ratio"] as? Double ?? 0) : nil
    }
    let best = try #require(ratios.max { $0.1 < $1.1 })
    let row = try #require(outcome.output.split(separator: "\n").first { $0.hasPrefix("| h.1.mlp.c_fc |") })
    let german = row.split(separator: "|")[1].trimmingCharacters(in: .whitespaces)
    #expect(german == "\(best.0) (\(String(format: "%.4g", best.1)))")
    let provenance = try #require(document["provenance"] as? [String: Any])
    #expect(
      (provenance["inputs"] as? [String: String])?.keys.sorted() == [
        "configuration", "corpus:english", "corpus:german", "decomposition", "tokenizer", "weights",
      ])

    let again = try await Command.run(Self.arguments + ["--output", "again.json"], in: laboratory)
    #expect(again.status == 0)
    #expect(try laboratory.read("again.json") == written)
  }

  @Test(
    arguments: [
      (["--corpus", "german=en.txt"], "expected a name and a file of its own for each language"),
      (["--corpus", "de.txt"], "--corpus"),
      (["--context", "65"], "expected a number from 1 to the model's context of 64, found 65"),
      (["--output", "target/../de.txt"], "expected a file apart from those that are read"),
      (["--output", "target/tokenizer.json"], "expected a file apart from those that are read"),
      (["--examples", "1001"], "expected a number from 0 to 1000, found 1001"),
      (["--tokens", "10000000"], "expected 10000000 tokens of training text"),
      (["--start", "ab"], "expected text of exactly one token, found 2"),
      (["--model", "."], "model_config.yaml: cannot open the file"),
    ])
  func badArgumentsAreRefused(arguments: [String], says: String) async throws {
    let laboratory = try Laboratory()
    let outcome = try await Command.run(Self.arguments + arguments, in: laboratory)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains(says), "\(outcome.errors)")
    #expect(
      !FileManager.default.fileExists(
        atPath: laboratory.folder.appending(path: "target/decomposition.harvest.json").path)
    )
  }
}
