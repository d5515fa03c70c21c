internal import ArgumentParser
internal import Foundation
internal import SweepReport

/// `pdsweep export`.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a sweep's results as CSV, JSON and a plot.",
    discussion: """
      Reads a store, whether or not its sweep still runs, and writes into a folder:

        cells.csv       every cell with its settings, and every measurement of it
        steps.csv       the losses of every training step
        frontier.csv    the measurements on any frontier, with 95 % intervals
        windows.csv     what every evaluation window read in these measurements
        frontier.json   frontiers, hypervolumes and tokens to target of every method
        frontier.svg    removal against retention cost, for print
        provenance.csv  where, when and how fast cells ran

      All but provenance.csv are the same, byte for byte, for the same results. Each file is replaced as a whole. \
      Prints the names of the files.

      EXAMPLES
        pdsweep export --output results
        pdsweep export demo.sqlite --sweep demo --output results --json
      """
  )

  @OptionGroup var store: StoreOptions

  @Option(help: ArgumentHelp("The folder to write into; made if it is not there.", valueName: "folder"))
  var output: String

  @Flag(help: "Print one JSON object with the files' names.")
  var json = false

  func run() throws {
    let sweep = try store.reportedSweep()
    let files = try ExportFolder.write(sweep.exportedFiles(), to: URL(fileURLWithPath: output)).map(\.relativePath)
    if json {
      try Terminal.write(json: ExportDocument(sweep: sweep.name, files: files))
    } else {
      try Terminal.write(files.map { $0 + "\n" }.joined())
    }
  }
}

/// What `export --json` prints.
private struct ExportDocument: Encodable {
  let sweep: String
  let files: [String]
}
