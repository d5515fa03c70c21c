import ContentHash
import SweepCore

/// A promise that was broken: what, and after which event.
struct Violation: Error, CustomStringConvertible {
  let description: String
}

/// An independent, slow and simple account of a sweep: it watches the events and actions go by, keeps what a store
/// would keep, and says when a promise is broken. It shares no code with the scheduler's decisions.
struct SweepModel {
  struct Row {
    var cell: CellID
    var worker: WorkerID
    var outcome: AttemptEnd?
    var delivered = false
    var isOpen: Bool { outcome == nil && !delivered }
  }

  struct Presence {
    var credit = 0
    var lastHeard: Int64
    var isPresent = true
    /// Beyond the usual, for workers known from the store only.
    var grace: Int64 = 0
  }

  let fingerprints: [SHA256Digest]
  let settings: Scheduler.Settings

  // What a store keeps.
  var outcomes: [CellID: CellOutcome] = [:]
  var results: [SHA256Digest: DeliveredResult] = [:]
  var faults: Set<String> = []
  var rows: [AttemptID: Row] = [:]

  // What the present scheduler must know.
  var workers: [WorkerID: Presence] = [:]
  var isDraining = false
  var hasFinished = false
  var wasCancelled = false
  var permanentlyFailed: Set<CellID> = []
  var now: Int64 = 0
  private var listening: Int64 = 0

  init(fingerprints: [SHA256Digest], settings: Scheduler.Settings) {
    self.fingerprints = fingerprints
    self.settings = settings
  }

  private var lostAfter: Int64 { settings.lostAfter.nanoseconds }

  // MARK: - Restart

  /// A scheduler that takes up what the store has, as after the death of its predecessor.
  mutating func restart() -> Scheduler {
    let cells = fingerprints.indices.map { index in
      let state: CellRecord.State =
        switch outcomes[CellID(index)] {
        case .completed: .completed
        case .failed: .failed
        case .cancelled: .cancelled
        case nil: .pending
        }
      return Scheduler.StoredCell(
        fingerprint: fingerprints[index], state: state, resultDigest: results[fingerprints[index]]?.digest,
        group: index % 2)
    }
    let attempts = rows.keys.sorted().compactMap { id -> Scheduler.StoredAttempt? in
      guard let row = rows[id] else { return nil }
      let standing: Scheduler.StoredStanding =
        if row.delivered { .delivered } else if let outcome = row.outcome { .ended(outcome) } else { .open }
      return Scheduler.StoredAttempt(attempt: id, cell: row.cell, worker: row.worker, standing: standing)
    }
    workers = [:]
    for row in rows.values where row.isOpen {
      workers[row.worker] = Presence(lastHeard: listening, isPresent: false, grace: 2 * lostAfter)
    }
    isDraining = false
    hasFinished = false
    return Scheduler(
      sweeps: [.init(cells: cells, groups: 2)], attempts: attempts,
      nextAttempt: AttemptID((rows.keys.max()?.number ?? 0) + 1), settings: settings, at: Instant(nanoseconds: now))
  }

  // MARK: - Watching

  /// Takes note of an event, the actions that answered it, and the scheduler afterwards.
  mutating func watch(
    _ event: Scheduler.Event, _ actions: [Scheduler.Action], _ scheduler: Scheduler, at moment: Int64
  ) throws(Violation) {
    let gap = moment - now
    now = moment
    if gap <= 2 * settings.heartbeatInterval.nanoseconds { listening += gap }
    noteArrival(event)
    var recordedLeases: Set<AttemptID> = []
    for action in actions {
      try note(action, of: event, &recordedLeases)
    }
    try checkAnswer(to: event, actions)
    try checkWhole(scheduler)
  }

  private mutating func noteArrival(_ event: Scheduler.Event) {
    switch event {
    case .joined(let worker, _, _), .heartbeat(let worker, _): meet(worker)
    case .ready(let worker, let credit):
      meet(worker)
      workers[worker]?.credit = min(max(credit, 0), 1024)
    case .result(let worker, _, _):
      if workers[worker]?.isPresent == true { meet(worker) }
    case .failure(let worker, let attempt, let failure):
      if workers[worker]?.isPresent == true { meet(worker) }
      guard let row = rows[attempt], row.worker == worker else { return }
      switch failure.kind {
      case .diverged, .refusedInput: permanentlyFailed.insert(row.cell)
      case .preempted, .workerUnfit: workers[worker]?.credit = 0
      case .engineFault, .crashed, .outOfMemory, .workerLost: break
      }
    case .left(let worker, _): workers[worker] = nil
    case .tick:
      for (worker, presence) in workers where presence.lastHeard + presence.grace + lostAfter <= listening {
        workers[worker] = nil
      }
    case .cancel: wasCancelled = true
    case .drain: isDraining = true
    case .pause, .resume, .prioritise, .retry, .drainWorker, .revokeWorker: break
    }
  }

