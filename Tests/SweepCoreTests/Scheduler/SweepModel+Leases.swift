import ContentHash
import SweepCore

/// Who may be given what.
extension SweepModel {
  mutating func noteLease(
    _ attempt: AttemptID, _ cell: CellID, _ worker: WorkerID, for purpose: LeasePurpose
  ) throws(Violation) {
    guard attempt > rows.keys.max() ?? AttemptID(0) else { throw violation("number \(attempt) used again") }
    guard !isDraining, !hasFinished else { throw violation("leased \(cell) while draining") }
    guard hasRoom(worker) else { throw violation("leased \(cell) to \(worker), who has no room") }
    guard !sweeps[sweep(of: cell)].isPaused else { throw violation("leased \(cell) of a paused sweep") }
    let group = group(of: cell)
    switch purpose {
    case .result:
      guard outcomes[cell] == nil else { throw violation("leased the ended \(cell)") }
      guard openRows(of: group).isEmpty else { throw violation("leased \(cell) twice") }
      guard mayTry(group, worker) else { throw violation("leased \(cell) to \(worker), though others suit it better") }
      try checkTurn(of: cell, worker)
    case .copy:
      guard mayCopy(group, worker) else { throw violation("a copy of \(cell) for \(worker)") }
      sight("copy")
    case .audit:
      guard audits[group]?.cell == cell, mayAudit(group, worker) else {
        throw violation("an audit of \(cell) on \(worker)")
      }
      sight("audit")
    }
    if purpose != .result {
      guard isIdle(worker) else { throw violation("\(purpose) of \(cell) for \(worker), who is busy") }
      guard !groups.contains(where: { isWaiting($0) && isDealt($0) && mayTry($0, worker) }) else {
        throw violation("\(purpose) of \(cell), though others wait")
      }
    }
    if conducts[worker]?.isAside == true { sight("proof") }
    rows[attempt] = Row(cell: cell, worker: worker, purpose: purpose, since: listening, order: 0, isStarted: false)
    noteLease(attempt)
  }

  /// Sweeps take turns, and cells within them, among those that a worker may try.
  private mutating func checkTurn(of cell: CellID, _ worker: WorkerID) throws(Violation) {
    let own = sweep(of: cell)
    for (index, sweep) in sweeps.enumerated() where !sweep.isPaused {
      let waiting = sweep.cells.map { CellID($0) }.filter { other in
        outcomes[other] == nil && (index == own || group(of: other) != group(of: cell))
          && isWaiting(group(of: other)) && mayTry(group(of: other), worker)
      }
      guard let first = waiting.first else { continue }
      if index == own {
        // Cells that failed before go first; then the lowest place of those that were never leased.
        let isFresh = isFresh(cell)
        let before = waiting.first { isFresh && ($0 < cell && self.isFresh($0) || !usedUp(group(of: $0)).isEmpty) }
        if let before, before != cell { throw violation("leased \(cell), though \(before) comes first") }
      } else if sweep.priority > sweeps[own].priority {
        throw violation("leased \(cell), though \(first) belongs to a sweep of higher priority")
      } else if sweep.priority == sweeps[own].priority, running(index) < running(own) {
        throw violation("leased \(cell), though the sweep of \(first) has less than its share")
      }
    }
    sight("result")
  }

  /// Whether no cell of its group was ever leased.
  private func isFresh(_ cell: CellID) -> Bool {
    let group = group(of: cell)
    return cells(of: group).allSatisfy { countedFrom[$0] == nil }
      && !rows.values.contains { self.group(of: $0.cell) == group }
  }

  private func running(_ sweep: Int) -> Int {
    rows.values.count { $0.isOpen && self.sweep(of: $0.cell) == sweep }
  }

  // MARK: - Cells that wait

  func isWaiting(_ group: Int) -> Bool { isOpen(group) && openRows(of: group).isEmpty }

  /// Whether any sweep that wants the group's result is dealt.
  func isDealt(_ group: Int) -> Bool {
    cells(of: group).contains { outcomes[$0] == nil && !sweeps[sweep(of: $0)].isPaused }
  }

