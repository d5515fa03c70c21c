import ContentHash
import SweepCore

/// What must hold between events.
extension SweepModel {
  func checkAnswer(to event: Scheduler.Event, _ actions: [Scheduler.Action]) throws(Violation) {
    switch event {
    case .result(let worker, let attempt, _), .failure(let worker, let attempt, _):
      let answers = actions.filter { $0 == .acknowledge(worker, attempt) || $0 == .revoke(worker, attempt) }
      guard answers.count == 1 else { throw violation("\(answers.count) answers to \(attempt)") }
    case .joined, .ready, .heartbeat, .left, .tick, .pause, .resume, .cancel, .prioritise, .retry, .drain, .drainWorker,
      .revokeWorker:
      break
    }
  }

  func checkWhole(_ scheduler: Scheduler, after step: Step) throws(Violation) {
    try checkCells(scheduler)
    try checkWorkers(scheduler)
    try checkTakenBack(step)
    guard scheduler.openAudits == audits.count else {
      throw violation("\(scheduler.openAudits) audits are open, expected \(audits)")
    }
    guard workers.isEmpty || scheduler.nextDeadline != nil else { throw violation("nobody watches the workers") }
    try checkEnd()
    guard !isDraining, !hasFinished else { return }
    try checkNobodyWaitsInVain()
    if case .tick = step.event { try checkTimelyWork() }
  }

  private func checkCells(_ scheduler: Scheduler) throws(Violation) {
    var tallies: [[[CellRecord.State: Int]]] = sweeps.map { _ in [[:], [:]] }
    for index in fingerprints.indices {
      let cell = CellID(index)
      let state = scheduler.state(of: cell)
      tallies[sweep(of: cell)][index % 2][state.summary, default: 0] += 1
      let open = openRows(of: group(of: cell))
      let isRight =
        switch (outcomes[cell], state) {
        case (.completed, .completed): open.count <= (audits[group(of: cell)] == nil ? 0 : 1)
        case (.failed, .failed), (.cancelled, .cancelled):
          isOpen(group(of: cell)) || audits[group(of: cell)] != nil || open.isEmpty
        case (nil, .running(let attempts)): !open.isEmpty && attempts.sorted() == open
        case (nil, .pending): open.isEmpty
        default: false
        }
      guard isRight else {
        throw violation("\(cell) is \(state); recorded \(String(describing: outcomes[cell])), open \(open)")
      }
    }
    for (index, tally) in tallies.enumerated() {
      let found = scheduler.tallies(of: SweepIndex(index)).map { $0.filter { $0.value != 0 } }
      guard found == tally else { throw violation("tally \(found), expected \(tally)") }
      guard scheduler.isPaused(SweepIndex(index)) == sweeps[index].isPaused else { throw violation("who is paused?") }
    }
  }

  private func checkWorkers(_ scheduler: Scheduler) throws(Violation) {
    for (worker, presence) in workers where presence.isPresent {
      guard scheduler.leases(of: worker) == leases(of: worker) else {
        throw violation("\(worker) holds \(scheduler.leases(of: worker) ?? []), recorded \(leases(of: worker))")
      }
    }
    for row in rows.values where row.isOpen {
      guard workers[row.worker] != nil else { throw violation("\(row.cell) is leased to \(row.worker), who is gone") }
    }
    for worker in Set(conducts.keys).union(workers.keys) {
      guard (scheduler.quarantine(of: worker) != nil) == (conducts[worker]?.isAside == true) else {
        throw violation(
          "\(worker) is set aside: \(scheduler.quarantine(of: worker) ?? "no"), of which nothing is known")
      }
    }
  }

  /// What is taken back goes to another at once, unless its sweep is paused or its worker set aside.
  private func checkTakenBack(_ step: Step) throws(Violation) {
    for attempt in step.takenBack {
      guard let row = rows[attempt] else { continue }
      if case .pause(let sweep) = step.event, self.sweep(of: row.cell) == sweep.position { continue }
      if step.aside.contains(row.worker) { continue }
      let isElsewhere = step.leased.contains { id in
        rows[id].map { group(of: $0.cell) == group(of: row.cell) && $0.worker != row.worker } ?? false
      }
      guard isElsewhere else { throw violation("\(attempt) was taken back for nothing") }
    }
  }

  private func checkEnd() throws(Violation) {
    let isComplete = outcomes.count == fingerprints.count && audits.isEmpty
    let nothingRuns = !rows.values.contains { $0.isOpen }
    if isComplete || (isDraining && nothingRuns) {
      guard hasFinished else { throw violation("at the end, and not finished") }
    }
  }

  private func checkNobodyWaitsInVain() throws(Violation) {
    let trusted = workers.keys.filter { hasRoom($0) && conducts[$0]?.isAside != true }
    for worker in trusted {
      for group in groups where isWaiting(group) && isDealt(group) && mayTry(group, worker) {
        throw violation("\(CellID(group)) waits while \(worker) has room")
      }
    }
    for worker in trusted.filter(isIdle) {
      for (group, audit) in audits where mayAudit(group, worker) && audit.worker != worker {
        throw violation("the audit of \(audit.cell) waits while \(worker) is idle")
      }
      for attempt in rows.keys.sorted() where mayTakeBack(attempt, for: worker) {
        throw violation("\(attempt) waits with \(rows[attempt]?.worker.name ?? "") while \(worker) is idle")
      }
    }
  }

  /// What only time allows is done at the next tick.
  private func checkTimelyWork() throws(Violation) {
    for worker in workers.keys where hasRoom(worker) && isIdle(worker) {
      for group in groups where isWaiting(group) && isDealt(group) && mayTry(group, worker) {
        throw violation("\(CellID(group)) waits while \(worker) could prove itself")
      }
      for group in groups where mayAudit(group, worker) {
        throw violation("the audit of \(CellID(group)) waits while \(worker) is idle")
      }
      for group in groups where mayCopy(group, worker) {
        throw violation("\(CellID(group)) takes long, \(worker) is idle and runs no copy")
      }
    }
  }
}
