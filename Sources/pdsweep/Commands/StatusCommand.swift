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
      Reads a store, whether or not its sweep still runs: the number of cells in each state for every method, and how \
      many of them are cached (completed by another sweep of the store), the failures with their reasons, results that \
      could not be reproduced, and what was asked of the coordinator and not yet done.

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
    /// Completed cells whose result another sweep brought.
    let cached: Int
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
  let isPaused: Bool
  let priority: Int
  let cells: [String: Int]
  let cached: Int
  let methods: [Method]
  let failures: [Failure]
  let faults: [Fault]
  /// What was asked of the coordinator and not yet done.
  let requests: [String]
  /// The methods as a table; not part of the JSON.
  private let table: String

  private enum CodingKeys: String, CodingKey {
    case store, sweep, digest, coordinator, priority, cells, cached, methods, failures, faults, requests
    case isPaused = "paused"
  }

  init(_ sweep: SweepRecord, in reader: StoreReader) throws(StoreError) {
    store = reader.path
    self.sweep = sweep.description.name
    digest = sweep.description.digest
    coordinator = reader.coordinator
    isPaused = sweep.isPaused
    priority = sweep.priority
    let tallies = try reader.tallies(of: sweep.id)
    methods = tallies.map { Method(name: $0.method, cells: Self.byName($0.cells), cached: $0.cached) }
    table = StateTable.text(tallies.map { ($0.method, $0.cells, $0.cached) })
    cells = Self.byName(
      tallies.map(\.cells).reduce(into: [:]) { all, cells in all.merge(cells, uniquingKeysWith: +) })
    cached = tallies.reduce(0) { $0 + $1.cached }
    failures = try reader.unsuccessful(of: sweep.id).compactMap { cell in
      cell.failure.map { Failure(cell: cell.index, method: cell.method, kind: $0.kind.rawValue, message: $0.message) }
    }
    faults = try reader.faults(of: sweep.id).map {
      Fault(cell: $0.cell, attempt: $0.attempt.number, worker: $0.worker.name)
    }
    requests = try reader.openRequests().filter { $0.sweep == nil || $0.sweep == sweep.id }.map(\.wish.words)
  }

  /// Every state by name, those without cells included.
  private static func byName(_ cells: [CellRecord.State: Int]) -> [String: Int] {
    Dictionary(uniqueKeysWithValues: CellRecord.State.allCases.map { ($0.rawValue, cells[$0, default: 0]) })
  }

  /// The same for a terminal.
  var text: String {
    var text = "\(sweep): " + (coordinator.map { "run by \($0)" } ?? "not running") + (isPaused ? ", paused" : "")
    text += (priority == 0 ? "" : ", priority \(priority)") + "\n\n" + table
    if !requests.isEmpty { text += "\nAsked for: \(requests.joined(separator: ", "))\n" }
    if !failures.isEmpty { text += "\nFailed cells\n\n" + failureLines }
    if !faults.isEmpty {
      text += "\nResults that differ from the first of their cell\n\n"
      text += faults.map { "cell \($0.cell)  attempt \($0.attempt)  \($0.worker)".printable + "\n" }.joined()
    }
    return text
  }

  /// One line for all cells of a method that failed for the same reason, in the order of the first of each.
  private var failureLines: String {
    var groups: [(failure: Failure, cells: [Int])] = []
    var places: [String: Int] = [:]
    for failure in failures {
      let key = "\(failure.method)\n\(failure.kind)\n\(failure.message)"
      if let place = places[key] {
        groups[place].cells.append(failure.cell)
      } else {
        places[key] = groups.count
        groups.append((failure, [failure.cell]))
      }
    }
    return groups.map { failure, cells in
      let shown = cells.prefix(10).map(String.init).joined(separator: ",")
      let more = cells.count > 10 ? " and \(cells.count - 10) more" : ""
      return "\(shown)\(more)  \(failure.method)  \(failure.kind): \(failure.message)".printable + "\n"
    }.joined()
  }
}

extension StoreRequest.Wish {
  /// The wish in words for people.
  var words: String {
    switch self {
    case .pause: "pause"
    case .resume: "resume"
    case .cancel: "cancel"
    case .prioritise(let priority): "priority \(priority)"
    case .retry(let cells): "run \(cells.count) \(cells.count == 1 ? "cell" : "cells") again"
    }
  }
}
