internal import ArgumentParser
internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition
internal import SweepReport
internal import TensorKernels

/// `pdsweep inspect`.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a subcomponent does, what a site holds, or what a target is made of.",
    discussion: """
      Of a subcomponent: its label and selectivity; for each language a number and a bar of its strength, density, \
      attribution, and importance where the decomposition has an importance function; and the tokens at which it is \
      strongest, with the text around them. Of a site: its subcomponents, the most selective first. Of nothing: the \
      target's decompositions, and for every site how many subcomponents bear which label. `pdsweep harvest --help` says \
      what the words mean.

      All this is read from the harvest beside the decomposition. With --corpus it is measured afresh on text of yours, \
      as `pdsweep harvest` would, at that one site: so examples can be had of a target whose harvest holds no text. A \
      label and a selectivity compare languages, and take two at least.

      On a terminal tokens stand on a ground that is the deeper, the stronger the activation: red above zero, blue below; \
      the strongest of a line is underlined, and with --corpus those around it are marked too. Elsewhere, and where \
      NO_COLOR is set, the strongest is in brackets.

      EXAMPLES
        pdsweep inspect
        pdsweep inspect h.1.attn.o_proj
        pdsweep inspect h.1.attn.o_proj:3
        pdsweep inspect h.1.attn.o_proj:3 --corpus german=de.txt --corpus english=en.txt
        pdsweep inspect h.1.mlp.c_fc:8 --target models/small --decomposition svd.safetensors
      """
  )

  /// Tokens told of the text around the strongest: more than a line of a terminal holds.
  private static let contextBefore = 48, contextBehind = 16

  @Argument(help: ArgumentHelp("A subcomponent or a site.", valueName: "subcomponent"))
  var part: String?

  @Option(
    help: ArgumentHelp("The target: a folder, or a name (see `pdsweep target list`).", valueName: "target"),
    completion: .directory)
  var target = "reference"

  @Option(
    help: ArgumentHelp(
      "The decomposition, a file in the target's folder. [default: the first by name]", valueName: "file"))
  var decomposition: String?

  @Option(help: ArgumentHelp("A language and its text, to measure afresh; may be repeated.", valueName: "name=file"))
  var corpus: [DecompositionTextOptions.Language] = []

  @Option(help: "Training tokens of each language of --corpus.")
  var tokens = 16_384

  @Option(help: "Chooses the tokens of --corpus.")
  var seed = 0

  @Option(help: "Examples to show.")
  var examples = 10

  @Option(help: "Text of the token that windows begin with.")
  var start = "<|endoftext|>"

  @Option(help: "Threads of the BLAS.")
  var threads = 1

  @Flag(help: "Print one JSON object instead of text.")
  var json = false

  func validate() throws {
    try DecompositionTextOptions.check("threads", threads, 1...256)
    try DecompositionTextOptions.check("tokens", tokens, 1...1_000_000_000)
    try DecompositionTextOptions.check("seed", seed, 0...1_000_000_000)
    try DecompositionTextOptions.check("examples", examples, 0...1000)
    try DecompositionTextOptions.check(corpus)
    guard part != nil || corpus.isEmpty else {
      throw ValidationError("--corpus: expected a subcomponent or a site to measure on it, found none")
    }
  }

  func run() throws {
    let folder = try TargetShelves.folder(target)
    guard let part else { return try showTarget(folder) }
    let inspected = try InspectedDecomposition(in: folder, name: decomposition)
    let (site, index) = try inspected.part(named: part)
    let harvester = try corpus.isEmpty ? nil : harvester(inspected, site)
    let findings = try harvester.map(measured) ?? inspected.harvested(site)
    guard let index else {
      let page = SitePage(target: target, decomposition: inspected.name, site: "\(site)", findings: findings)
      return try json ? Terminal.write(json: page.document) : Terminal.write(page.text(.suitable))
    }
    guard let subcomponent = findings.subcomponents.first(where: { $0.index == index }) else {
      throw InputFileError(
        file: HarvestRecord.path(beside: inspected.path), problem: "expected \(part) in the harvest, found none",
        advice: "make it again with `pdsweep harvest`")
    }
    let page = SubcomponentPage(
      target: target, decomposition: inspected.name, findings: findings, subcomponent: subcomponent,
      traces: harvester?.traces(
        of: SubcomponentName(site: site, index: index), before: Self.contextBefore, behind: Self.contextBehind),
      examples: examples)
    try json ? Terminal.write(json: page.document) : Terminal.write(page.text(.suitable))
  }

  /// What measures a site's subcomponents on the text of `--corpus`.
  private func harvester(_ inspected: InspectedDecomposition, _ site: Site) throws -> Harvester {
    Product.setThreads(threads)
    let target = try TargetFolder(path: inspected.folder.path)
    let input = try DecompositionInput(path: inspected.path, of: target)
    let (text, _) = try target.text(
      corpora: corpus.map { ($0.name, $0.path, 1) }, start: start, context: target.model.configuration.blockSize)
    return try Harvester(
      model: target.model, decomposition: input.decomposition.only(site),
      importance: input.importance?.filter { $0.site == site }, text: text, tokens: tokens, seed: UInt64(seed),
      examples: examples)
  }

  private func measured(_ harvester: Harvester) throws -> Findings {
    var found: [SubcomponentHarvest] = []
    try harvester.run { found += $0 }
    return Findings(source: .text, languages: corpus.map(\.name), tokens: tokens, subcomponents: found)
  }

  private func showTarget(_ folder: URL) throws {
    let summary = try TargetSummary(name: target, folder: folder)
    if let decomposition, !summary.decompositions.contains(where: { $0.file == decomposition }) {
      throw InputFileError(
        file: folder.path, problem: "expected a decomposition of the target, found \(decomposition.printable)",
        advice: "it has \(summary.decompositions.map(\.file).joined(separator: ", "))")
    }
    let harvests = try summary.decompositions.map { part -> HarvestRecord? in
      guard decomposition == nil || decomposition == part.file, !part.languages.isEmpty else { return nil }
      return try InspectedDecomposition(in: folder, name: part.file).harvest()
    }
    let page = TargetPage(summary: summary, harvests: harvests, only: decomposition)
    try json ? Terminal.write(json: page.document) : Terminal.write(page.text())
  }
}
