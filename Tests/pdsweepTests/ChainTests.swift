import Foundation
import Testing

/// From raw text to an edit that removes a language, with the program's own commands: what `deploy/build-target.sh` and
/// `deploy/demo.sh` do, on languages made up here and a model that is trained in a second.
@Suite(.serialized)
struct ChainTests {
  private static let languages = ["ardish", "belian", "corese"]
  private static let vocabulary = 400
  /// A uniform guess, nats.
  private static let uniform = log(Double(vocabulary))

  /// Ardish is rare in the text, and stands out for it.
  private static let mixture = """
    corpora:
      ardish: {text: ardish.txt, share: 1}
      belian: {text: belian.txt, share: 5}
      corese: {text: corese.txt, share: 5}

    """

  private static let training = """
    pretrain: model
    tokenizer: tokenizer.json
    model: {layers: 2, width: 32, heads: 2, intermediate: 64, context: 32}
    training: {steps: 300, batch: 16, learning_rate: 1e-2, warm_up: 20}
    evaluation: {every: 300, tokens_per_corpus: 512}

    """ + mixture

  private static func decomposition(_ method: String, _ settings: String = "") -> String {
    """
    decompose: \(method)
    model: model
    sites: [h.0.mlp.c_fc, h.1.mlp.c_fc]
    method: \(method)
    evaluation: {tokens_per_corpus: 512}
    \(settings)

    """ + mixture
  }

  private static func sweep(_ subcomponents: [String]) -> String {
    let list = subcomponents.map { "\"\($0)\"" }.joined(separator: ", ")
    return """
      sweep: chain
      target: small
      decomposition: ica.safetensors
      corpora:
        forget: {ardish: ardish.txt}
        retain: {belian: belian.txt}
        observe: {corese: corese.txt}
      evaluation: {tokens_per_corpus: 512, context: 32}
      training: {forget_loss: hinge, retain_loss: kl, retain_tokens: 128}
      grid: {token_budget: [16], seed: [0]}
      methods:
        learned: {edit: prefactors, subcomponents: [\(list)], alphas: shared, optimiser: solve, grid: {retain_weight: [1]}}
        inverted: {edit: prefactors, subcomponents: [\(list)], scan: {alpha: [-5]}}
        nothing: {edit: prefactors, subcomponents: [\(list)], scan: {alpha: [1]}}
      goal: {removal: uniform, retention_cost_at_most: 0.3}

      """
  }

  /// Runs the program, which must succeed.
  @discardableResult
  private func run(
    _ arguments: String..., in laboratory: Laboratory, environment: [String: String] = [:]
  ) async throws -> [String: Any] {
    let outcome = try await Command.run(arguments, in: laboratory, environment: environment)
    try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
    let document = try? JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    return document ?? [:]
  }

  @Test
  func rawTextBecomesATargetWhoseLanguageOneScalarRemoves() async throws {
    let laboratory = try Laboratory(empty: ())
    for (seed, language) in Self.languages.enumerated() {
      var made = MadeUpLanguage(seed: UInt64(seed))
      try laboratory.write(made.text(lines: 1500), to: "\(language).raw.txt")
      let corpus = try await run(
        "corpus", "--json", "--output", "\(language).txt", "\(language).raw.txt", in: laboratory)
      #expect(corpus["lines"] as? Int == 1500)
    }

    let tokenizer = try await run(
      "tokenizer", "train", "--json", "--output", "tokenizer.json", "--vocabulary", "\(Self.vocabulary)",
      "--corpus", "ardish.txt", "--corpus", "belian.txt", "--corpus", "corese.txt", in: laboratory)
    for corpus in try #require(tokenizer["corpora"] as? [[String: Any]]) {
      #expect(try #require(corpus["validation_tokens_per_byte"] as? Double) < 0.5)
    }

    try laboratory.write(Self.training, to: "pretrain.yaml")
    let training = try await run("pretrain", "pretrain.yaml", "--quiet", "--json", "--threads", "2", in: laboratory)
    let losses = try #require(training["test"] as? [String: Double])
    #expect(losses.keys.sorted() == Self.languages)
    for loss in losses.values { #expect(loss < 0.6 * Self.uniform) }

    let ica = "ica: {tokens: 6000, seeds: [0, 1]}"
    let vpd = "vpd: {steps: 150, batch: 8, hidden: 32, learning_rate: 3e-3, importance: {weight: 3e-3}}"
    let methods = [("ica", ica), ("svd", ""), ("neurons", ""), ("vpd", ica + "\n" + vpd)]
    for (method, settings) in methods {
      try laboratory.write(Self.decomposition(method, settings), to: "\(method).yaml")
      let decomposition = try await run("decompose", "\(method).yaml", "--json", in: laboratory)
      let evaluation = try #require(decomposition["evaluation"] as? [String: Any])
      for corpus in try #require(evaluation["corpora"] as? [[String: Any]]) {
        let whole = try #require((corpus["decomposed"] as? [String: Double])?["cross_entropy"])
        #expect(abs(try #require(corpus["base"] as? Double) - whole) < 1e-2)
      }
      if method == "vpd" { try expectFewMatter(evaluation) }
      try await run(
        "harvest", "model/\(method).safetensors", "--tokens", "2000", "--examples", "1", "--corpus",
        "ardish=ardish.txt", "--corpus", "belian=belian.txt", "--corpus", "corese=corese.txt", in: laboratory)
    }

