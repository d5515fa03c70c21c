internal import Logging
internal import SweepCore
internal import SweepStore

/// Tells people what a coordinator does. What happens to many cells in the same way is told once, then when it has
/// happened ten times, a hundred times, and so on.
struct CoordinatorLog {
  private let logger: Logger
  private var failures = Repetitions()

  init(_ logger: Logger) {
    self.logger = logger
  }

  /// Tells of what was committed, and of what else people may want to know.
  mutating func tell(of step: CoordinatorSession.Step, _ session: CoordinatorSession) {
    for write in step.batch.writes { tell(of: write, session) }
    for note in step.notes { tell(of: note) }
  }

  /// Tells why nothing can be committed.
  func tell(of error: StoreError) {
    guard error.isPassing else {
      logger.critical("\(error)")
      return
    }
    logger.error("nothing is handed out or acknowledged until the store can be written: \(error)")
  }

  /// Tells that all goes on.
  func tellOfRoom() {
    logger.notice("the store can be written again: going on")
  }

  private mutating func tell(of write: StoreWrite, _ session: CoordinatorSession) {
    func metadata(_ attempt: AttemptID) -> Logger.Metadata {
      var metadata: Logger.Metadata = ["attempt": "\(attempt.number)"]
      if let (cell, worker) = session.whereabouts(of: attempt) {
        metadata["cell"] = "\(cell)"
        metadata["worker"] = "\(worker.name)"
      }
      return metadata
    }
    func metadata(_ cell: CellID) -> Logger.Metadata { ["cell": "\(session.name(of: cell))"] }
    func metadata(_ worker: WorkerID) -> Logger.Metadata { ["worker": "\(worker.name)"] }

    switch write {
    case .leased(let attempt, _, _, let purpose):
      logger.debug("leased", metadata: metadata(attempt).merging(["for": "\(purpose.rawValue)"]) { $1 })
    case .adopted(let attempt):
      logger.notice("adopted: its worker came back with it", metadata: metadata(attempt))
    case .ended(let attempt, .failed(let failure)):
      let level: Logger.Level = failure.kind == .preempted ? .info : .warning
      tell(level, "attempt failed: \(failure.kind.rawValue): \(failure.message)", metadata(attempt))
    case .ended(let attempt, .lost(let loss, let message)):
      let level: Logger.Level = loss == .workerLeft ? .info : .warning
      tell(level, "attempt lost: \(loss.rawValue): \(message)", metadata(attempt))
    case .ended(let attempt, .duplicate):
      logger.info("duplicate result, equal to the first", metadata: metadata(attempt))
    case .ended(let attempt, .revoked):
      logger.debug("revoked", metadata: metadata(attempt))
    case .ended(let attempt, .takenBack):
      logger.debug("taken back before it was started", metadata: metadata(attempt))
    case .result(let attempt, _):
      logger.info("result", metadata: metadata(attempt))
    case .fault(let attempt, _):
      logger.error("the result differs from the first of its cell: kept as a fault", metadata: metadata(attempt))
    case .outcome(let cell, .failed(let failure)):
      tell(.error, "cell failed: \(failure.kind.rawValue): \(failure.message)", metadata(cell))
    case .outcome(let cell, .cancelled):
      tell(.notice, "cell cancelled", metadata(cell))
    case .outcome(let cell, .completed):
      logger.debug("cell completed", metadata: metadata(cell))
    case .reopened(let cell, _):
      tell(.notice, "cell is run again", metadata(cell))
    case .audited(let cell, .differed):
      logger.error("audit: two executions differ", metadata: metadata(cell))
    case .audited(let cell, let outcome):
      logger.info("audit: \(outcome.rawValue)", metadata: metadata(cell))
    case .worker(let worker, .joined):
      logger.info("worker joined", metadata: metadata(worker))
    case .worker(let worker, .left(let reason)):
      logger.info("worker left: \(reason)", metadata: metadata(worker))
    case .worker(let worker, .lost):
      logger.warning("worker lost", metadata: metadata(worker))
    case .worker(let worker, .revoked(let reason)):
      logger.warning("worker cut off: \(reason)", metadata: metadata(worker))
    case .worker(let worker, .quarantined(let reason)):
      logger.error("worker set aside: \(reason)", metadata: metadata(worker))
    case .worker(let worker, .released):
      logger.notice("worker has proved itself and gets cells again", metadata: metadata(worker))
    case .sweep(let sweep, let change):
      logger.notice("\(session.name(of: sweep)) is \(change.words)")
    }
  }

  private mutating func tell(_ level: Logger.Level, _ text: String, _ metadata: @autoclosure () -> Logger.Metadata) {
    guard level >= logger.logLevel, let times = failures.count(text) else { return }
    let words = times == 1 ? "" : " (for the \(times)th time)"
    logger.log(level: level, "\(text)\(words)", metadata: metadata())
  }

  private func tell(of note: CoordinatorSession.Note) {
    switch note {
    case .refused(let worker, let host, let reason):
      logger.error("worker refused: \(reason)", metadata: ["worker": "\(worker.name)", "host": "\(host)"])
    case .otherBuild(let worker, let host, let engineVersion):
      logger.warning(
        "worker of another build (pdsweep \(engineVersion)): its numbers should be the same, but nobody has checked",
        metadata: ["worker": "\(worker.name)", "host": "\(host)"])
    case .ignored(let reason, let count):
      logger.warning("message ignored: \(reason)", metadata: ["ignored": "\(count)"])
    case .remark(let text):
      logger.warning("\(text)")
    case .cutOff(let worker, let key):
      logger.warning("worker cut off: its key was revoked", metadata: ["worker": "\(worker.name)", "key": "\(key)"])
    case .finished:
      logger.info("nothing left to do")
    }
  }
}

/// Counts what is said in the same words, numbers apart.
struct Repetitions {
  /// Kinds of text that are counted. A peer that never says the same thing twice is told of no more beyond them.
  private static let mostKinds = 1000
  private var counts: [String: Int] = [:]

  /// How often the same was said by now, if that is worth saying: 1, 10, 100 and so on.
  mutating func count(_ text: String) -> Int? {
    let kind = String(text.map { $0.isNumber ? "#" : $0 })
    guard counts[kind] != nil || counts.count < Self.mostKinds else { return nil }
    let count = counts[kind, default: 0] + 1
    counts[kind] = count
    var power = 1
    while power < count { power *= 10 }
    return power == count ? count : nil
  }
}

extension SweepChange {
  /// The change in words that complete "the sweep is".
  fileprivate var words: String {
    switch self {
    case .paused: "paused: no more of its cells are handed out"
    case .resumed: "resumed"
    case .cancelled: "cancelled"
    case .prioritised(let priority): "given priority \(priority)"
    }
  }
}
