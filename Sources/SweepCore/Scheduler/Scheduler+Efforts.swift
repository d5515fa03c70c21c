/// What is common to the cells of one fingerprint, and the leases under way for them.
extension Scheduler {
  // MARK: - Equal cells

  /// The first of the cells with the fingerprint of `cell`.
  func head(of cell: CellID) -> CellID {
    heads.isEmpty ? cell : heads[cell] ?? cell
  }

  /// The cells with the fingerprint of a head, ascending.
  func equals(_ head: CellID) -> [CellID] {
    members.isEmpty ? [head] : members[head] ?? [head]
  }

  /// Those of them that have not ended.
  func openMembers(_ head: CellID) -> [CellID] {
    equals(head).filter { cells[$0.index].standing == .open }
  }

  /// Whether there are any.
  func isOpen(_ head: CellID) -> Bool {
    if cells[head.index].standing == .open { return true }
    return !members.isEmpty && !openMembers(head).isEmpty
  }

  /// Whether cells of a head wait to be leased.
  func isWaiting(_ head: CellID) -> Bool {
    guard isOpen(head) else { return false }
    return efforts[head]?.live.isEmpty != false
  }

  /// Where a cell is counted.
  func place(_ group: Int32, _ standing: CellStanding, isRunning: Bool) -> Int {
    let state: CellRecord.State =
      switch standing {
      case .open: isRunning ? .running : .pending
      case .completed: .completed
      case .failed: .failed
      case .cancelled: .cancelled
      }
    return Int(group) * CellRecord.State.allCases.count + state.ordinal
  }

  // MARK: - Efforts

  /// Sees to it that there is an effort for a head.
  mutating func undertake(_ head: CellID) {
    if !efforts.contains(head) { efforts.insert(head) }
  }

  /// Forgets an effort that nothing is expected of any more.
  mutating func tidy(_ head: CellID) {
    guard let effort = efforts[head], effort.live.isEmpty, effort.audit == nil, !isOpen(head) else { return }
    efforts.remove(head)
  }

  // MARK: - Leases

  /// Gives a lease of an attempt to its worker and its cell.
  mutating func hold(_ attempt: AttemptID, at now: Instant, wasNamed: Bool, isStarted: Bool? = nil) {
    guard let entry = attempts[attempt] else { preconditionFailure("lease of an unknown attempt") }
    let head = head(of: entry.cell)
    undertake(head)
    attempts.update(attempt) { $0.standing = .live }
    liveAttempts += 1
    lanes[Int(cells[entry.cell.index].lane)].running += 1
    workers[entry.worker]?.leases.append(
      Lease(attempt: attempt, since: now, lastNamed: now, wasNamed: wasNamed, isStarted: isStarted))
    offer(entry.worker)
    efforts.update(head) {
      $0.ticket = 0
      $0.live.append(attempt)
    }
    if efforts[head]?.live.count == 1 {
      for member in openMembers(head) { shift(member, isRunning: true) }
      watch(attempt, since: now)
    }
  }

  /// Takes an attempt from its worker and its cell, if it holds a lease. Its cell is left waiting in no line, if this
  /// was its last, for the caller to decide. Returns the worker that held it.
  @discardableResult
  mutating func release(_ attempt: AttemptID, to standing: Standing) -> WorkerID? {
    guard let entry = attempts[attempt] else { preconditionFailure("attempt \(attempt.number) is unknown") }
    attempts.update(attempt) { $0.standing = standing }
    guard case .live = entry.standing else { return nil }
    let head = head(of: entry.cell)
    liveAttempts -= 1
    lanes[Int(cells[entry.cell.index].lane)].running -= 1
    if let index = workers[entry.worker]?.leases.firstIndex(where: { $0.attempt == attempt }) {
      workers[entry.worker]?.leases.remove(at: index)
      offer(entry.worker)
    }
    efforts.update(head) { $0.live.removeAll { $0 == attempt } }
    let left = efforts[head]?.live ?? []
    if left.isEmpty {
      for member in openMembers(head) { shift(member, isRunning: false) }
    } else if left.count == 1, let lease = lease(of: left[0]) {
      watch(left[0], since: lease.since)
    }
    return entry.worker
  }

  /// The lease that an attempt holds.
  func lease(of attempt: AttemptID) -> Lease? {
    guard let worker = attempts[attempt]?.worker else { return nil }
    return workers[worker]?.leases.first { $0.attempt == attempt }
  }

  /// Counts an open cell elsewhere.
  private mutating func shift(_ cell: CellID, isRunning: Bool) {
    let group = cells[cell.index].group
    counts[place(group, .open, isRunning: !isRunning)] -= 1
    counts[place(group, .open, isRunning: isRunning)] += 1
  }

  // MARK: - Ends

