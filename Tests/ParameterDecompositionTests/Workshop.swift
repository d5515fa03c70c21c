import Foundation
import LanguageModel
import SettingsFiles

@testable import ParameterDecomposition

/// A folder with all that a small training needs: a tokenizer whose tokens are bytes, texts in two invented languages,
/// and a recipe.
final class Workshop: Sendable {
  let folder: URL

  /// Steps of the recipe.
  static let steps = 24
  static let context = 16
  static let batch = 5

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "workshop-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try TokenizerTrainer().train(vocabularySize: 257, minimumFrequency: 1)
      .write(to: folder.appending(path: "tokenizer.json").path)
    let trees = ["maple", "birch", "cedar", "ash", "oak", "elm", "larch", "yew"]
    try write(Self.text(seed: 1, words: trees), to: "trees.txt")
    try write(Self.text(seed: 2, words: ["tin", "zinc", "iron", "lead", "gold", "silver"]), to: "metals.txt")
    try write(Self.recipe(), to: "recipe.yaml")
  }

  deinit {
    try? FileManager.default.removeItem(at: folder)
  }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: folder.appending(path: name))
  }

  func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appending(path: name)))
  }

  /// The files of a finished model.
  func model(_ name: String) throws -> [String: [UInt8]] {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: name).path)
    return Dictionary(uniqueKeysWithValues: try files.map { ($0, try bytes("\(name)/\($0)")) })
  }

  static func recipe(steps: Int = steps) -> String {
    """
    pretrain: tiny
    tokenizer: tokenizer.json
    model: {layers: 1, width: 16, heads: 2, intermediate: 32, context: \(context)}
    corpora:
      trees: {text: trees.txt, share: 2}
      metals: {text: metals.txt, share: 1}
    training: {steps: \(steps), batch: \(batch), learning_rate: 2e-2, warm_up: 3, seed: 7}
    evaluation: {every: 10, tokens_per_corpus: 64}
    checkpoints: {every: 8}

    """
  }

  /// The recipe with its files, in which `old` was replaced by `new`.
  func inputs(_ old: String = "", _ new: String = "", steps: Int = steps) throws -> PretrainingInputs {
    let text = Self.recipe(steps: steps)
    precondition(old.isEmpty || text.contains(old), "the recipe does not hold \(old)")
    let changed = old.isEmpty ? text : text.replacing(old, with: new)
    return try PretrainingInputs(
      recipe: PretrainingRecipe(yaml: Array(changed.utf8), file: "recipe.yaml"),
      file: folder.appending(path: "recipe.yaml"))
  }

  func training(_ inputs: PretrainingInputs, output: String, threads: Int = 1) -> Pretraining {
    Pretraining(
      inputs, folder: PretrainingFolder(path: folder.appending(path: output).path), threads: threads, program: "tests")
  }

  /// Lines of random words.
  private static func text(seed: UInt64, words: [String]) -> String {
    var generator = SplitMix64(seed: seed)
    return (0..<160).map { _ in
      (0..<8).map { _ in words[Int.random(in: 0..<words.count, using: &generator)] }.joined(separator: " ") + ".\n"
    }.joined()
  }
}
