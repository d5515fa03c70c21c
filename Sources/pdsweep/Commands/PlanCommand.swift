internal import ArgumentParser
internal import ContentHash
internal import Foundation
internal import SettingsFiles
internal import SweepCore
internal import SweepReport
internal import SweepStore

/// `pdsweep plan`.
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Print what a sweep would compute, without computing anything.",
    discussion: """
      Reads the sweep file, finds and digests the files that it names, and checks that they fit each other. Prints \
      the number of cells of every method under every token budget and the files; with --cells also every cell in \
      its order; and which subcomponents each selection comes to, with their labels, and how many times stronger they \
      are in the selection's corpus than in the next language. With --store also which of them are cached, because that store has results of them, and of the others \
      why not: in what the nearest result differs.

      The numbers of cells are printed even where files are missing; the exit status is then 2.

      SELECTIONS

      In a sweep file, `subcomponents` is a list of names or a selection, which is made from what `pdsweep harvest` \
      found of the decomposition (NAME.harvest.json beside it):

        ["h.1.attn.o_proj:3", "h.1.mlp.c_fc:8"]
        {select: most-selective, corpus: german, count: 1}
        {select: most-important, corpus: german, count: 16}
        {select: labelled, corpus: german, count: 4, sites: [h.1.mlp.c_fc]}
        {select: labelled, label: "German nouns", labels: labels.csv, count: 3}

        most-selective  by the strength in the corpus over the highest strength in
                        another language
        most-important  by the mean causal importance to the corpus; where the
                        decomposition has no importance function, by |attribution|
        labelled        those whose label is `label`, or else the corpus's name and
                        nothing more; the most selective for the corpus first, or,
                        without `corpus`, each for its own language

      Of equals, the first site and lowest number comes first. The corpus is one of the sweep file's, and a language \
      of the harvest. `sites` are those to choose among. `labels` is a file of labels in place of the harvest's, with \
      the header subcomponent,label and lines such as h.1.mlp.c_fc:8,"German nouns"; its path is relative to the sweep \
      file. A LoRA with `sites: of-selected` is added at the sites of its own `subcomponents`, or else of those of the \
      first method with edit: prefactors. Cells name the chosen subcomponents: another harvest that chooses the same \
      ones changes no cell.

      EXAMPLES
        pdsweep plan sweeps/demo.yaml
        pdsweep plan sweeps/demo.yaml --target models/small --corpora text
        pdsweep plan sweeps/demo.yaml --store demo.sqlite
        pdsweep plan sweeps/demo.yaml --json --cells
      """
  )

  @OptionGroup var sweepFile: SweepFileOptions

  @Option(
    help: ArgumentHelp("Say of which cells this store has results, and why of others not.", valueName: "file"),
    completion: .file(extensions: ["sqlite"]))
  var store: String?

  @Flag(help: "List every cell with its fingerprint and settings.")
  var cells = false

  @Flag(help: "Print one JSON object instead of tables.")
  var json = false

  func run() throws {
    let spec = try SweepSpec(contentsOf: URL(fileURLWithPath: sweepFile.file))
    let known = try store.map { try StoreReader(path: $0).specifications().map(KnownSpecification.init) }
    let sweep = Result { try sweepFile.inputs.resolve(spec, file: sweepFile.file) }
    let reuse = known.flatMap { known in (try? sweep.get()).map { ReuseReport($0.cells, known: known) } }
    guard !json else {
      return try Terminal.write(json: PlanDocument(sweep.get(), reuse, listsCells: cells))
    }
    let plan = SweepPlan(spec)
    let cached = try reuse.map { try sweep.get().cells(cachedIn: $0) }
    try Terminal.write("\(spec.name): \(plan.cells.count) cells\n\n" + plan.countTable(cached: cached))
    if let reuse { try Terminal.write("\nResults in the store\n\n" + reuse.table()) }
    let selections = try sweep.get().selectionTables()
    if !selections.isEmpty { try Terminal.write("\nSelections\n\n" + selections) }
    try Terminal.write("\nFiles\n\n" + sweep.get().fileTable())
    if cells { try Terminal.write("\nCells\n\n" + sweep.get().cellTable()) }
  }
}

extension ResolvedSweep {
  /// The cells that a store's results serve.
  fileprivate func cells(cachedIn reuse: ReuseReport) -> [Cell] {
    let cached = Set(reuse.groups.filter { $0.cachedFrom != nil }.flatMap(\.cells))
    return cells.filter { cached.contains($0.index) }
  }
}

extension KnownSpecification {
  fileprivate init(_ record: SpecificationRecord) {
    let standing: Standing
    switch record.state {
    case _ where record.completedBy != nil: standing = .completed(sweep: record.completedBy ?? "")
    case .failed: standing = .failed(record.failure?.kind ?? .engineFault)
    case .cancelled: standing = .cancelled
    case .pending, .running, .completed: standing = .unended
    }
    self.init(record.specification, fingerprint: record.fingerprint, standing: standing)
  }
}

/// What `plan --json` prints.
private struct PlanDocument: Encodable {
  struct Group: Encodable {
    let method: String
    let tokenBudget: Int
    let cells: Int
    let completed: Int?

    enum CodingKeys: String, CodingKey {
      case method, cells, completed
      case tokenBudget = "token_budget"
    }
  }

  struct Reuse: Encodable {
    let method: String
    let cells: [Int]
    let cachedFrom: String?
    let reason: String

    enum CodingKeys: String, CodingKey {
      case method, cells, reason
      case cachedFrom = "cached_from"
    }
  }

  struct File: Encodable {
    let role: String
    let path: String
    let sha256: SHA256Digest
    let bytes: Int
  }

  let sweep: String
  let digest: SHA256Digest
  let cells: Int
  /// Cells that the store has results of; without a store, none.
  let completed: Int?
  let groups: [Group]
  /// Which cells are cached and why others are not; without a store, none.
  let reuse: [Reuse]?
  /// What the selections come to.
  let selections: [SweepSelection]
  let files: [File]
  let list: [Cell]?

  init(_ resolved: ResolvedSweep, _ report: ReuseReport?, listsCells: Bool) {
    let inStore = report.map { resolved.cells(cachedIn: $0) }
    completed = inStore?.count
    reuse = report?.groups.map {
      Reuse(method: $0.method, cells: $0.cells, cachedFrom: $0.cachedFrom, reason: $0.reason)
    }
    sweep = resolved.spec.name
    digest = resolved.digest
    cells = resolved.cells.count
    groups = resolved.spec.methods.flatMap { method in
      method.tokenBudgets.map { budget in
        Group(
          method: method.name, tokenBudget: budget, cells: method.cellCount(tokenBudget: budget) ?? 0,
          completed: inStore?.count {
            $0.method == method.name && ($0.specification.training?.tokenBudget ?? 0) == budget
          })
      }
    }
    selections = resolved.selections
    files = (resolved.files.all + resolved.files.ofSelections).map { role, file in
      File(role: role, path: file.path, sha256: file.digest, bytes: file.size)
    }
    list = listsCells ? resolved.cells : nil
  }
}
