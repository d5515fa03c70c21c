internal import ContentHash
internal import HeapModule

/// Decides which worker runs which cell, and what becomes of every cell. A pure value: no clock, socket, task or
/// logger; the same events at the same instants give the same actions.
///
/// Every cell ends in exactly one recorded outcome. The first valid result of a fingerprint counts, whichever attempt
/// brings it; a later one is compared with it. Whatever peers say is ordinary input: late, repeated, contradictory and
/// unknown messages are answered so that the peer stops repeating them, and otherwise change nothing.
///
/// An event costs O(log n) for n cells and workers, apart from `cancel`, which visits every cell. A pending cell takes
/// less than 100 bytes beside its fingerprint.
public struct Scheduler: Sendable {
  /// The policy.
  public let settings: Settings

  var cells: [CellEntry]
  /// Cells that share the end of another, by that other.
  var twins: [CellID: [CellID]] = [:]
  var attempts: [AttemptID: AttemptEntry] = [:]
  var workers: [WorkerID: WorkerEntry] = [:]
  var phase = Phase.dealing
  var nextAttempt: UInt64
  /// Cells that have not ended.
  var unended: Int
  /// Attempts that hold a lease.
  var liveAttempts = 0
  var counts: [[CellRecord.State: Int]]

  // Dealing.
  /// Cells from here on have never been requeued, unless they say so.
  var nextFresh = 0
  /// Pending cells that were leased before; entries whose cell has moved on are stale.
  var requeued = Heap<CellID>()
  /// Workers on which attempts of an unended cell failed.
  var troubles: [CellID: [WorkerID]] = [:]
  /// Workers with room for another lease; entries with an old ticket are stale.
  var hungry = Heap<Hungry>()
  var nextTicket: UInt64 = 0
  /// Workers that want to hold leases at all.
  var willing = 0

  // Time.
  var clock: ListeningClock
  /// One entry a worker, possibly earlier than its true deadline.
  var deadlines = Heap<Deadline>()
  let lostAfter: Int64

  /// Whether cells are dealt.
  enum Phase: Sendable {
    case dealing, draining, finished
  }

  struct CellEntry: Sendable {
    let fingerprint: SHA256Digest
    /// Index into the tallies.
    let group: Int
    var state: CellState
    /// The digest of the first result of the fingerprint, which may have come too late for the cell.
    var resultDigest: SHA256Digest?
    /// Attempts used up.
    var failures = 0
    /// Whether an entry of `requeued` stands for the cell.
    var isQueued = false
  }

  struct AttemptEntry: Sendable {
    let cell: CellID
    let worker: WorkerID
    var standing: Standing
    /// Whether it is among the cell's ``CellEntry/failures``.
    var isCounted = false
  }

  /// What may still be expected of an attempt.
  enum Standing: Sendable {
    /// It holds a lease.
    case live
    /// Its lease was given up, but its worker may come back with it.
    case lost
    /// It has delivered, failed, or been revoked.
    case ended
  }

  struct WorkerEntry: Sendable {
    /// In listening time.
    var lastHeard: Instant
    /// Whether it has spoken to this scheduler; `false` for one that is only known from the store.
    var isPresent: Bool
    var credit = 0
    var leases: [Lease] = []
    /// The number of its valid entry in `hungry`.
    var ticket: UInt64 = 0
    /// Distinguishes two lives of the same name in `deadlines`.
    let registration: UInt64
  }

  struct Lease: Sendable {
    let attempt: AttemptID
    /// When its worker last named it, or when it was leased; in listening time.
    var lastNamed: Instant
    var wasNamed: Bool
  }

  struct Hungry: Sendable, Comparable {
    let leases: Int
    let ticket: UInt64
    let worker: WorkerID

    /// The fewest leases first, then the longest wait.
    static func < (left: Hungry, right: Hungry) -> Bool {
      (left.leases, left.ticket) < (right.leases, right.ticket)
    }
  }