  private mutating func meet(_ worker: WorkerID) {
    workers[worker] = Presence(credit: workers[worker]?.credit ?? 0, lastHeard: listening)
  }

  private mutating func note(
    _ action: Scheduler.Action, of event: Scheduler.Event, _ recordedLeases: inout Set<AttemptID>
  ) throws(Violation) {
    switch action {
    case .record(.leased(let attempt, let cell, let worker, _)):
      try noteLease(attempt, cell, worker)
      recordedLeases.insert(attempt)
    case .record(.adopted(let attempt)):
      guard let row = rows[attempt], case .lost = row.outcome else { throw violation("adopted \(attempt), not lost") }
      guard outcomes[row.cell] == nil else { throw violation("adopted an attempt at the ended \(row.cell)") }
      rows[attempt]?.outcome = nil
    case .record(.ended(let attempt, let outcome)):
      guard let row = rows[attempt] else { throw violation("ended unknown \(attempt)") }
      switch row.outcome {
      case nil, .lost: break
      case .duplicate, .failed, .revoked, .takenBack: throw violation("ended \(attempt) twice")
      }
      guard !row.delivered else { throw violation("ended \(attempt), which had delivered") }
      rows[attempt]?.outcome = outcome
    case .record(.result(let attempt, let delivered)):
      guard results[delivered.fingerprint] == nil else { throw violation("a second result of one fingerprint") }
      guard let row = rows[attempt], fingerprints[row.cell.index] == delivered.fingerprint else {
        throw violation("result of \(attempt) for another cell")
      }
      results[delivered.fingerprint] = delivered
      rows[attempt]?.delivered = true
    case .record(.fault(let attempt, let delivered)):
      guard let first = results[delivered.fingerprint], first.digest != delivered.digest else {
        throw violation("a fault without a difference")
      }
      faults.insert("\(attempt.number) \(delivered.digest)")
      rows[attempt]?.delivered = true
    case .record(.outcome(let cell, let outcome)):
      try noteOutcome(cell, outcome)
    case .record(.worker), .record(.reopened), .record(.audited), .record(.sweep): break
    case .lease(let worker, let attempt, let cell):
      guard recordedLeases.contains(attempt), rows[attempt]?.worker == worker, rows[attempt]?.cell == cell else {
        throw violation("leased \(attempt) before it was recorded")
      }
    case .acknowledge(let worker, let attempt):
      try noteAcknowledgement(worker, attempt, event)
    case .revoke(let worker, let attempt):
      guard let row = rows[attempt], row.worker == worker else { return }
      guard outcomes[row.cell] != nil || !row.isOpen else { throw violation("revoked \(attempt), which is wanted") }
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

  private mutating func noteLease(
    _ attempt: AttemptID, _ cell: CellID, _ worker: WorkerID
  ) throws(Violation) {
    guard attempt > rows.keys.max() ?? AttemptID(0) else { throw violation("number \(attempt) used again") }
    guard outcomes[cell] == nil else { throw violation("leased the ended \(cell)") }
    let isRunning = rows.values.contains { $0.cell == cell && $0.isOpen }
    guard !isRunning else { throw violation("leased \(cell) twice") }
    guard isLeader(cell) else { throw violation("leased \(cell), though an equal cell comes before it") }
    guard !isDraining, !hasFinished else { throw violation("leased \(cell) while draining") }
    guard let presence = workers[worker], presence.isPresent, openCount(worker) < presence.credit else {
      throw violation("leased \(cell) to \(worker), who has no room")
    }
    guard mayTry(cell, worker) else { throw violation("leased \(cell) to \(worker) again, though others are there") }
    rows[attempt] = Row(cell: cell, worker: worker)
  }

  private mutating func noteOutcome(_ cell: CellID, _ outcome: CellOutcome) throws(Violation) {
    guard outcomes[cell] == nil else { throw violation("\(cell) ended twice") }
    switch outcome {
    case .completed:
      guard results[fingerprints[cell.index]] != nil else { throw violation("\(cell) completed without a result") }
    case .failed:
      let equal = fingerprints.indices.filter { fingerprints[$0] == fingerprints[cell.index] }
      let isDue = equal.contains {
        permanentlyFailed.contains(CellID($0)) || countedFailures(CellID($0)) >= settings.maximumAttempts
      }
      guard isDue else { throw violation("\(cell) failed before its time") }
    case .cancelled:
      guard wasCancelled else { throw violation("\(cell) cancelled by nobody") }
    }
    outcomes[cell] = outcome
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
    case .result, .failure, .joined, .ready, .heartbeat, .left, .tick, .cancel, .drain, .pause, .resume, .prioritise,
      .retry,
      .drainWorker, .revokeWorker:
      throw violation("acknowledged what nobody said")
    }
  }

  // MARK: - The whole

  private func checkAnswer(to event: Scheduler.Event, _ actions: [Scheduler.Action]) throws(Violation) {
    switch event {
    case .result(let worker, let attempt, _), .failure(let worker, let attempt, _):
      let answers = actions.filter { $0 == .acknowledge(worker, attempt) || $0 == .revoke(worker, attempt) }
      guard answers.count == 1 else { throw violation("\(answers.count) answers to \(attempt)") }
    case .joined, .ready, .heartbeat, .left, .tick, .cancel, .drain, .pause, .resume, .prioritise, .retry,
      .drainWorker, .revokeWorker:
      break
    }
  }

  private func checkWhole(_ scheduler: Scheduler) throws(Violation) {
    var tallies: [[CellRecord.State: Int]] = [[:], [:]]
    for index in fingerprints.indices {
      let cell = CellID(index)
      let state = scheduler.state(of: cell)
      tallies[index % 2][state.summary, default: 0] += 1
      let open = Set(rows.filter { $0.value.cell == cell && $0.value.isOpen }.keys)
      let isRight =
        switch (outcomes[cell], state) {
        case (.completed, .completed), (.failed, .failed), (.cancelled, .cancelled): open.isEmpty
        case (nil, .running(let attempts)): !open.isEmpty && Set(attempts) == open && attempts.count == open.count
        case (nil, .pending): open.isEmpty && isLeader(cell)
        case (nil, .twin(let leader)):
          open.isEmpty && leader < cell && fingerprints[leader.index] == fingerprints[index]
        default: false
        }
      guard isRight else {
        throw violation("\(cell) is \(state); recorded \(String(describing: outcomes[cell])), open \(open)")
      }
    }
    for (group, tally) in tallies.enumerated() {
      guard scheduler.tallies(of: SweepIndex(0))[group].filter({ $0.value != 0 }) == tally else {
        throw violation("tally \(scheduler.tallies(of: SweepIndex(0))[group]), expected \(tally)")
      }
    }
    for (worker, presence) in workers where presence.isPresent {
      let open = Set(rows.filter { $0.value.worker == worker && $0.value.isOpen }.keys)
      guard let leases = scheduler.leases(of: worker), Set(leases) == open, leases.count == open.count else {
        throw violation("\(worker) holds \(String(describing: scheduler.leases(of: worker))), recorded \(open)")
      }
    }
    for row in rows.values where row.isOpen {
      guard workers[row.worker] != nil else { throw violation("\(row.cell) is leased to \(row.worker), who is gone") }
    }
    guard workers.isEmpty || scheduler.nextDeadline != nil else { throw violation("nobody watches the workers") }
    try checkEnd()
    try checkNobodyWaitsInVain()
  }

  private func checkEnd() throws(Violation) {
    let allEnded = outcomes.count == fingerprints.count
    let nothingRuns = !rows.values.contains { $0.isOpen }
    if allEnded || (isDraining && nothingRuns) {
      guard hasFinished else { throw violation("at the end, and not finished") }
    }
  }

  private func checkNobodyWaitsInVain() throws(Violation) {
    guard !isDraining, !hasFinished else { return }
    for index in fingerprints.indices {
      let cell = CellID(index)
      guard outcomes[cell] == nil, isLeader(cell), !rows.values.contains(where: { $0.cell == cell && $0.isOpen })
      else { continue }
      for (worker, presence) in workers where openCount(worker) < presence.credit && mayTry(cell, worker) {
        throw violation("\(cell) waits while \(worker) has room")
      }
    }
  }

  private func isLeader(_ cell: CellID) -> Bool {
    !fingerprints.indices.contains {
      $0 < cell.index && fingerprints[$0] == fingerprints[cell.index] && outcomes[CellID($0)] == nil
    }
  }

  private func openCount(_ worker: WorkerID) -> Int {
    rows.values.count { $0.worker == worker && $0.isOpen }
  }

  private func counted(_ cell: CellID) -> [Row] {
    rows.values.filter { row in
      guard row.cell == cell, !row.delivered else { return false }
      return switch row.outcome {
      case .failed(let failure): [.engineFault, .workerLost, .crashed, .outOfMemory].contains(failure.kind)
      case .lost(let loss, _): loss == .workerLost || loss == .forgotten
      case .duplicate, .revoked, .takenBack, nil: false
      }
    }
  }

  private func countedFailures(_ cell: CellID) -> Int { counted(cell).count }

  private func mayTry(_ cell: CellID, _ worker: WorkerID) -> Bool {
    let avoided = Set(counted(cell).map(\.worker))
    return !avoided.contains(worker) || workers.allSatisfy { $0.value.credit == 0 || avoided.contains($0.key) }
  }

  private func violation(_ text: String) -> Violation { Violation(description: text) }
}

extension Duration {
  /// In nanoseconds.
  var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
