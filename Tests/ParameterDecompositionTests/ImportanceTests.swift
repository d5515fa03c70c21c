import Foundation
import LanguageModel
import TensorKernels
import Testing

@testable import ParameterDecomposition

@Suite("Importance functions")
struct ImportanceTests {
  private let laboratory: DecompositionLaboratory
  private let decomposition: Decomposition
  private static let sites = [Site(layer: 0, kind: .query), Site(layer: 0, kind: .contract)]
  private static let hiddenUnits = 4

  init() throws {
    laboratory = try DecompositionLaboratory()
    var tensors: [SafetensorsFile.Content] = []
    for (site, count) in zip(Self.sites, [3, 5]) {
      let shape = DecompositionLaboratory.configuration.shape(of: site)
      for (name, rows, columns) in [("V", shape.inputs, count), ("U", count, shape.outputs)] {
        tensors.append(
          .init(name: "\(site).\(name)", shape: [rows, columns], elements: Self.wave(rows * columns, shift: 0)))
      }
    }
    try SafetensorsFile.write(tensors, to: laboratory.path("parts.safetensors"))
    decomposition = try Decomposition(
      path: laboratory.path("parts.safetensors"), configuration: DecompositionLaboratory.configuration)
  }

  /// sin(1.7 i + shift).
  private static func wave(_ count: Int, shift: Double, scale: Double = 1) -> [Float] {
    (0..<count).map { Float(scale * sin(1.7 * Double($0) + shift)) }
  }

  private func functions() -> [ImportanceFunction] {
    decomposition.sites.map { factors in
      func matrix(_ rows: Int, _ columns: Int, _ shift: Double) -> Matrix {
        Matrix(rows: rows, columns: columns, elements: Self.wave(rows * columns, shift: shift))
      }
      return ImportanceFunction(
        site: factors.site, hidden: matrix(Self.hiddenUnits, factors.read.rows, 1),
        hiddenBias: matrix(1, Self.hiddenUnits, 2), output: matrix(factors.count, Self.hiddenUnits, 3),
        outputBias: matrix(1, factors.count, 4))
    }
  }

