import ContentHash
import Foundation
import LanguageModel
import SettingsFiles
import TensorKernels
import Testing

@testable import ParameterDecomposition

@Suite("Decomposition recipes and runs")
struct DecompositionRunTests {
  private let laboratory: DecompositionLaboratory

  init() throws {
    laboratory = try DecompositionLaboratory()
  }

  private static let recipe = """
    decompose: parts
    model: target
    sites: [h.0.mlp.c_fc, h.0.attn.q_proj]
    method: ica
    corpora: {a: a.txt, b: {text: b.txt, share: 2.5}}
    ica: {tokens: 600, seeds: [4, 2], ridge: 1e-3, iterations: 20}
    evaluation: {tokens_per_corpus: 10}

    """

  private func run(_ recipe: String) throws -> DecompositionRun {
    try laboratory.write(recipe, to: "recipe.yaml")
    return try DecompositionRun(
      DecompositionRecipe(contentsOf: URL(fileURLWithPath: laboratory.path("recipe.yaml"))))
  }

  @Test("every key of a recipe is read, and defaults stand in for those that may be missing")
  func reading() throws {
    let full = try DecompositionRecipe(yaml: Array(Self.recipe.utf8), file: "recipe.yaml")
    #expect(full.name == "parts" && full.model == "target")
    #expect(full.sites == .listed([Site(layer: 0, kind: .query), Site(layer: 0, kind: .expand)]))
    #expect(full.method == .ica(.init(tokens: 600, seeds: [4, 2], ridge: 1e-3, iterations: 20)))
    #expect(
      full.corpora == [.init(name: "a", path: "a.txt", share: 1), .init(name: "b", path: "b.txt", share: 2.5)])
    #expect(full.evaluationTokens == 10)
    let short = "decompose: n\nmodel: m\nsites: all\nmethod: svd\ncorpora: {a: a.txt}\nstart: \"\\n\"\ncontext: 16\n"
    let least = try DecompositionRecipe(yaml: Array(short.utf8), file: "recipe.yaml")
    #expect(least.sites == .all && least.method == .svd && least.start == "\n" && least.context == 16)
    let ica = try DecompositionRecipe(
      yaml: Array(short.replacing("svd", with: "ica").utf8), file: "recipe.yaml")
    #expect(ica.method == .ica(.init(tokens: 16_384, seeds: [0, 1, 2], ridge: 1e-4, iterations: 200)))
    #expect(full.start == "<|endoftext|>" && full.context == nil && least.evaluationTokens == 4096)
  }

  @Test(
    "what a recipe must not say is refused by its place",
    arguments: [
      ("method: ica", "method: pca", ":4:9: method: expected ica, svd, neurons or vpd, found pca"),
      ("method: ica", "method: svd", "expected no `ica` here, found one; remove it: svd has no settings"),
      ("decompose: parts", "decompose: a/b", "decompose: expected the decomposition's name, up to 80 letters"),
      ("h.0.attn.q_proj", "h.0.attn.p_proj", "sites[1]: expected a site, one of h.N.attn.q_proj"),
      ("h.0.attn.q_proj", "h.0.mlp.c_fc", "sites[1]: expected each value once"),
      ("seeds: [4, 2]", "seeds: []", "ica.seeds: expected seeds, as in [0, 1, 2]"),
      ("seeds: [4, 2]", "seeds: [-1]", "ica.seeds[0]: expected a whole number of at least 0, found -1"),
      ("ridge: 1e-3", "ridge: 0", "ica.ridge: expected a number from 1e-9 to 1, found 0"),
      ("iterations: 20", "steps: 20", "expected only the keys tokens, seeds, ridge, iterations; found `steps`"),
      ("tokens: 600", "tokens: many", "ica.tokens: expected a whole number of at least 1, found many"),
      ("text: b.txt", "text: a.txt", "corpora.b.text: expected a file of its own, found that of `a`"),
      ("share: 2.5", "share: 0", "corpora.b.share: expected a number above 0, found 0"),
      ("{text: b.txt, share: 2.5}", "{share: 2.5}", "corpora.b: expected the key `text`"),
      ("{a: a.txt, b: {text: b.txt, share: 2.5}}", "{}", "corpora: expected at least one text"),
      ("model: target\n", "", "expected the key `model` (a model folder), found none"),
    ])
  func refusedRecipes(old: String, new: String, says: String) throws {
    #expect(Self.recipe.contains(old))
    let error = try #require(throws: SettingsError.self) {
      try DecompositionRecipe(yaml: Array(Self.recipe.replacing(old, with: new).utf8), file: "recipe.yaml")
    }
    #expect("\(error)".contains(says), "\(error)")
  }

  @Test(
    "what a recipe's files do not allow is refused before anything is computed",
    arguments: [
      ("sites: [", "sites: [h.1.mlp.c_fc, ", "sites: expected sites of a model of 1 layers, found h.1.mlp.c_fc"),
      ("decompose", "context: 33\ndecompose", "context: expected at most the model's context of 32, found 33"),
      ("a: a.txt", "a: none.txt", "none.txt: cannot open the file"),
      ("decompose", "start: ab\ndecompose", "expected text of exactly one token, found 2"),
      ("tokens_per_corpus: 10", "tokens_per_corpus: 100000", "a.txt: validation: expected 3125 windows"),
      ("model: target", "model: elsewhere", "model_config.yaml: cannot open the file"),
    ])
  func refusedFiles(old: String, new: String, says: String) throws {
    #expect(Self.recipe.contains(old))
    do {
      _ = try run(Self.recipe.replacing(old, with: new))
      Issue.record("not refused")
    } catch {
      #expect("\(error)".contains(says), "\(error)")
    }
  }

  @Test("a run writes a decomposition that the model is, with its provenance, and the same bytes each time")
  func run() throws {
    let run = try run(Self.recipe)
    #expect(run.defaultOutput == laboratory.path("target/parts.safetensors"))
    var told: [String] = []
    let output = laboratory.path("target/parts.safetensors")
    let provenance = try run.run(to: output, program: "pdsweep test") { told.append($0.site) }
    #expect(told == ["h.0.attn.q_proj", "h.0.mlp.c_fc"])

    let decomposition = try Decomposition(path: output, configuration: DecompositionLaboratory.configuration)
    #expect(decomposition.sites.map { "\($0.site)" } == told)
    #expect(provenance.output == (try SHA256Digest(ofFile: URL(fileURLWithPath: output))))
    #expect(provenance.sites.map(\.subcomponents) == [16, 16])
    #expect(provenance.sites.allSatisfy { $0.faithfulness < 1e-9 })
    #expect(provenance.evaluation.corpora.map(\.corpus) == ["a", "b"])
    #expect(provenance.evaluation.sites.map(\.nonzero) == [16, 16])
    for corpus in provenance.evaluation.corpora {
      // A whole window, at least as many tokens as asked for.
      #expect(corpus.tokens == 32)
      #expect(abs(corpus.base - corpus.decomposed.crossEntropy) < 1e-4)
    }
    #expect(
      Set(provenance.inputs.keys) == ["configuration", "weights", "tokenizer", "corpus:a", "corpus:b"])

    let (first, firstProvenance) = (
      try laboratory.bytes("target/parts.safetensors"), try laboratory.bytes("target/parts.provenance.json")
    )
    _ = try self.run(Self.recipe).run(to: output, program: "pdsweep test") { _ in }
    #expect(try laboratory.bytes("target/parts.safetensors") == first)
    #expect(try laboratory.bytes("target/parts.provenance.json") == firstProvenance)
    let json = try #require(try JSONSerialization.jsonObject(with: firstProvenance) as? [String: Any])
    #expect((json["settings"] as? [String: Any])?["method"] as? String == "ica")
    #expect((json["inputs"] as? [String: String])?["weights"] == provenance.inputs["weights"]?.hexadecimal)
  }

  @Test("a run that is stopped while it measures goes on to the same files")
  func stoppedWhileMeasuring() throws {
    let recipe = Self.recipe.replacing("method: ica", with: "method: vpd").replacing(
      "ica: {tokens: 600, seeds: [4, 2], ridge: 1e-3, iterations: 20}",
      with: "vpd: {steps: 3, batch: 4, start: random, learning_rate: 1e-3, importance: {weight: 1e-3}}")
    let output = laboratory.path("target/parts.safetensors")
    let files = ["parts.safetensors", "parts.importance.safetensors", "parts.provenance.json"].map { "target/\($0)" }
    let provenance = try run(recipe).run(to: output, program: "test") { _ in }
    #expect(provenance.evaluation.corpora.allSatisfy { $0.masked != nil })
    let whole = try files.map { try laboratory.bytes($0) }
    for file in files { try FileManager.default.removeItem(atPath: laboratory.path(file)) }

    var made = 0
    let stopping = DecompositionControl(shouldStop: { made == 3 }) { if case .stepped = $0 { made += 1 } }
    let stopped = #expect(throws: DecompositionControl.Stopped.self) {
      try run(recipe).run(to: output, program: "test", control: stopping) { _ in }
    }
    #expect(stopped == DecompositionControl.Stopped(step: 3, steps: 3))
    #expect(!FileManager.default.fileExists(atPath: laboratory.path("target/parts.provenance.json")))
    var isRepeated = false
    let control = DecompositionControl(observe: { if case .stepped = $0 { isRepeated = true } })
    _ = try run(recipe).run(to: output, program: "test", control: control) { _ in }
    #expect(try files.map { try laboratory.bytes($0) } == whole && !isRepeated)
    #expect(!FileManager.default.fileExists(atPath: laboratory.path("target/parts.checkpoint.safetensors")))
  }

  @Test("nothing that is read is written over")
  func outputs() throws {
    // The name of the model's own weights.
    let run = try run(Self.recipe.replacing("parts", with: "model"))
    for output in [run.defaultOutput, laboratory.path("target/../a.txt")] {
      let before = try Data(contentsOf: URL(fileURLWithPath: output))
      let error = try #require(throws: InputFileError.self) { try run.run(to: output, program: "test") { _ in } }
      #expect(error.problem.contains("apart from those that are read"))
      #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == before)
    }
  }

  @Test("model and texts may be found elsewhere than the recipe says")
  func elsewhere() throws {
    try FileManager.default.createDirectory(
      at: laboratory.folder.appending(path: "recipes"), withIntermediateDirectories: true)
    try laboratory.write(Self.recipe.replacing("a.txt", with: "texts/a.txt"), to: "recipes/recipe.yaml")
    let recipe = try DecompositionRecipe(contentsOf: URL(fileURLWithPath: laboratory.path("recipes/recipe.yaml")))
    #expect(throws: InputFileError.self) { try DecompositionRun(recipe) }
    let run = try DecompositionRun(recipe, model: laboratory.path("target"), corpora: laboratory.folder.path)
    #expect(run.inputs == (try self.run(Self.recipe)).inputs)
  }

  @Test("the decomposed model is measured, not assumed")
  func unfaithful() throws {
    // The singular vectors of a matrix without the last one are not the matrix.
    struct Halved: DecompositionMethod {
      func decompose(_ task: DecompositionTask, handOver: (SiteDecomposition) -> Void) throws(InputFileError) {
        try SingularVectors().decompose(task) { part in
          let count = part.count / 2
          handOver(
            SiteDecomposition(
              site: part.site, read: part.read.columns(0..<count), write: part.write.rows(0..<count)))
        }
      }
    }
    let run = try run(Self.recipe)
    let provenance = try run.run(
      with: Halved(), to: laboratory.path("half.safetensors"), program: "pdsweep test"
    ) { _ in }
    #expect(provenance.sites.allSatisfy { $0.faithfulness > 1e-4 })
    #expect(provenance.evaluation.corpora.allSatisfy { $0.decomposed.divergence > 1e-4 })
  }
}