  struct Deadline: Sendable, Comparable {
    let at: Instant
    let registration: UInt64
    let worker: WorkerID

    static func < (left: Deadline, right: Deadline) -> Bool {
      (left.at, left.registration) < (right.at, right.registration)
    }
  }

  /// When the next `tick` is due; `nil` while there is no worker to wait for. Never further away than a heartbeat, so
  /// that a longer gap shows that nobody listened.
  public var nextDeadline: Instant? {
    guard let first = deadlines.min else { return nil }
    return min(clock.moment(of: first.at), clock.last + settings.heartbeatInterval)
  }

  /// Takes note of an event and says what is to be done. Events of one peer are given in the order in which it sent
  /// them.
  public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
    let now = clock.advance(to: now)
    var actions: [Action] = []
    switch event {
    case .joined(let worker, _, let running): joined(worker, running: running, now, &actions)
    case .ready(let worker, let credit): ready(worker, credit: credit, now, &actions)
    case .heartbeat(let worker, let holding): heartbeat(worker, holding: holding.map(\.attempt), now, &actions)
    case .result(let worker, let attempt, let delivered): result(delivered, of: attempt, by: worker, now, &actions)
    case .failure(let worker, let attempt, let failure): self.failure(failure, of: attempt, by: worker, now, &actions)
    case .left(let worker, let reason): left(worker, reason: reason, &actions)
    case .tick: expire(now, &actions)
    case .cancel: cancel(&actions)
    case .pause, .resume, .prioritise, .retry, .drainWorker, .revokeWorker: break
    case .drain: drain(&actions)
    }
    deal(now, &actions)
    conclude(&actions)
    return actions
  }

  // MARK: - Ends

  private mutating func cancel(_ actions: inout [Action]) {
    for index in cells.indices {
      switch cells[index].state {
      case .pending, .running: end(CellID(index), as: .cancelled, &actions)
      case .twin, .completed, .failed, .cancelled: break
      }
    }
  }

  private mutating func drain(_ actions: inout [Action]) {
    switch phase {
    case .dealing:
      phase = .draining
      drainWorkers(&actions)
    case .draining, .finished: break
    }
  }

  private mutating func conclude(_ actions: inout [Action]) {
    switch phase {
    case .dealing:
      guard unended == 0 else { return }
      drainWorkers(&actions)
    case .draining:
      guard unended == 0 || liveAttempts == 0 else { return }
    case .finished:
      return
    }
    phase = .finished
    actions.append(.finish)
  }

  private func drainWorkers(_ actions: inout [Action]) {
    for worker in workers.keys.sorted() where workers[worker]?.isPresent == true {
      actions.append(.drain(worker))
    }
  }

  /// Moves a cell to another state that is not final.
  mutating func move(_ cell: CellID, to state: CellState) {
    let old = cells[cell.index].state
    precondition(!old.isFinal, "cell \(cell.index) has ended")
    counts[cells[cell.index].group][old.summary, default: 0] -= 1
    counts[cells[cell.index].group][state.summary, default: 0] += 1
    cells[cell.index].state = state
  }

  /// Ends a cell and its twins: records the outcome of each, and revokes what still runs.
  mutating func end(_ cell: CellID, as outcome: CellOutcome, _ actions: inout [Action]) {
    let state: CellState =
      switch outcome {
      case .completed: .completed
      case .failed: .failed
      case .cancelled: .cancelled
      }
    let live: [AttemptID] = if case .running(let attempts) = cells[cell.index].state { attempts } else { [] }
    for ended in [cell] + (twins.removeValue(forKey: cell) ?? []) {
      move(ended, to: state)
      unended -= 1
      actions.append(.record(.outcome(ended, outcome)))
    }
    troubles[cell] = nil
    for attempt in live {
      actions.append(.record(.ended(attempt, .revoked)))
      if let worker = release(attempt, to: .ended) { actions.append(.revoke(worker, attempt)) }
    }
  }
}
