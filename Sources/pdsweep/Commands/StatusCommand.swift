internal import ArgumentParser
internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepReport
internal import SweepStore

/// `pdsweep status`.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Print where the cells of a sweep stand.",
    discussion: """
      Reads a store, whether or not its sweep still runs: the number of cells in each state for every method, the \
      failures with their reasons, and results that could not be reproduced.

      EXAMPLES
        pdsweep status
        pdsweep status demo.sqlite --json
      """
  )

  @OptionGroup var store: StoreOptions

  @Flag(help: "Print one JSON object instead of tables.")
  var json = false

  func run() throws {
    let (reader, sweep) = try store.open()
    let status = try StatusDocument(sweep, in: reader)
    try json ? Terminal.write(json: status) : Terminal.write(status.text)
  }
}

/// Where a sweep stands: what `status --json` prints.
private struct StatusDocument: Encodable {
  struct Method: Encodable {
    let name: String
    let cells: [String: Int]

    init(_ name: String, _ cells: [CellRecord.State: Int]) {
      self.name = name
      self.cells = StatusDocument.byName(cells)
    }
  }

  struct Failure: Encodable {
    let cell: Int
    let method: String
    let kind: String
    let message: String
  }

  struct Fault: Encodable {
    let cell: Int
    let attempt: UInt64
    let worker: String
  }

  let store: String
  let sweep: String
  let digest: SHA256Digest
  /// The process that drives it now.
  let coordinator: String?
  let cells: [String: Int]
  let methods: [Method]
  let failures: [Failure]
  let faults: [Fault]
  /// The methods as a table; not part of the JSON.
  private let table: String

  private enum CodingKeys: String, CodingKey {
    case store, sweep, digest, coordinator, cells, methods, failures, faults
  }

  init(_ sweep: StoreReader.Sweep, in reader: StoreReader) throws(StoreError) {
    store = reader.path
    self.sweep = sweep.description.name
    digest = sweep.description.digest
    coordinator = reader.coordinator
    let tallies = try reader.tallies(of: sweep.id)
    methods = tallies.map { Method($0.method, $0.cells) }
    table = StateTable.text(tallies.map { ($0.method, $0.cells) })
    let all = tallies.map(\.cells).reduce(into: [:]) { all, cells in all.merge(cells, uniquingKeysWith: +) }
    cells = Self.byName(all)
    failures =
      all[.failed, default: 0] == 0
      ? []
      : try reader.records(of: sweep.id).filter { $0.state == .failed }.map { record in
        Failure(
          cell: record.cell.index, method: record.cell.method, kind: record.failure?.kind.rawValue ?? "",
          message: record.failure?.message ?? "")
      }
    faults = try reader.faults(of: sweep.id).map {
      Fault(cell: $0.cell.index, attempt: $0.attempt.number, worker: $0.worker.name)
    }
  }

  /// Every state by name, those without cells included.
  fileprivate static func byName(_ cells: [CellRecord.State: Int]) -> [String: Int] {
    Dictionary(uniqueKeysWithValues: CellRecord.State.allCases.map { ($0.rawValue, cells[$0, default: 0]) })
  }

  /// The same for a terminal.
  var text: String {
    var text = "\(sweep): " + (coordinator.map { "run by \($0)" } ?? "not running") + "\n\n"
    text += table
    if !failures.isEmpty {
      text += "\nFailed cells\n\n"
      text += failures.map { "\($0.cell)  \($0.method)  \($0.kind): \($0.message)".printable + "\n" }.joined()
    }
    if !faults.isEmpty {
      text += "\nResults that differ from the first of their cell\n\n"
      text += faults.map { "cell \($0.cell)  attempt \($0.attempt)  \($0.worker)".printable + "\n" }.joined()
    }
    return text
  }
}
