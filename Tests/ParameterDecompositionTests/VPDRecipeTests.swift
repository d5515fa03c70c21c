import ContentHash
import Foundation
import LanguageModel
import SettingsFiles
import TensorKernels
import Testing

@testable import ParameterDecomposition

@Suite("VPD: recipes and runs")
struct VPDRecipeTests {
  private static let recipe = """
    decompose: parts
    model: target
    sites: [h.0.mlp.c_fc, h.0.attn.v_proj]
    method: vpd
    corpora: {a: a.txt, b: {text: b.txt, share: 2.5}}
    context: 12
    evaluation: {tokens_per_corpus: 10}
    ica: {tokens: 600, seeds: [4], ridge: 1e-3, iterations: 20}
    vpd:
      steps: 6
      batch: 3
      seed: 5
      start: ica
      subcomponents: {c_fc: 20}
      hidden: 9
      learning_rate: 2e-3
      importance_learning_rate: 3e-3
      final_learning_rate: 0.2
      betas: [0.8, 0.95]
      clip_norm: 0.5
      sources: [-1, 2]
      stochastic: {weight: 0.7}
      adversarial: {weight: 0.3, learning_rate: 0.02, warm_up: 2}
      importance: {weight: 1e-3, ramp: 0.25, powers: [1.5, 0.5], annealing: 0.75, frequency: 0.1}
      faithfulness: 100
      checkpoints: {every: 2}

    """

  private static func read(_ text: String) throws -> DecompositionRecipe {
    try DecompositionRecipe(yaml: Array(text.utf8), file: "recipe.yaml")
  }

  @Test("every setting is read, and defaults stand in for those that may be missing")
  func reading() throws {
    let full = VPDSettings(
      steps: 6, batch: 3, seed: 5, start: .ica, subcomponents: ["c_fc": 20], hidden: 9, learningRate: 2e-3,
      importanceLearningRate: 3e-3, finalLearningRate: 0.2, beta1: 0.8, beta2: 0.95, clipNorm: 0.5, leastSource: -1,
      greatestSource: 2, stochastic: .init(weight: 0.7),
      adversarial: .init(weight: 0.3, learningRate: 0.02, warmUp: 2),
      importance: .init(
        weight: 1e-3, ramp: 0.25, firstPower: 1.5, lastPower: 0.5, annealing: 0.75, frequency: 0.1),
      faithfulness: 100, checkpointEvery: 2)
    let ica = DecompositionRecipe.ICA(tokens: 600, seeds: [4], ridge: 1e-3, iterations: 20)
    #expect(try Self.read(Self.recipe).method == .vpd(full, ica))

    let short = """
      decompose: n
      model: m
      sites: all
      method: vpd
      corpora: {a: a.txt}
      vpd: {steps: 10, learning_rate: 1e-3, importance: {weight: 1e-4}, subcomponents: 7}
      """
    let kinds = ["q_proj", "k_proj", "v_proj", "o_proj", "c_fc", "down_proj"]
    let least = VPDSettings(
      steps: 10, batch: 8, seed: 0, start: .ica,
      subcomponents: Dictionary(uniqueKeysWithValues: kinds.map { ($0, 7) }), hidden: 64, learningRate: 1e-3,
      importanceLearningRate: 1e-3, finalLearningRate: 0.1, beta1: 0.9, beta2: 0.99, clipNorm: nil, leastSource: 0,
      greatestSource: 1, stochastic: .init(weight: 0.5),
      adversarial: .init(weight: 0.5, learningRate: 0.01, warmUp: 0),
      importance: .init(weight: 1e-4, ramp: 0, firstPower: 2, lastPower: 0.4, annealing: 1, frequency: 0.2),
      faithfulness: 1e5, checkpointEvery: 500)
    let standard = DecompositionRecipe.ICA(tokens: 16_384, seeds: [0, 1, 2], ridge: 1e-4, iterations: 200)
    #expect(try Self.read(short).method == .vpd(least, standard))
  }

