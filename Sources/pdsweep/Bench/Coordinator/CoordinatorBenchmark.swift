internal import Foundation
internal import Glibc
internal import SweepCore
internal import ZeroMQTransport

/// Measures a coordinator with workers in processes of their own, over loopback TCP.
struct CoordinatorBenchmark {
  /// What is measured.
  struct Settings {
    var workers: Int
    var slots: Int
    var cells: Int
    var isDurable: Bool
    var isEncrypted: Bool
    var connections: Int
    var recoveries: Int
  }

  /// What `pdsweep bench coordinator` prints, as one line of JSON.
  struct Report: Encodable {
    struct Recovery: Encodable {
      var killed: Double
      var silent: Double
    }

    var cellsPerSecond: Double
    var coordinatorMicrosecondsPerCell: Double
    var idleRoundTripMilliseconds: Quantiles
    var recoverySeconds: Recovery
    var coordinatorResidentMiB: Double
    var cellsPerCommit: Double
    var workers: Int
    var slots: Int
    var cells: Int
    var connections: Int
    var store: String
    var curve: Bool
    var cores: Int
    var parameterBytes: Int
    var resultBytes: Int

    enum CodingKeys: String, CodingKey {
      case cellsPerSecond = "cells_per_s"
      case coordinatorMicrosecondsPerCell = "coordinator_cpu_us_per_cell"
      case idleRoundTripMilliseconds = "idle_round_trip_ms"
      case recoverySeconds = "recovery_s"
      case coordinatorResidentMiB = "coordinator_rss_mib"
      case cellsPerCommit = "cells_per_commit"
      case workers, slots, cells, connections, store, curve, cores
      case parameterBytes = "parameter_bytes"
      case resultBytes = "result_bytes"
    }
  }

  /// Cells that are run one at a time.
  private static let mostRoundTrips = 1000
  /// Simulated workers of one process: they share its limit of open files.
  private static let crowd = 2500
  /// Time that nothing here takes on a machine that can be measured.
  private static let patience = Duration.seconds(120)

  private let settings: Settings
  private let place: BenchPlace
  private let keys: String?
  private let key: String?

  /// Prepares the folder of the benchmark; it is removed by ``BenchPlace/clear()``.
  init(_ settings: Settings, in place: BenchPlace) throws {
    self.settings = settings
    self.place = place
    try Data(BenchSweep.file).write(to: URL(fileURLWithPath: place.file("artefact")))
    if settings.isEncrypted {
      keys = place.file("keys")
      key = try KeyFolder(place.file("keys")).add(WorkerKeyName("bench"), at: Date())
    } else {
      (keys, key) = (nil, nil)
    }
  }

  /// Measures everything.
  ///
  /// - Throws: ``BenchError``, and what the system says where a process cannot be started.
  func run() async throws -> Report {
    let load = try await throughput()
    let idle = try await roundTrips()
    let recovery = try await recoveries()
    return Report(
      cellsPerSecond: Double(settings.cells) / load.seconds,
      coordinatorMicrosecondsPerCell: load.cpuSeconds / Double(settings.cells) * 1e6,
      idleRoundTripMilliseconds: idle, recoverySeconds: recovery, coordinatorResidentMiB: load.peakResidentMiB,
      cellsPerCommit: Double(settings.cells) / Double(load.commits),
      workers: settings.workers, slots: settings.slots, cells: settings.cells, connections: settings.connections,
      store: settings.isDurable ? "file, synchronous = FULL" : "memory", curve: settings.isEncrypted,
      cores: ProcessInfo.processInfo.activeProcessorCount, parameterBytes: BenchSweep.sizes.cell,
      resultBytes: BenchSweep.sizes.result)
  }

  // MARK: - The three parts

  /// Many workers at once.
  private func throughput() async throws -> CoordinatorMeasurement {
    let stage = try await stage("load", cells: settings.cells)
    let workers = try (0..<settings.workers).map { _ in
      try worker(of: stage, ["--slots", "\(settings.slots)"])
    }
    for worker in workers { _ = try await worker.line(BenchLine.ready, within: Self.patience) }
    for worker in workers { try worker.say(BenchLine.go) }
    let time = Self.patience + .seconds(settings.cells / 100)
    let measurement = try await stage.measurement(within: time)
    guard measurement.workers == settings.workers + settings.connections else {
      throw BenchError(
        "expected \(settings.workers + settings.connections) workers at the end, found \(measurement.workers): some were "
          + "taken for lost; the figures would say nothing")
    }
    stage.end()
    workers.forEach { $0.end() }
    return measurement
  }

