internal import ArgumentParser
internal import Foundation
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
      selective subcomponents of each language, and for every site in Markdown which of its subcomponents is most \
      selective for each language, with the ratio in parentheses. Sweeps choose subcomponents by it (see `pdsweep plan \
      --help`), and `pdsweep inspect` shows it.

      EXAMPLES
        pdsweep harvest target/decomposition-ica.safetensors \\
            --corpus german=de.txt --corpus english=en.txt
        pdsweep harvest ica.safetensors --model target --tokens 65536 \\
            --corpus de=de.txt --corpus fr=fr.txt
      """
  )

  @Argument(help: "The decomposition.", completion: .file(extensions: ["safetensors"]))
  var decomposition: String

  @OptionGroup var text: DecompositionTextOptions

  @Option(help: "Training tokens of each language.")
  var tokens = 16_384

  @Option(help: "Chooses the tokens.")
  var seed = 0

  @Option(help: "Examples of each subcomponent; 0 keeps the text out of the file.")
  var examples = 5

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The file to write. [default: NAME.harvest.json beside the decomposition]", valueName: "file"))
  var output: String?

  @Option(help: "Threads of the BLAS.")
  var threads = 1

  func validate() throws {
    try DecompositionTextOptions.check("threads", threads, 1...256)
    try DecompositionTextOptions.check("tokens", tokens, 1...1_000_000_000)
    try DecompositionTextOptions.check("seed", seed, 0...1_000_000_000)
    try DecompositionTextOptions.check("examples", examples, 0...1000)
    guard text.corpus.count > 1 else {
      throw ValidationError("--corpus: expected two languages at least, as in --corpus german=de.txt, found one")
    }
  }

  func run() throws {
    Product.setThreads(threads)
    let (folder, context) = try text.target(of: decomposition)
    let place = output ?? HarvestRecord.path(beside: decomposition)
    try folder.refuse(
      output: place, over: [decomposition, ImportanceFile.path(beside: decomposition)] + text.corpus.map(\.path))
    let input = try DecompositionInput(path: decomposition, of: folder)
    let (read, digests) = try text.text(for: folder, context: context)
    let harvester = try Harvester(
      model: folder.model, decomposition: input.decomposition, importance: input.importance, text: read,
      tokens: tokens, seed: UInt64(seed), examples: examples)
    let languages = text.corpus.map(\.name)
    var file = try HarvestFile(
      .init(
        program: "pdsweep \(PDSweep.version)", inputs: digests.merging(input.digests) { other, _ in other },
        languages: languages, tokens: tokens, seed: seed, context: context, start: text.start))
    var ranking = SelectivityRanking(languages: languages)
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
  private var sites: MarkdownTable

  init(languages: [String]) {
    self.languages = languages
    sites = MarkdownTable(["site"] + languages, textColumns: 1)
  }

  /// Adds the subcomponents of a site.
  mutating func add(_ subcomponents: [SubcomponentHarvest]) {
    var selective: [String: SubcomponentHarvest] = [:]
    for subcomponent in subcomponents where subcomponent.selectivity.ratio > 0 {
      let (language, ratio) = (subcomponent.selectivity.language, subcomponent.selectivity.ratio)
      if ratio > selective[language]?.selectivity.ratio ?? 0 { selective[language] = subcomponent }
    }
    sites.append(
      [subcomponents.first?.site ?? ""]
        + languages.map { language in
          selective[language].map { "\($0.index) (\(Self.short($0.selectivity.ratio)))" } ?? ""
        })
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
        let ratio = Self.short(subcomponent.selectivity.ratio)
        let strength = String(format: "%.3g", subcomponent.strength[language] ?? 0)
        table +=
          "  \(subcomponent.site):\(subcomponent.index)  \(ratio) times the next, strength \(strength): "
          + "\(subcomponent.label)\n"
      }
    }
    return table + "\n" + sites.text
  }

  private static func short(_ ratio: Double) -> String { String(format: "%.4g", ratio) }
}
