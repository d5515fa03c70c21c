internal import ArgumentParser

/// `pdsweep bench coordinator`.
struct CoordinatorBenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Measure the coordinator with workers whose cells do nothing.",
    discussion: """
      Starts a coordinator and workers, each a process of its own, over loopback TCP, and prints one line of JSON:

        cells_per_s                  from the first lease to the last result
        coordinator_cpu_us_per_cell  processor time of the coordinator's process in
                                     that time
        coordinator_rss_mib          the most memory that it took
        cells_per_commit             results of a transaction, on average
        idle_round_trip_ms           median and p99 of the time from one result to the next, with one worker that \
      holds one cell at a time
        recovery_s                   killed: from kill -9 of an engine's process to its cell running elsewhere; \
      silent: from a stop of a worker's process (SIGSTOP) to the same. The longest of --recoveries each

      The rest of the line says what was measured. Coordinator, store, transport and worker are the real ones. A cell \
      is as small as its form allows, and so is its result (parameter_bytes, result_bytes). For cells_per_s the \
      workers have no engine processes but a function that has the result at once; for the other figures they have.

      --connections adds workers that are simulated: each has its connection, says hello and gives a sign of life \
      every half second, and asks for no cells. All figures are then taken with them connected.

      Everything is written below a new folder in TMPDIR, which is removed at the end, however that comes. Measure a \
      release build on a machine that does nothing else.

      EXAMPLES
        pdsweep bench coordinator --workers 16 --cells 100000 --durable
        pdsweep bench coordinator --workers 16 --cells 100000 --connections 10000
        TMPDIR=/mnt/disk pdsweep bench coordinator --durable --curve
      """
  )

  @Option(help: "Worker processes.")
  var workers = 16

  @Option(help: "Cells that each worker runs at a time.")
  var slots = 4

  @Option(help: "Cells to measure cells_per_s with.")
  var cells = 100_000

  @Flag(help: "Commit to a file and wait for the disk, as sweeps do. Otherwise the store is in memory.")
  var durable = false

  @Flag(help: "Encrypt what is said (CURVE).")
  var curve = false

  @Option(help: "Simulated workers to connect besides.")
  var connections = 0

  @Option(help: "Times to measure each recovery.")
  var recoveries = 3

  func validate() throws {
    for (name, value, range) in [
      ("--workers", workers, 1...1000), ("--slots", slots, 1...256), ("--cells", cells, 1...10_000_000),
      ("--connections", connections, 0...30_000), ("--recoveries", recoveries, 1...100),
    ] where !range.contains(value) {
      throw ValidationError("expected \(name) from \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
  }

  func run() async throws {
    let place = try BenchPlace()
    let result: Result<CoordinatorBenchmark.Report, any Error>
    do {
      let benchmark = try CoordinatorBenchmark(
        .init(
          workers: workers, slots: slots, cells: cells, isDurable: durable, isEncrypted: curve,
          connections: connections, recoveries: recoveries), in: place)
      result = .success(try await benchmark.run())
    } catch {
      result = .failure(error)
    }
    await place.clear()
    try Terminal.write(json: result.get())
  }
}
