internal import ContentHash
public import Foundation
internal import LanguageModel

/// The folder that a training writes into, which becomes the model's.
///
/// While it runs there is `checkpoint.safetensors`. At the end come `model.safetensors`, `model_config.yaml`,
/// `tokenizer.json` and, last, `pretraining.json`; then the checkpoint is removed. So whenever it is interrupted, the
/// same command carries it on, and a folder with `pretraining.json` is complete.
public struct PretrainingFolder: Sendable {
  /// Where it is.
  public let url: URL

  /// Names a folder, which need not be there.
  public init(path: String) {
    url = URL(fileURLWithPath: path, isDirectory: true)
  }

  /// What a folder holds of a training.
  enum Content {
    /// Nothing yet.
    case nothing
    /// A checkpoint.
    case begun
    /// The finished model.
    case finished(PretrainingRecord)
  }

  /// The checkpoint's path.
  var checkpoint: String { path("checkpoint.safetensors") }

  private static let modelFiles = ["model.safetensors", "model_config.yaml", "tokenizer.json"]
  private static let recordFile = "pretraining.json"

  private func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  private func holds(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  /// Looks at the folder.
  ///
  /// - Throws: for a path that is no folder or cannot be written to, and for a folder that holds another model.
  func content(identity: SHA256Digest) throws(InputFileError) -> Content {
    let manager = FileManager.default
    var place = url.standardizedFileURL
    while !manager.fileExists(atPath: place.path), place.path != "/" { place.deleteLastPathComponent() }
    let type = (try? manager.attributesOfItem(atPath: place.resolvingSymlinksInPath().path))?[.type]
    guard type as? FileAttributeType == .typeDirectory, manager.isWritableFile(atPath: place.path) else {
      throw InputFileError(
        file: url.path, problem: "expected a folder that can be written to, found \(place.path), which is not one",
        advice: "name another with --output")
    }
    if holds(Self.recordFile) {
      let record: PretrainingRecord
      do {
        let text = try Data(contentsOf: URL(fileURLWithPath: path(Self.recordFile)))
        record = try RecordJSON.decode(PretrainingRecord.self, from: Array(text))
      } catch {
        throw InputFileError(
          file: path(Self.recordFile), problem: "expected the record of a training, found something else",
          advice: "name another folder with --output")
      }
      guard record.identity == identity else {
        throw InputFileError(
          file: path(Self.recordFile),
          problem: "expected a model of this recipe on these files, found one of another training",
          advice: "name another folder with --output")
      }
      return .finished(record)
    }
    if holds("checkpoint.safetensors") { return .begun }
    if let file = Self.modelFiles.first(where: holds) {
      throw InputFileError(
        file: path(file), problem: "expected a folder without a model, found a file of one",
        advice: "name another folder with --output")
    }
    return .nothing
  }

  /// Makes the folder, and removes what interrupted writes of a checkpoint left behind.
  func prepare() throws(InputFileError) {
    let manager = FileManager.default
    do {
      try manager.createDirectory(at: url, withIntermediateDirectories: true)
      let leftovers = try manager.contentsOfDirectory(atPath: url.path).filter {
        $0.hasPrefix("checkpoint.safetensors.") && $0.hasSuffix(".new")
      }
      for name in leftovers { try manager.removeItem(atPath: path(name)) }
    } catch {
      throw InputFileError(
        file: url.path, problem: "cannot make or clean the folder: \(error.localizedDescription)",
        advice: "check its permissions")
    }
  }

  /// Writes the finished model and removes the checkpoint.
  func finish(_ model: TargetModel, tokenizer: [UInt8], record: PretrainingRecord) throws(InputFileError) {
    try model.write(checkpoint: path("model.safetensors"))
    try writeFile(path("model_config.yaml"), Array(model.configuration.yaml.utf8))
    try writeFile(path("tokenizer.json"), tokenizer)
    try writeFile(path(Self.recordFile), record.json)
    removeCheckpoint()
  }

  /// Removes a checkpoint that is no longer needed; one that cannot be removed does no harm.
  func removeCheckpoint() {
    try? FileManager.default.removeItem(atPath: checkpoint)
  }
}
