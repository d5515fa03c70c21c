import Foundation
import LanguageModel
import TensorKernels
import Testing

@testable import ParameterDecomposition

@Suite("Harvest")
struct HarvesterTests {
  private let laboratory: DecompositionLaboratory
  private let folder: TargetFolder
  private let text: TrainingText
  private let decomposition: Decomposition
  private static let tokens = 300

  init() throws {
    laboratory = try DecompositionLaboratory()
    folder = try TargetFolder(path: laboratory.path("target"))
    text = try folder.text(
      corpora: [("a", laboratory.path("a.txt"), 1), ("b", laboratory.path("b.txt"), 2)], start: "<|endoftext|>",
      context: 32
    ).text
    var tensors: [SafetensorsFile.Content] = []
    let task = DecompositionTask(
      model: folder.model, modelPath: "", sites: folder.model.configuration.sites, text: text)
    try SingularVectors().decompose(task) { part in
      for (suffix, matrix) in [("V", part.read), ("U", part.write)] {
        tensors.append(
          .init(
            name: "\(part.site).\(suffix)", shape: [matrix.rows, matrix.columns], elements: matrix.copyOfElements()))
      }
    }
    try SafetensorsFile.write(tensors, to: laboratory.path("svd.safetensors"))
    decomposition = try Decomposition(
      path: laboratory.path("svd.safetensors"), configuration: folder.model.configuration)
  }

  private func harvest(
    examples: Int = 3, importance: [ImportanceFunction]? = nil
  ) throws -> [SubcomponentHarvest] {
    var all: [SubcomponentHarvest] = []
    try Harvester(
      model: folder.model, decomposition: decomposition, importance: importance, text: text, tokens: Self.tokens,
      seed: 1, examples: examples
    ).run { all += $0 }
    return all
  }

  private func windows(_ language: Int) throws -> [TokenWindow] {
    try text.corpora[language].corpus.draw(
      tokens: Self.tokens, seed: 1, purpose: "harvest", context: 32, tokenizer: text.tokenizer, start: text.start)
  }

  @Test("every subcomponent is harvested once, in order, the same each time")
  func order() throws {
    let found = try harvest()
    let expected = decomposition.sites.flatMap { factors in (0..<factors.count).map { "\(factors.site):\($0)" } }
    #expect(found.map { "\($0.site):\($0.index)" } == expected)
    #expect(try harvest() == found)
  }

  /// (CE(1 + h) - CE(1 - h)) / 2h by scaling the subcomponent in the model.
  @Test("attribution is the slope of the language's cross-entropy along the prefactor")
  func attribution() throws {
    let found = try harvest()
    var largest = 0.0
    for index in stride(from: 0, to: found.count, by: 9) {
      let subcomponent = found[index]
      let name = try #require(SubcomponentName("\(subcomponent.site):\(subcomponent.index)"))
      let edit = PrefactorEdit([try decomposition.subcomponent(name)], sharing: .separate)
      for (language, key) in ["a", "b"].enumerated() {
        let windows = try windows(language)
        func crossEntropy(_ alpha: Double) throws -> Double {
          try #require(Evaluator(model: folder.model).meanCrossEntropy(of: windows, edit: edit.setting(alpha)))
        }
        let slope = try (crossEntropy(1.02) - crossEntropy(0.98)) / 0.04
        let attribution = try #require(subcomponent.attribution[key])
        #expect(abs(slope - attribution) < 1e-4 + 0.02 * abs(slope), "\(name) \(key)")
        largest = max(largest, abs(attribution))
      }
    }
    #expect(largest > 0.01)
  }

  @Test("strength, density and examples are those of the activations")
  func activations() throws {
    let found = try harvest()
    for factors in decomposition.sites {
      for index in [0, factors.count - 1] {
        let harvest = try #require(found.first { $0.site == "\(factors.site)" && $0.index == index })
        let norm = factors.write.copyOfRow(index).reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()
        var sizes: [Double] = []
        for (language, key) in ["a", "b"].enumerated() {
          let inputs = folder.model.inputs(at: factors.site, of: try windows(language))
          let activations = (0..<inputs.rows).map { row in
            zip(inputs.copyOfRow(row), (0..<inputs.columns)).reduce(0.0) {
              $0 + Double($1.0) * Double(factors.read[$1.1, index])
            }
          }
          let meanSquare = activations.reduce(0) { $0 + $1 * $1 } / Double(activations.count)
          let meanSize = activations.reduce(0) { $0 + abs($1) } / Double(activations.count)
          #expect(abs(try #require(harvest.strength[key]) - meanSquare.squareRoot() * norm) < 1e-4 * (1 + norm))
          #expect(abs(try #require(harvest.density[key]) - meanSize * meanSize / meanSquare) < 1e-4)
          sizes += activations.map { abs($0) * norm }
        }
        let strongest = sizes.sorted(by: >).prefix(3)
        #expect(harvest.examples.count == 3)
        for (example, size) in zip(harvest.examples, strongest) {
          #expect(abs(abs(example.activation) - size) < 1e-4 * (1 + size))
        }
      }
    }
  }

