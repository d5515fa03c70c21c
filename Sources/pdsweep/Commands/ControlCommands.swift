internal import ArgumentParser
internal import Foundation
internal import SweepStore

/// The store whose coordinator is asked for something, and the sweep it is about.
struct RequestOptions: ParsableArguments {
  @OptionGroup var store: StoreOptions

  /// Leaves a request for the named sweep, or for all of the store, and says so.
  func leave(_ wish: StoreRequest.Wish, now: String, later: String) throws {
    let (reader, sweeps) = try store.openAll()
    let names = sweeps.map(\.description.name).joined(separator: ", ")
    let holder = try StoreRequests.leave(wish, for: store.sweep == nil ? nil : sweeps[0].id, in: reader.path)
    try Terminal.write("\(names): " + (holder.map { "asked \($0): \(now)" } ?? later) + "\n")
  }
}

/// `pdsweep pause`.
struct PauseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause",
    abstract: "Hand out no more cells of a sweep; what runs may finish.",
    discussion: """
      Asks the coordinator that has the store, or else the next one. A pause lasts, over restarts too, until `pdsweep \
      resume`. Without --sweep it is about every sweep of the store.

      EXAMPLES
        pdsweep pause demo.sqlite
        pdsweep pause studies.sqlite --sweep demo
      """
  )

  @OptionGroup var request: RequestOptions

  func run() throws {
    try request.leave(.pause, now: "no more cells are handed out", later: "paused from its next start on")
  }
}

/// `pdsweep resume`.
struct ResumeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume",
    abstract: "Hand out the cells of a paused sweep again.",
    discussion: """
      Asks the coordinator that has the store, or else the next one. Without --sweep it is about every sweep of the \
      store.

      EXAMPLES
        pdsweep resume demo.sqlite
      """
  )

  @OptionGroup var request: RequestOptions

  func run() throws {
    try request.leave(.resume, now: "cells are handed out again", later: "no longer paused at its next start")
  }
}

/// `pdsweep cancel`.
struct CancelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel",
    abstract: "Call off every cell of a sweep that has not ended.",
    discussion: """
      Asks the coordinator that has the store, or else the next one. Results stay; `pdsweep retry --state cancelled` \
      takes it back. Without --sweep it is about every sweep of the store.

      EXAMPLES
        pdsweep cancel demo.sqlite
        pdsweep cancel studies.sqlite --sweep demo
      """
  )

  @OptionGroup var request: RequestOptions

  func run() throws {
    try request.leave(.cancel, now: "what has not ended is called off", later: "called off at its next start")
  }
}

/// `pdsweep prioritise`.
struct PrioritiseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prioritise",
    abstract: "Let a sweep go before others that the same coordinator runs.",
    discussion: """
      Workers are given cells of the sweep with the greatest number as long as it has any; sweeps of equal numbers get \
      equal shares. Every sweep begins with 0. Asks the coordinator that has the store, or else the next one.

      EXAMPLES
        pdsweep prioritise studies.sqlite --sweep demo --priority 5
      """
  )

  @OptionGroup var request: RequestOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The sweep's priority, from -1000 to 1000.", valueName: "number"))
  var priority: Int

  func validate() throws {
    guard (-1000...1000).contains(priority) else {
      throw ValidationError("expected --priority from -1000 to 1000, found \(priority)")
    }
  }

  func run() throws {
    try request.leave(
      .prioritise(priority), now: "priority \(priority)", later: "priority \(priority) from its next start on")
  }
}
