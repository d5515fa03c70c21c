internal import ArgumentParser
internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition

/// The model of a decomposition and the text that the decomposition is looked at on.
struct DecompositionTextOptions: ParsableArguments {
  /// A language's text.
  struct Language: ExpressibleByArgument, Equatable {
    let name: String
    let path: String

    /// Reads `NAME=FILE`.
    init?(argument: String) {
      guard let sign = argument.firstIndex(of: "="), sign > argument.startIndex else { return nil }
      name = String(argument[..<sign])
      path = String(argument[argument.index(after: sign)...])
    }
  }

  @Option(
    help: ArgumentHelp("The model folder, if it is not the decomposition's own.", valueName: "folder"),
    completion: .directory)
  var model: String?

  @Option(help: ArgumentHelp("A language and its text; may be repeated.", valueName: "name=file"))
  var corpus: [Language]

  @Option(help: "Tokens of a window. [default: as many as the model was trained on]")
  var context: Int?

  @Option(help: "Text of the token that windows begin with.")
  var start = "<|endoftext|>"

  func validate() throws {
    try Self.check(corpus)
  }

  /// Refuses languages that share a name or a file.
  static func check(_ corpus: [Language]) throws {
    for (place, language) in corpus.enumerated() {
      guard !corpus[..<place].contains(where: { $0.name == language.name || $0.path == language.path }) else {
        throw ValidationError(
          "--corpus: expected a name and a file of its own for each language, found \(language.name)=\(language.path)")
      }
    }
  }

  /// Refuses a number of an option that is not in a range.
  static func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
      throw ValidationError(
        "--\(name): expected a number from \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
  }

  /// The model folder and the length of a window.
  func target(of decomposition: String) throws -> (folder: TargetFolder, context: Int) {
    let folder = try TargetFolder(
      path: model ?? URL(fileURLWithPath: decomposition).deletingLastPathComponent().path)
    let configuration = folder.model.configuration
    let context = context ?? configuration.blockSize
    guard (1...configuration.context).contains(context) else {
      throw ValidationError(
        "--context: expected a number from 1 to the model's context of \(configuration.context), found \(context)")
    }
    return (folder, context)
  }

  /// The text, and the digests of its files and the model's by what they are for.
  func text(
    for folder: TargetFolder, context: Int
  ) throws -> (text: TrainingText, digests: [String: SHA256Digest]) {
    let (text, digests) = try folder.text(
      corpora: corpus.map { ($0.name, $0.path, 1) }, start: start, context: context)
    return (text, folder.digests.merging(digests) { model, _ in model })
  }
}

/// A decomposition with its importance functions, if it has any.
struct DecompositionInput {
  let decomposition: Decomposition
  let importance: [ImportanceFunction]?
  /// The digests of the files.
  let digests: [String: SHA256Digest]

  /// Opens the files of a decomposition of the folder's model.
  init(path: String, of folder: TargetFolder) throws {
    decomposition = try Decomposition(path: path, configuration: folder.model.configuration)
    importance = try ImportanceFile.read(beside: decomposition)
    var digests = ["decomposition": try SHA256Digest(ofFile: URL(fileURLWithPath: path))]
    if importance != nil {
      digests["importance"] = try SHA256Digest(ofFile: URL(fileURLWithPath: ImportanceFile.path(beside: path)))
    }
    self.digests = digests
  }
}
