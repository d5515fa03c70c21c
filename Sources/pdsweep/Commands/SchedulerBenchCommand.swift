internal import ArgumentParser

/// `pdsweep bench scheduler`.
struct SchedulerBenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scheduler",
    abstract: "Measure the scheduler alone.",
    discussion: """
      A sweep of so many cells is done by workers with four slots each that answer at once; one cell of a hundred \
      crashes once. Nothing is stored or sent. Prints one line of JSON:

        us_per_event             processor time of an event: a hello, a heartbeat, a
                                 result, a failure, a tick
        bytes_per_waiting_cell   memory of a cell that waits, its fingerprint included
        start_s                  processor time in which a scheduler takes up the
                                 sweep
        events, cells, workers   how many there were

      Measure a release build.

      EXAMPLES
        pdsweep bench scheduler
        pdsweep bench scheduler --cells 100000 --workers 2000
      """
  )

  @Option(help: "Cells of the sweep.")
  var cells = 1_000_000

  @Option(help: "Workers.")
  var workers = 64

  func validate() throws {
    guard (1000...10_000_000).contains(cells) else {
      throw ValidationError("expected --cells from 1000 to 10000000, found \(cells)")
    }
    guard (1...100_000).contains(workers) else {
      throw ValidationError("expected --workers from 1 to 100000, found \(workers)")
    }
  }

  func run() throws {
    try Terminal.write(json: SchedulerBenchmark(cells: cells, workers: workers).run())
  }
}
