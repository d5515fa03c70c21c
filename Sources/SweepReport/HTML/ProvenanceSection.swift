public import Foundation
internal import SweepCore

/// How a sweep's results were computed, beyond what its cells tell: differs between runs of the same sweep.
public struct SweepProvenance: Sendable, Hashable {
  /// A result that differs from the first of its cell.
  public struct Fault: Sendable, Hashable {
    /// The cell's place in the sweep.
    public let cell: Int
    /// The worker that gave it.
    public let worker: String

    /// Creates a fault.
    public init(cell: Int, worker: String) {
      self.cell = cell
      self.worker = worker
    }
  }

  /// The version of pdsweep that writes the report.
  public let reporter: String
  /// The digest that tells sweeps apart.
  public let sweepDigest: String
  /// The text of the sweep file.
  public let sweepFile: String
  /// When the sweep was entered into the store.
  public let begun: Date
  /// When a coordinator last took it up.
  public let opened: Date
  /// Results that differ from the first of their cell.
  public let faults: [Fault]

  /// Creates a provenance.
  public init(
    reporter: String, sweepDigest: String, sweepFile: String, begun: Date, opened: Date, faults: [Fault]
  ) {
    self.reporter = reporter
    self.sweepDigest = sweepDigest
    self.sweepFile = sweepFile
    self.begun = begun
    self.opened = opened
    self.faults = faults
  }
}

/// The last section of a report, and the only one that tells of hosts, versions and times.
struct ProvenanceSection {
  let sweep: ReportedSweep
  let provenance: SweepProvenance

  var section: ReportSection {
    let faults = provenance.faults
    let faultText =
      faults.isEmpty
      ? "none: no cell that was run more than once gave a different result"
      : faults.map { "cell \($0.cell) by \($0.worker)" }.joined(separator: ", ")
    let content: HTML = """
      <p>How the results were computed. This section alone differs between runs of the same sweep; \
      <code>provenance.csv</code> tells of every cell.</p>
      <dl class="facts">
      <dt>sweep digest</dt><dd><span class="code">\(provenance.sweepDigest)</span></dd>
      <dt>entered</dt><dd>\(Self.time(provenance.begun))</dd>
      <dt>last taken up</dt><dd>\(Self.time(provenance.opened))</dd>
      <dt>report written by</dt><dd>pdsweep \(provenance.reporter)</dd>
      <dt>engine versions</dt><dd>\(counted { $0.report?.engineVersion })</dd>
      <dt>hosts</dt><dd>\(counted { $0.report?.host })</dd>
      <dt>reproducibility faults</dt><dd>\(faultText)</dd>
      </dl>
      \(timeTable.html(number: 4))\(failures)<h3>Sweep file</h3>
      <pre tabindex="0">\(lines(provenance.sweepFile))</pre>

      """
    return ReportSection(id: "provenance", title: "Provenance", content: content)
  }

  /// Values of the completed cells with how many have each, most first.
  private func counted(_ value: (CellRecord) -> String?) -> String {
    let counts = sweep.records.compactMap(value).reduce(into: [:]) { $0[$1, default: 0] += 1 }
    let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let parts = sorted.map { "\($0.key) (\(grouped($0.value)) \($0.value == 1 ? "cell" : "cells"))" }
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }

  private var timeTable: ReportTable {
    var table = ReportTable(
      name: "time", title: "Time by method",
      caption: "Node-hours: the time of the attempts whose results were accepted, each on one core. Cells that another "
        + "sweep of the store brought count with the time that they took there.",
      columns: [
        .init(title: "Method", alignment: .left), .init(title: "Completed", alignment: .right),
        .init(title: "Failed", alignment: .right), .init(title: "From another sweep", alignment: .right),
        .init(title: "Attempts", alignment: .right), .init(title: "Node-hours", alignment: .right),
        .init(title: "Seconds a cell", alignment: .right), .init(title: "Tokens a second", alignment: .right),
      ])
    for (place, method) in sweep.analysis.methods.enumerated() {
      table.append(row(method.name, sweep.records.filter { $0.cell.method == method.name }, place: place))
    }
    table.append(row("all", sweep.records, place: nil))
    return table
  }

  private func row(_ name: String, _ records: [CellRecord], place: Int?) -> [ReportTable.Field] {
    let reports = records.compactMap(\.report)
    let seconds = reports.map(\.wallSeconds).reduce(0, +)
    return [
      ReportTable.Field(text: name, method: place), ReportTable.Field(text: grouped(reports.count)),
      ReportTable.Field(text: grouped(records.count { $0.state == .failed })),
      ReportTable.Field(text: grouped(records.count { $0.cachedFrom != nil })),
      ReportTable.Field(text: grouped(records.map(\.attempts).reduce(0, +))),
      ReportTable.Field(text: fixedDecimal(seconds / 3600, 2)),
      reports.isEmpty ? .spread([], 1) : .spread(reports.map(\.wallSeconds), 1),
      reports.isEmpty ? .spread([], 0) : .spread(reports.map(\.tokensPerSecond), 0),
    ]
  }

  private var failures: HTML {
    let failed = sweep.records.filter { $0.state == .failed }
    guard !failed.isEmpty else { return "" }
    let groups = Dictionary(grouping: failed) { $0.failure?.kind.rawValue ?? "unknown" }
    let items: [HTML] = groups.sorted { $0.key < $1.key }.map { kind, records in
      let first = records[0].failure?.message ?? "no reason is known"
      let count = "\(grouped(records.count)) \(records.count == 1 ? "cell" : "cells")"
      return "<li>\(kind): \(count); cell \(records[0].cell.index): \(first)</li>\n"
    }
    return "<h3>Failed cells</h3>\n<ul>\n\(items)</ul>\n"
  }

  private func lines(_ text: String) -> [HTML] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in "\(String(line))\n" }
  }

  /// A moment in Coordinated Universal Time.
  private static func time(_ date: Date) -> String {
    date.formatted(.iso8601.dateSeparator(.dash).timeSeparator(.colon))
  }
}