  @Test("traces are of the windows where it is strongest, with the activation at every token around")
  func traces() throws {
    let harvester = try Harvester(
      model: folder.model, decomposition: decomposition, importance: nil, text: text, tokens: Self.tokens, seed: 1,
      examples: 6)
    for factors in decomposition.sites {
      let index = factors.count / 2
      let traces = harvester.traces(
        of: SubcomponentName(site: factors.site, index: index), before: 12, behind: 4)
      // Activations by window, from the definition.
      let norm = factors.write.copyOfRow(index).reduce(0.0) { $0 + Double($1 * $1) }.squareRoot()
      var found: [(language: String, tokens: [Int], activations: [Double])] = []
      for (language, key) in ["a", "b"].enumerated() {
        for window in try windows(language) {
          let inputs = folder.model.inputs(at: factors.site, of: [window])
          let activations = (0..<inputs.rows).map { row in
            zip(inputs.copyOfRow(row), 0..<inputs.columns).reduce(0.0) {
              $0 + Double($1.0) * Double(factors.read[$1.1, index])
            } * norm
          }
          found.append((key, window.inputs, activations))
        }
      }
      func size(_ activations: [Double]) -> Double { activations.map(abs).max() ?? 0 }
      found.sort { size($0.activations) > size($1.activations) }
      #expect(traces.count == 6 && found.count > 6)
      var compared = 0
      for (trace, window) in zip(traces, found) {
        let place = try #require(
          window.activations.indices.max { abs(window.activations[$0]) < abs(window.activations[$1]) })
        let around = max(0, place - 12)..<min(window.tokens.count, place + 5)
        #expect(trace.language == window.language)
        #expect(trace.tokens.map(\.text).joined() == text.tokenizer.decode(window.tokens[around]))
        #expect(abs(trace.tokens[trace.place].activation - window.activations[place]) < 1e-4 * (1 + norm))
        guard trace.tokens.count == around.count else { continue }
        compared += trace.tokens.count
        for (token, activation) in zip(trace.tokens, window.activations[around]) {
          #expect(abs(token.activation - activation) < 1e-4 * (1 + norm), "\(factors.site)")
        }
      }
      #expect(compared > 10)
    }
  }

  @Test("a subcomponent whose activations are no numbers is refused by its name")
  func refusal() throws {
    let site = Site(layer: 0, kind: .expand)
    let shape = folder.model.configuration.shape(of: site)
    let large = [Float](repeating: 3e38, count: shape.inputs + shape.outputs)
    try SafetensorsFile.write(
      [
        .init(name: "\(site).V", shape: [shape.inputs, 1], elements: Array(large.prefix(shape.inputs))),
        .init(name: "\(site).U", shape: [1, shape.outputs], elements: Array(large.prefix(shape.outputs))),
      ], to: laboratory.path("large.safetensors"))
    let decomposition = try Decomposition(
      path: laboratory.path("large.safetensors"), configuration: folder.model.configuration)
    let harvester = try Harvester(
      model: folder.model, decomposition: decomposition, importance: nil, text: text, tokens: 40, seed: 1, examples: 1)
    let error = try #require(throws: InputFileError.self) { try harvester.run { _ in } }
    #expect(error.place == "h.0.mlp.c_fc:0" && error.problem.contains("activations are finite"), "\(error)")
  }

  @Test("importance is the mean of the importance function over the language's tokens")
  func importance() throws {
    #expect(try harvest().allSatisfy { $0.importance == nil })
    var generator = SplitMix64(seed: 5)
    let functions = decomposition.sites.map { factors in
      func matrix(_ rows: Int, _ columns: Int, _ range: ClosedRange<Float>) -> Matrix {
        Matrix(
          rows: rows, columns: columns,
          elements: (0..<rows * columns).map { _ in Float.random(in: range, using: &generator) })
      }
      return ImportanceFunction(
        site: factors.site, hidden: matrix(3, factors.read.rows, -1...1), hiddenBias: matrix(1, 3, -1...1),
        output: matrix(factors.count, 3, -1...1), outputBias: matrix(1, factors.count, 0...1))
    }
    let found = try harvest(importance: functions)
    for (factors, function) in zip(decomposition.sites, functions) {
      for (language, key) in ["a", "b"].enumerated() {
        let values = function.values(folder.model.inputs(at: factors.site, of: try windows(language)))
        for index in 0..<factors.count {
          let harvest = try #require(found.first { $0.site == "\(factors.site)" && $0.index == index })
          let mean = (0..<values.rows).reduce(0.0) { $0 + Double(values[$1, index]) } / Double(values.rows)
          #expect(abs(try #require(harvest.importance?[key]) - mean) < 1e-5)
        }
      }
    }
    // Some are neither always nor never needed, and differ between the languages.
    #expect(found.contains { 0.1 < $0.importance?["a"] ?? 0 && $0.importance?["a"] ?? 1 < 0.9 })
    #expect(found.contains { abs(($0.importance?["a"] ?? 0) - ($0.importance?["b"] ?? 0)) > 0.01 })
  }

  @Test("how many examples are told changes nothing else, and none can be told")
  func numberOfExamples() throws {
    let (none, many) = (try harvest(examples: 0), try harvest(examples: 7))
    #expect(none.allSatisfy(\.examples.isEmpty) && many.allSatisfy { $0.examples.count == 7 })
    #expect(none.map(\.label) == many.map(\.label))
    #expect(none.map(\.strength) == many.map(\.strength))
  }

  @Test("examples show the token with the text around it")
  func examples() throws {
    for example in try harvest().flatMap(\.examples) {
      let texts = try windows(example.language == "a" ? 0 : 1).map { folder.tokenizer.decode($0.inputs) }
      let shown = example.before + example.token + example.after
      #expect(texts.contains { $0.contains(shown) }, "\(shown)")
      // One byte is one token here, except the start.
      #expect(example.token.utf8.count == 1 || example.token == "<|endoftext|>")
    }
  }

  @Test("selectivity is the highest strength over the next")
  func selectivity() throws {
    for harvest in try harvest() {
      let (a, b) = (try #require(harvest.strength["a"]), try #require(harvest.strength["b"]))
      #expect(harvest.selectivity.language == (a >= b ? "a" : "b"))
      #expect(abs(harvest.selectivity.ratio - max(a, b) / min(a, b)) < 1e-9 * harvest.selectivity.ratio)
    }
  }

  @Test(
    "labels say in which languages a subcomponent acts",
    arguments: [
      ([9, 1, 1, 1], 0.5, "german"),
      ([2.9, 1, 1, 1], 0.5, "all languages"),
      ([1, 9, 8, 1], 0.5, "languages: english french"),
      ([9, 1, 8, 7], 0.5, "all languages but english"),
      ([9, 0, 0, 0], 0.5, "german"),
      ([0, 0, 0, 0], 0, "nothing"),
      // The widest gap counts, not the first.
      ([40, 12, 1, 1], 0.5, "languages: english german"),
      ([9, 1, 1, 1], 0.01, "german, rare: ung"),
      ([1, 1, 1, 1], 0.01, "all languages, rare: ung"),
    ])
  func labels(strengths: [Double], density: Double, label: String) {
    let named = Array(zip(["german", "english", "french", "italian"], strengths)).map { (language: $0, strength: $1) }
    let words = SubcomponentLabel.words(
      strengths: named.reversed(), density: density, tokens: ["ung", " ung", "heit", "ung"])
    #expect(words == label)
  }

  @Test("what acts on many different tokens is not called rare")
  func notRare() {
    let strengths = [(language: "german", strength: 1.0), (language: "english", strength: 1.0)]
    #expect(
      SubcomponentLabel.words(strengths: strengths, density: 0.01, tokens: ["a", "b", "c", "a", "d"]) == "all languages"
    )
    #expect(SubcomponentLabel.words(strengths: strengths, density: 0.01, tokens: [" ", " "]) == "all languages")
  }
}
