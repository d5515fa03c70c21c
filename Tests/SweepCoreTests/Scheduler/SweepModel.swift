import ContentHash
import SweepCore

/// A promise that was broken: what, and after which event.
struct Violation: Error, CustomStringConvertible {
  let description: String
}

/// An independent, slow and simple account of a coordinator's sweeps: it watches the events and actions go by, keeps
/// what a store would keep, and says when a promise is broken. It shares no code with the scheduler's decisions.
struct SweepModel {
  struct Sweep {
    var cells: Range<Int>
    var priority = 0
    var isPaused = false
    var auditFraction = 0.0
  }

  struct Row {
    var cell: CellID
    var worker: WorkerID
    var purpose: LeasePurpose
    var outcome: AttemptEnd?
    var hasDelivered = false
    var hasDiffered = false
    /// Whether it uses up one of those that its audit, rather than its cell, is allowed.
    var isOfAudit = false
    /// When its lease was given, in listening time, and in which order.
    var since: Int64
    var order: Int
    var isStarted: Bool?

    var isOpen: Bool { outcome == nil && !hasDelivered && !hasDiffered }

    /// Whether it uses up one of the attempts allowed.
    var isUsedUp: Bool {
      guard !hasDelivered, !hasDiffered else { return false }
      return switch outcome {
      case .failed(let failure):
        switch failure.kind {
        case .engineFault, .workerLost, .crashed, .outOfMemory: true
        case .diverged, .refusedInput, .preempted, .workerUnfit: false
        }
      case .lost(let loss, _):
        switch loss {
        case .workerLost, .forgotten: true
        case .unstarted, .undelivered, .workerLeft, .abandoned, .workerRevoked: false
        }
      case .duplicate, .revoked, .takenBack, nil: false
      }
    }

    /// Whether its worker said itself that it failed.
    var isReported: Bool { if case .failed = outcome { true } else { false } }
  }

  struct Presence {
    var capacity = WorkerCapacity()
    var credit = 0
    var lastHeard: Int64
    var isPresent = true
    /// Beyond the usual, for workers known from the store only.
    var grace: Int64 = 0
    /// Silence after which it is taken for lost, as it was told.
    var patience: Int64
  }

  struct Audit {
    var cell: CellID
    var worker: WorkerID
    var since: Int64
  }

  let fingerprints: [SHA256Digest]
  let settings: Scheduler.Settings
  private let groupOfCell: [Int]
  private let cellsOfGroup: [Int: [CellID]]

  // What a store keeps.
  var sweeps: [Sweep]
  var outcomes: [CellID: CellOutcome] = [:]
  var results: [SHA256Digest: DeliveredResult] = [:]
  var accepted: [SHA256Digest: AttemptID] = [:]
  var faults: Set<String> = []
  var rows: [AttemptID: Row] = [:]
  var countedFrom: [CellID: AttemptID] = [:]
  var audited: [CellID: AuditOutcome] = [:]

  // What the present scheduler must know.
  var workers: [WorkerID: Presence] = [:]
  var conducts: [WorkerID: ModelConduct] = [:]
  var leaving: Set<WorkerID> = []
  var audits: [Int: Audit] = [:]
  /// By group: the most memory for each slot with which a cell ran out of it.
  var floors: [Int: Int] = [:]
  var completions = 0
  /// What the workers that were lost at this tick may have been running.
  var blamed: Set<AttemptID> = []
  var isDraining = false
  var hasFinished = false
  var wasCancelled: Set<CellID> = []
  var permanentlyFailed: Set<Int> = []
  var now: Int64 = 0
  var listening: Int64 = 0
  private(set) var leasesGiven = 0
  /// What the storms must have seen to have tested anything.
  private(set) var sights: [String: Int] = [:]

  init(fingerprints: [SHA256Digest], sweeps: [Sweep], settings: Scheduler.Settings) {
    self.fingerprints = fingerprints
    self.sweeps = sweeps
    self.settings = settings
    groupOfCell = fingerprints.map { fingerprints.firstIndex(of: $0) ?? 0 }
    cellsOfGroup = Dictionary(grouping: fingerprints.indices.map { CellID($0) }) { [groupOfCell] in
      groupOfCell[$0.index]
    }
  }

  var lostAfter: Int64 { settings.lostAfter.inNanoseconds }

  /// Workers for which the usual intervals will do.
  private var mostAtOnce: Double {
    max(1, (Double(settings.mostHeartbeats) * (settings.heartbeatInterval / .seconds(1))).rounded(.down))
  }

  mutating func sight(_ what: String) { sights[what, default: 0] += 1 }

