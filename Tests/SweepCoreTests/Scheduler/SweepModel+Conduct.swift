import SweepCore

/// What is held against a worker, told again from the start by the rules that ``Scheduler/QuarantinePolicy`` states.
struct ModelConduct {
  var outdone = 0
  var failedInARow: [(group: Int, completionsBefore: Int)] = []
  var goodInARow = 0
  var isAside = false
  var firstProof = AttemptID(0)
  var nextProof: Int64 = 0
  var doublings = 0
}

extension SweepModel {
  private func pause(_ doublings: Int) -> Int64 {
    var pause = settings.quarantine.firstProbe.inNanoseconds
    for _ in 0..<doublings { pause = min(2 * pause, settings.quarantine.longestProbe.inNanoseconds) }
    return pause
  }

  private var nextAttempt: AttemptID { AttemptID((rows.keys.max()?.number ?? 0) + 1) }

  mutating func noteFailure(
    _ failure: CellFailure, _ attempt: AttemptID, _ group: Int, _ step: inout Step
  ) {
    guard let row = rows[attempt] else { return }
    switch failure.kind {
    case .diverged, .refusedInput: noteGoodEnd(of: attempt, on: row.worker)
    case .preempted: break
    case .workerUnfit: noteBad(row.worker, attempt, nil)
    case .crashed, .outOfMemory, .engineFault, .workerLost:
      if failure.kind == .outOfMemory, isOpen(group), let capacity = workers[row.worker]?.capacity {
        floors[group] = max(floors[group] ?? 0, capacity.memoryMiB / capacity.slots)
      }
      noteBad(row.worker, attempt, group)
    }
  }

  private mutating func noteBad(_ worker: WorkerID, _ attempt: AttemptID, _ group: Int?) {
    var conduct = conducts[worker] ?? ModelConduct()
    conduct.goodInARow = 0
    defer { conducts[worker] = conduct }
    guard !conduct.isAside else {
      if attempt >= conduct.firstProof {
        conduct.nextProof = listening + pause(conduct.doublings)
        conduct.doublings += 1
      }
      return
    }
    let limit = settings.quarantine.failures
    if let group {
      if !conduct.failedInARow.contains(where: { $0.group == group }) {
        conduct.failedInARow.append((group, conduct.failedInARow.first?.completionsBefore ?? completions))
      }
      conduct.failedInARow = conduct.failedInARow.suffix(limit)
      guard conduct.failedInARow.count >= limit, conduct.failedInARow[0].completionsBefore < completions else { return }
    }
    setAside(&conduct)
  }

  mutating func noteOutdone(_ worker: WorkerID) {
    guard var conduct = conducts[worker] else { return }
    conduct.outdone += 1
    if conduct.outdone >= settings.quarantine.failures, !conduct.isAside { setAside(&conduct) }
    conducts[worker] = conduct
  }

  private func setAside(_ conduct: inout ModelConduct) {
    conduct.isAside = true
    conduct.failedInARow = []
    conduct.firstProof = nextAttempt
    conduct.nextProof = listening + pause(conduct.doublings)
    conduct.doublings += 1
  }

  mutating func noteGoodEnd(of attempt: AttemptID, on worker: WorkerID) {
    guard var conduct = conducts[worker] else { return }
    conduct.failedInARow = []
    conduct.goodInARow += 1
    if conduct.goodInARow >= settings.quarantine.forgivenAfter {
      conduct.outdone = 0
      conduct.doublings = 0
    }
    if conduct.isAside, attempt >= conduct.firstProof {
      conduct.isAside = false
      conduct.outdone = 0
    }
    conducts[worker] = conduct
  }

  mutating func noteChange(
    _ worker: WorkerID, _ change: WorkerChange, _ step: inout Step
  ) throws(Violation) {
    switch change {
    case .joined, .lost, .left: break
    case .revoked(let reason):
      guard step.event == .revokeWorker(worker, reason: reason) else { throw violation("\(worker) cut off by nobody") }
    case .quarantined(let reason):
      guard conducts[worker]?.isAside == true else { throw violation("\(worker) set aside without cause: \(reason)") }
      step.aside.insert(worker)
      sight("set aside")
    case .released:
      guard conducts[worker]?.isAside == false else { throw violation("\(worker) released too early") }
      sight("released")
    }
  }
}
