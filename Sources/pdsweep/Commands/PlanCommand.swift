internal import ArgumentParser
internal import ContentHash
internal import SweepCore
internal import SweepReport

/// `pdsweep plan`.
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Print what a sweep would compute, without computing anything.",
    discussion: """
      Reads the sweep file, finds and digests the files that it names, and checks that they fit each other. Prints \
      the number of cells of every method under every token budget and the files; with --cells also every cell in \
      its order.

      The numbers of cells are printed even where files are missing; the exit status is then 2.

      EXAMPLES
        pdsweep plan sweeps/demo.yaml
        pdsweep plan sweeps/demo.yaml --target models/small --corpora text
        pdsweep plan sweeps/demo.yaml --json --cells
      """
  )

  @OptionGroup var sweepFile: SweepFileOptions

  @Flag(help: "List every cell with its fingerprint and settings.")
  var cells = false

  @Flag(help: "Print one JSON object instead of tables.")
  var json = false

  func run() throws {
    let spec = try sweepFile.spec()
    let plan = SweepPlan(spec)
    guard !json else {
      let sweep = try sweepFile.resolve(spec)
      return try Terminal.write(json: PlanDocument(sweep, listsCells: cells))
    }
    try Terminal.write("\(spec.name): \(plan.cells.count) cells\n\n" + plan.countTable())
    let sweep = try sweepFile.resolve(spec)
    try Terminal.write("\nFiles\n\n" + sweep.fileTable())
    if cells { try Terminal.write("\nCells\n\n" + sweep.cellTable()) }
  }
}

/// What `plan --json` prints.
private struct PlanDocument: Encodable {
  struct Group: Encodable {
    let method: String
    let tokenBudget: Int
    let cells: Int

    enum CodingKeys: String, CodingKey {
      case method
      case tokenBudget = "token_budget"
      case cells
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
  let groups: [Group]
  let files: [File]
  let list: [Cell]?

  init(_ resolved: ResolvedSweep, listsCells: Bool) {
    sweep = resolved.spec.name
    digest = resolved.digest
    cells = resolved.cells.count
    groups = resolved.spec.methods.flatMap { method in
      method.tokenBudgets.map { budget in
        Group(method: method.name, tokenBudget: budget, cells: method.cellCount(tokenBudget: budget) ?? 0)
      }
    }
    files = resolved.files.all.map { role, file in
      File(role: role, path: file.path, sha256: file.digest, bytes: file.size)
    }
    list = listsCells ? resolved.cells : nil
  }
}