  /// The attempts that a group's cells have used up.
  func usedUp(_ group: Int) -> [Row] {
    let first = cells(of: group).compactMap { countedFrom[$0] }.max() ?? AttemptID(0)
    return rows.filter { self.group(of: $1.cell) == group && $0 >= first && $1.isUsedUp && !$1.isOfAudit }.map(\.value)
  }

  func mayTry(_ group: Int, _ worker: WorkerID) -> Bool {
    let troubled = Set(usedUp(group).map(\.worker))
    guard !troubled.isEmpty else { return true }
    let floor = floors[group] ?? 0
    func suits(_ worker: WorkerID) -> Int {
      if troubled.contains(worker) { return 2 }
      guard let capacity = workers[worker]?.capacity else { return 2 }
      return floor == 0 || capacity.memoryMiB / capacity.slots > floor ? 0 : 1
    }
    return workers.keys.filter(isWilling).allSatisfy { suits($0) >= suits(worker) }
  }

  // MARK: - What idle workers do

  func mayAudit(_ group: Int, _ worker: WorkerID) -> Bool {
    guard let audit = audits[group], openRows(of: group).isEmpty, !sweeps[sweep(of: audit.cell)].isPaused else {
      return false
    }
    let others = workers.keys.filter { isWilling($0) && $0 != audit.worker }
    if worker == audit.worker {
      return others.isEmpty && listening >= audit.since + settings.auditPatience.inNanoseconds
    }
    let troubled = Set(
      rows.values.filter { self.group(of: $0.cell) == group && $0.isOfAudit && $0.isUsedUp }.map(\.worker))
    return !troubled.contains(worker) || others.allSatisfy { troubled.contains($0) }
  }

  func mayCopy(_ group: Int, _ worker: WorkerID) -> Bool {
    let open = openRows(of: group)
    guard isOpen(group), open.count == 1, let row = rows[open[0]], row.worker != worker else { return false }
    return !usedUp(group).contains { $0.worker == worker } && mayTry(group, worker)
      && listening >= row.since + settings.copyAfter.inNanoseconds && isDealt(group)
      && mayBeStarted(open[0])
  }

  /// Whether an attempt can be taken back for a worker.
  func mayTakeBack(_ attempt: AttemptID, for worker: WorkerID) -> Bool {
    guard let row = rows[attempt], row.isOpen, row.worker != worker, workers[row.worker]?.isPresent == true else {
      return false
    }
    let group = group(of: row.cell)
    return isOpen(group) && openRows(of: group) == [attempt] && !mayBeStarted(attempt) && mayTry(group, worker)
      && isDealt(group)
  }

  // MARK: - Workers

  func leases(of worker: WorkerID) -> [AttemptID] {
    rows.keys.filter { rows[$0]?.worker == worker && rows[$0]?.isOpen == true }.sorted {
      (rows[$0]?.order ?? 0) < (rows[$1]?.order ?? 0)
    }
  }

  /// Whether a worker's lease is among the first that it can run at a time.
  func isAmongFirst(_ attempt: AttemptID) -> Bool {
    guard let row = rows[attempt] else { return false }
    return leases(of: row.worker).prefix(workers[row.worker]?.capacity.slots ?? 1).contains(attempt)
  }

  func mayBeStarted(_ attempt: AttemptID) -> Bool {
    guard let row = rows[attempt] else { return true }
    return row.isStarted != false || isAmongFirst(attempt)
  }

  func isWilling(_ worker: WorkerID) -> Bool {
    (workers[worker]?.credit ?? 0) > 0 && conducts[worker]?.isAside != true
  }

  func isIdle(_ worker: WorkerID) -> Bool {
    leases(of: worker).count < workers[worker]?.capacity.slots ?? 0
  }

  func hasRoom(_ worker: WorkerID) -> Bool {
    guard let presence = workers[worker], presence.isPresent else { return false }
    let held = leases(of: worker).count
    if let conduct = conducts[worker], conduct.isAside {
      return held == 0 && presence.credit > 0 && conduct.nextProof <= listening
    }
    return held < presence.credit
  }
}