  @Test(
    "what the settings must not say is refused by its place",
    arguments: [
      ("method: vpd", "method: ica", "expected no `vpd` here, found one; remove it, or use `method: vpd`"),
      ("start: ica", "start: random", "expected no `ica` here, found one; remove it, or use `start: ica` in vpd"),
      ("start: ica", "start: svd", "vpd.start: expected ica or random, found svd"),
      ("  steps: 6\n", "", "vpd: expected the key `steps` (how long to train), found none"),
      ("steps: 6", "steps: 0", "vpd.steps: expected a whole number from 1"),
      ("  learning_rate: 2e-3\n", "", "vpd: expected the key `learning_rate`"),
      ("learning_rate: 2e-3", "learning_rate: 0", "vpd.learning_rate: expected a number above 0, found 0"),
      ("hidden: 9", "hiden: 9", "did you mean `hidden`"),
      ("{c_fc: 20}", "{fc: 20}", "vpd.subcomponents: expected only the keys q_proj, k_proj"),
      ("{c_fc: 20}", "few", "vpd.subcomponents: expected a whole number from 1"),
      ("{c_fc: 20}", "{c_fc: -2}", "vpd.subcomponents.c_fc: expected a whole number from 1"),
      ("[0.8, 0.95]", "[0.8]", "vpd.betas: expected two numbers of at least 0 and below 1"),
      ("[0.8, 0.95]", "[0.8, 1]", "vpd.betas[1]: expected two numbers"),
      ("[-1, 2]", "[1, 1]", "vpd.sources: expected the least and the greatest source of a mask"),
      ("clip_norm: 0.5", "clip_norm: 0", "vpd.clip_norm: expected none or a number above 0, found 0"),
      ("{weight: 0.7}", "{weight: -1}", "vpd.stochastic.weight: expected a number of at least 0, found -1"),
      ("warm_up: 2", "warm_up: 101", "vpd.adversarial.warm_up: expected a whole number from 0 to 100"),
      ("weight: 1e-3, ", "", "vpd.importance: expected the key `weight`"),
      ("ramp: 0.25", "ramp: 2", "vpd.importance.ramp: expected a part of the steps, from 0 to 1, found 2"),
      ("[1.5, 0.5]", "[1.5, 0]", "vpd.importance.powers[1]: expected the first and the last power"),
      ("every: 2", "each: 2", "vpd.checkpoints: expected only the keys every; found `each`"),
    ])
  func refusals(old: String, new: String, message: String) throws {
    try #require(Self.recipe.contains(old))
    let error = try #require(throws: SettingsError.self) { try Self.read(Self.recipe.replacing(old, with: new)) }
    #expect(error.description.contains(message), "\(error)")
    #expect(!error.description.contains("\n"))
  }

  @Test("one of the two reconstruction losses has to have a weight")
  func nothing() throws {
    let text = Self.recipe.replacing("{weight: 0.7}", with: "{weight: 0}").replacing(
      "{weight: 0.3,", with: "{weight: 0,")
    let error = try #require(throws: SettingsError.self) { try Self.read(text) }
    #expect(error.description.contains("expected a weight above 0 for the stochastic or the adversarial loss"))
  }

  @Test("a run writes the decomposition, its importance functions and its provenance, interrupted or not")
  func run() throws {
    let laboratory = try DecompositionLaboratory()
    func run(_ text: String = Self.recipe) throws -> DecompositionRun {
      try laboratory.write(text, to: "recipe.yaml")
      return try DecompositionRun(
        DecompositionRecipe(contentsOf: URL(fileURLWithPath: laboratory.path("recipe.yaml"))))
    }
    let (first, second) = (laboratory.path("first.safetensors"), laboratory.path("second.safetensors"))
    let provenance = try run().run(to: first, program: "test") { _ in }
    #expect(provenance.sites.map(\.subcomponents) == [16, 20])
    let settings = try #require(
      (JSONSerialization.jsonObject(with: laboratory.bytes("first.provenance.json")) as? [String: Any])?["settings"]
        as? [String: Any])
    #expect((settings["vpd"] as? [String: Any])?["steps"] as? Int == 6)
    #expect((settings["ica"] as? [String: Any])?["tokens"] as? Int == 600)

    var made = 0
    let control = DecompositionControl(threads: 3, shouldStop: { made == 3 }) { event in
      if case .stepped = event { made += 1 }
    }
    #expect(throws: DecompositionControl.Stopped(step: 3, steps: 6)) {
      try run().run(to: second, program: "test", control: control) { _ in }
    }
    let checkpoint = laboratory.path("second.checkpoint.safetensors")
    #expect(FileManager.default.fileExists(atPath: checkpoint) && !FileManager.default.fileExists(atPath: second))
    // Another recipe does not go on from it, other intervals of checkpoints do.
    #expect(throws: InputFileError.self) {
      try run(Self.recipe.replacing("seed: 5", with: "seed: 6")).run(to: second, program: "test") { _ in }
    }
    let rest = try run(Self.recipe.replacing("every: 2", with: "every: 1")).run(to: second, program: "test") { _ in }
    #expect(!FileManager.default.fileExists(atPath: checkpoint))
    #expect(rest.output == provenance.output && rest.sites == provenance.sites)
    #expect(try laboratory.bytes("first.safetensors") == laboratory.bytes("second.safetensors"))
    #expect(
      try laboratory.bytes("first.importance.safetensors") == laboratory.bytes("second.importance.safetensors"))

    let functions = try #require(
      try ImportanceFile.read(beside: Decomposition(path: first, configuration: DecompositionLaboratory.configuration)))
    #expect(functions.map(\.site) == [Site(layer: 0, kind: .value), Site(layer: 0, kind: .expand)])
    #expect(functions.map(\.hidden.rows) == [9, 9] && functions.map(\.count) == [16, 20])

    // Importances of one decomposition are not left beside another.
    let plain = Self.recipe.replacing("method: vpd", with: "method: svd").components(separatedBy: "ica:")[0]
    _ = try run(plain).run(to: first, program: "test") { _ in }
    #expect(!FileManager.default.fileExists(atPath: ImportanceFile.path(beside: first)))
  }
}
