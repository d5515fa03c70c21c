import Foundation
import TensorKernels

@testable import LanguageModel

/// A folder of reference numbers computed in float64 by PyTorch, found through its `index.json`.
///
/// Two are looked at: the small one beside the tests, made by `Golden/make.py`, and the one that the environment
/// variable `PDSWEEP_GOLDEN` names, if it is set.
struct GoldenFolder: CustomStringConvertible, Sendable {
  let url: URL
  let description: String
  let cases: [Case]
  let tolerances: [String: [String: Double]]

  struct Case: Decodable, Sendable {
    let id: String
    let kind: String
    let model: String?
    let json: String
    let tensors: String?
    let entry: Int?
  }

  static let own = GoldenFolder(
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden"), name: "own")

  static let external = ProcessInfo.processInfo.environment["PDSWEEP_GOLDEN"].map {
    GoldenFolder(URL(fileURLWithPath: $0, isDirectory: true), name: "external")
  }

  /// The folders to look at.
  static var all: [GoldenFolder] { [own] + (external.map { [$0] } ?? []) }

  private init(_ url: URL, name: String) {
    struct Index: Decodable {
      let cases: [Case]
    }
    let file = url.appendingPathComponent("index.json")
    guard let data = try? Data(contentsOf: file), let index = try? JSONDecoder().decode(Index.self, from: data),
      let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
      let tolerances = object["tolerances"] as? [String: [String: Any]]
    else { preconditionFailure("\(file.path) does not read as an index of golden cases") }
    self.url = url
    description = name
    cases = index.cases
    self.tolerances = tolerances.mapValues { $0.compactMapValues { $0 as? Double } }
  }

  func cases(of kind: String) -> [Case] { cases.filter { $0.kind == kind } }

  func tolerance(_ kind: String, _ metric: String) -> Double {
    guard let value = tolerances[kind]?[metric] else { preconditionFailure("no tolerance \(kind).\(metric)") }
    return value
  }

  func read<Value: Decodable>(_ type: Value.Type, _ golden: Case) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(contentsOf: url.appendingPathComponent(golden.json)))
  }

  func tensors(_ golden: Case) throws -> GoldenTensors {
    guard let path = golden.tensors else { return GoldenTensors(file: nil) }
    return GoldenTensors(file: try SafetensorsFile(path: url.appendingPathComponent(path).path))
  }

  func path(_ model: String, _ file: String) -> String {
    url.appendingPathComponent("models/\(model)/\(file)").path
  }

  func model(_ name: String) throws -> TargetModel {
    let configuration = try ModelConfiguration(file: path(name, "model_config.yaml"))
    return try TargetModel(checkpoint: path(name, "model.safetensors"), configuration: configuration)
  }
}

/// The tensors of a case.
struct GoldenTensors {
  let file: SafetensorsFile?

  struct Missing: Error {
    let name: String
  }

  func doubles(_ name: String) throws -> [Double] {
    guard let file, let tensor = file[name] else { throw Missing(name: name) }
    return try file.doubles(tensor)
  }

  func matrix(_ name: String) throws -> Matrix {
    guard let file else { throw Missing(name: name) }
    return Matrix(copying: try file.matrix(name, rows: nil, columns: nil))
  }
}

/// max|x - x*| / max|x*|.
func maximumRelativeError(_ found: [Float], _ truth: [Double]) -> Double {
  precondition(found.count == truth.count, "as many numbers as the truth has")
  let scale = truth.map(abs).max() ?? 0
  return maximumError(found.map(Double.init), truth) / (scale > 0 ? scale : 1)
}

/// max|x - x*|; infinite where a number is missing.
func maximumError(_ found: [Double], _ truth: [Double]) -> Double {
  precondition(found.count == truth.count, "as many numbers as the truth has")
  return zip(found, truth).reduce(0) { worst, pair in
    let error = abs(pair.0 - pair.1)
    return error.isNaN ? .infinity : max(worst, error)
  }
}

/// ||x - x*|| / ||x*||.
func relativeNormError(_ found: [Float], _ truth: [Double]) -> Double {
  let error = zip(found, truth).reduce(0) { $0 + ($1.0.double - $1.1) * ($1.0.double - $1.1) }
  let norm = truth.reduce(0) { $0 + $1 * $1 }
  return (error / (norm > 0 ? norm : 1)).squareRoot()
}

extension Float {
  fileprivate var double: Double { Double(self) }
}
