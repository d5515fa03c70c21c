import Foundation
import LanguageModel
import Testing

/// `pdsweep evaluate`, through the built program.
@Suite(.serialized)
struct EvaluateCommandTests {
  private static let arguments = [
    "evaluate", "target/decomposition.safetensors", "target/other.safetensors", "--corpus", "german=de.txt",
    "--corpus", "english=en.txt", "--tokens", "100", "--adversary-steps", "3",
  ]

  /// A laboratory with two decompositions, one of them with an importance function.
  private static func laboratory() throws -> Laboratory {
    let laboratory = try Laboratory()
    let target = laboratory.folder.appending(path: "target")
    try FileManager.default.copyItem(
      at: target.appending(path: "decomposition.safetensors"), to: target.appending(path: "other.safetensors"))
    let (site, width) = ("h.1.mlp.c_fc", Laboratory.configuration.width)
    let shapes = [("hidden", [4, width]), ("hidden_bias", [1, 4]), ("output", [8, 4]), ("output_bias", [1, 8])]
    try SafetensorsFile.write(
      shapes.map { name, shape in
        SafetensorsFile.Content(
          name: "\(site).\(name)", shape: shape,
          elements: (0..<shape[0] * shape[1]).map { sin(1.7 * Float($0)) })
      }, to: target.appending(path: "decomposition.importance.safetensors").path)
    return laboratory
  }

  @Test
  func decompositionsAreMeasuredTheSameOnAnyNumberOfThreads() async throws {
    let laboratory = try Self.laboratory()
    let outcome = try await Command.run(Self.arguments + ["--json"], in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let records = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
    #expect(records.count == 2)
    for (record, hasImportance) in zip(records, [true, false]) {
      let evaluation = try #require(record["evaluation"] as? [String: Any])
      let site = try #require((evaluation["sites"] as? [[String: Any]])?.first)
      #expect(site["site"] as? String == "h.1.mlp.c_fc" && site["subcomponents"] as? Int == 8)
      #expect((site["nonzero"] as? Double == 8) != hasImportance)
      let corpora = try #require(evaluation["corpora"] as? [[String: Any]])
      #expect(corpora.map { $0["corpus"] as? String } == ["german", "english"])
      // Whole windows of 64 tokens.
      #expect(corpora.map { $0["tokens"] as? Int } == [128, 128])
      #expect(corpora.allSatisfy { ($0["masked"] != nil) == hasImportance })
      let inputs = try #require(record["inputs"] as? [String: String])
      #expect((inputs["importance"] != nil) == hasImportance && inputs["cut:german"] == nil)
    }
    let written = try laboratory.read("target/decomposition.evaluation.json")
    #expect(written.contains("\"cross_entropy\""))

    let again = try await Command.run(Self.arguments + ["--threads", "3"], in: laboratory)
    #expect(again.status == 0, "\(again.errors)")
    #expect(try laboratory.read("target/decomposition.evaluation.json") == written)
    let lines = again.output.split(separator: "\n")
    #expect(lines.count { $0.hasPrefix("| decomposition ") && $0.contains("| german") } == 1, "\(again.output)")
    #expect(lines.count { $0.hasPrefix("| other ") } == 3, "\(again.output)")
    #expect(Set(lines.prefix(4).map(\.count)).count == 1, "columns are aligned: \(again.output)")
  }

  @Test(
    arguments: [
      (["--split", "train"], "--split"),
      (["--adversary-step-size", "0"], "--adversary-step-size: expected a number above 0, 1 at most, found 0"),
      (["--adversary-steps", "-1"], "--adversary-steps"),
      (["--tokens", "10000000"], "de.txt: validation: expected 156250 windows"),
      (["target/other.safetensors"], "expected each decomposition once, found target/other.safetensors again"),
      (["target/model.safetensors"], "expected tensors <site>.V and <site>.U"),
    ])
  func badArgumentsAreRefusedBeforeAnythingIsMeasured(arguments: [String], says: String) async throws {
    let laboratory = try Self.laboratory()
    let outcome = try await Command.run(Self.arguments + arguments, in: laboratory)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains(says), "\(outcome.errors)")
    #expect(
      !FileManager.default.fileExists(
        atPath: laboratory.folder.appending(path: "target/decomposition.evaluation.json").path))
  }
}
