internal import ContentHash
internal import SweepCore
internal import SweepStore
internal import SweepWire

/// A promise of the design that was broken.
public struct BrokenPromise: Error, CustomStringConvertible {
  /// Which, and by what.
  public let description: String
}

/// An independent account of a history: what was committed, and what was said. It knows nothing of how the coordinator
/// decides, and says when a promise is broken.
struct HistoryLedger {
  private struct Attempt {
    let cell: CellID
    let worker: WorkerID
    let purpose: LeasePurpose
    /// What came of it; `nil` while its worker has it.
    var end: End?
  }

  private enum End: Equatable {
    case delivered, differed
    case ended(AttemptEnd)

    /// Whether more may come of it.
    var isFinal: Bool {
      if case .ended(.lost) = self { false } else { true }
    }
  }

  /// The fingerprints of all cells, by their places in the coordinator's enumeration.
  private let fingerprints: [SHA256Digest]
  private var attempts: [AttemptID: Attempt] = [:]
  private var results: [SHA256Digest: ResultDigest] = [:]
  private(set) var outcomes: [CellID: CellOutcome] = [:]
  private var audits: [CellID: AuditOutcome] = [:]
  private var faults = 0

  init(_ sweeps: [SweepEntry]) {
    fingerprints = sweeps.flatMap { $0.cells.map(\.fingerprint) }
  }

  /// Whether every cell has come to its end.
  var isComplete: Bool { outcomes.count == fingerprints.count }

  // MARK: - What is committed

  mutating func note(_ write: StoreWrite) throws(BrokenPromise) {
    switch write {
    case .leased(let attempt, let cell, let worker, let purpose):
      guard attempts[attempt] == nil else { throw broken("number \(attempt.number) is spent twice") }
      let hasResult = results[fingerprints[cell.index]] != nil
      switch purpose {
      case .result, .copy:
        guard outcomes[cell] == nil else { throw broken("cell \(cell.index) has ended and is leased") }
        guard !hasResult else { throw broken("cell \(cell.index) has a result and is leased") }
      case .audit:
        guard outcomes[cell] == .completed, hasResult, audits[cell] == nil else {
          throw broken("cell \(cell.index) is audited without need")
        }
      }
      if purpose == .copy {
        let others = open(fingerprints[cell.index])
        guard others.count == 1, others[0].worker != worker else {
          throw broken("cell \(cell.index) is copied, and runs \(others.count) times")
        }
      }
      attempts[attempt] = Attempt(cell: cell, worker: worker, purpose: purpose)
    case .adopted(let attempt):
      guard case .ended(.lost) = attempts[attempt]?.end else { throw broken("\(attempt.number) was not lost") }
      attempts[attempt]?.end = nil
    case .ended(let attempt, let end):
      try finish(attempt, .ended(end))
    case .result(let attempt, let delivered):
      guard results[delivered.fingerprint] == nil else { throw broken("a second first result") }
      guard let cell = attempts[attempt]?.cell, fingerprints[cell.index] == delivered.fingerprint else {
        throw broken("\(attempt.number) brings the result of another cell")
      }
      results[delivered.fingerprint] = delivered.digest
      attempts[attempt]?.end = .delivered
    case .fault(let attempt, let delivered):
      guard results[delivered.fingerprint]?.agrees(with: delivered.digest) == false else {
        throw broken("a fault without a difference")
      }
      faults += 1
      if attempts[attempt]?.end?.isFinal != true { try finish(attempt, .differed) }
    case .outcome(let cell, let outcome):
      guard outcomes[cell] == nil else { throw broken("cell \(cell.index) ends twice") }
      if outcome == .completed, results[fingerprints[cell.index]] == nil {
        throw broken("cell \(cell.index) is completed without a result")
      }
      outcomes[cell] = outcome
    case .reopened(let cell, _):
      switch outcomes[cell] {
      case .failed, .cancelled: outcomes[cell] = nil
      case .completed, nil: throw broken("cell \(cell.index) is reopened, and is completed or open")
      }
    case .audited(let cell, let outcome):
      guard audits[cell] == nil, outcomes[cell] == .completed else {
        throw broken("cell \(cell.index) is audited twice, or before it is completed")
      }
      audits[cell] = outcome
    case .worker, .sweep: break
    }
  }

  private mutating func finish(_ attempt: AttemptID, _ end: End) throws(BrokenPromise) {
    guard let known = attempts[attempt] else { throw broken("\(attempt.number) ends and never began") }
    guard known.end?.isFinal != true else { throw broken("\(attempt.number) ends twice") }
    attempts[attempt]?.end = end
  }

  private func open(_ fingerprint: SHA256Digest) -> [Attempt] {
    attempts.values.filter { $0.end == nil && fingerprints[$0.cell.index] == fingerprint }
  }

