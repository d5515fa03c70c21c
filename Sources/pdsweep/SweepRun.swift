internal import ArgumentParser
internal import ContentHash
internal import Foundation
internal import Logging
internal import SweepCoordinator
internal import SweepCore
internal import SweepReport
internal import SweepStore
internal import SweepWire
internal import Synchronization
internal import ZeroMQTransport

/// Sweeps from their files to their results: a coordinator in this process, with workers beside it or elsewhere.
struct SweepRun: Sendable {
  /// Where workers come from.
  enum Workforce: Sendable {
    /// So many engines on this machine, beneath a worker process that this one starts.
    case local(Int)
    /// Whoever connects.
    case anyone
  }

  /// Time that running cells have to finish once the sweep is to stop.
  static let grace = Duration.seconds(5)

  /// At least one.
  private let inputs: [SweepInput]
  private let options: SweepRunOptions
  private let storePath: String
  private let display: ProgressDisplay

  /// Reads the sweep files and everything that they name.
  ///
  /// - Throws: the first thing that would keep the sweeps from running.
  init(_ files: SweepFilesOptions, _ options: SweepRunOptions) throws {
    inputs = try files.resolve()
    try options.checkOutput()
    self.options = options
    storePath = options.storePath(sweep: inputs[0].description.name)
    display = ProgressDisplay(style: options.quiet ? .silent : .suitable)
  }

  /// Runs the sweeps until every cell has ended or somebody stops it.
  ///
  /// - Throws: `ExitCode` where not every cell was completed; what is wrong with the input, the address or the store.
  func run(
    listeningOn endpoint: Endpoint, security: CoordinatorSecurity, with workforce: Workforce
  ) async throws {
    OpenFiles.raiseLimit()
    let transport = try await ZeroMQCoordinatorTransport.listen(on: endpoint, security: security)
    let store = try SweepStore(path: storePath)
    let open = try store.begin(inputs.map { SweepEntry($0.description, cells: $0.sweep.cells) }, at: Date())
    let watched = WatchedStore(store, options.quiet ? [] : inputs)
    try watched.takeUp(StoreReader(path: storePath))
    let coordinator = Coordinator(
      open,
      CoordinatorSession.Configuration(
        coordinatorID: UUID().uuidString, storeID: store.storeID, engineVersion: PDSweep.version,
        build: Build.name, artefacts: artefacts),
      files: inputs.flatMap { $0.sweep.files.all.map(\.file) }, store: watched, transport: transport,
      logger: logger(workforce))
    let worker = localWorker(workforce, transport.endpoint, coordinator)
    let interruption = Mutex<Interruption?>(nil)
    let interruptions = Interruptions { signal in
      interruption.withLock { $0 = signal }
      display.remark("stopping: cells that run have \(Self.grace.estimate) to finish; once more ends at once")
      Task { await stop(coordinator, worker) }
    } onSecond: {
      worker?.kill()
    }
    defer { withExtendedLifetime(interruptions) {} }

    let hasRequests = try await !store.openRequests().isEmpty
    if hasRequests || open.sweeps.contains(where: { $0.stored.cells.contains { !$0.state.isFinal } }) {
      if case .anyone = workforce, !options.quiet {
        Terminal.writeError("pdsweep: workers may connect to \(transport.endpoint)")
      }
      worker?.start()
    }
    let result = await Task { try await coordinator.run() }.follow(coordinator.progress) { progress in
      display.show(progress, watched.standing)
    }
    await worker?.stop(patience: .seconds(5))
    display.end()
    let last = try result.get()
    let reported = try reportedSweeps()
    try store.close()
    try finish(last, reported, interruption: interruption.withLock { $0 })
  }

  /// The files of all sweeps, each once.
  private var artefacts: [Artefact] {
    var known: Set<SHA256Digest> = []
    return inputs.flatMap(\.sweep.files.all).filter { known.insert($0.file.digest).inserted }.map { role, file in
      Artefact(
        digest: file.digest, role: role, name: URL(fileURLWithPath: file.path).lastPathComponent, size: file.size)
    }
  }