  // MARK: - Cells

  /// Cells of one fingerprint are a group, named by the first of them.
  func group(of cell: CellID) -> Int { groupOfCell[cell.index] }

  func cells(of group: Int) -> [CellID] { cellsOfGroup[group] ?? [] }

  func isOpen(_ group: Int) -> Bool { cells(of: group).contains { outcomes[$0] == nil } }

  var groups: [Int] { cellsOfGroup.keys.sorted() }

  func sweep(of cell: CellID) -> Int {
    sweeps.firstIndex { $0.cells.contains(cell.index) } ?? 0
  }

  func openRows(of group: Int) -> [AttemptID] {
    rows.keys.filter { rows[$0]?.isOpen == true && rows[$0].map { self.group(of: $0.cell) } == group }.sorted()
  }

  /// Whether a cell wants the result of an attempt to be audited.
  func isChosen(_ cell: CellID, _ attempt: AttemptID) -> Bool {
    Double(fingerprints[cell.index].leadingWord) / 0x1p64 < sweeps[sweep(of: cell)].auditFraction
      && attempt >= countedFrom[cell] ?? AttemptID(0)
  }

  // MARK: - Restart

  /// A scheduler that takes up what the store has, as after the death of its predecessor.
  mutating func restart() -> Scheduler {
    for (id, row) in rows where row.isOpen && !isOpen(group(of: row.cell)) {
      let isAudit = row.purpose == .audit && audits[group(of: row.cell)] != nil
      if !isAudit { rows[id]?.outcome = .revoked }
    }
    let attempts = rows.keys.sorted().compactMap { id -> Scheduler.StoredAttempt? in
      guard let row = rows[id] else { return nil }
      let standing: Scheduler.StoredStanding =
        if row.hasDelivered { .delivered } else if row.hasDiffered { .differed } else if let outcome = row.outcome {
          .ended(outcome)
        } else { .open }
      return Scheduler.StoredAttempt(
        attempt: id, cell: row.cell, worker: row.worker, purpose: row.purpose, standing: standing)
    }
    forget()
    return Scheduler(
      sweeps: sweeps.map(stored), attempts: attempts,
      nextAttempt: AttemptID((rows.keys.max()?.number ?? 0) + 1), settings: settings, at: Instant(nanoseconds: now))
  }

  private func stored(_ sweep: Sweep) -> Scheduler.StoredSweep {
    let cells = sweep.cells.map { index in
      let state: CellRecord.State =
        switch outcomes[CellID(index)] {
        case .completed: .completed
        case .failed: .failed
        case .cancelled: .cancelled
        case nil: .pending
        }
      return Scheduler.StoredCell(
        fingerprint: fingerprints[index], state: state, resultDigest: results[fingerprints[index]]?.digest,
        group: index % 2, countedFrom: countedFrom[CellID(index)] ?? AttemptID(0),
        isAudited: audited[CellID(index)] != nil)
    }
    return Scheduler.StoredSweep(
      cells: cells, groups: 2, priority: sweep.priority, isPaused: sweep.isPaused, auditFraction: sweep.auditFraction)
  }

  /// What only the scheduler that died knew.
  private mutating func forget() {
    workers = [:]
    conducts = [:]
    leaving = []
    audits = [:]
    floors = [:]
    completions = 0
    isDraining = false
    hasFinished = false
    for id in rows.keys.sorted() {
      guard let row = rows[id], row.isOpen else { continue }
      workers[row.worker] = Presence(
        lastHeard: listening, isPresent: false, grace: 2 * lostAfter, patience: lostAfter)
      rows[id]?.isStarted = nil
      noteLease(id)
    }
    // As many as come back were told how often to give signs of life.
    for worker in workers.keys {
      while Double(workers.count) > mostAtOnce * Double((workers[worker]?.patience ?? 0) / lostAfter) {
        workers[worker]?.patience *= 2
      }
    }
    for group in groups {
      guard let attempt = accepted[fingerprints[group]], let row = rows[attempt] else { continue }
      guard !cells(of: group).contains(where: { audited[$0] != nil }) else { continue }
      let asking = cells(of: group).first { outcomes[$0] == .completed && isChosen($0, attempt) }
      if let asking { audits[group] = Audit(cell: asking, worker: row.worker, since: listening) }
    }
    for (id, row) in rows {
      let isOfAudit = row.purpose == .audit && audits[group(of: row.cell)] != nil
      rows[id]?.isOfAudit = isOfAudit
    }
  }

  // MARK: - Watching

