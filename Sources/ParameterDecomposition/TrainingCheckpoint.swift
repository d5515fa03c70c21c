internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import TensorKernels

/// What every training's checkpoint says beside its numbers.
protocol CheckpointRecord: Codable {
  /// The name under which the header holds it.
  static var key: String { get }
  /// Counts changes of the file's form.
  static var currentFormat: Int { get }
  /// What is made, as in "found one of another training".
  static var product: String { get }
  /// What to do about a checkpoint of something else.
  static var advice: String { get }

  var format: Int { get }
  /// Of the recipe and the files that the training was begun with.
  var identity: SHA256Digest { get }
  /// Updates made.
  var step: Int { get }
}

/// A training in progress as a safetensors file: what is trained in F32 under its names, AdamW's moments in F64 as
/// `first.NAME` and `second.NAME`, and the rest as JSON in the header.
struct TrainingCheckpoint<Record: CheckpointRecord> {
  /// The rest.
  let record: Record
  private let file: SafetensorsFile
  private let path: String

  /// Writes a checkpoint in place of an older one, atomically and durably.
  static func write(
    _ trained: [(parameters: [TrainableParameter], moments: [AdamW.Moments])], record: Record, to path: String
  ) throws(InputFileError) {
    var tensors: [SafetensorsFile.Content] = []
    for (parameters, moments) in trained {
      for (parameter, moments) in zip(parameters, moments) {
        let (name, shape) = (parameter.name, [parameter.value.rows, parameter.value.columns])
        tensors.append(.init(name: name, shape: shape, elements: parameter.value.copyOfElements()))
        tensors.append(.init(name: "first.\(name)", shape: shape, stored: .float64(moments.first)))
        tensors.append(.init(name: "second.\(name)", shape: shape, stored: .float64(moments.second)))
      }
    }
    let text = RecordJSON.encode(record, formatting: [.sortedKeys, .withoutEscapingSlashes])
    try SafetensorsFile.write(tensors, metadata: [Record.key: String(decoding: text, as: UTF8.self)], to: path)
  }

  /// Opens a checkpoint.
  ///
  /// - Throws: for a damaged one, and for one of another recipe or other files.
  init(path: String, identity: SHA256Digest, steps: Int) throws(InputFileError) {
    self.path = path
    file = try SafetensorsFile(path: path)
    let record = file.metadata[Record.key].flatMap { try? RecordJSON.decode(Record.self, from: Array($0.utf8)) }
    guard let record, record.format == Record.currentFormat else {
      throw Self.refusal(path, "expected a checkpoint of version \(Record.currentFormat), found another file")
    }
    guard record.identity == identity else {
      throw Self.refusal(
        path, "expected a checkpoint of this recipe on these files, found one of another \(Record.product)")
    }
    guard (0...steps).contains(record.step) else {
      throw Self.refusal(path, "expected a step from 0 to \(steps), found \(record.step)")
    }
    self.record = record
  }

  /// The trained numbers of a name, `[rows, columns]`.
  func values(_ name: String, rows: Int, columns: Int) throws(InputFileError) -> [Float] {
    let elements = try file.floats(try file.tensor(name, shape: [rows, columns]))
    guard elements.allSatisfy(\.isFinite) else {
      throw Self.refusal(path, "expected finite numbers in \(name), found others")
    }
    return elements
  }

  /// AdamW's moments of the parameters.
  func moments(of parameters: [TrainableParameter]) throws(InputFileError) -> [AdamW.Moments] {
    try parameters.map { parameter throws(InputFileError) in
      let shape = [parameter.value.rows, parameter.value.columns]
      return AdamW.Moments(
        first: try file.doubles(try file.tensor("first.\(parameter.name)", shape: shape)),
        second: try file.doubles(try file.tensor("second.\(parameter.name)", shape: shape)))
    }
  }

  /// Overwrites the parameters with their trained numbers.
  func restore(_ parameters: [TrainableParameter]) throws(InputFileError) {
    for parameter in parameters {
      let (rows, columns) = (parameter.value.rows, parameter.value.columns)
      let elements = try values(parameter.name, rows: rows, columns: columns)
      parameter.value.copy(from: Matrix(rows: rows, columns: columns, elements: elements))
    }
  }

  private static func refusal(_ path: String, _ problem: String) -> InputFileError {
    InputFileError(file: path, problem: problem, advice: Record.advice)
  }
}
