internal import ArgumentParser
internal import Foundation
internal import SweepCore
internal import SweepReport
internal import SweepStore

/// `pdsweep report`.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a sweep's report: one page with tables, plots and what they show.",
    discussion: """
      Reads a store, whether or not its sweep still runs, and writes into a folder report.html, a page that needs \
      neither network nor other files, and what it is made of:

        report.html                  how few tokens each method needs and what that
                                     costs, in tables, plots and words; protocol and
                                     provenance
        headline, matched, chosen    its tables: Markdown (.md), LaTeX (.tex); the
                                     first two with full numbers (.csv)
        tokens.svg, attainment.svg,  its plots
        matched.svg, frontier.svg
        attainment.csv               the corners of every attainment surface
        protocol.json                all that an appendix would list
        rollouts.json,               with --rollouts: what edits do to text, and the
        divergence.svg               histogram of their divergence from the base model

      and the files of `pdsweep export`. Edits are chosen on the validation split and reported on the test split. All \
      files but provenance.csv and the last section of report.html are the same, byte for byte, for the same results. \
      Each file is replaced as a whole. Prints the names of the files.

      EXAMPLES
        pdsweep report --output report
        pdsweep report demo.sqlite --sweep demo --output demo.html
        pdsweep report demo.sqlite --output report --no-provenance
        pdsweep rollouts demo.sqlite --output rollouts.json && \\
            pdsweep report demo.sqlite --rollouts rollouts.json --output report
      """
  )

  @OptionGroup var store: StoreOptions

  @Option(
    help: ArgumentHelp(
      "The folder to write into; made if it is not there. With the ending .html, a file: the page alone.",
      valueName: "folder"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "Show what edits do to text, from this file of `pdsweep rollouts`.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var rollouts: String?

  @Flag(
    inversion: .prefixedNo,
    help: "End the page with hosts, versions, times and the sweep file, which differ between runs of a sweep.")
  var provenance = true

  @Flag(help: "Print one JSON object with the files' names.")
  var json = false

  func run() throws {
    let (reader, sweep) = try store.open()
    let reported = try ReportedSweep(sweep, in: reader)
    let provenance = provenance ? SweepProvenance(sweep, faults: try reader.faults(of: sweep.id)) : nil
    let document = try rollouts.map { try RolloutDocument(contentsOf: URL(fileURLWithPath: $0)) }
    let files = try write(reported, document, provenance)
    if json {
      try Terminal.write(json: ReportDocument(sweep: reported.name, files: files))
    } else {
      try Terminal.write(files.map { $0 + "\n" }.joined())
    }
  }

  private func write(
    _ sweep: ReportedSweep, _ rollouts: RolloutDocument?, _ provenance: SweepProvenance?
  ) throws -> [String] {
    let place = URL(fileURLWithPath: output)
    guard place.pathExtension.lowercased() == "html" else {
      let files = sweep.reportFiles(rollouts: rollouts, provenance: provenance)
      return try ExportFolder.write(files, to: place).map(\.relativePath)
    }
    let page = ExportedFile(
      name: place.lastPathComponent, text: sweep.reportHTML(rollouts: rollouts, provenance: provenance))
    return try ExportFolder.write([page], to: place.deletingLastPathComponent()).map { _ in output }
  }
}

/// What `report --json` prints.
private struct ReportDocument: Encodable {
  let sweep: String
  let files: [String]
}

extension SweepProvenance {
  /// What the store tells of how a sweep was computed.
  init(_ sweep: SweepRecord, faults: [ReproducibilityFault]) {
    self.init(
      reporter: PDSweep.version, sweepDigest: "\(sweep.description.digest)", sweepFile: sweep.description.file,
      begun: sweep.begun, opened: sweep.opened,
      faults: faults.map { Fault(cell: $0.cell, worker: $0.worker.name) })
  }
}
