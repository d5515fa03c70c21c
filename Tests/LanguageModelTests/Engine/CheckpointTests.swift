import TensorKernels
import Testing

@testable import LanguageModel

@Suite("Checkpoints")
struct CheckpointTests {
  private let folder: TemporaryFolder
  private let tiny = TinyModel(seed: 1)

  init() throws {
    folder = try TemporaryFolder()
  }

  private func contents() -> [String: SafetensorsFile.Content] {
    Dictionary(
      uniqueKeysWithValues: tiny.model.namedWeights.map { name, weight in
        let shape = name.contains("rms") || name.hasPrefix("ln") ? [weight.columns] : [weight.rows, weight.columns]
        return (name, SafetensorsFile.Content(name: name, shape: shape, elements: weight.copyOfElements()))
      })
  }

  private func load(_ contents: [String: SafetensorsFile.Content]) throws -> TargetModel {
    let path = folder.path("model.safetensors")
    try SafetensorsFile.write(Array(contents.values), to: path)
    return try TargetModel(checkpoint: path, configuration: TinyModel.configuration)
  }

  private func refusal(_ contents: [String: SafetensorsFile.Content]) throws -> String {
    let error = try #require(throws: InputFileError.self) { try load(contents) }
    #expect(!error.description.contains("\n") && error.description.contains("model.safetensors"))
    return error.description
  }

  @Test("give back the weights that were written, with or without the tied head")
  func roundTrip() throws {
    var contents = contents()
    for tied in [false, true] {
      if tied, let embedding = contents["wte.weight"] {
        contents["lm_head.weight"] = .init(name: "lm_head.weight", shape: embedding.shape, elements: embedding.elements)
      }
      let loaded = try load(contents)
      for (found, expected) in zip(loaded.namedWeights, tiny.model.namedWeights) {
        #expect(found.name == expected.name && found.weight.copyOfElements() == expected.weight.copyOfElements())
      }
    }
  }

  @Test("that are written from a model give it back")
  func written() throws {
    // Matrices of one row are no vectors.
    let narrow = ModelConfiguration(
      blockSize: 4, context: 4, vocabularySize: 5, layers: 1, heads: 1, keyValueHeads: 1, width: 2, intermediate: 1)
    for model in [tiny.model, TinyModel(seed: 2, configuration: narrow).model] {
      let path = folder.path("written.safetensors")
      try model.write(checkpoint: path)
      #expect(try SafetensorsFile(path: path)["lm_head.weight"] != nil)
      let loaded = try TargetModel(checkpoint: path, configuration: model.configuration)
      for (found, expected) in zip(loaded.namedWeights, model.namedWeights) {
        #expect(found.name == expected.name && found.weight.copyOfElements() == expected.weight.copyOfElements())
      }
    }
  }

  @Test("without one of their tensors are refused by its name")
  func missing() throws {
    for name in tiny.model.namedWeights.map(\.name) {
      var contents = contents()
      contents[name] = nil
      #expect(try refusal(contents).contains("\(name): expected this tensor"))
    }
  }

  @Test("with a tensor of another shape are refused, both shapes named")
  func shapes() throws {
    for (name, shape) in [("wte.weight", "[29, 16]"), ("h.1.attn.k_proj.weight", "[8, 16]"), ("ln_f.weight", "[16]")] {
      var contents = contents()
      contents[name] = .init(name: name, shape: [3, 5], elements: Array(repeating: 1, count: 15))
      let refusal = try refusal(contents)
      #expect(refusal.contains(name) && refusal.contains("expected shape \(shape), found [3, 5]"), "\(refusal)")
    }
  }

  @Test("with a number that is not finite are refused by its place", arguments: [Float.nan, .infinity])
  func notFinite(value: Float) throws {
    for name in ["wte.weight", "h.0.rms_2.weight", "h.1.mlp.down_proj.weight", "ln_f.weight"] {
      var contents = contents()
      let content = try #require(contents[name])
      var elements = content.elements
      elements[7] = value
      contents[name] = .init(name: name, shape: content.shape, elements: elements)
      #expect(try refusal(contents).contains(name))
    }
  }

  @Test("with a head that is not the embedding are refused")
  func untied() throws {
    var contents = contents()
    let embedding = try #require(contents["wte.weight"])
    var elements = embedding.elements
    elements[3 * 16 + 2] += 1
    contents["lm_head.weight"] = .init(name: "lm_head.weight", shape: embedding.shape, elements: elements)
    let refusal = try refusal(contents)
    #expect(refusal.contains("lm_head.weight[3, 2]") && refusal.contains("tied"))
  }
}