    // Directions that the inputs take apart are about a language; neurons and singular vectors are not.
    let independent = try selectivity("ica", in: laboratory)
    for control in ["svd", "neurons"] {
      #expect(try selectivity(control, in: laboratory) < independent, "\(control)")
    }

    try await run(
      "target", "pack", "model", "--output", "targets/small", "--note", "pretrain.yaml", "--note", "ica.yaml",
      in: laboratory)
    let shelf = ["PDSWEEP_TARGET_PATH": "targets"]
    let list = try await run("target", "list", "--json", in: laboratory, environment: shelf)
    let targets = try #require(list["targets"] as? [[String: Any]])
    let small = try #require(targets.first { $0["name"] as? String == "small" })
    let decompositions = try #require(small["decompositions"] as? [[String: Any]])
    let files = decompositions.map { $0["file"] as? String }
    #expect(files == ["ica.safetensors", "neurons.safetensors", "svd.safetensors", "vpd.safetensors"])
    let selected = try decompositions.map { try #require($0["selected"] as? [String: [String]])["ardish"] }
    let subcomponents = try #require(selected[0])

    try laboratory.write(Self.sweep(subcomponents), to: "sweep.yaml")
    try await run(
      "run", "sweep.yaml", "--quiet", "--workers", "1", "--output", "out", in: laboratory, environment: shelf)
    let removal = try measurements("removal_test", in: laboratory)
    let cost = try measurements("retention_cost_test", in: laboratory)
    let base = try #require(removal["nothing"])
    #expect(base < 0.6 * Self.uniform && cost["nothing"] == 0)
    for (method, share) in [("inverted", 8.0), ("learned", 3.0)] {
      let removed = try #require(removal[method]) - base
      #expect(removed > 1.2, "\(method)")
      #expect(removed > share * (try #require(cost[method])), "\(method)")
    }
  }

  /// Training has found subcomponents that do not matter, and the model stays what it is without them.
  private func expectFewMatter(_ evaluation: [String: Any]) throws {
    for site in try #require(evaluation["sites"] as? [[String: Any]]) {
      #expect(try #require(site["active"] as? Double) < 0.8 * (try #require(site["subcomponents"] as? Double)))
    }
    for corpus in try #require(evaluation["corpora"] as? [[String: Any]]) {
      let masked = try #require(corpus["masked"] as? [String: [String: Double]])
      func divergence(_ masks: String) throws -> Double { try #require(masked[masks]?["divergence"]) }
      #expect(try divergence("importance") < 0.3)
      #expect(try divergence("stochastic") < 0.3)
      #expect(try divergence("stochastic") <= divergence("adversarial"))
    }
  }

  /// How much more of Ardish than of another language the most selective subcomponent of Ardish writes.
  private func selectivity(_ decomposition: String, in laboratory: Laboratory) throws -> Double {
    struct Harvest: Decodable {
      struct Subcomponent: Decodable {
        struct Selectivity: Decodable {
          let language: String
          let ratio: Double
        }

        let selectivity: Selectivity
      }

      let subcomponents: [Subcomponent]
    }
    let text = try laboratory.read("model/\(decomposition).harvest.json")
    let found = try JSONDecoder().decode(Harvest.self, from: Data(text.utf8)).subcomponents.map(\.selectivity)
    return try #require(found.filter { $0.language == "ardish" }.map(\.ratio).max())
  }

  /// A column of the export, by method.
  private func measurements(_ column: String, in laboratory: Laboratory) throws -> [String: Double] {
    let rows = try laboratory.read("out/cells.csv").split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    let header = try #require(rows.first)
    let (method, value) = (try #require(header.firstIndex(of: "method")), try #require(header.firstIndex(of: column)))
    return Dictionary(
      uniqueKeysWithValues: try rows.dropFirst().map { ($0[method], try #require(Double($0[value]))) })
  }
}