  /// Ends the open cells of a head: records the outcome of each, and revokes what still runs.
  mutating func end(_ head: CellID, as outcome: CellOutcome, _ actions: inout [Action]) {
    for member in openMembers(head) { close(member, as: outcome, &actions) }
    revokeLive(head, &actions)
    tidy(head)
  }

  /// Ends one cell and records it.
  mutating func close(_ cell: CellID, as outcome: CellOutcome, _ actions: inout [Action]) {
    let entry = cells[cell.index]
    guard entry.standing == .open else { preconditionFailure("cell \(cell.index) has ended") }
    let isRunning = efforts[head(of: cell)]?.live.isEmpty == false
    counts[place(entry.group, .open, isRunning: isRunning)] -= 1
    switch outcome {
    case .completed: cells[cell.index].standing = .completed
    case .failed: cells[cell.index].standing = .failed
    case .cancelled: cells[cell.index].standing = .cancelled
    }
    counts[place(entry.group, cells[cell.index].standing, isRunning: false)] += 1
    unended -= 1
    actions.append(.record(.outcome(cell, outcome)))
  }

  /// Revokes what still runs for a head, but for one attempt that is to go on.
  mutating func revokeLive(_ head: CellID, except kept: AttemptID? = nil, _ actions: inout [Action]) {
    for attempt in efforts[head]?.live ?? [] where attempt != kept {
      actions.append(.record(.ended(attempt, .revoked)))
      if let worker = release(attempt, to: .ended) { actions.append(.revoke(worker, attempt)) }
    }
  }

  /// Goes on with the cells of a head after one of its attempts came to nothing.
  mutating func goOn(_ head: CellID, after failure: CellFailure, _ actions: inout [Action]) {
    guard let effort = efforts[head], effort.live.isEmpty else { return }
    if isOpen(head), effort.failures >= settings.maximumAttempts {
      var last = failure
      last.message += " (\(settings.maximumAttempts) attempts failed)"
      end(head, as: .failed(last), &actions)
    } else if let audit = effort.audit, audit.failures >= settings.maximumAttempts {
      concludeAudit(head, .failed, &actions)
    } else {
      waitAgain(head)
    }
  }

  /// Puts a head for which nothing runs any more where it waits for a worker, if anything is still to be done for it.
  mutating func waitAgain(_ head: CellID) {
    guard efforts[head]?.live.isEmpty == true else { return }
    if isOpen(head) {
      requeue(head)
    } else if efforts[head]?.audit != nil {
      queueAudit(head)
    } else {
      tidy(head)
    }
  }

  // MARK: - Attempts used up

  /// The number below which attempts are not counted: they were made before the latest retry.
  private func countedFrom(_ head: CellID) -> UInt64 {
    reopened.isEmpty ? 0 : equals(head).compactMap { reopened[$0] }.max() ?? 0
  }

  /// Counts a failed attempt against its cell, or against its audit.
  mutating func count(_ attempt: AttemptID, isReported: Bool) {
    guard let entry = attempts[attempt], entry.counted == .nothing else { return }
    let head = head(of: entry.cell)
    if isOpen(head) { undertake(head) }
    guard let effort = efforts[head], attempt.number >= countedFrom(head) else { return }
    if effort.audit != nil {
      attempts.update(attempt) { $0.counted = .audit }
      efforts.update(head) {
        $0.audit?.failures += 1
        $0.audit?.troubles.append(entry.worker)
      }
    } else if isOpen(head) {
      attempts.update(attempt) { $0.counted = .cell }
      efforts.update(head) {
        $0.failures += 1
        $0.troubles.append(Trouble(worker: entry.worker, isReported: isReported))
      }
    }
  }

  /// Takes back that an attempt was counted.
  mutating func discount(_ attempt: AttemptID) {
    guard let entry = attempts[attempt], entry.counted != .nothing else { return }
    attempts.update(attempt) { $0.counted = .nothing }
    let head = head(of: entry.cell)
    guard attempt.number >= countedFrom(head) else { return }
    efforts.update(head) { effort in
      switch entry.counted {
      case .nothing: break
      case .cell:
        effort.failures -= 1
        if let index = effort.troubles.firstIndex(where: { $0.worker == entry.worker }) {
          effort.troubles.remove(at: index)
        }
      case .audit:
        guard let index = effort.audit?.troubles.firstIndex(of: entry.worker) else { break }
        effort.audit?.failures -= 1
        effort.audit?.troubles.remove(at: index)
      }
    }
  }

  /// Remembers with how much memory a cell had too little.
  mutating func noteMemory(_ failure: CellFailure, _ head: CellID, _ worker: WorkerID) {
    guard failure.kind == .outOfMemory, let memory = workers[worker]?.capacity.memoryPerSlot else { return }
    efforts.update(head) { $0.memoryFloor = max($0.memoryFloor, memory) }
  }
}