  // MARK: - Workers

  private func localWorker(
    _ workforce: Workforce, _ endpoint: Endpoint, _ coordinator: Coordinator
  ) -> LocalWorker? {
    guard case .local(let count) = workforce else { return nil }
    return LocalWorker(
      arguments: ["worker", "--connect", "\(endpoint)", "--slots", "\(count)", "--grace", "0", "--of-run"],
      files: RunFiles(inputs.flatMap { $0.sweep.files.all.map(\.file) })
    ) { event in
      switch event {
      case .said(let line):
        display.remark(String(line.trimmingPrefix("pdsweep: ")))
      case .notStarted(let reason):
        display.remark("the worker process cannot be started: \(reason)")
      case .died(let process, let exit, let verdict):
        let next =
          switch verdict {
          case .restart(let pause): "another is started in \(pause)"
          case .giveUp, .done: "no other is started in its place"
          }
        display.remark("the worker process (\(process)) ended with \(exit); \(next)")
      case .gone:
        Task { await coordinator.drain() }
      }
    }
  }

  private func stop(_ coordinator: Coordinator, _ worker: LocalWorker?) async {
    await coordinator.drain()
    try? await Task.sleep(for: Self.grace)
    worker?.handBack()
  }

  private func logger(_ workforce: Workforce) -> Logger {
    let level: Logger.Level =
      switch workforce {
      // How its own processes end is told above, and failed cells are told at the end.
      case .local: .critical
      case .anyone: options.quiet ? .error : .warning
      }
    return Logger(label: "pdsweep.coordinator") { _ in RemarkLog(display: display, level: level) }
  }

  // MARK: - The end

  private func reportedSweeps() throws(StoreError) -> [ReportedSweep] {
    let reader = try StoreReader(path: storePath)
    let entries = try reader.sweeps()
    var reported: [ReportedSweep] = []
    for input in inputs {
      guard let entry = entries.first(where: { $0.description.digest == input.description.digest }) else {
        throw StoreError.damaged(
          path: storePath, detail: "sweep \(input.description.name), which was run, is not in it")
      }
      reported.append(try ReportedSweep(entry, in: reader))
    }
    return reported
  }

  private func finish(_ last: SweepProgress, _ reported: [ReportedSweep], interruption: Interruption?) throws {
    let isOver = last.ended == last.total
    for (sweep, (input, reported)) in zip(last.sweeps, zip(inputs, reported)) {
      var files: [String] = []
      if isOver, let output = options.output {
        let folder = URL(fileURLWithPath: inputs.count == 1 ? output : "\(output)/\(sweep.name)")
        files = try ExportFolder.write(reported.exportedFiles(), to: folder).map(\.relativePath)
      }
      if options.json {
        try Terminal.write(
          json: RunDocument(
            sweep, last.elapsed, digest: input.description.digest, store: storePath, files: files))
      } else if !options.quiet, isOver {
        if inputs.count > 1 { try Terminal.write("\(sweep.name)\n\n") }
        try Terminal.write(reported.frontierTable())
        try Terminal.write("\nStore: \(storePath)\n" + files.map { "Wrote: \($0)\n" }.joined())
      }
      tell(of: reported.records.filter { $0.state == .failed })
      if sweep.faults > 0 {
        display.remark("\(sweep.faults) results differ from the first of their cell: see `pdsweep status \(storePath)`")
      }
    }
    guard !last.isComplete else { return }
    if !isOver {
      display.remark("\(last.ended) of \(last.total) cells are done; run the same command again to carry on")
    }
    throw ExitCode(interruption?.exitStatus ?? 1)
  }

  private func tell(of failed: [CellRecord]) {
    for record in failed.prefix(5) {
      let reason = record.failure.map { "\($0.kind.rawValue): \($0.message)" } ?? "for a reason unknown"
      display.remark("cell \(record.cell.index) (\(record.cell.method)) failed: \(reason)")
    }
    if failed.count > 5 {
      display.remark("\(failed.count - 5) more cells failed: see `pdsweep status \(storePath)`")
    }
  }
}

