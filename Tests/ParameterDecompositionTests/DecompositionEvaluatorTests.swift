import Foundation
import LanguageModel
import TensorKernels
import Testing

@testable import ParameterDecomposition

@Suite("Evaluation of decompositions")
struct DecompositionEvaluatorTests {
  private static let configuration = DecompositionLaboratory.configuration
  private static let sites = configuration.sites

  private let laboratory: DecompositionLaboratory
  private let model: TargetModel

  init() throws {
    laboratory = try DecompositionLaboratory()
    model = try laboratory.model()
  }

  // MARK: What is evaluated

  private func numbers(
    _ rows: Int, _ columns: Int, _ range: ClosedRange<Float>, _ generator: inout SplitMix64
  ) -> Matrix {
    let elements = (0..<rows * columns).map { _ in Float.random(in: range, using: &generator) }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }

  /// Five random subcomponents a site, far from adding up to the matrix.
  private func random() throws -> Decomposition {
    var generator = SplitMix64(seed: 11)
    return try written(
      Self.sites.map { site in
        let shape = Self.configuration.shape(of: site)
        return SiteDecomposition(
          site: site, read: numbers(shape.inputs, 5, -0.4...0.4, &generator),
          write: numbers(5, shape.outputs, -0.4...0.4, &generator))
      })
  }

  private func exact() throws -> Decomposition {
    let text = try TargetFolder(path: laboratory.path("target")).text(
      corpora: [("a", laboratory.path("a.txt"), 1)], start: "<|endoftext|>", context: 32
    ).text
    var parts: [SiteDecomposition] = []
    try SingularVectors().decompose(
      DecompositionTask(model: model, modelPath: "", sites: Self.sites, text: text)
    ) { parts.append($0) }
    return try written(parts)
  }

  private func written(_ parts: [SiteDecomposition]) throws -> Decomposition {
    let tensors = parts.flatMap { part in
      [("V", part.read), ("U", part.write)].map { suffix, matrix in
        SafetensorsFile.Content(
          name: "\(part.site).\(suffix)", shape: [matrix.rows, matrix.columns], elements: matrix.copyOfElements())
      }
    }
    try SafetensorsFile.write(tensors, to: laboratory.path("parts.safetensors"))
    return try Decomposition(path: laboratory.path("parts.safetensors"), configuration: Self.configuration)
  }

  /// Importances that differ from token to token, some of them 0 and some 1, and all of them more by `bias`.
  private func functions(_ decomposition: Decomposition, bias: Float = 0) -> [ImportanceFunction] {
    var generator = SplitMix64(seed: 12)
    return decomposition.sites.map { factors in
      ImportanceFunction(
        site: factors.site, hidden: numbers(4, factors.read.rows, -1...1, &generator),
        hiddenBias: numbers(1, 4, -1...1, &generator), output: numbers(factors.count, 4, -0.7...0.7, &generator),
        outputBias: numbers(1, factors.count, bias...bias + 0.8, &generator))
    }
  }

  private func window(_ tokens: [Int]) -> TokenWindow {
    TokenWindow(inputs: tokens, targets: tokens.map { ($0 * 7 + 3) % Self.configuration.vocabularySize })
  }

  private func windows(_ count: Int, length: Int) -> [TokenWindow] {
    (0..<count).map { index in
      window((0..<length).map { (index * 31 + $0 * $0 * 5) % Self.configuration.vocabularySize })
    }
  }

  private func evaluate(
    _ decomposition: Decomposition, _ importance: [ImportanceFunction]?,
    _ text: [(corpus: String, windows: [TokenWindow])], steps: Int = 0, stepSize: Double = 0.1, threads: Int = 1
  ) throws -> DecompositionEvaluation {
    let evaluator = try DecompositionEvaluator(
      model: model, decomposition: decomposition, importance: importance,
      settings: DecompositionEvaluation.Settings(adversarySteps: steps, adversaryStepSize: stepSize, seed: 3))
    return try #require(try evaluator.evaluate(text, threads: threads))
  }

  // MARK: Brute force

  /// The masks of one token, by site: those of the subcomponents, and that of the rest.
  private typealias Masks = [(subcomponents: [Double], rest: Double)]

