internal import ContentHash
internal import Dispatch
internal import Foundation
internal import SweepCore
internal import SweepWire
internal import SweepWorker

/// Engines within the worker's process that have every cell's result at once.
final class InstantEngines: WorkerEngines {
  private let result = CanonicalJSON.encode(BenchSweep.result)
  private let attemptReport = CanonicalJSON.encode(BenchSweep.report)
  private let report: @Sendable (WorkerSession.Event) -> Void

  init(_ report: @escaping @Sendable (WorkerSession.Event) -> Void) {
    self.report = report
  }

  func start(slot: Int) {
    report(.engineReady(slot: slot))
  }

  func run(slot: Int, _ cell: LeasedCell, files: [LocalArtefact]) {
    // A cell's fingerprint is the digest of its canonical form.
    let delivered = AttemptResult(
      attempt: cell.attempt, fingerprint: SHA256Digest(of: cell.cell), result: result, report: attemptReport)
    report(.finished(slot: slot, cell.attempt, .result(delivered)))
  }

  // What never lasts need not be ended.
  func kill(slot: Int) {}
  func cancel(slot: Int, _ attempt: AttemptID) {}
  func close() {}
}

/// An engine, in a process of its own, that has every cell's result at once, or never.
struct BenchRunner: CellRunner {
  /// Whether cells run until they are cancelled. That they do is told on standard error: ``BenchRunner/line(at:)``.
  let holds: Bool

  func run(
    _ cell: CellSpecification, files: [LocalArtefact], progress: (CellProgress) -> Void, isCancelled: () -> Bool
  ) throws(CellFailure) -> CellRun {
    guard holds else { return CellRun(result: BenchSweep.result, tokens: 0) }
    Terminal.writeError("\(BenchLine.running) \(BenchClock.nanoseconds)")
    progress(CellProgress(step: 1, steps: 2, loss: nil))
    while !isCancelled() { Thread.sleep(forTimeInterval: 0.005) }
    throw CellFailure(kind: .preempted, message: "the run was cancelled")
  }
}

/// The clock that all processes of a machine share.
enum BenchClock {
  /// Nanoseconds on the monotonic clock.
  static var nanoseconds: UInt64 { DispatchTime.now().uptimeNanoseconds }
}

/// First words of the lines by which the parts of the benchmark speak to the process that has started them.
enum BenchLine {
  /// The coordinator's address follows.
  static let listening = "listening"
  /// A worker said hello.
  static let joined = "joined"
  /// All is set up: the part waits for ``go``.
  static let ready = "ready"
  /// All simulated workers have been welcomed.
  static let connected = "connected"
  /// A worker's engine has been started; its process identifier follows.
  static let engine = "engine"
  /// An engine runs a cell; the moment follows.
  static let running = "running"
  /// The coordinator has every result; its measurements follow as JSON.
  static let done = "done"
  /// Said to a part: begin.
  static let go = "go"
}