  /// Takes note of an event, the actions that answered it, and the scheduler afterwards.
  mutating func watch(
    _ event: Scheduler.Event, _ actions: [Scheduler.Action], _ scheduler: Scheduler, at moment: Int64
  ) throws(Violation) {
    let gap = moment - now
    now = moment
    if gap <= 2 * settings.heartbeatInterval.inNanoseconds { listening += gap }
    noteArrival(event)
    var step = Step(event: event, actions: actions)
    for action in actions { try note(action, &step) }
    try notePatience(scheduler, actions)
    try checkAnswer(to: event, actions)
    try checkWhole(scheduler, after: step)
  }

  /// One event and what was said about it so far.
  struct Step {
    let event: Scheduler.Event
    let actions: [Scheduler.Action]
    var leased: Set<AttemptID> = []
    var takenBack: [AttemptID] = []
    var aside: Set<WorkerID> = []
  }

  private mutating func noteArrival(_ event: Scheduler.Event) {
    switch event {
    case .joined(let worker, let capacity, _):
      meet(worker)
      workers[worker]?.capacity = capacity
    case .heartbeat(let worker, let holding):
      meet(worker)
      for held in holding where rows[held.attempt]?.worker == worker {
        rows[held.attempt]?.isStarted = held.isStarted
      }
    case .ready(let worker, let credit):
      meet(worker)
      workers[worker]?.credit = leaving.contains(worker) ? 0 : min(max(credit, 0), 1024)
    case .result(let worker, _, _):
      if workers[worker]?.isPresent == true { meet(worker) }
    case .failure(let worker, let attempt, let failure):
      if workers[worker]?.isPresent == true { meet(worker) }
      guard let row = rows[attempt], row.worker == worker else { return }
      switch failure.kind {
      case .diverged, .refusedInput: permanentlyFailed.insert(group(of: row.cell))
      case .preempted: workers[worker]?.credit = 0
      case .engineFault, .crashed, .outOfMemory, .workerLost, .workerUnfit: break
      }
    case .left(let worker, _):
      guard workers[worker] != nil else { return }
      workers[worker] = nil
      conducts[worker] = nil
      leaving.remove(worker)
    case .tick:
      blamed = []
      for (worker, presence) in workers where presence.lastHeard + presence.grace + presence.patience <= listening {
        blamed.formUnion(leases(of: worker).filter { isAmongFirst($0) || rows[$0]?.isStarted == true })
        workers[worker] = nil
      }
    case .pause(let sweep): sweeps[sweep.position].isPaused = true
    case .resume(let sweep): sweeps[sweep.position].isPaused = false
    case .prioritise(let sweep, let priority): sweeps[sweep.position].priority = priority
    case .cancel(let sweep): wasCancelled.formUnion(sweeps[sweep.position].cells.map { CellID($0) })
    case .retry: break
    case .drain: isDraining = true
    case .drainWorker(let worker):
      guard workers[worker]?.isPresent == true else { return }
      leaving.insert(worker)
      workers[worker]?.credit = 0
    case .revokeWorker(let worker, _): workers[worker] = nil
    }
  }

  private mutating func meet(_ worker: WorkerID) {
    let known = workers[worker]
    workers[worker] = Presence(
      capacity: known?.capacity ?? WorkerCapacity(), credit: known?.credit ?? 0, lastHeard: listening,
      patience: known?.patience ?? lostAfter)
  }

  mutating func noteLease(_ attempt: AttemptID) {
    leasesGiven += 1
    rows[attempt]?.order = leasesGiven
    rows[attempt]?.since = listening
  }

  /// Silence is held against a worker for as long as it was told, and no longer or shorter than its number asks for.
  private mutating func notePatience(_ scheduler: Scheduler, _ actions: [Scheduler.Action]) throws(Violation) {
    for (worker, presence) in workers where presence.isPresent {
      let (interval, silence) = scheduler.patience(with: worker)
      let patience = silence.inNanoseconds
      if patience != presence.patience {
        guard actions.contains(.welcome(worker)) else { throw violation("\(worker) is not told of \(silence)") }
        workers[worker]?.patience = patience
        sight(patience > presence.patience ? "more patience" : "less patience")
      }
      guard actions.contains(.welcome(worker)) else { continue }
      let factor = interval / settings.heartbeatInterval
      guard silence / settings.lostAfter == factor, Double(workers.count) <= mostAtOnce * factor,
        factor == 1 || Double(workers.count) > mostAtOnce * factor / 4
      else { throw violation("\(worker) is told \(interval) and \(silence), as one of \(workers.count)") }
    }
  }

  func violation(_ text: String) -> Violation { Violation(description: text) }
}

extension Duration {
  /// In nanoseconds.
  var inNanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