/// What `run --json` prints.
private struct RunDocument: Encodable {
  let sweep: String
  let digest: SHA256Digest
  let store: String
  let cells: [String: Int]
  let completedInThisRun: Int
  let faults: Int
  let seconds: Double
  let files: [String]

  enum CodingKeys: String, CodingKey {
    case sweep, digest, store, cells, faults, seconds, files
    case completedInThisRun = "completed_in_this_run"
  }

  init(
    _ last: SweepProgress.Sweep, _ elapsed: Duration, digest: SHA256Digest, store: String, files: [String]
  ) {
    sweep = last.name
    self.digest = digest
    self.store = store
    cells = Dictionary(uniqueKeysWithValues: CellRecord.State.allCases.map { ($0.rawValue, last.count($0)) })
    completedInThisRun = last.completedHere
    faults = last.faults
    seconds = elapsed / .seconds(1)
    self.files = files
  }
}

/// A coordinator's store that also keeps how far the results of a single sweep have come, for the progress line.
final class WatchedStore: CoordinatorStore {
  private let store: SweepStore
  /// The sweep; `nil` where there are several, which have no best of all.
  private let sweep: SweepDescription?
  /// The cells that a result is of.
  private let cells: [SHA256Digest: [Cell]]
  private let state: Mutex<State>

  private struct State {
    var best: BestRemoval?
    var frontier: GrowingFrontier?
  }

  init(_ store: SweepStore, _ inputs: [SweepInput]) {
    self.store = store
    let only = inputs.count == 1 ? inputs.first : nil
    let cells = only?.sweep.cells ?? []
    sweep = only?.description
    self.cells = Dictionary(grouping: cells, by: \.fingerprint)
    let largestBudget = cells.map { $0.specification.training?.tokenBudget ?? 0 }.max() ?? 0
    state = Mutex(
      State(
        best: nil,
        frontier: only.map {
          GrowingFrontier(vocabularySize: $0.description.vocabularySize, largestBudget: largestBudget)
        }))
  }

  /// What the results so far amount to; `nil` before the first.
  var standing: Standing? {
    state.withLock { state in
      guard let frontier = state.frontier, !frontier.methods.isEmpty else { return nil }
      return Standing(best: state.best, hypervolume: frontier.fronts.hypervolume.plane.validation)
    }
  }

  /// Takes in the results that the store has already.
  func takeUp(_ reader: StoreReader) throws(StoreError) {
    for found in try reader.sweeps() where found.description.digest == sweep?.digest {
      for record in try reader.records(of: found.id) {
        if let result = record.result { note(result, of: record.cell) }
      }
    }
  }

  /// Commits, and takes in the results.
  func commit(_ batch: StoreBatch, in places: CellPlaces, at time: Date) async throws(StoreError) {
    try await store.commit(batch, in: places, at: time)
    for case .result(_, let delivered) in batch.writes {
      guard let cells = cells[delivered.fingerprint],
        let result = try? CanonicalJSON.decode(CellResult.self, from: delivered.result)
      else { continue }
      for cell in cells { note(result, of: cell) }
    }
  }

  /// The requests that no coordinator has taken up.
  func openRequests() async throws(StoreError) -> [StoreRequest] {
    try await store.openRequests()
  }

  private func note(_ result: CellResult, of cell: Cell) {
    guard let goal = sweep?.goal else { return }
    state.withLock { state in
      state.best = BestRemoval.better(of: state.best, and: cell, result, goal: goal)
      state.frontier?.insert(result, of: cell)
    }
  }
}

extension CellRecord.State {
  /// Whether the cell has come to its end.
  fileprivate var isFinal: Bool {
    switch self {
    case .pending, .running: false
    case .completed, .failed, .cancelled: true
    }
  }
}

extension Task where Failure == any Error {
  /// Hands each element of a sequence that the task ends to `body`, and returns the task's result.
  fileprivate func follow<Element: Sendable>(
    _ elements: AsyncStream<Element>, _ body: (Element) -> Void
  ) async -> Result<Success, Failure> {
    for await element in elements { body(element) }
    return await result
  }
}
