internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Logging
internal import SweepCoordinator
internal import SweepCore
internal import SweepStore
internal import SweepWire
internal import Synchronization
internal import ZeroMQTransport

/// The coordinator of the benchmark: a real one, over a real transport and store.
struct BenchCoordinatorPart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "coordinator", shouldDisplay: false)

  @Option var cells: Int
  /// The store's file; it is to be new.
  @Option var store: String?
  @Option var keys: String?
  /// The one file that all cells name.
  @Option var artefact: String
  /// Whether attempts at a cell may be as many as it takes.
  @Flag var hold = false

  func run() async throws {
    _ = BenchInput.lines()
    OpenFiles.raiseLimit()
    let transport = try await ZeroMQCoordinatorTransport.listen(
      on: Endpoint(host: "127.0.0.1", port: 0), security: keys.map { .keys(KeyFolder($0)) } ?? .loopback)
    let cells = BenchSweep.cells(self.cells)
    let keeper: any SweepKeeper = if let store { try SweepStore(path: store) } else { MemoryStore() }
    let open = try keeper.begin(BenchSweep.description(of: cells), cells: cells)
    guard let stamp = FileStamp(path: artefact) else { throw BenchError("\(artefact): expected a file, found none") }
    let file = SweepFile(path: artefact, digest: BenchSweep.fileDigest, stamp: stamp)
    let settings =
      hold ? Scheduler.Settings(maximumAttempts: 1_000_000, copyAfter: .seconds(3600)) : Scheduler.Settings()
    let watched = MeasuredStore(keeper, cells: cells.count)
    var logger = Logger(label: "pdsweep.bench") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .warning
    let coordinator = Coordinator(
      open,
      CoordinatorSession.Configuration(
        coordinatorID: "bench", storeID: keeper.storeID, engineVersion: PDSweep.version, build: Build.name,
        artefacts: [Artefact(digest: file.digest, role: "everything", name: "everything", size: file.size)],
        settings: settings),
      files: [file], store: watched, transport: transport, logger: logger)
    try Terminal.write("\(BenchLine.listening) \(transport.endpoint)\n")
    _ = try await coordinator.run()
    // The one who measures ends this process.
    try await Task.sleep(for: .seconds(3600))
  }
}

/// What a coordinator's process measured of itself, from its first lease to its last result.
struct CoordinatorMeasurement: Codable {
  /// Time, seconds.
  var seconds: Double
  /// Time of processors, of all its threads, seconds.
  var cpuSeconds: Double
  /// Transactions that held a result.
  var commits: Int
  /// Times from one result to the next, milliseconds: the median and that below which 99 of 100 lie.
  var intervals: Quantiles?
  /// The most memory at a time, MiB.
  var peakResidentMiB: Double
  /// Workers that joined and did not leave.
  var workers: Int
}

/// Commits to a store and measures.
private final class MeasuredStore: CoordinatorStore {
  private struct State {
    var left: Int
    var workers = 0
    var start: (nanoseconds: UInt64, cpu: Int)?
    /// When each commit with results returned.
    var results: [UInt64] = []
  }

  private let store: any CoordinatorStore
  private let state: Mutex<State>

  init(_ store: any CoordinatorStore, cells: Int) {
    self.store = store
    state = Mutex(State(left: cells))
  }

  func commit(_ batch: StoreBatch, in places: CellPlaces, at time: Date) async throws(StoreError) {
    begin(batch.writes)
    try await store.commit(batch, in: places, at: time)
    end(batch.writes)
  }

  func openRequests() async throws(StoreError) -> [StoreRequest] {
    try await store.openRequests()
  }

  private func begin(_ writes: [StoreWrite]) {
    state.withLock { state in
      guard state.start == nil, writes.contains(where: { if case .leased = $0 { true } else { false } }) else { return }
      // Processor time in microseconds.
      state.start = (BenchClock.nanoseconds, clock())
    }
  }

  private func end(_ writes: [StoreWrite]) {
    var joined: [WorkerID] = []
    let measurement: CoordinatorMeasurement? = state.withLock { state in
      var completed = 0
      for write in writes {
        switch write {
        case .outcome(_, .completed): completed += 1
        case .worker(let worker, .joined):
          state.workers += 1
          joined.append(worker)
        case .worker(_, .left), .worker(_, .lost): state.workers -= 1
        default: break
        }
      }
      guard completed > 0, let start = state.start else { return nil }
      let now = BenchClock.nanoseconds
      state.results.append(now)
      state.left -= completed
      guard state.left == 0 else { return nil }
      let intervals = zip(state.results, state.results.dropFirst()).map { Double($1 - $0) * 1e-6 }
      return CoordinatorMeasurement(
        seconds: Double(now - start.nanoseconds) * 1e-9, cpuSeconds: Double(clock() - start.cpu) * 1e-6,
        commits: state.results.count,
        intervals: Quantiles(intervals), peakResidentMiB: ProcessMemory.peakResidentMiB, workers: state.workers)
    }
    // The benchmark reads on; where it does not, this process is about to end.
    for worker in joined {
      // Before the name that a worker chose stands that of its key.
      guard let name = worker.name.split(separator: "/").last, name.hasPrefix(BenchWorkerPart.namePrefix) else {
        continue
      }
      try? Terminal.write("\(BenchLine.joined) \(name)\n")
    }
    if let measurement {
      try? Terminal.write("\(BenchLine.done) \(String(decoding: CanonicalJSON.encode(measurement), as: UTF8.self))\n")
    }
  }
}

/// Where measurements of a figure lie.
struct Quantiles: Codable {
  /// Half lie below.
  var median: Double
  /// 99 of 100 lie below.
  var p99: Double

  /// `nil` of nothing.
  init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    median = sorted[sorted.count / 2]
    p99 = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
  }
}
