internal import ContentHash
internal import HeapModule

/// Second executions of completed cells, on another worker than the first, to compare the results.
///
///     completed ── chosen by its fingerprint ──> owed ──leased──> under way ── result, or a failure that
///                                                 ^                 |          would repeat ──> over
///                                                 '─── lost, ───────'──── the last attempt allowed failed ──> over
///                                                      failed
///
/// The scheduler does not finish while an audit is owed. Where there is no other worker for
/// ``Settings/auditPatience``, the audit runs on the same one.
extension Scheduler {
  /// Whether a cell's sweep wants the result of an attempt to be audited: by the cell's fingerprint, so that it is the
  /// same in every run. A result older than the retry of the cell completes it unasked.
  func isChosen(_ cell: CellID, by attempt: AttemptID) -> Bool {
    let entry = cells[cell.index]
    let fraction = lanes[Int(entry.lane)].auditFraction
    return fraction > 0 && Double(entry.fingerprint.leadingWord) < fraction * 0x1p64
      && attempt.number >= reopened[cell] ?? 0
  }

  /// Notes that the result of a head, which `worker` gave, is to be checked.
  mutating func oweAudit(_ head: CellID, for cell: CellID, of worker: WorkerID, _ now: Instant) {
    undertake(head)
    efforts.update(head) {
      $0.audit = Audit(cell: cell, worker: worker, since: now)
      // It may have waited for a result in another line.
      $0.ticket = 0
    }
    auditsOwed += 1
  }

  /// Puts an audit in the line of those that wait for a worker.
  mutating func queueAudit(_ head: CellID) {
    guard let effort = efforts[head], let audit = effort.audit, effort.live.isEmpty, effort.ticket == 0 else { return }
    nextTicket += 1
    efforts.update(head) { [nextTicket] in $0.ticket = nextTicket }
    isSettled = false
    lanes[Int(cells[audit.cell.index].lane)].audits.insert(Waiting(cell: head, ticket: nextTicket))
  }

  /// The cell whose audit a worker is to run.
  mutating func takeAudit(for worker: WorkerID, _ now: Instant) -> CellID? {
    guard auditsOwed > 0 else { return nil }
    for lane in lanes.indices where !lanes[lane].isPaused {
      var passed: [Waiting] = []
      defer { for entry in passed { lanes[lane].audits.insert(entry) } }
      while passed.count < Self.lookAhead, let entry = lanes[lane].audits.popMin() {
        guard let effort = efforts[entry.cell], let audit = effort.audit, effort.ticket == entry.ticket else {
          continue
        }
        if mayAudit(audit, worker, now) { return audit.cell }
        passed.append(entry)
      }
    }
    return nil
  }

  /// Whether a worker may check a result: another than gave it, which did not fail to before, if there is one. Only
  /// after a while the same.
  private func mayAudit(_ audit: Audit, _ worker: WorkerID, _ now: Instant) -> Bool {
    let others = willingCount - (workers[audit.worker]?.isWilling == true ? 1 : 0)
    guard worker != audit.worker else { return others == 0 && now >= audit.since + settings.auditPatience }
    guard audit.troubles.contains(worker) else { return true }
    let troubled = Set(audit.troubles).subtracting([audit.worker])
    return others == troubled.count { workers[$0]?.isWilling == true }
  }

  /// Compares a late result of a head with the first.
  mutating func compare(_ entry: AttemptEntry, agrees: Bool, _ head: CellID, _ actions: inout [Action]) {
    guard let audit = efforts[head]?.audit else { return tidy(head) }
    if !agrees {
      concludeAudit(head, .differed, &actions)
    } else if entry.worker != audit.worker {
      concludeAudit(head, .agreed, &actions)
    } else if entry.purpose == .audit {
      concludeAudit(head, .agreedOnOneWorker, &actions)
    } else {
      waitAgain(head)
    }
  }

  /// Ends an audit.
  mutating func concludeAudit(_ head: CellID, _ outcome: AuditOutcome, _ actions: inout [Action]) {
    guard let audit = efforts[head]?.audit else { preconditionFailure("no audit is owed to cell \(head.index)") }
    actions.append(.record(.audited(audit.cell, outcome)))
    efforts.update(head) {
      $0.audit = nil
      $0.ticket = 0
    }
    auditsOwed -= 1
    revokeLive(head, &actions)
    tidy(head)
  }
}