  /// What a store does to cells whose result has come, when sweeps are begun again.
  mutating func noteRestart() {
    for (index, fingerprint) in fingerprints.enumerated() where results[fingerprint] != nil {
      switch outcomes[CellID(index)] {
      case .failed, nil: outcomes[CellID(index)] = .completed
      case .completed, .cancelled: break
      }
    }
    for (id, attempt) in attempts where attempt.end == nil {
      let isOver = outcomes[attempt.cell] != nil
      if isOver, attempt.purpose != .audit || audits[attempt.cell] != nil { attempts[id]?.end = .ended(.revoked) }
    }
  }

  // MARK: - What is said

  /// Nothing may be said that is not committed.
  func check(_ message: ToWorker) throws(BrokenPromise) {
    switch message {
    case .lease(let cells):
      for cell in cells where attempts[cell.attempt] == nil {
        throw broken("lease \(cell.attempt.number) was not committed")
      }
    case .acknowledge(let numbers):
      for number in numbers {
        guard let end = attempts[number]?.end, end.isFinal else {
          throw broken("\(number.number) is acknowledged, and nothing of it is kept")
        }
      }
    case .revoke(let numbers):
      for number in numbers {
        guard let attempt = attempts[number] else { continue }
        if attempt.end == nil { throw broken("\(number.number) is revoked and open") }
      }
    case .welcome, .drain, .refuse, .artefactChunk, .artefactMissing: break
    }
  }

  // MARK: - The end

  /// What must hold when all is over: every cell has one outcome, for a reason that the plan gives, and all agree.
  func checkEnd(_ plan: HistoryPlan, store: MemoryStore, wasCancelled: Bool) throws(BrokenPromise) {
    guard faults == 0 else { throw broken("\(faults) faults where all engines agree") }
    guard !audits.values.contains(.differed) || plan.natures.contains(where: { $0 != .sound }) else {
      throw broken("an audit found a difference where all engines agree")
    }
    let open = attempts.filter { $0.value.end == nil }
    guard open.isEmpty else { throw broken("attempts \(open.keys.map(\.number).sorted()) are open at the end") }
    let sources = plan.sources.flatMap { $0 }
    for (index, source) in sources.enumerated() {
      switch outcomes[CellID(index)] {
      case nil: throw broken("cell \(index) has not ended")
      case .completed:
        guard plan.natures[source] == .sound else { throw broken("cell \(index) cannot have been completed") }
        let known = TrialCells.all[source]
        let digest = ResultDigest(numbers: SHA256Digest(of: known.result), windows: known.windows.digest())
        guard results[fingerprints[index]] == digest else {
          throw broken("another result of cell \(index)")
        }
      case .failed(let failure): try checkFailure(failure, index, plan, source)
      case .cancelled:
        guard wasCancelled else { throw broken("cell \(index) is cancelled, and nobody asked for it") }
      }
    }
    try checkStore(store, plan)
  }

  private func checkFailure(
    _ failure: CellFailure, _ index: Int, _ plan: HistoryPlan, _ source: Int
  ) throws(BrokenPromise) {
    if failure.kind == .diverged, plan.natures[source] == .diverging { return }
    let counted = attempts.values.count { attempt in
      guard fingerprints[attempt.cell.index] == fingerprints[index] else { return false }
      return switch attempt.end {
      case .ended(.failed), .ended(.lost(.workerLost, _)), .ended(.lost(.forgotten, _)): true
      // It was lost, and came back after its cell had failed.
      case .delivered, .ended(.duplicate), .ended(.revoked): true
      case .ended, .differed, nil: false
      }
    }
    guard counted >= plan.settings.maximumAttempts else {
      throw broken("cell \(index) failed after \(counted) attempts: \(failure.message)")
    }
  }

  /// The store says the same as this ledger.
  private func checkStore(_ store: MemoryStore, _ plan: HistoryPlan) throws(BrokenPromise) {
    var index = 0
    for (entry, sweep) in zip(plan.sweeps, store.sweeps().sorted { $0.description.name < $1.description.name }) {
      guard let records = try? store.records(of: sweep.id), records.count == entry.cells.count else {
        throw broken("the store does not have the cells of \(entry.description.name)")
      }
      for record in records {
        let isRight =
          switch outcomes[CellID(index)] {
          case .completed: record.state == .completed && record.result != nil
          case .failed: record.state == .failed
          case .cancelled: record.state == .cancelled
          case nil: false
          }
        guard isRight else { throw broken("the store has cell \(index) as \(record.state)") }
        index += 1
      }
    }
  }

  func broken(_ what: String) -> BrokenPromise { BrokenPromise(description: what) }
}
