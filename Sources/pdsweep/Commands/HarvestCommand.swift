internal import ArgumentParser
internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition
internal import TensorKernels

/// `pdsweep harvest`.
struct HarvestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "harvest",
    abstract: "Find out what each subcomponent of a decomposition does, language by language.",
    discussion: """
      Runs the model on training text of each language. Writes a JSON file with one line for each subcomponent c:

        strength      root mean square of V[:, c]·x over the language's tokens, times
                      |U[c]|
        importance    mean causal importance over the language's tokens, from 0 to 1,
                      where the decomposition has an importance function
        attribution   gradient of the language's cross-entropy with respect to the
                      prefactor, nats
        density       on how many tokens it acts: (mean |a|)² / mean a² of a = V[:,
                      c]·x, from 0 to 1
        selectivity   the language of the highest strength, and its ratio to the next
        examples      the tokens at which it is strongest, with the text around them
        label         the same in words: "german", "languages: french italian",
                      "all languages but english", "all languages", with
                      ", rare: TOKEN" where it acts on single tokens

      Works for any decomposition of the model, with V and U for each site, whoever made it: NAME.safetensors, and \
      NAME.importance.safetensors beside it if it has an importance function. A folder may hold several, so the harvest \
      is NAME.harvest.json. Memory does not grow with the tokens, the file grows with --examples. Prints the most \
      selective subcomponents of each language.

      EXAMPLES
        pdsweep harvest target/decomposition-ica.safetensors \\
            --corpus german=de.txt --corpus english=en.txt
        pdsweep harvest ica.safetensors --model target --tokens 65536 \\
            --corpus de=de.txt --corpus fr=fr.txt
      """
  )

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

  @Argument(help: "The decomposition.", completion: .file(extensions: ["safetensors"]))
  var decomposition: String

  @Option(
    help: ArgumentHelp("The model folder, if it is not the decomposition's own.", valueName: "folder"),
    completion: .directory)
  var model: String?

  @Option(help: ArgumentHelp("A language and its text; two at least.", valueName: "name=file"))
  var corpus: [Language]

  @Option(help: "Training tokens of each language.")
  var tokens = 16_384

  @Option(help: "Chooses the tokens.")
  var seed = 0

  @Option(help: "Tokens of a window. [default: as many as the model was trained on]")
  var context: Int?

  @Option(help: "Text of the token that windows begin with.")
  var start = "<|endoftext|>"

  @Option(help: "Examples of each subcomponent.")
  var examples = 5

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The file to write. [default: NAME.harvest.json beside the decomposition]", valueName: "file"))
  var output: String?

  @Option(help: "Threads of the BLAS.")
  var threads = 1

  func validate() throws {
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
      guard range.contains(value) else {
        throw ValidationError(
          "--\(name): expected a number from \(range.lowerBound) to \(range.upperBound), found \(value)")
      }
    }
    try check("threads", threads, 1...256)
    try check("tokens", tokens, 1...1_000_000_000)
    try check("seed", seed, 0...1_000_000_000)
    try check("examples", examples, 1...1000)
    guard corpus.count > 1 else {
      throw ValidationError("--corpus: expected two languages at least, as in --corpus german=de.txt, found one")
    }
    for (place, language) in corpus.enumerated() {
      guard !corpus[..<place].contains(where: { $0.name == language.name || $0.path == language.path }) else {
        throw ValidationError(
          "--corpus: expected a name and a file of its own for each language, found \(language.name)=\(language.path)")
      }
    }
  }

  func run() throws {
    Product.setThreads(threads)
    let folder = try TargetFolder(
      path: model ?? URL(fileURLWithPath: decomposition).deletingLastPathComponent().path)
    let configuration = folder.model.configuration
    let context = context ?? configuration.blockSize
    guard (1...configuration.context).contains(context) else {
      throw ValidationError(
        "--context: expected a number from 1 to the model's context of \(configuration.context), found \(context)")
    }
    let place =
      output ?? URL(fileURLWithPath: decomposition).deletingPathExtension().path + ".harvest.json"
    try folder.refuse(
      output: place, over: [decomposition, ImportanceFile.path(beside: decomposition)] + corpus.map(\.path))
    let parts = try Decomposition(path: decomposition, configuration: configuration)
    let importance = try ImportanceFile.read(beside: parts)
    let (text, digests) = try folder.text(
      corpora: corpus.map { ($0.name, $0.path, 1) }, start: start, context: context)
    let harvester = try Harvester(
      model: folder.model, decomposition: parts, importance: importance, text: text, tokens: tokens,
      seed: UInt64(seed), examples: examples)
    var inputs = folder.digests.merging(digests) { model, _ in model }
    inputs["decomposition"] = try SHA256Digest(ofFile: URL(fileURLWithPath: decomposition))
    if importance != nil {
      inputs["importance"] = try SHA256Digest(
        ofFile: URL(fileURLWithPath: ImportanceFile.path(beside: decomposition)))
    }
    var file = try HarvestFile(
      .init(
        program: "pdsweep \(PDSweep.version)", inputs: inputs, languages: corpus.map(\.name), tokens: tokens,
        seed: seed, context: context, start: start))
    var ranking = SelectivityRanking(languages: corpus.map(\.name))
    try harvester.run { subcomponents in
      try file.append(subcomponents)
      ranking.add(subcomponents)
    }
    try file.write(to: place)
    try Terminal.write(ranking.table() + place + "\n")
  }
}

/// The most selective subcomponents of each language.
private struct SelectivityRanking {
  private static let kept = 5

  private let languages: [String]
  private var best: [String: [SubcomponentHarvest]] = [:]

  init(languages: [String]) {
    self.languages = languages
  }

  mutating func add(_ subcomponents: [SubcomponentHarvest]) {
    for subcomponent in subcomponents where subcomponent.selectivity.ratio > 0 {
      best[subcomponent.selectivity.language, default: []].append(subcomponent)
    }
    // Of equals, those of earlier sites and lower numbers stay first.
    for (language, found) in best {
      let order = found.enumerated().sorted {
        ($1.element.selectivity.ratio, $0.offset) < ($0.element.selectivity.ratio, $1.offset)
      }
      best[language] = order.prefix(Self.kept).map(\.element)
    }
  }

  func table() -> String {
    var table = ""
    for language in languages {
      table += "\(language)\n"
      let found = best[language] ?? []
      if found.isEmpty { table += "  no subcomponent acts on it most\n" }
      for subcomponent in found {
        let ratio = String(format: "%.4g", subcomponent.selectivity.ratio)
        let strength = String(format: "%.3g", subcomponent.strength[language] ?? 0)
        table +=
          "  \(subcomponent.site):\(subcomponent.index)  \(ratio) times the next, strength \(strength): "
          + "\(subcomponent.label)\n"
      }
    }
    return table
  }
}
