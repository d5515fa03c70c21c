/// Workers that are set aside because they keep failing cells that others complete.
///
///     trusted ── failures of which others show that they are its own, or it says that it is unfit ──> set aside
///        ^                                                                                            |      ^
///        |                                                                                  pause over|      | fails:
///        |                                                                                            v      | pause
///        '────────────────────── the cell ends as it should ─────────────────────────── proves itself ┘ doubled
///
/// What is held against a worker: cells that failed on it and were completed by others; and different cells that failed
/// on it in a row while others completed theirs. Where cells fail everywhere, nobody is set aside. Losses are held
/// against nobody: they say little about the worker that comes back.
extension Scheduler {
  /// Takes note that a cell ended on a worker as it should, or failed by its own fault.
  mutating func succeeded(_ worker: WorkerID, _ attempt: AttemptID, _ actions: inout [Action]) {
    guard var conduct = conducts[worker] else { return }
    conduct.streak = []
    conduct.successes += 1
    let policy = settings.quarantine
    if conduct.successes >= policy.forgivenAfter {
      conduct.faults = 0
      conduct.pause = policy.firstProbe.nanoseconds
    }
    let isProved = conduct.aside.map { attempt.number >= $0.firstProof } ?? false
    if isProved {
      conduct.aside = nil
      conduct.faults = 0
      actions.append(.record(.worker(worker, .released)))
    }
    conducts[worker] = conduct
    if isProved { refresh(worker) }
  }

  /// Takes note that a worker reported a failure.
  mutating func judge(
    _ worker: WorkerID, _ failure: CellFailure, _ head: CellID, _ attempt: AttemptID, _ now: Instant,
    _ actions: inout [Action]
  ) {
    switch failure.kind {
    case .diverged, .refusedInput: succeeded(worker, attempt, &actions)
    case .preempted: break
    case .workerUnfit: blame(worker, failure, attempt, at: nil, now, &actions)
    case .crashed, .outOfMemory, .engineFault, .workerLost: blame(worker, failure, attempt, at: head, now, &actions)
    }
  }

  /// Takes note that another worker completed a cell that had failed on this one.
  mutating func outdone(_ worker: WorkerID, _ now: Instant, _ actions: inout [Action]) {
    guard var conduct = conducts[worker] else { return }
    conduct.faults += 1
    conducts[worker] = conduct
    guard conduct.faults >= settings.quarantine.failures, conduct.aside == nil else { return }
    setAside(worker, "\(conduct.faults) cells failed on it that others completed", now, &actions)
  }

  /// Holds a failure against a worker: that of a cell, or one of its own.
  private mutating func blame(
    _ worker: WorkerID, _ failure: CellFailure, _ attempt: AttemptID, at head: CellID?, _ now: Instant,
    _ actions: inout [Action]
  ) {
    var conduct = conducts[worker] ?? Conduct(pause: settings.quarantine.firstProbe.nanoseconds)
    conduct.successes = 0
    if let aside = conduct.aside {
      if attempt.number >= aside.firstProof {
        let nextProof = Instant(nanoseconds: now.nanoseconds + nextPause(&conduct))
        conduct.aside?.nextProof = nextProof
      }
      conducts[worker] = conduct
      offer(worker)
      return
    }
    var reason: String?
    if let head {
      if conduct.streak.isEmpty { conduct.completionsBefore = completions }
      if !conduct.streak.contains(head) { conduct.streak.append(head) }
      let failures = settings.quarantine.failures
      if conduct.streak.count > failures { conduct.streak.removeFirst() }
      if conduct.streak.count == failures, completions > conduct.completionsBefore {
        reason = "\(failures) cells failed on it in a row while others completed theirs: \(failure.message)"
      }
    } else {
      reason = "it cannot run cells: \(failure.message)"
    }
    conducts[worker] = conduct
    if let reason { setAside(worker, reason, now, &actions) }
  }

  private mutating func setAside(
    _ worker: WorkerID, _ reason: String, _ now: Instant, _ actions: inout [Action]
  ) {
    guard var conduct = conducts[worker] else { preconditionFailure("nothing is held against \(worker.name)") }
    let nextProof = Instant(nanoseconds: now.nanoseconds + nextPause(&conduct))
    conduct.aside = Aside(reason: reason, firstProof: attempts.next.number, nextProof: nextProof)
    conduct.streak = []
    conducts[worker] = conduct
    actions.append(.record(.worker(worker, .quarantined(reason))))
    refresh(worker)
    takeBackUnstarted(of: worker, &actions)
  }

  /// The time before a worker may prove itself; the next will be twice as long.
  private func nextPause(_ conduct: inout Conduct) -> Int64 {
    defer { conduct.pause = min(2 * conduct.pause, settings.quarantine.longestProbe.nanoseconds) }
    return conduct.pause
  }

  /// Offers a cell to every worker that is set aside and may prove itself by now.
  mutating func offerProofs(_ now: Instant) {
    for worker in conducts.keys.sorted() {
      guard let aside = conducts[worker]?.aside, aside.nextProof <= now else { continue }
      offer(worker)
    }
  }
}
