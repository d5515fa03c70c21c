internal import ArgumentParser
internal import Foundation
internal import SweepCore
internal import SweepStore

/// `pdsweep retry`.
struct RetryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry",
    abstract: "Run cells again that failed or were cancelled.",
    discussion: """
      Every failed cell, unless options choose among them. A cell begins as if it had never failed; its history stays. \
      One whose result came after it had failed is completed by it. The coordinator that has the store takes the cells \
      up at once; else the next `pdsweep run` does. Prints how many there are.

      EXAMPLES
        pdsweep retry demo.sqlite
        pdsweep retry demo.sqlite --error out-of-memory
        pdsweep retry demo.sqlite --error 'No space left'
        pdsweep retry demo.sqlite --cell 3 --cell 17
        pdsweep retry demo.sqlite --state cancelled
      """
  )

  /// What became of a cell.
  enum End: String, ExpressibleByArgument, CaseIterable {
    case failed
    case cancelled
  }

  @OptionGroup var store: StoreOptions

  @Option(
    help: ArgumentHelp(
      "Only cells that failed so: the text occurs in the kind or the message.", valueName: "text"))
  var error: String?

  @Option(help: ArgumentHelp("Only this cell; may be given several times.", valueName: "number"))
  var cell: [Int] = []

  @Option(help: "Only cells that ended so: failed or cancelled. (default: failed; with --cell: either)")
  var state: End?

  func validate() throws {
    guard error != "" else { throw ValidationError("expected --error with a part of the reason, found nothing") }
    if error != nil, state == .cancelled {
      throw ValidationError("expected --error or --state cancelled, found both; cancelled cells have no error")
    }
  }

  func run() throws {
    let (reader, sweeps) = try store.openAll()
    let meant = try sweeps.map { sweep in
      (sweep, cells: try reader.unsuccessful(of: sweep.id).filter(isMeant).map(\.index))
    }
    for number in cell where !meant.contains(where: { $0.cells.contains(number) }) {
      throw StoreChoiceError(
        description: "\(reader.path): expected --cell with a cell that failed or was cancelled as asked, found "
          + "\(number)")
    }
    var holder: String?
    for (sweep, cells) in meant {
      if !cells.isEmpty { holder = try StoreRequests.leave(.retry(cells), for: sweep.id, in: reader.path) }
      let noun = cells.count == 1 ? "cell" : "cells"
      let when = cells.isEmpty ? "" : holder.map { ": asked \($0)" } ?? " at the next start"
      try Terminal.write("\(sweep.description.name): \(cells.count) \(noun) to be run again\(when)\n")
    }
  }

  private func isMeant(_ candidate: UnsuccessfulCell) -> Bool {
    guard cell.isEmpty || cell.contains(candidate.index) else { return false }
    guard let failure = candidate.failure else {
      // Cancelled: only who asks for it gets it.
      return error == nil && (state == .cancelled || state == nil && !cell.isEmpty)
    }
    guard state != .cancelled else { return false }
    guard let error else { return true }
    return "\(failure.kind.rawValue): \(failure.message)".localizedCaseInsensitiveContains(error)
  }
}
