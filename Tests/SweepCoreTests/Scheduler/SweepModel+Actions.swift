import ContentHash
import SweepCore

/// What each action must be.
extension SweepModel {
  mutating func note(_ action: Scheduler.Action, _ step: inout Step) throws(Violation) {
    switch action {
    case .record(let write): try note(write, &step)
    case .lease(let worker, let attempt, let cell):
      guard step.leased.contains(attempt), rows[attempt]?.worker == worker, rows[attempt]?.cell == cell else {
        throw violation("leased \(attempt) before it was recorded")
      }
    case .acknowledge(let worker, let attempt):
      try noteAcknowledgement(worker, attempt, step.event)
    case .revoke(let worker, let attempt):
      guard let row = rows[attempt], row.worker == worker else { return }
      guard !row.isOpen else { throw violation("revoked \(attempt), which is wanted") }
    case .welcome(let worker):
      guard workers[worker]?.isPresent == true else { throw violation("welcomed \(worker), who is not there") }
    case .drain(let worker):
      guard workers[worker] != nil else { throw violation("drained \(worker), who is not there") }
    case .forget(let worker):
      guard workers[worker] == nil else { throw violation("forgot \(worker) too early") }
    case .finish:
      guard !hasFinished else { throw violation("finished twice") }
      hasFinished = true
    }
  }

  private mutating func note(_ write: StoreWrite, _ step: inout Step) throws(Violation) {
    switch write {
    case .leased(let attempt, let cell, let worker, let purpose):
      try noteLease(attempt, cell, worker, for: purpose)
      step.leased.insert(attempt)
    case .adopted(let attempt): try noteAdoption(attempt, step)
    case .ended(let attempt, let end): try noteEnd(attempt, end, &step)
    case .result(let attempt, let delivered): try noteResult(attempt, delivered)
    case .fault(let attempt, let delivered):
      guard let first = results[delivered.fingerprint], first.digest != delivered.digest else {
        throw violation("a fault without a difference")
      }
      faults.insert("\(attempt.number) \(delivered.digest)")
      guard let row = rows[attempt] else { throw violation("a fault of unknown \(attempt)") }
      if isNews(row) {
        rows[attempt]?.hasDiffered = true
        noteGoodEnd(of: attempt, on: row.worker)
      }
      sight("fault")
    case .outcome(let cell, let outcome): try noteOutcome(cell, outcome)
    case .reopened(let cell, let first): try noteReopening(cell, first, step.event)
    case .audited(let cell, let outcome): try noteAudit(cell, outcome, step.event)
    case .worker(let worker, let change): try noteChange(worker, change, &step)
    case .sweep(let sweep, let change): try noteChange(sweep, change, step.event)
    }
  }

  // MARK: - Attempts

  /// Whether something was still expected of an attempt.
  private func isNews(_ row: Row) -> Bool {
    if row.isOpen { return true }
    guard !row.hasDelivered, !row.hasDiffered, case .lost = row.outcome else { return false }
    return true
  }

  private mutating func noteAdoption(_ attempt: AttemptID, _ step: Step) throws(Violation) {
    guard let row = rows[attempt], case .lost = row.outcome else { throw violation("adopted \(attempt), not lost") }
    let group = group(of: row.cell)
    guard isOpen(group) || audits[group] != nil else { throw violation("adopted an attempt at the ended \(row.cell)") }
    if !isOpen(group) {
      guard openRows(of: group).isEmpty, audits[group]?.worker != row.worker || row.purpose == .audit else {
        throw violation("adopted \(attempt) for an audit that it cannot serve")
      }
    }
    rows[attempt]?.outcome = nil
    rows[attempt]?.isOfAudit = false
    if case .joined = step.event { rows[attempt]?.isStarted = nil }
    noteLease(attempt)
    sight("adoption")
  }

  private mutating func noteEnd(
    _ attempt: AttemptID, _ end: AttemptEnd, _ step: inout Step
  ) throws(Violation) {
    guard let row = rows[attempt] else { throw violation("ended unknown \(attempt)") }
    guard isNews(row) else { throw violation("ended \(attempt) again, as \(end)") }
    let group = group(of: row.cell)
    switch end {
    case .takenBack:
      guard row.isOpen, !mayBeStarted(attempt) else { throw violation("took \(attempt) back, which may have started") }
      step.takenBack.append(attempt)
      sight("taken back")
    case .lost(let loss, _):
      guard row.isOpen else { throw violation("lost \(attempt) twice") }
      if case .tick = step.event, loss == .workerLost || loss == .unstarted {
        guard (loss == .workerLost) == blamed.contains(attempt) else { throw violation("\(attempt) is \(loss)") }
      }
      sight("lost: \(loss.rawValue)")
    case .failed(let failure):
      sight("failed: \(failure.kind.rawValue)")
    case .duplicate:
      noteGoodEnd(of: attempt, on: row.worker)
    case .revoked: break
    }
    rows[attempt]?.outcome = end
    let isOfAudit = !isOpen(group) && audits[group] != nil
    rows[attempt]?.isOfAudit = isOfAudit
    if case .failed(let failure) = end { noteFailure(failure, attempt, group, &step) }
  }

