public import ContentHash
internal import Foundation
public import LanguageModel

/// A model folder, read and checked: `model.safetensors`, `model_config.yaml` and `tokenizer.json`.
public struct TargetFolder: Sendable {
  /// The names of the three files.
  static let fileNames = ["model_config.yaml", "model.safetensors", "tokenizer.json"]

  /// The folder.
  public let path: String
  /// The model.
  public let model: TargetModel
  /// Its weight file.
  public let weights: String
  /// Its tokenizer.
  public let tokenizer: Tokenizer
  /// The digests of the three files, by what they are for.
  public let digests: [String: SHA256Digest]
  /// The paths of the three files.
  let files: [String]

  /// Reads a folder.
  ///
  /// - Throws: an `InputFileError` for the first file that is missing or wrong, or does not fit the others.
  public init(path: String) throws {
    func file(_ name: String) -> URL { URL(fileURLWithPath: path, isDirectory: true).appendingPathComponent(name) }
    let (configurationFile, weightFile) = (file("model_config.yaml"), file("model.safetensors"))
    let tokenizerFile = file("tokenizer.json")
    let configuration = try ModelConfiguration(file: configurationFile.path)
    self.path = path
    files = [configurationFile.path, weightFile.path, tokenizerFile.path]
    weights = weightFile.path
    model = try TargetModel(checkpoint: weights, configuration: configuration)
    tokenizer = try Tokenizer(path: tokenizerFile.path)
    try Self.requireFit(tokenizer, configuration)
    digests = [
      "configuration": try SHA256Digest(ofFile: configurationFile), "weights": try SHA256Digest(ofFile: weightFile),
      "tokenizer": try SHA256Digest(ofFile: tokenizerFile),
    ]
  }

  /// Checks that the model has a row for each of the tokenizer's tokens.
  static func requireFit(_ tokenizer: Tokenizer, _ configuration: ModelConfiguration) throws(InputFileError) {
    guard tokenizer.idLimit <= configuration.vocabularySize else {
      throw InputFileError(
        file: tokenizer.path,
        problem: "expected ids below the model's vocabulary of \(configuration.vocabularySize), "
          + "found \(tokenizer.idLimit - 1)", advice: "check that the tokenizer and the model belong together")
    }
  }

  /// Refuses to write over a file of the folder, or over one of the others that are read.
  public func refuse(output: String, over others: [String]) throws(InputFileError) {
    func place(_ path: String) -> String {
      URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
    guard !(files + others).contains(where: { place($0) == place(output) }) else {
      throw InputFileError(
        file: output, problem: "expected a file apart from those that are read, found one of them",
        advice: "choose another name for what is written")
    }
  }

  /// Reads corpora as text for this model.
  ///
  /// - Returns: the text, and the digests of the corpora's files as `corpus:NAME` and `cut:NAME`.
  public func text(
    corpora: [(name: String, path: String, share: Double)], start: String, context: Int
  ) throws -> (text: TrainingText, digests: [String: SHA256Digest]) {
    var digests: [String: SHA256Digest] = [:]
    var read: [TrainingText.Part] = []
    for (name, path, share) in corpora {
      read.append(TrainingText.Part(name: name, corpus: try Corpus(path: path), share: share))
      digests["corpus:\(name)"] = try SHA256Digest(ofFile: URL(fileURLWithPath: path))
      let cut = CorpusCut.path(besideText: path)
      if FileManager.default.fileExists(atPath: cut) {
        digests["cut:\(name)"] = try SHA256Digest(ofFile: URL(fileURLWithPath: cut))
      }
    }
    let text = TrainingText(
      corpora: read, tokenizer: tokenizer, start: try tokenizer.startToken(start), context: context)
    return (text, digests)
  }
}
