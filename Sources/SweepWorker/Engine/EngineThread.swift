internal import ContentHash
internal import Dispatch
internal import Foundation
internal import SweepCore
internal import SweepWire
internal import Synchronization

/// Runs cells, one at a time, on a thread of its own: a cell takes seconds to hours, which would starve everything
/// else on Swift's thread pool.
final class EngineThread: Sendable {
  /// What a thread is given to run.
  struct Job: Sendable {
    var cell: LeasedCell
    var artefacts: [Artefact]
  }

  private struct State {
    var job: Job?
    var cancelled: AttemptID?
    var progress: AttemptProgress?
    var isClosed = false
  }

  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)
  private let identity: WorkerIdentity
  private let clock: any WorkerClock
  private let onFinished: @Sendable (AttemptID, AttemptOutcome) -> Void

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - makeRunner: makes the engine, on the thread, when the first cell comes.
  ///   - onFinished: called on the thread after every job.
  static func start(
    identity: WorkerIdentity, clock: any WorkerClock, makeRunner: @escaping @Sendable () -> any CellRunner,
    onFinished: @escaping @Sendable (AttemptID, AttemptOutcome) -> Void
  ) -> EngineThread {
    let engine = EngineThread(identity: identity, clock: clock, onFinished: onFinished)
    let thread = Thread { engine.serve(makeRunner) }
    thread.stackSize = 16 << 20
    thread.start()
    // A name given before the start is lost on Linux. The thread is still there: nobody can have closed it yet.
    thread.name = "pdsweep-engine"
    return engine
  }

  private init(
    identity: WorkerIdentity, clock: any WorkerClock,
    onFinished: @escaping @Sendable (AttemptID, AttemptOutcome) -> Void
  ) {
    self.identity = identity
    self.clock = clock
    self.onFinished = onFinished
  }

  /// Starts a job. The thread must be idle.
  func run(_ job: Job) {
    state.withLock { state in
      precondition(state.job == nil, "the engine runs one cell at a time")
      state.job = job
      state.cancelled = nil
      state.progress = nil
    }
    wake.signal()
  }

  /// Tells the job of an attempt to end early.
  func cancel(_ attempt: AttemptID) {
    state.withLock { $0.cancelled = attempt }
  }

  /// The latest progress of the running job, once.
  func takeProgress() -> AttemptProgress? {
    state.withLock { state in
      defer { state.progress = nil }
      return state.progress
    }
  }

  /// Lets the thread end after its present job.
  func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  private func serve(_ makeRunner: () -> any CellRunner) {
    var runner: (any CellRunner)?
    var check = ArtefactCheck()
    while true {
      wake.wait()
      let (job, isClosed) = state.withLock { ($0.job, $0.isClosed) }
      if isClosed { return }
      guard let job else { continue }
      var ready = runner ?? makeRunner()
      let outcome: AttemptOutcome
      do throws(CellFailure) {
        outcome = .result(try run(job, on: &ready, &check))
      } catch {
        outcome = .failure(error)
      }
      runner = ready
      state.withLock { state in
        state.job = nil
        state.progress = nil
      }
      onFinished(job.cell.attempt, outcome)
    }
  }

  private func run(
    _ job: Job, on runner: inout any CellRunner, _ check: inout ArtefactCheck
  ) throws(CellFailure) -> AttemptResult {
    let attempt = job.cell.attempt
    let specification = try CellSpecification(leased: job.cell)
    let artefacts = try check.artefacts(of: specification, among: job.artefacts)
    let start = clock.now
    let run = try runner.run(specification, artefacts: artefacts) { progress in
      let progress = AttemptProgress(
        attempt: attempt, step: progress.step, steps: progress.steps, loss: progress.loss)
      state.withLock { $0.progress = progress }
    } isCancelled: {
      state.withLock { $0.cancelled == attempt }
    }
    try check.confirm(artefacts)
    let seconds = (clock.now - start) / .seconds(1)
    let report = AttemptReport(
      wallSeconds: seconds, tokensPerSecond: seconds > 0 ? Double(run.tokens) / seconds : 0, host: identity.host,
      engineVersion: identity.engineVersion)
    let result = CanonicalJSON.encode(run.result)
    guard result.count <= WireProtocol.cellResultBytes else {
      throw .refused(
        "expected a result of at most \(WireProtocol.cellResultBytes) bytes, found \(result.count); "
          + "ask for fewer steps or fewer evaluations along the way")
    }
    return AttemptResult(
      attempt: attempt, fingerprint: specification.fingerprint, result: result, report: CanonicalJSON.encode(report))
  }
}

extension CellSpecification {
  /// Reads a leased cell.
  ///
  /// - Throws: `CellFailure` of kind `refusedInput` if it is not exactly what this build would write: a field that
  ///   this build does not know would otherwise be passed over, and the cell run without it.
  init(leased cell: LeasedCell) throws(CellFailure) {
    do {
      self = try CanonicalJSON.decode(CellSpecification.self, from: cell.cell)
    } catch {
      throw .refused("cell \(cell.index): expected the specification of a cell, found what cannot be read: \(error)")
    }
    guard revision == Self.engineRevision else {
      throw .refused(
        "cell \(cell.index): expected engine revision \(Self.engineRevision), found \(revision); "
          + "run the same pdsweep on both sides")
    }
    guard CanonicalJSON.encode(self) == cell.cell else {
      throw .refused(
        "cell \(cell.index): expected a specification with the fields that this worker knows, found others; "
          + "run the same pdsweep on both sides")
    }
  }
}
