import Foundation
import LanguageModel
import TensorKernels

/// A folder with a model of random weights, a tokenizer without merges, two texts and recipes, removed with its last
/// reference.
final class DecompositionLaboratory {
  static let configuration = ModelConfiguration(
    blockSize: 32, context: 32, vocabularySize: 257, layers: 1, heads: 2, keyValueHeads: 1, width: 16, intermediate: 24)

  let folder = FileManager.default.temporaryDirectory.appending(path: "pdsweep-test-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: folder.appending(path: "target"), withIntermediateDirectories: true)
    let configuration = Self.configuration
    var generator = SplitMix64(seed: 7)
    let tensors = Self.shapes(configuration).map { name, shape in
      // Norms are about 1, everything else about 0.
      let center: Float = shape.count == 1 ? 1 : 0
      let elements = (0..<shape.reduce(1, *)).map { _ in center + Float.random(in: -0.5...0.5, using: &generator) }
      return SafetensorsFile.Content(name: name, shape: shape, elements: elements)
    }
    try SafetensorsFile.write(tensors, to: path("target/model.safetensors"))
    try write(
      """
      model_type: LlamaSimpleMLP
      block_size: \(configuration.blockSize)
      vocab_size: \(configuration.vocabularySize)
      n_layer: \(configuration.layers)
      n_head: \(configuration.heads)
      n_key_value_heads: \(configuration.keyValueHeads)
      n_embd: \(configuration.width)
      n_intermediate: \(configuration.intermediate)

      """, to: "target/model_config.yaml")
    try TokenizerTrainer().train(vocabularySize: 257, minimumFrequency: 1).write(to: path("target/tokenizer.json"))
    for (name, words) in [("a.txt", ["quick", "fox", "jumps", "vows"]), ("b.txt", ["eins", "zwei", "drei", "vier"])] {
      let lines = (0..<200).map { line in
        (0..<8).map { words[(line * 7 + $0 * $0) % words.count] }.joined(separator: " ")
      }
      try write(lines.joined(separator: "\n"), to: name)
    }
  }

  deinit {
    try? FileManager.default.removeItem(at: folder)
  }

  func path(_ name: String) -> String { folder.appending(path: name).path }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: folder.appending(path: name))
  }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }

  func model() throws -> TargetModel {
    try TargetModel(checkpoint: path("target/model.safetensors"), configuration: Self.configuration)
  }

  private static func shapes(_ configuration: ModelConfiguration) -> [(String, [Int])] {
    var shapes = [
      ("wte.weight", [configuration.vocabularySize, configuration.width]), ("ln_f.weight", [configuration.width]),
    ]
    for layer in 0..<configuration.layers {
      shapes += ["rms_1", "rms_2"].map { ("h.\(layer).\($0).weight", [configuration.width]) }
    }
    return shapes
      + configuration.sites.map { site in
        let shape = configuration.shape(of: site)
        return (site.weightName, [shape.outputs, shape.inputs])
      }
  }
}