  /// The model whose matrices are Σ m_c U[c] ⊗ V[:, c] + s (W - (V U)ᵀ).
  private func model(_ decomposition: Decomposition, _ masks: Masks) -> TargetModel {
    var matrices: [Site: ConstantMatrix] = [:]
    for (factors, mask) in zip(decomposition.sites, masks) {
      let weight = model.weight(at: factors.site)
      let elements = (0..<weight.rows).flatMap { row in
        (0..<weight.columns).map { column in
          var sum = Double(weight[row, column]) * mask.rest
          for (c, m) in mask.subcomponents.enumerated() {
            sum += (m - mask.rest) * Double(factors.write[c, row]) * Double(factors.read[column, c])
          }
          return Float(sum)
        }
      }
      matrices[factors.site] = ConstantMatrix(rows: weight.rows, columns: weight.columns, elements: elements)
    }
    return model.replacing(matrices)
  }

  /// log p of every token behind a window of one token.
  private func logProbabilities(_ model: TargetModel, after token: Int) throws -> [Double] {
    let windows = (0..<Self.configuration.vocabularySize).map { TokenWindow(inputs: [token], targets: [$0]) }
    return try #require(Evaluator(model: model).tokenCrossEntropies(of: windows)).map { -Double($0[0]) }
  }

