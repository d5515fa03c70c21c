internal import ArgumentParser
internal import ContentHash
internal import Foundation
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
      its order. With --store also how many of them have a result there, and will not be computed again.

      The numbers of cells are printed even where files are missing; the exit status is then 2.

      EXAMPLES
        pdsweep plan sweeps/demo.yaml
        pdsweep plan sweeps/demo.yaml --target models/small --corpora text
        pdsweep plan sweeps/demo.yaml --store demo.sqlite
        pdsweep plan sweeps/demo.yaml --json --cells
      """
  )

  @OptionGroup var sweepFile: SweepFileOptions

  @Option(
    help: ArgumentHelp("Count the cells that this store has results of.", valueName: "file"),
    completion: .file(extensions: ["sqlite"]))
  var store: String?

  @Flag(help: "List every cell with its fingerprint and settings.")
  var cells = false

  @Flag(help: "Print one JSON object instead of tables.")
  var json = false

  func run() throws {
    let spec = try SweepSpec(contentsOf: URL(fileURLWithPath: sweepFile.file))
    let stored = try store.map { Set(try StoreReader(path: $0).completed().keys) }
    let sweep = Result { try sweepFile.inputs.resolve(spec, file: sweepFile.file) }
    guard !json else {
      return try Terminal.write(json: PlanDocument(sweep.get(), stored: stored, listsCells: cells))
    }
    let plan = SweepPlan(spec)
    let completed = try? stored.map { try sweep.get().cells(in: $0) }
    try Terminal.write("\(spec.name): \(plan.cells.count) cells\n\n" + plan.countTable(completed: completed))
    try Terminal.write("\nFiles\n\n" + sweep.get().fileTable())
    if cells { try Terminal.write("\nCells\n\n" + sweep.get().cellTable()) }
  }
}

extension ResolvedSweep {
  /// The cells whose fingerprints are among these.
  fileprivate func cells(in fingerprints: Set<SHA256Digest>) -> [Cell] {
    cells.filter { fingerprints.contains($0.fingerprint) }
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
  let files: [File]
  let list: [Cell]?

  init(_ resolved: ResolvedSweep, stored: Set<SHA256Digest>?, listsCells: Bool) {
    let inStore = stored.map { resolved.cells(in: $0) }
    completed = inStore?.count
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
    files = resolved.files.all.map { role, file in
      File(role: role, path: file.path, sha256: file.digest, bytes: file.size)
    }
    list = listsCells ? resolved.cells : nil
  }
}
