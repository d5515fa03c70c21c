import Foundation
import LanguageModel
import Testing

@testable import ParameterDecomposition

/// Imports what PyTorch wrote for the tests of the formats.
@Suite
struct TargetImportTests {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "import-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try TokenizerTrainer().train(vocabularySize: 257, minimumFrequency: 1)
      .write(to: folder.appending(path: "tokenizer.json").path)
  }

  private static func golden(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "LanguageModelTests/Golden/pytorch/\(name)").path
  }

  private func sources(decomposition: String?) -> TargetImport.Sources {
    TargetImport.Sources(
      model: Self.golden("model.pt"), configuration: Self.golden("model_config.yaml"),
      tokenizer: folder.appending(path: "tokenizer.json").path, decomposition: decomposition)
  }

  private func inFolder(_ body: (URL) throws -> Void) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.appending(path: "out"))
  }

  @Test
  func aPublishedModelBecomesAModelFolderThatCanBePacked() throws {
    try inFolder { output in
      let record = try TargetImport(sources(decomposition: Self.golden("decomposition.pth")))
        .write(to: output, program: "test")
      let target = try TargetFolder(path: output.path)
      #expect(record.outputs["model.safetensors"] == target.digests["weights"])
      #expect(record.parameters == 257 * 8 + 5 * 8 + 2 * (4 * 64 + 2 * 96))
      let sites = try #require(record.decomposition?.sites)
      #expect(sites.map(\.subcomponents) == [3, 5, 8, 9, 14, 6, 3, 5, 8, 9, 14, 6])
      // The golden factors make half of each matrix, as far as they are enough.
      for site in sites {
        let share = site.distance / site.norm
        if site.subcomponents >= 8 {
          #expect(abs(share - 0.5) < 1e-6, "\(site)")
        } else {
          #expect(share > 0.5 && share < 1, "\(site)")
        }
        let elements = site.site.contains("mlp") ? 96.0 : 64
        #expect(abs(site.meanSquare * elements - site.distance * site.distance) < 1e-12)
      }
      #expect(record.decomposition?.skipped.map(\.name) == ["ci_fn"])
      #expect(record.decomposition?.skipped.map(\.tensors) == [7])
      _ = try TargetPackage(model: output.path, decompositions: [], notes: []).write(
        to: folder.appending(path: "packed"), program: "test")
      #expect(
        Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) == ["out", "packed", "tokenizer.json"])
    }
  }

  @Test
  func nothingIsLeftOfAnImportThatFails() throws {
    try inFolder { output in
      // Its factors are not finite numbers: known only when they are copied.
      let bad = folder.appending(path: "bad.safetensors").path
      try SafetensorsFile.write(
        [
          .init(name: "h.0.mlp.c_fc.V", shape: [8, 1], elements: Array(repeating: .nan, count: 8)),
          .init(name: "h.0.mlp.c_fc.U", shape: [1, 12], elements: Array(repeating: 1, count: 12)),
        ], to: bad)
      let error = try #require(throws: InputFileError.self) {
        try TargetImport(sources(decomposition: bad)).write(to: output, program: "test")
      }
      #expect(error.place == "h.0.mlp.c_fc.V[0, 0]")
      #expect(
        Set(try FileManager.default.contentsOfDirectory(atPath: folder.path)) == ["bad.safetensors", "tokenizer.json"])
    }
  }

  @Test
  func aFolderThatIsThereIsLeftAsItIs() throws {
    try inFolder { output in
      try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
      #expect(throws: InputFileError.self) {
        try TargetImport(sources(decomposition: nil)).write(to: output, program: "test")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: output.path).isEmpty)
    }
  }
}