  private func losses(
    _ decomposition: Decomposition, _ masks: Masks, _ window: TokenWindow
  ) throws -> (crossEntropy: Double, divergence: Double) {
    let base = try logProbabilities(model, after: window.inputs[0])
    let masked = try logProbabilities(self.model(decomposition, masks), after: window.inputs[0])
    return (-masked[window.targets[0]], zip(base, masked).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) })
  }

  private func importances(
    _ functions: [ImportanceFunction], _ windows: [TokenWindow]
  ) -> [(site: Site, values: Matrix)] {
    functions.map { ($0.site, $0.values(model.inputs(at: $0.site, of: windows))) }
  }

  private func close(
    _ found: DecompositionEvaluation.Losses, _ expected: [(crossEntropy: Double, divergence: Double)]
  ) -> Bool {
    let count = Double(expected.count)
    return abs(found.crossEntropy - expected.reduce(0) { $0 + $1.crossEntropy } / count) < 2e-5
      && abs(found.divergence - expected.reduce(0) { $0 + $1.divergence } / count) < 2e-5
  }

  @Test("masked losses are those of the model whose matrices are masked, token by token")
  func bruteForce() throws {
    let decomposition = try random()
    let functions = functions(decomposition)
    let windows = [5, 17, 200].map { window([$0]) }
    let found = try #require(
      try evaluate(decomposition, functions, [("a", windows)], steps: 0).corpora.first)
    let importances = importances(functions, windows)
    let evaluator = try DecompositionEvaluator(
      model: model, decomposition: decomposition, importance: functions)
    let sources = MaskedPass(
      model: model, sites: evaluator.sites, windows: windows,
      noise: DecompositionEvaluator.noise(seed: 3, corpus: "a", pass: 0)
    ).randomSources()
    func losses(_ masks: (Int) -> Masks) throws -> [(crossEntropy: Double, divergence: Double)] {
      try windows.indices.map { try self.losses(decomposition, masks($0), windows[$0]) }
    }
    let important = try losses { row in
      importances.map { ($0.values.copyOfRow(row).map(Double.init), 0) }
    }
    let random = try losses { row in
      zip(importances, sources).map { importance, sources in
        let masks = zip(importance.values.copyOfRow(row), sources.subcomponents.copyOfRow(row)).map { g, r in
          Double(g) + (1 - Double(g)) * Double(r)
        }
        return (masks, Double(sources.rest[row, 0]))
      }
    }
    let all = try losses { _ in Self.sites.map { _ in ([Double](repeating: 1, count: 5), 0) } }
    let masked = try #require(found.masked)
    #expect(close(masked.importance, important))
    #expect(close(masked.stochastic, random))
    #expect(close(found.decomposed, all))
    #expect(masked.adversarial == masked.stochastic, "an adversary without a step")
    // The four differ.
    let divergences = [important, random, all].map { $0.reduce(0) { $0 + $1.divergence } / 3 }
    #expect(divergences.allSatisfy { $0 > 0.01 })
    #expect(Set(divergences.map { Int($0 * 1000) }).count == 3, "\(divergences)")
    let base = try windows.map { -(try logProbabilities(model, after: $0.inputs[0]))[$0.targets[0]] }
    #expect(abs(found.base - base.reduce(0, +) / 3) < 1e-5)
  }

  @Test("a step of the adversary moves every source up the slope of the divergence")
  func adversary() throws {
    let decomposition = try random()
    let functions = functions(decomposition)
    let window = window([42])
    let importances = importances(functions, [window]).map { $0.values.copyOfRow(0).map(Double.init) }
    let evaluator = try DecompositionEvaluator(
      model: model, decomposition: decomposition, importance: functions)
    var sources: Masks = MaskedPass(
      model: model, sites: evaluator.sites, windows: [window],
      noise: DecompositionEvaluator.noise(seed: 3, corpus: "a", pass: 0)
    ).randomSources().map { ($0.subcomponents.copyOfRow(0).map(Double.init), Double($0.rest[0, 0])) }
    func divergence(_ sources: Masks) throws -> Double {
      let masks = zip(importances, sources).map { importances, sources in
        (zip(importances, sources.subcomponents).map { $0 + (1 - $0) * $1 }, sources.rest)
      }
      return try losses(decomposition, masks, window).divergence
    }
    let first = try divergence(sources)
    let step = 0.25
    var moved = sources
    for site in sources.indices {
      for index in 0...5 {
        let path: WritableKeyPath<Masks, Double> = index < 5 ? \.[site].subcomponents[index] : \.[site].rest
        let here = sources[keyPath: path]
        sources[keyPath: path] = here + 0.02
        let above = try divergence(sources)
        sources[keyPath: path] = here - 0.02
        let slope = above - (try divergence(sources))
        sources[keyPath: path] = here
        moved[keyPath: path] = min(1, max(0, here + (slope > 0 ? step : slope < 0 ? -step : 0)))
      }
    }
    let found = try evaluate(decomposition, functions, [("a", [window])], steps: 1, stepSize: step)
    let masked = try #require(found.corpora.first?.masked)
    #expect(abs(masked.stochastic.divergence - first) < 2e-5)
    let second = try divergence(moved)
    #expect(second > first + 0.01)
    #expect(abs(masked.adversarial.divergence - second) < 1e-4, "\(masked.adversarial.divergence), \(second)")
  }

  @Test("the adversary is never below the random masks, and never the better for more steps")
  func steps() throws {
    let decomposition = try random()
    let text = [(corpus: "a", windows: windows(6, length: 9))]
    let found = try [0, 2, 6].map { steps in
      try #require(try evaluate(decomposition, functions(decomposition), text, steps: steps).corpora.first?.masked)
    }
    #expect(Set(found.map(\.stochastic)).count == 1 && Set(found.map(\.importance)).count == 1)
    #expect(found[0].adversarial == found[0].stochastic)
    #expect(found[1].adversarial.divergence > found[0].adversarial.divergence + 0.01)
    #expect(found[2].adversarial.divergence > found[1].adversarial.divergence + 0.01)
  }

  @Test("for one window, and for the same window again and again, the shared adversary is each token's own")
  func sharedByOneWindow() throws {
    let decomposition = try random()
    let window = windows(1, length: 9)[0]
    func masked(_ count: Int, steps: Int) throws -> DecompositionEvaluation.Masked {
      let text = [(corpus: "a", windows: [TokenWindow](repeating: window, count: count))]
      return try #require(try evaluate(decomposition, functions(decomposition), text, steps: steps).corpora[0].masked)
    }
    for steps in [0, 1, 5] {
      let one = try masked(1, steps: steps)
      #expect(abs(one.shared.divergence - one.adversarial.divergence) < 1e-5, "\(steps) steps: \(one)")
      let repeated = try masked(3, steps: steps)
      #expect(abs(repeated.shared.divergence - one.shared.divergence) < 1e-5, "\(steps) steps: \(repeated)")
      #expect(abs(repeated.shared.crossEntropy - one.shared.crossEntropy) < 1e-5, "\(steps) steps: \(repeated)")
    }
  }

  @Test("masks that windows share hurt the more for more steps, and less than each token's own")
  func sharedByWindows() throws {
    let decomposition = try random()
    let text = [(corpus: "a", windows: windows(12, length: 9) + windows(3, length: 4))]
    let found = try [0, 2, 6].map { steps in
      try #require(try evaluate(decomposition, functions(decomposition), text, steps: steps).corpora.first?.masked)
    }
    #expect(found[1].shared.divergence > found[0].shared.divergence + 0.01)
    #expect(found[2].shared.divergence > found[1].shared.divergence + 0.01)
    #expect(found[2].shared.divergence < found[2].adversarial.divergence - 0.01)
  }

  @Test("where everything is important, all masked models are the base, if the decomposition is exact")
  func everythingImportant() throws {
    let decomposition = try exact()
    let text = [(corpus: "a", windows: windows(4, length: 9))]
    let found = try evaluate(decomposition, functions(decomposition, bias: 10), text, steps: 3)
    let corpus = try #require(found.corpora.first)
    let masked = try #require(corpus.masked)
    for losses in [corpus.decomposed, masked.importance, masked.stochastic, masked.shared, masked.adversarial] {
      #expect(abs(losses.crossEntropy - corpus.base) < 2e-6 && abs(losses.divergence) < 1e-6, "\(losses)")
    }
    for site in found.sites {
      #expect(site.nonzero == Double(site.subcomponents) && site.active == Double(site.subcomponents))
      #expect(site.faithfulness < 1e-12)
    }
  }

  @Test("nonzero and active subcomponents are counted over the tokens of all corpora")
  func counts() throws {
    let decomposition = try random()
    let functions = functions(decomposition)
    let text = [(corpus: "a", windows: windows(3, length: 7)), (corpus: "b", windows: windows(5, length: 4))]
    let found = try evaluate(decomposition, functions, text)
    let importances = importances(functions, text.flatMap(\.windows))
    for (report, importance) in zip(found.sites, importances) {
      let values = importance.values.copyOfElements()
      #expect(report.site == "\(importance.site)")
      #expect(abs(report.nonzero - Double(values.count { $0 > 0 }) / 41) < 1e-9)
      #expect(abs(report.active - Double(values.count { $0 > 0.5 }) / 41) < 1e-9)
    }
    #expect(found.sites.contains { 0.5 < $0.active && $0.active < $0.nonzero && $0.nonzero < 4.5 })
    #expect(found.corpora.map(\.tokens) == [21, 20])
    for (report, factors) in zip(found.sites, decomposition.sites) {
      let weight = model.weight(at: factors.site)
      var sum = 0.0
      for row in 0..<weight.rows {
        for column in 0..<weight.columns {
          let product = (0..<5).reduce(0.0) {
            $0 + Double(factors.read[column, $1]) * Double(factors.write[$1, row])
          }
          sum += (product - Double(weight[row, column])) * (product - Double(weight[row, column]))
        }
      }
      #expect(abs(report.faithfulness - sum / Double(weight.rows * weight.columns)) < 1e-6)
    }
  }

  @Test("without importance functions all subcomponents count, and nothing is masked")
  func noImportance() throws {
    let found = try evaluate(try random(), nil, [("a", windows(2, length: 5))])
    #expect(found.sites.allSatisfy { $0.subcomponents == 5 && $0.nonzero == 5 && $0.active == 5 })
    let corpus = try #require(found.corpora.first)
    #expect(corpus.masked == nil && corpus.decomposed.divergence > 0.01)
  }

  @Test("numbers that are too large, or none, are refused by their place")
  func refusals() throws {
    for (number, says) in [(Float.nan, "h.0.mlp.c_fc.V[0, 0]: expected a finite"), (3e38, "found losses that are no")] {
      var parts: [SiteDecomposition] = []
      let shape = Self.configuration.shape(of: Site(layer: 0, kind: .expand))
      let (read, write) = (Matrix(rows: shape.inputs, columns: 1), Matrix(rows: 1, columns: shape.outputs))
      read.fill(number)
      write.fill(number)
      parts.append(SiteDecomposition(site: Site(layer: 0, kind: .expand), read: read, write: write))
      let decomposition = try written(parts)
      let error = try #require(throws: InputFileError.self) {
        try evaluate(decomposition, nil, [("a", windows(1, length: 4))])
      }
      #expect("\(error)".contains(says), "\(error)")
    }
  }

  @Test("the figures are the same on any number of threads")
  func threads() throws {
    let decomposition = try random()
    // Two passes of the first corpus, one of the second.
    let text = [(corpus: "a", windows: windows(40, length: 28)), (corpus: "b", windows: windows(3, length: 28))]
    let one = try evaluate(decomposition, functions(decomposition), text, steps: 1)
    #expect(try evaluate(decomposition, functions(decomposition), text, steps: 1, threads: 3) == one)
    #expect(one.corpora.map(\.tokens) == [1120, 84])

    var questions = 0
    let stopped = try DecompositionEvaluator(model: model, decomposition: decomposition, importance: nil)
      .evaluate(text, threads: 1) {
        questions += 1
        return questions == 3
      }
    #expect(stopped == nil && questions == 3)
  }
}
