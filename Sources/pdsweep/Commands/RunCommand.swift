internal import ArgumentParser
internal import SweepWorker
internal import ZeroMQTransport

/// `pdsweep run`.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a sweep on this machine, or carry it on.",
    discussion: """
      Starts a coordinator in this process and a worker beside it, with an engine process for every cell that is to run \
      at a time, and runs every cell of the sweep that the store has no result of. Prints the frontier at the end.

      Everything is kept in the store as it comes. Whatever ends the run (Ctrl-C, a crash, a power cut), the same \
      command carries it on, and the results are those of an undisturbed run. An engine that dies is started again; \
      its cell runs elsewhere, at most three times. Ctrl-C or SIGTERM gives running cells a few seconds to finish; a \
      second one ends at once.

      EXAMPLES
        pdsweep run sweeps/demo.yaml
        pdsweep run sweeps/demo.yaml --workers 8 --store demo.sqlite --output results
        pdsweep run sweeps/demo.yaml --quiet --json

      EXIT STATUS
        0    every cell is completed
        1    a cell failed, or no worker could be kept running
        2    bad input: nothing was computed
        130  stopped by Ctrl-C (143 by SIGTERM)
      """
  )

  @OptionGroup var sweepFiles: SweepFilesOptions

  @Option(
    help: ArgumentHelp("Cells to run at a time, each on a core of its own. (default: cores)", valueName: "number"))
  var workers: Int?

  @OptionGroup var options: SweepRunOptions

  func validate() throws {
    let most = WorkerSession.Configuration.mostSlots
    guard let workers, !(1...most).contains(workers) else { return }
    throw ValidationError("expected --workers from 1 to \(most), found \(workers)")
  }

  func run() async throws {
    let sweep = try SweepRun(sweepFiles, options)
    try await sweep.run(
      listeningOn: Endpoint(host: "127.0.0.1", port: 0), security: .loopback,
      with: .local(workers ?? SlotCount.auto.count))
  }
}
