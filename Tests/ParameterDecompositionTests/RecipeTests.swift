import Foundation
import SettingsFiles
import Testing

@testable import ParameterDecomposition

@Suite("Recipes")
struct RecipeTests {
  private func read(_ text: String) throws -> PretrainingRecipe {
    try PretrainingRecipe(yaml: Array(text.utf8), file: "recipe.yaml")
  }

  @Test("everything that is said is read")
  func everything() throws {
    let recipe = try read(
      """
      pretrain: small
      tokenizer: tokens/tokenizer.json
      model:
        {layers: 3, width: 24, heads: 6, key_value_heads: 2, intermediate: 100, context: 40, rotary_base: 500.5}
      corpora:
        english: {text: en.txt, share: 3}
        german: {text: de.txt, share: 0.5}
      training:
        tokens: 1001
        batch: 5
        learning_rate: 3e-3
        warm_up: 2
        schedule: linear
        final_learning_rate: 0.25
        seed: 9
        betas: [0.8, 0.99]
        epsilon: 1e-6
        weight_decay: 0.05
        clip_norm: none
      evaluation: {every: 7, tokens_per_corpus: 80}
      checkpoints: {every: 11}
      """)
    let expected = PretrainingRecipe(
      name: "small", tokenizer: "tokens/tokenizer.json",
      shape: .init(
        layers: 3, width: 24, heads: 6, keyValueHeads: 2, intermediate: 100, context: 40, rotaryBase: 500.5),
      languages: [
        .init(name: "english", path: "en.txt", share: 3), .init(name: "german", path: "de.txt", share: 0.5),
      ],
      training: .init(
        seed: 9, steps: 6, batch: 5, learningRate: 3e-3, warmUp: 2, schedule: .linear, finalLearningRate: 0.25,
        beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.05, clipNorm: nil),
      evaluation: .init(every: 7, tokensPerCorpus: 80), checkpointEvery: 11)
    #expect(recipe == expected)
  }

  @Test("what is left out has its default")
  func defaults() throws {
    let recipe = try read(Self.minimal)
    #expect(recipe.shape.keyValueHeads == 2 && recipe.shape.rotaryBase == 10_000)
    let training = PretrainingRecipe.Training(
      seed: 0, steps: 10, batch: 4, learningRate: 0.001, warmUp: 0, schedule: .cosine, finalLearningRate: 0.1,
      beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clipNorm: 1)
    #expect(recipe.training == training)
    #expect(recipe.evaluation == .init(every: 500, tokensPerCorpus: 16_400), "the next multiple of the context, 40")
    #expect(recipe.checkpointEvery == 500)
  }

  static let minimal = """
    pretrain: small
    tokenizer: tokenizer.json
    model: {layers: 1, width: 8, heads: 2, intermediate: 8, context: 40}
    corpora:
      english: {text: en.txt, share: 3}
    training: {steps: 10, batch: 4, learning_rate: 1e-3}

    """

  @Test("the built-in target's recipes are in order")
  func builtIn() throws {
    var root = URL(filePath: #filePath)
    for _ in 0..<3 { root.deleteLastPathComponent() }
    let folder = root.appending(path: "sweeps/target")
    let languages = ["english", "german", "french", "spanish", "italian"]
    let recipe = try PretrainingRecipe(contentsOf: folder.appending(path: "pretrain.yaml"))
    #expect(recipe.languages.map(\.name) == languages)
    #expect(recipe.training.steps == 7813, "as many as it takes to see 16 million tokens")

    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("decompose-") }
    #expect(names.count > 2)
    for name in names {
      let recipe = try DecompositionRecipe(contentsOf: folder.appending(path: name))
      #expect(recipe.corpora.map(\.name) == languages)
      // deploy/build-target.sh goes by the names of the files.
      #expect(name == "decompose-\(recipe.method.name.rawValue).yaml")
      #expect(recipe.name == "decomposition-\(recipe.method.name.rawValue)")
      // Every language but the main one is as rare as the others, so that nothing says which to look for.
      #expect(Set(recipe.corpora.dropFirst().map(\.share)).count == 1)
    }
  }

  struct Mistake: Sendable, CustomTestStringConvertible {
    let old: String
    let new: String
    let says: [String]
    var testDescription: String { new }

    init(_ old: String, _ new: String, says: String...) {
      self.old = old
      self.new = new
      self.says = says
    }
  }