  /// Numbers of PyTorch 2: with `wave(i, s)` = sin(1.7 i + s),
  ///
  ///     x̂ = x / sqrt((x * x).mean(1, keepdim=True) + 1e-6)
  ///     z = gelu(x̂ @ hidden.T + hidden_bias, approximate="tanh") @ output.T + output_bias
  @Test("the logits are PyTorch's, and the values lie from 0 to 1")
  func forward() {
    let function = ImportanceFunction(
      site: Self.sites[0], hidden: Matrix(rows: 5, columns: 6, elements: Self.wave(30, shift: 1)),
      hiddenBias: Matrix(rows: 1, columns: 5, elements: Self.wave(5, shift: 2, scale: 0.5)),
      output: Matrix(rows: 3, columns: 5, elements: Self.wave(15, shift: 3, scale: 0.15)),
      outputBias: Matrix(rows: 1, columns: 3, elements: Self.wave(3, shift: 4).map { $0 + 0.5 }))
    let inputs = Matrix(rows: 4, columns: 6, elements: Self.wave(24, shift: 0))
    for (row, scale) in [0.01, 1, 30, 1e-4].enumerated() { inputs.rows(row..<row + 1).scale(by: Float(scale)) }
    let expected: [Float] = [
      0.297139168, -0.770753741, 1.711745739,
      -0.814978480, -0.189873278, 2.124469280,
      -0.030820072, -0.406269342, 1.600857019,
      -0.216777474, -0.159964666, 1.490257740,
    ]
    let logits = function.logits(inputs)
    #expect(logits.rows == 4 && logits.columns == 3)
    for (found, expected) in zip(logits.copyOfElements(), expected) { #expect(abs(found - expected) < 2e-6) }
    let values = function.values(inputs).copyOfElements()
    for (found, expected) in zip(values, expected) { #expect(abs(found - min(max(expected, 0), 1)) < 2e-6) }
    #expect(values.contains(0) && values.contains(1) && values.contains { 0 < $0 && $0 < 1 })
  }

  @Test("what is written beside a decomposition is read again")
  func roundTrip() throws {
    #expect(try ImportanceFile.read(beside: decomposition) == nil)
    let written = functions()
    try ImportanceFile.write(written, beside: decomposition.path)
    #expect(ImportanceFile.path(beside: decomposition.path) == laboratory.path("parts.importance.safetensors"))
    let read = try #require(try ImportanceFile.read(beside: decomposition))
    #expect(read.map(\.site) == Self.sites && read.map(\.count) == [3, 5])
    for (one, other) in zip(written, read) {
      #expect(one.hidden.copyOfElements() == other.hidden.copyOfElements())
      #expect(one.hiddenBias.copyOfElements() == other.hiddenBias.copyOfElements())
      #expect(one.output.copyOfElements() == other.output.copyOfElements())
      #expect(one.outputBias.copyOfElements() == other.outputBias.copyOfElements())
      #expect(other.hidden.rows == Self.hiddenUnits)
    }
  }

  @Test(
    "a file that does not fit is refused by its tensor",
    arguments: [
      ("h.0.attn.q_proj.hidden", [4, 16], [4, 17], "expected shape [any, 16], found [4, 17]"),
      ("h.0.attn.q_proj.hidden_bias", [1, 4], [1, 5], "expected shape [1, 4], found [1, 5]"),
      ("h.0.attn.q_proj.hidden_bias", [1, 4], [4], "expected shape [1, 4], found [4]"),
      ("h.0.mlp.down_proj.output", [5, 4], [6, 4], "expected shape [5, 4], found [6, 4]"),
      ("h.0.mlp.down_proj.output_bias", [1, 5], [5, 1], "expected shape [1, 5], found [5, 1]"),
    ])
  func shapes(name: String, right: [Int], wrong: [Int], says: String) throws {
    let error = try refusal { tensors in
      #expect(tensors[name] == right)
      tensors[name] = wrong
    }
    #expect(error.place == name && error.problem == says, "\(error)")
    #expect(error.file == ImportanceFile.path(beside: decomposition.path) && error.advice != nil)
  }

  @Test("a missing tensor, one too many, and a number that is none are refused")
  func contents() throws {
    let missing = try refusal { $0["h.0.mlp.down_proj.output"] = nil }
    #expect(missing.place == "h.0.mlp.down_proj.output" && missing.problem.contains("found no such tensor"))
    let surplus = try refusal { $0["h.0.attn.k_proj.hidden"] = [4, 16] }
    #expect(surplus.place == "h.0.attn.k_proj.hidden" && surplus.problem.contains("the 2 sites"))
    let damaged = try refusal(number: .nan) { _ in }
    #expect(damaged.place == "h.0.attn.q_proj.hidden[0, 0]" && damaged.problem == "expected a finite number, found nan")
  }

  @Test("the file of another decomposition is refused")
  func otherDecomposition() throws {
    try ImportanceFile.write(functions(), beside: decomposition.path)
    var tensors: [SafetensorsFile.Content] = []
    for factors in decomposition.sites {
      for (suffix, matrix) in [("V", factors.read), ("U", factors.write)] {
        tensors.append(
          .init(
            name: "\(factors.site).\(suffix)", shape: [matrix.rows, matrix.columns],
            elements: matrix.copyOfElements().map { -$0 }))
      }
    }
    try SafetensorsFile.write(tensors, to: decomposition.path)
    let other = try Decomposition(
      path: decomposition.path, configuration: DecompositionLaboratory.configuration)
    let error = try #require(throws: InputFileError.self) { try ImportanceFile.read(beside: other) }
    #expect(error.place == "metadata.decomposition" && error.problem.contains("the SHA-256 of"), "\(error)")
  }

  /// The refusal of a file of these tensors, by name and shape, all elements `number`.
  private func refusal(
    number: Float = 0.5, _ change: (inout [String: [Int]]) -> Void
  ) throws -> InputFileError {
    var shapes: [String: [Int]] = [:]
    for factors in decomposition.sites {
      shapes["\(factors.site).hidden"] = [Self.hiddenUnits, factors.read.rows]
      shapes["\(factors.site).hidden_bias"] = [1, Self.hiddenUnits]
      shapes["\(factors.site).output"] = [factors.count, Self.hiddenUnits]
      shapes["\(factors.site).output_bias"] = [1, factors.count]
    }
    change(&shapes)
    let tensors = shapes.map { name, shape in
      SafetensorsFile.Content(
        name: name, shape: shape, elements: Array(repeating: number, count: shape.reduce(1, *)))
    }
    try SafetensorsFile.write(tensors, to: ImportanceFile.path(beside: decomposition.path))
    return try #require(throws: InputFileError.self) { try ImportanceFile.read(beside: decomposition) }
  }
}
