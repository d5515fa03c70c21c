import Foundation
import LanguageModel
import Testing

/// `pdsweep import`, on what PyTorch wrote for the tests of the formats.
@Suite
struct ImportTests {
  private static func golden(_ name: String) -> String {
    var root = URL(filePath: #filePath)
    for _ in 0..<2 { root.deleteLastPathComponent() }
    return root.appending(path: "LanguageModelTests/Golden/pytorch/\(name)").path
  }

  private static func arguments(decomposition: String) -> [String] {
    [
      "import", golden("model.pt"), "--tokenizer", "target/tokenizer.json", "--decomposition", golden(decomposition),
      "--output", "published",
    ]
  }

  @Test
  func anImportedTargetIsMeasuredAsAnyOther() async throws {
    let laboratory = try Laboratory()
    let outcome = try await Command.run(Self.arguments(decomposition: "decomposition.pth"), in: laboratory)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.contains("90 subcomponents at 12 sites"), "\(outcome.output)")
    #expect(outcome.output.contains("skipped in the decomposition's checkpoint: ci_fn, 7 tensors"), "\(outcome.output)")
    let row = outcome.output.split(separator: "\n").first { $0.contains("h.0.attn.v_proj") }
    #expect(row?.contains(" 0.5 ") == true, "\(outcome.output)")
    let evaluation = try await Command.run(
      [
        "evaluate", "published/decomposition.safetensors", "--corpus", "english=en.txt", "--tokens", "16",
        "--adversary-steps", "1",
      ], in: laboratory)
    #expect(evaluation.status == 0, "\(evaluation.errors)")
    // A second import does not touch the first.
    let again = try await Command.run(Self.arguments(decomposition: "decomposition.pth"), in: laboratory)
    #expect(again.status == 2 && again.errors.contains("expected no file or folder of this name"), "\(again.errors)")
  }

  @Test
  func aRecordForScriptsSaysTheSame() async throws {
    struct Record: Decodable {
      struct Decomposition: Decodable {
        struct Site: Decodable {
          let site: String
          let subcomponents: Int
          let distance: Double
        }
        let sites: [Site]
      }
      let decomposition: Decomposition
      let inputs: [String: String]
    }
    let laboratory = try Laboratory()
    let outcome = try await Command.run(Self.arguments(decomposition: "decomposition.pth") + ["--json"], in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let record = try JSONDecoder().decode(Record.self, from: Data(outcome.output.utf8))
    #expect(record.decomposition.sites.count == 12 && record.inputs.count == 2)
    let kept = try JSONDecoder().decode(Record.self, from: Data(laboratory.read("published/import.json").utf8))
    #expect(kept.decomposition.sites.map(\.distance) == record.decomposition.sites.map(\.distance))
  }

  @Test
  func aHostileFileIsRefusedInOneLineAndRunsNothing() async throws {
    let laboratory = try Laboratory()
    let outcome = try await Command.run(Self.arguments(decomposition: "hostile.pth"), in: laboratory)
    #expect(outcome.status == 2)
    #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
    #expect(outcome.errors.contains("posix.system") && outcome.errors.contains("byte"), "\(outcome.errors)")
    let left = try FileManager.default.contentsOfDirectory(atPath: laboratory.folder.path)
    #expect(!left.contains("pwned") && !left.contains { $0.contains("published") }, "\(left)")
  }
}
