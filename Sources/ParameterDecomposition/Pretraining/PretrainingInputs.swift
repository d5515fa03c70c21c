internal import ContentHash
public import Foundation
internal import LanguageModel
internal import SettingsFiles

/// A recipe with what its files hold: all that a training depends on.
public struct PretrainingInputs: Sendable {
  /// What every window begins with, and what stands between stretches of text.
  static let startText = "<|endoftext|>"

  /// A language of the mixture.
  struct Language: Sendable {
    let name: String
    let share: Double
    let text: SHA256Digest
    /// `nil` where the text is cut in the standard way.
    let cut: SHA256Digest?
    /// The training text.
    let tokens: [Int32]
  }

  /// The recipe.
  public let recipe: PretrainingRecipe
  /// The model's shape, the vocabulary included.
  let configuration: ModelConfiguration
  let start: Int
  let tokenizerBytes: [UInt8]
  let languages: [Language]
  let validation: HeldOutText
  let test: HeldOutText

  /// Reads the files that a recipe names, and checks that they fit each other.
  ///
  /// - Parameters:
  ///   - recipe: the recipe.
  ///   - file: where it was read; what it names is relative to its folder.
  ///   - tokenizer: a tokenizer file in place of the recipe's.
  ///   - corpora: a folder in which the texts are found by their file names, in place of the paths in the recipe.
  /// - Throws: `SettingsError` for a file that is not there or does not fit the recipe, `InputFileError` for one that
  ///   does not hold what it should.
  public init(recipe: PretrainingRecipe, file: URL, tokenizer: String? = nil, corpora: String? = nil) throws {
    let folder = file.deletingLastPathComponent()
    func refusal(_ keyPath: String, _ problem: String, _ advice: String) -> SettingsError {
      SettingsError(file: file.relativePath, position: nil, keyPath: keyPath, problem: problem, advice: advice)
    }
    func require(_ url: URL, _ keyPath: String, _ advice: String) throws(SettingsError) -> String {
      guard case .file = FileKind(of: url) else {
        throw refusal(keyPath, "expected a file, found \(FileProblem(url))", advice)
      }
      return url.standardizedFileURL.path
    }

    let tokenizerPath = try require(
      tokenizer.map { URL(fileURLWithPath: $0) } ?? URL(fileURLWithPath: recipe.tokenizer, relativeTo: folder),
      "tokenizer", "make it with `pdsweep tokenizer train`, or say where it lies with --tokenizer FILE")
    let read = try Tokenizer(path: tokenizerPath)
    tokenizerBytes = Array(try Data(contentsOf: URL(fileURLWithPath: tokenizerPath)))
    start = try read.startToken(Self.startText)
    let shape = recipe.shape
    configuration = ModelConfiguration(
      blockSize: shape.context, context: shape.context, vocabularySize: read.idLimit, layers: shape.layers,
      heads: shape.heads, keyValueHeads: shape.keyValueHeads, width: shape.width, intermediate: shape.intermediate,
      rotaryBase: shape.rotaryBase)
    let memory = PretrainingMemory(configuration: configuration, batch: recipe.training.batch)
    guard memory.bytes <= Double(ProcessInfo.processInfo.physicalMemory) else {
      throw refusal(
        "model",
        "expected a model that can be trained in this machine's "
          + "\(ProcessInfo.processInfo.physicalMemory >> 20) MiB, found one that needs \(memory.mebibytes) MiB",
        "choose smaller sizes")
    }

    let paths = try recipe.languages.map { language in
      let url = URL(fileURLWithPath: language.path, relativeTo: folder)
      let place = corpora.map {
        URL(fileURLWithPath: $0, isDirectory: true).appendingPathComponent(url.lastPathComponent)
      }
      return try require(
        place ?? url, "corpora.\(language.name).text",
        "make it with `pdsweep corpus`, or say where it lies with --corpora FOLDER")
    }
    var languages: [Language] = []
    var heldOut: (validation: [[TokenWindow]], test: [[TokenWindow]]) = ([], [])
    for (language, path) in zip(recipe.languages, paths) {
      let corpus = try Corpus(path: path)
      let text = try SHA256Digest(ofFile: URL(fileURLWithPath: path))
      if let other = languages.first(where: { $0.text == text }) {
        throw refusal(
          "corpora.\(language.name).text", "expected a text of its own, found the text of `\(other.name)` at \(path)",
          "give each language its own file")
      }
      let cut = CorpusCut.path(besideText: path)
      let tokens = LanguageStream.tokens(of: corpus, tokenizer: read, start: start)
      guard tokens.count >= shape.context else {
        throw refusal(
          "corpora.\(language.name).text",
          "expected training text of at least one window of \(shape.context) tokens, found \(tokens.count) at \(path)",
          "bring more text, or choose a shorter context")
      }
      for split in [Corpus.Split.validation, .test] {
        let windows = try corpus.evaluationWindows(
          split, tokens: recipe.evaluation.tokensPerCorpus, context: shape.context, tokenizer: read, start: start)
        if split == .validation { heldOut.validation.append(windows) } else { heldOut.test.append(windows) }
      }
      languages.append(
        Language(
          name: language.name, share: language.share, text: text,
          cut: FileManager.default.fileExists(atPath: cut) ? try SHA256Digest(ofFile: URL(fileURLWithPath: cut)) : nil,
          tokens: tokens))
    }
    self.recipe = recipe
    self.languages = languages
    validation = HeldOutText(windows: heldOut.validation)
    test = HeldOutText(windows: heldOut.test)
  }

  /// The order in which the text is seen.
  var mixture: TextMixture {
    TextMixture(
      streams: languages.map { language in
        LanguageStream(
          tokens: language.tokens, context: recipe.shape.context, start: start,
          seed: "text/\(recipe.training.seed)/\(language.name)")
      }, shares: languages.map(\.share))
  }

  /// Numbers by language as a table by name.
  func named<Value>(_ values: [Value]) -> [String: Value] {
    Dictionary(uniqueKeysWithValues: zip(languages.map(\.name), values))
  }
}

/// What a training holds in memory, as far as it grows with the model.
struct PretrainingMemory {
  let bytes: Double

  /// Counts weights in float32 twice (trained and as a model to compute with), moments in double precision, and a copy
  /// of the gradients for every part of a batch.
  init(configuration: ModelConfiguration, batch: Int) {
    let shapes = configuration.sites.map { configuration.shape(of: $0) }
    let weights =
      shapes.reduce(0.0) { $0 + Double($1.inputs) * Double($1.outputs) }
      + Double(configuration.vocabularySize) * Double(configuration.width)
    bytes = weights * Double(2 * 4 + 2 * 8 + 4 * BatchGradient.parts(ofBatch: batch))
  }

  var mebibytes: Int { Int((bytes / Double(1 << 20)).rounded(.up)) }
}