  private mutating func noteResult(_ attempt: AttemptID, _ delivered: DeliveredResult) throws(Violation) {
    guard results[delivered.fingerprint] == nil else { throw violation("a second result of one fingerprint") }
    guard let row = rows[attempt], fingerprints[row.cell.index] == delivered.fingerprint else {
      throw violation("result of \(attempt) for another cell")
    }
    let group = group(of: row.cell)
    results[delivered.fingerprint] = delivered
    accepted[delivered.fingerprint] = attempt
    let isNews = isNews(row)
    rows[attempt]?.outcome = nil
    rows[attempt]?.hasDelivered = true
    completions += 1
    if let asking = cells(of: group).first(where: { outcomes[$0] == nil && isChosen($0, attempt) }) {
      audits[group] = Audit(cell: asking, worker: row.worker, since: listening)
    }
    let outdone =
      isOpen(group) ? Set(usedUp(group).filter { $0.isReported && $0.worker != row.worker }.map(\.worker)) : []
    for worker in outdone.sorted() { noteOutdone(worker) }
    if isNews { noteGoodEnd(of: attempt, on: row.worker) }
    if !isNews { sight("result of an attempt that was given up") }
  }

  private func noteAcknowledgement(
    _ worker: WorkerID, _ attempt: AttemptID, _ event: Scheduler.Event
  ) throws(Violation) {
    guard let row = rows[attempt], row.worker == worker, !row.isOpen else {
      throw violation("acknowledged \(attempt) before anything was recorded")
    }
    switch event {
    case .result(worker, attempt, let delivered):
      guard delivered.fingerprint == fingerprints[row.cell.index] else { return }
      guard
        results[delivered.fingerprint]?.digest == delivered.digest
          || faults.contains("\(attempt.number) \(delivered.digest)")
      else { throw violation("acknowledged a result that is not kept") }
    case .failure(worker, attempt, _): break
    case .result, .failure, .joined, .ready, .heartbeat, .left, .tick, .pause, .resume, .cancel, .prioritise, .retry,
      .drain, .drainWorker, .revokeWorker:
      throw violation("acknowledged what nobody said")
    }
  }

  // MARK: - Cells

  private mutating func noteOutcome(_ cell: CellID, _ outcome: CellOutcome) throws(Violation) {
    guard outcomes[cell] == nil else { throw violation("\(cell) ended twice") }
    let group = group(of: cell)
    switch outcome {
    case .completed:
      guard results[fingerprints[cell.index]] != nil else { throw violation("\(cell) completed without a result") }
    case .failed:
      guard permanentlyFailed.contains(group) || usedUp(group).count >= settings.maximumAttempts else {
        throw violation("\(cell) failed before its time")
      }
      guard results[fingerprints[cell.index]] == nil else { throw violation("\(cell) failed, though it has a result") }
    case .cancelled:
      guard wasCancelled.contains(cell) else { throw violation("\(cell) cancelled by nobody") }
    }
    outcomes[cell] = outcome
    if !isOpen(group) { floors[group] = nil }
  }

  private mutating func noteReopening(
    _ cell: CellID, _ first: AttemptID, _ event: Scheduler.Event
  ) throws(Violation) {
    guard case .retry(let cells) = event, cells.contains(cell) else { throw violation("\(cell) reopened by nobody") }
    switch outcomes[cell] {
    case .failed, .cancelled: break
    case .completed, nil: throw violation("\(cell) reopened, though it is open or completed")
    }
    guard first > rows.keys.max() ?? AttemptID(0) else { throw violation("old attempts of \(cell) still count") }
    outcomes[cell] = nil
    wasCancelled.remove(cell)
    permanentlyFailed.remove(group(of: cell))
    countedFrom[cell] = first
    floors[group(of: cell)] = nil
    sight("reopened")
  }

  private mutating func noteAudit(
    _ cell: CellID, _ outcome: AuditOutcome, _ event: Scheduler.Event
  ) throws(Violation) {
    let group = group(of: cell)
    guard let audit = audits[group], audit.cell == cell, outcomes[cell] == .completed else {
      throw violation("the audit of \(cell) is over, and none was owed")
    }
    var said: (row: Row, agrees: Bool?)?
    switch event {
    case .result(_, let attempt, let delivered):
      if let row = rows[attempt] { said = (row, results[delivered.fingerprint]?.digest == delivered.digest) }
    case .failure(_, let attempt, _):
      if let row = rows[attempt] { said = (row, nil) }
    case .joined, .ready, .heartbeat, .left, .tick, .pause, .resume, .cancel, .prioritise, .retry, .drain, .drainWorker,
      .revokeWorker:
      break
    }
    let isRight =
      switch outcome {
      case .agreed: said?.agrees == true && said?.row.worker != audit.worker
      case .agreedOnOneWorker: said?.agrees == true && said?.row.worker == audit.worker && said?.row.purpose == .audit
      case .differed: said?.agrees == false || (said != nil && permanentlyFailed.contains(group))
      case .failed:
        rows.values.count { self.group(of: $0.cell) == group && $0.isOfAudit && $0.isUsedUp }
          >= settings.maximumAttempts
      case .calledOff: if case .cancel(let sweep) = event { self.sweep(of: cell) == sweep.position } else { false }
      }
    guard isRight else { throw violation("the audit of \(cell) ended as \(outcome)") }
    audits[group] = nil
    audited[cell] = outcome
    sight("audit: \(outcome.rawValue)")
  }

  // MARK: - Sweeps

  private func noteChange(
    _ sweep: SweepIndex, _ change: SweepChange, _ event: Scheduler.Event
  ) throws(Violation) {
    let isRight =
      switch change {
      case .paused: event == .pause(sweep)
      case .resumed: event == .resume(sweep)
      case .cancelled: event == .cancel(sweep)
      case .prioritised(let priority): event == .prioritise(sweep, priority)
      }
    guard isRight else { throw violation("\(sweep) is \(change), and nobody asked for it") }
  }
}