  /// One worker with one engine process, which holds one cell at a time.
  private func roundTrips() async throws -> Quantiles {
    let stage = try await stage("idle", cells: min(settings.cells, Self.mostRoundTrips) + 1)
    let worker = try worker(of: stage, ["--processes", "--prefetch", "0"])
    try worker.say(BenchLine.go)
    let measurement = try await stage.measurement(within: Self.patience)
    stage.end()
    worker.end()
    guard let intervals = measurement.intervals else { preconditionFailure("two results have a time between them") }
    return intervals
  }

  /// One cell that never ends, and always one worker more than the one that has it.
  private func recoveries() async throws -> Report.Recovery {
    let stage = try await stage("recovery", cells: 1, ["--hold"])
    var holder = try await Supervisor(self, stage)
    _ = try await holder.runs()
    var killed = 0.0
    var silent = 0.0
    for _ in 0..<settings.recoveries {
      let (heir, time) = try await recovery(from: holder, stage) { kill($0.engine, SIGKILL) }
      killed = max(killed, time)
      let (next, silence) = try await recovery(from: heir, stage) { $0.part.signal(SIGSTOP) }
      silent = max(silent, silence)
      holder = next
    }
    holder.part.end()
    stage.end()
    return Report.Recovery(killed: killed, silent: silent)
  }

  /// Does something to the worker that has the cell, and measures until another runs it.
  private func recovery(
    from holder: Supervisor, _ stage: Stage, _ act: (Supervisor) -> Void
  ) async throws -> (heir: Supervisor, seconds: Double) {
    let heir = try await Supervisor(self, stage)
    // What the heir has said of its credit is on its way.
    try await Task.sleep(for: .milliseconds(200))
    let start = BenchClock.nanoseconds
    act(holder)
    let end = try await heir.runs()
    holder.part.end()
    guard end > start else { throw BenchError("a cell ran elsewhere before its worker was lost") }
    return (heir, Double(end - start) * 1e-9)
  }

  // MARK: - Processes

  /// A coordinator with the simulated workers that are connected to it.
  private struct Stage {
    let coordinator: BenchPart
    let address: String
    let crowds: [BenchPart]

    func measurement(within time: Duration) async throws -> CoordinatorMeasurement {
      let line = try await coordinator.line(BenchLine.done, within: time)
      return try CanonicalJSON.decode(from: Array(line.utf8))
    }

    func end() {
      coordinator.end()
      crowds.forEach { $0.end() }
    }
  }

  private func stage(_ name: String, cells: Int, _ more: [String] = []) async throws -> Stage {
    var arguments = ["--cells", "\(cells)", "--artefact", place.file("artefact")]
    if settings.isDurable { arguments += ["--store", place.file("\(name).sqlite")] }
    if let keys { arguments += ["--keys", keys] }
    let coordinator = try BenchPart("coordinator", arguments + more, in: place)
    let time = Self.patience + .seconds(cells / 1000)
    let address = try await coordinator.line(BenchLine.listening, within: time)
    let crowds = try stride(from: 0, to: settings.connections, by: Self.crowd).map { first in
      let count = min(Self.crowd, settings.connections - first)
      return try BenchPart("crowd", connection(to: address) + ["--workers", "\(count)"], in: place)
    }
    for crowd in crowds { _ = try await crowd.line(BenchLine.connected, within: Self.patience) }
    return Stage(coordinator: coordinator, address: address, crowds: crowds)
  }

  private func connection(to address: String) -> [String] {
    ["--connect", address] + (key.map { ["--key", $0] } ?? [])
  }

  private func worker(of stage: Stage, _ arguments: [String]) throws -> BenchPart {
    try BenchPart(
      "worker", connection(to: stage.address) + ["--artefact", place.file("artefact")] + arguments, in: place)
  }

  /// A worker with one engine process, connected and ready.
  private struct Supervisor {
    let part: BenchPart
    let engine: Int32

    init(_ benchmark: CoordinatorBenchmark, _ stage: Stage) async throws {
      part = try benchmark.worker(of: stage, ["--processes", "--hold", "--prefetch", "0"])
      try part.say(BenchLine.go)
      guard let engine = Int32(try await part.line(BenchLine.engine, within: CoordinatorBenchmark.patience)) else {
        throw BenchError("an engine did not tell its process")
      }
      self.engine = engine
      _ = try await stage.coordinator.line(
        "\(BenchLine.joined) \(BenchWorkerPart.namePrefix)\(part.processIdentifier)",
        within: CoordinatorBenchmark.patience)
    }

    /// When its engine began to run the cell, nanoseconds.
    func runs() async throws -> UInt64 {
      guard let moment = UInt64(try await part.line(BenchLine.running, within: CoordinatorBenchmark.patience)) else {
        throw BenchError("an engine did not tell when it ran a cell")
      }
      return moment
    }
  }
}
