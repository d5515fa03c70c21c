internal import ArgumentParser
internal import Foundation
internal import SweepCore
internal import SweepStore

/// `pdsweep events`.
struct EventsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events",
    abstract: "Print the history of a sweep, or of one of its cells.",
    discussion: """
      Reads a store, whether or not its sweep still runs: every lease and how it ended, on which worker and why, what \
      cells came to, workers that came, went and were set aside, and what was asked of the coordinator. Times are UTC.

      EXAMPLES
        pdsweep events demo.sqlite --cell 17
        pdsweep events demo.sqlite --json
      """
  )

  @OptionGroup var store: StoreOptions

  @Option(help: ArgumentHelp("The history of this cell only.", valueName: "number"))
  var cell: Int?

  @Flag(help: "Print one JSON object instead of lines.")
  var json = false

  func run() throws {
    let (reader, sweep) = try store.open()
    if let cell {
      let cells = try reader.tallies(of: sweep.id).reduce(0) { $0 + $1.cells.values.reduce(0, +) }
      guard (0..<cells).contains(cell) else {
        throw ValidationError("expected --cell from 0 to \(cells - 1), found \(cell)")
      }
    }
    let events = try reader.events(of: sweep.id, cell: cell).map(EventDocument.init)
    guard !json else {
      return try Terminal.write(json: EventsDocument(sweep: sweep.description.name, events: events))
    }
    try Terminal.write(events.map { $0.text + "\n" }.joined())
  }
}

/// What `events --json` prints.
private struct EventsDocument: Encodable {
  let sweep: String
  let events: [EventDocument]
}

private struct EventDocument: Encodable {
  /// ISO 8601, UTC, with milliseconds.
  let at: String
  let kind: String
  let cell: Int?
  let attempt: UInt64?
  let worker: String?
  let message: String?

  init(_ event: StoredEvent) {
    at = event.at.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    kind = event.kind
    cell = event.cell
    attempt = event.attempt?.number
    worker = event.worker?.name
    message = event.message
  }

  /// The same for a terminal.
  var text: String {
    var parts = [at, kind]
    if let cell { parts.append("cell \(cell)") }
    if let attempt { parts.append("attempt \(attempt)") }
    if let worker { parts.append("on \(worker)") }
    return (parts.joined(separator: "  ") + (message.map { ": \($0)" } ?? "")).printable
  }
}