  @Test(
    "a mistake is told with its place, what was expected and what was found",
    arguments: [
      Mistake("tokenizer:", "tokeniser:", says: "recipe.yaml:2:1", "found `tokeniser`", "did you mean `tokenizer`?"),
      Mistake("pretrain: small\n", "", says: "recipe.yaml:1:1", "`pretrain`"),
      Mistake("pretrain: small", "pretrain: a/b", says: "recipe.yaml:1:11", "pretrain", "found `a/b`"),
      Mistake("tokenizer: tokenizer.json", "tokenizer: 3", says: "recipe.yaml:2:12", "tokenizer", "found 3"),
      Mistake("layers: 1", "layers: 0", says: "recipe.yaml:3:17", "model.layers", "from 1", "found 0"),
      Mistake("layers: 1", "layers: one", says: "model.layers", "found one"),
      Mistake("layers: 1, ", "", says: "model", "`layers`"),
      Mistake("width: 8", "width: 9", says: "model.width", "a multiple of heads (2)", "found 9"),
      Mistake("width: 8", "width: 6", says: "model.width", "even"),
      Mistake("heads: 2", "heads: 2, key_value_heads: 3", says: "model.key_value_heads", "a divisor of heads (2)"),
      Mistake("heads: 2", "heads: 2, kv_heads: 1", says: "model", "found `kv_heads`"),
      Mistake("share: 3", "share: 0", says: "corpora.english.share", "above 0", "found 0"),
      Mistake("text: en.txt, ", "", says: "corpora.english", "`text`"),
      Mistake(
        "share: 3}", "share: 3}\n  german: {text: en.txt, share: 1}", says: "corpora.german.text", "`english`"),
      Mistake("  english: {text: en.txt, share: 3}", "  {}", says: "corpora", "at least one text"),
      Mistake("steps: 10, ", "", says: "training", "`tokens` or `steps`", "found none"),
      Mistake("steps: 10", "steps: 10, tokens: 10", says: "training.tokens", "found both"),
      Mistake("steps: 10", "steps: 1e3", says: "training.steps", "write 1000"),
      Mistake("batch: 4", "batch: 4, warm_up: 10", says: "training.warm_up", "fewer than the 10 steps", "found 10"),
      Mistake("batch: 4", "batch: 4, schedule: cosin", says: "training.schedule", "linear or cosine", "mean cosine?"),
      Mistake("batch: 4", "batch: 4, betas: [0.9, 1]", says: "training.betas[1]", "below 1"),
      Mistake("batch: 4", "batch: 4, final_learning_rate: 2", says: "training.final_learning_rate", "0 to 1"),
      Mistake("learning_rate: 1e-3", "learning_rate: -1", says: "training.learning_rate", "above 0"),
      Mistake("learning_rate: 1e-3", "learning_rate: .nan", says: "training.learning_rate", "found .nan"),
      Mistake("learning_rate: 1e-3", "learning_rate: 1e-3, clip_norm: 0", says: "training.clip_norm", "none or"),
      Mistake(
        "corpora:", "evaluation: {tokens_per_corpus: 50}\ncorpora:", says: "evaluation.tokens_per_corpus",
        "a multiple of the model's context (40)", "use 80"),
      Mistake("corpora:", "evaluation: {every: 0}\ncorpora:", says: "evaluation.every", "at least 1"),
      Mistake("corpora:", "checkpoints: {each: 5}\ncorpora:", says: "checkpoints", "found `each`"),
    ])
  func mistakes(_ mistake: Mistake) throws {
    try #require(Self.minimal.contains(mistake.old))
    let error = try #require(throws: SettingsError.self) {
      try read(Self.minimal.replacing(mistake.old, with: mistake.new))
    }
    for part in mistake.says { #expect(error.description.contains(part), "\(error)") }
    #expect(!error.description.contains("\n"))
  }

  @Test("no change of one character makes it trap")
  func mutations() throws {
    let text = Array(Self.minimal.utf8)
    for place in text.indices {
      for replacement in Array(":{}[]- \n0\"#&*".utf8) {
        var changed = text
        changed[place] = replacement
        do {
          _ = try PretrainingRecipe(yaml: changed, file: "recipe.yaml")
        } catch {
          #expect(!error.description.contains("\n"))
        }
      }
    }
  }
}

@Suite("Learning rate")
struct LearningRateTests {
  private func schedule(_ schedule: PretrainingRecipe.Schedule, warmUp: Int, steps: Int) throws -> [Double] {
    var recipe = try PretrainingRecipe(yaml: Array(RecipeTests.minimal.utf8), file: "recipe.yaml")
    recipe.training.schedule = schedule
    recipe.training.warmUp = warmUp
    recipe.training.steps = steps
    recipe.training.finalLearningRate = 0.2
    let rates = LearningRateSchedule(training: recipe.training)
    return (0..<steps).map { rates.factor(ofStep: $0) }
  }

  @Test("rises over the warm-up and falls to its final part at the last update")
  func shapes() throws {
    func isNear(_ rates: [Double], _ expected: [Double]) -> Bool {
      rates.count == expected.count && zip(rates, expected).allSatisfy { abs($0 - $1) < 1e-12 }
    }
    #expect(isNear(try schedule(.linear, warmUp: 2, steps: 7), [0.5, 1, 1, 0.8, 0.6, 0.4, 0.2]))
    let cosine = [1.0, 0.5, 0].map { 0.2 + 0.8 * $0 }
    #expect(isNear(try schedule(.cosine, warmUp: 0, steps: 3), cosine))
    #expect(isNear(try schedule(.cosine, warmUp: 4, steps: 5), [0.25, 0.5, 0.75, 1, 0.2]))
    #expect(isNear(try schedule(.linear, warmUp: 0, steps: 1), [0.2]))
  }
}
