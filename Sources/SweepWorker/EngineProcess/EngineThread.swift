internal import ContentHash
internal import Dispatch
internal import Foundation
internal import SweepCore
internal import SweepWire
internal import Synchronization

/// What an engine writes into the reports of its attempts.
public struct EngineSignature: Sendable, Hashable {
  /// Its machine's name.
  public var host: String
  /// The version of pdsweep that it was built from.
  public var version: String

  /// Creates a signature.
  public init(host: String, version: String) {
    self.host = host
    self.version = version
  }
}

/// Runs cells, one at a time, on a thread of its own with a stack of 16 MiB, so that an engine hears and speaks while it
/// trains.
final class EngineThread: Sendable {
  private struct State {
    var job: EngineJob?
    var cancelled: AttemptID?
    var progress: AttemptProgress?
    var isClosed = false
  }

  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)
  private let signature: EngineSignature
  private let clock: any WorkerClock
  private let onFinished: @Sendable (FromEngine) -> Void

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - makeRunner: makes the engine, on the thread, when the first cell comes.
  ///   - onFinished: called on the thread after every job.
  static func start(
    signature: EngineSignature, clock: any WorkerClock, makeRunner: @escaping @Sendable () -> any CellRunner,
    onFinished: @escaping @Sendable (FromEngine) -> Void
  ) -> EngineThread {
    let engine = EngineThread(signature: signature, clock: clock, onFinished: onFinished)
    let thread = Thread { engine.serve(makeRunner) }
    thread.stackSize = 16 << 20
    thread.start()
    // A name given before the start is lost on Linux. The thread is still there: nobody can have closed it yet.
    thread.name = "pdsweep-engine"
    return engine
  }

  private init(
    signature: EngineSignature, clock: any WorkerClock,
    onFinished: @escaping @Sendable (FromEngine) -> Void
  ) {
    self.signature = signature
    self.clock = clock
    self.onFinished = onFinished
  }

  /// Starts a job; `false` if another runs.
  func run(_ job: EngineJob) -> Bool {
    let isIdle = state.withLock { state in
      guard state.job == nil else { return false }
      state.job = job
      state.cancelled = nil
      state.progress = nil
      return true
    }
    if isIdle { wake.signal() }
    return isIdle
  }

  /// Tells the job of an attempt to end early, if it runs.
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

  /// Lets the thread end after its present job, which is told to end early.
  func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  private func serve(_ makeRunner: () -> any CellRunner) {
    var runner: (any CellRunner)?
    while true {
      wake.wait()
      let (job, isClosed) = state.withLock { ($0.job, $0.isClosed) }
      if isClosed { return }
      guard let job else { continue }
      var ready = runner ?? makeRunner()
      let news = run(job, on: &ready)
      runner = ready
      state.withLock { state in
        state.job = nil
        state.progress = nil
      }
      onFinished(news)
    }
  }

  /// Runs a job whose files are what they were when they were looked at, and stay so: the numbers of a cell are of no
  /// file in particular otherwise.
  private func run(_ job: EngineJob, on runner: inout any CellRunner) -> FromEngine {
    let attempt = job.cell.attempt
    let changed = job.files.filter(\.hasChanged)
    guard changed.isEmpty else { return .stale(attempt, changed.map(\.artefact.digest)) }
    let outcome: AttemptOutcome
    do throws(CellFailure) {
      outcome = .result(try result(of: job, on: &runner))
    } catch {
      outcome = .failure(error)
    }
    if let changed = job.files.first(where: \.hasChanged) {
      let message =
        "\(changed.artefact.role): \(changed.path): the file was changed while the cell ran; "
        + "put it back as it was, or stop the sweep and start the coordinator again"
      return .finished(attempt, .failure(CellFailure(kind: .engineFault, message: message)))
    }
    return .finished(attempt, outcome)
  }

  private func result(
    of job: EngineJob, on runner: inout any CellRunner
  ) throws(CellFailure) -> AttemptResult {
    let attempt = job.cell.attempt
    let specification = try CellSpecification(leased: job.cell)
    for (role, digest) in specification.files {
      guard job.files.contains(where: { $0.artefact.digest == digest }) else {
        throw .refused(
          "\(role): expected the coordinator to offer a file with SHA-256 \(digest), found none; "
            + "start the coordinator again on the sweep file")
      }
    }
    let start = clock.now
    let run = try runner.run(specification, files: job.files) { progress in
      let progress = AttemptProgress(
        attempt: attempt, step: progress.step, steps: progress.steps, loss: progress.loss)
      state.withLock { $0.progress = progress }
    } isCancelled: {
      state.withLock { $0.cancelled == attempt || $0.isClosed }
    }
    let seconds = (clock.now - start) / .seconds(1)
    let report = AttemptReport(
      wallSeconds: seconds, tokensPerSecond: seconds > 0 ? Double(run.tokens) / seconds : 0, host: signature.host,
      engineVersion: signature.version)
    let result = run.result.canonicalForm
    guard result.count <= WireProtocol.cellResultBytes else {
      throw .refused(
        "expected a result of at most \(WireProtocol.cellResultBytes) bytes, found \(result.count); "
          + "ask for fewer steps or fewer evaluations along the way")
    }
    // Better a result without intervals than none.
    let windows = run.result.windows.map(WindowBytes.init).flatMap { windows in
      windows.base.count + windows.edited.count <= WireProtocol.windowBytes ? windows : nil
    }
    return AttemptResult(
      attempt: attempt, fingerprint: SHA256Digest(of: job.cell.cell), result: result, report: report.canonicalForm,
      windows: windows)
  }
}

extension LocalArtefact {
  /// Whether the file is not what it was when its digest was computed.
  fileprivate var hasChanged: Bool { FileStamp(path: path) != stamp }
}
