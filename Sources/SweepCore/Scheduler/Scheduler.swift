internal import ContentHash
internal import HeapModule

/// Decides which worker runs which cell, and what becomes of every cell. A pure value: no clock, socket, task or
/// logger; the same events at the same instants give the same actions.
///
/// It serves several sweeps at once. Every cell ends in exactly one recorded outcome. The first valid result of a
/// fingerprint counts, whichever attempt brings it; a later one is compared with it. Whatever peers say is ordinary
/// input: late, repeated, contradictory and unknown messages are answered so that the peer stops repeating them, and
/// otherwise change nothing.
///
/// An event costs O(log n) for n cells and workers, and O(s) for s sweeps, apart from `cancel`, which visits every
/// cell of its sweep. A waiting cell takes less than 100 bytes, its fingerprint included, and no memory elsewhere.
public struct Scheduler: Sendable {
  /// The policy.
  public let settings: Settings

  var cells: [CellEntry]
  var lanes: [Lane]
  /// Of cells that share a fingerprint, all but the first lead to it: the head, at which what they share is kept.
  var heads: [CellID: CellID] = [:]
  /// The cells of a head that has more than itself, ascending.
  var members: [CellID: [CellID]] = [:]
  /// What is under way for the cells of a head; for those that were never leased there is nothing.
  var efforts = EffortTable()
  /// Of heads whose first result came with windows, the digest of these. Apart from the cells: most wait.
  var windowDigests: [CellID: SHA256Digest] = [:]
  /// Of cells that were reopened, the first attempt number spent since.
  var reopened: [CellID: UInt64] = [:]
  var attempts: AttemptTable
  var workers: [WorkerID: WorkerEntry] = [:]
  /// How workers behaved on which cells failed.
  var conducts: [WorkerID: Conduct] = [:]
  /// Workers that were told to end.
  var leaving: Set<WorkerID> = []
  var phase = Phase.dealing
  /// Cells that have not ended.
  var unended = 0
  /// Audits that are not over.
  var auditsOwed = 0
  /// Attempts that hold a lease.
  var liveAttempts = 0
  /// First results so far.
  var completions = 0
  /// By group, the groups of one sweep after those of the other; then by ``CellRecord/State/ordinal``.
  var counts: [Int]

  // Dealing.
  /// Nothing can be leased until something changes.
  var isSettled = false
  /// Workers with room for another lease; entries with an old ticket are stale.
  var hungry = Heap<Hungry>()
  /// Workers that hold more leases than they can run at a time; entries with an old ticket are stale.
  var laden = Heap<Laden>()
  /// Attempts under way for a result, oldest first; entries of attempts that ended are stale.
  var underWay = Heap<UnderWay>()
  var nextTicket: UInt64 = 0
  /// Workers that may be given cells, by the memory that they have for each.
  var willing: [Int: Int] = [:]
  var willingCount = 0

  // Time.
  var clock: ListeningClock
  /// One valid entry a worker, possibly earlier than its true deadline.
  var deadlines = Heap<Deadline>()
  var pace: HeartbeatPace
  let lostAfter: Int64

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
    case .joined(let worker, let capacity, let running): joined(worker, capacity, running: running, now, &actions)
    case .ready(let worker, let credit): ready(worker, credit: credit, now, &actions)
    case .heartbeat(let worker, let holding): heartbeat(worker, holding: holding, now, &actions)
    case .result(let worker, let attempt, let delivered): result(delivered, of: attempt, by: worker, now, &actions)
    case .failure(let worker, let attempt, let failure): self.failure(failure, of: attempt, by: worker, now, &actions)
    case .left(let worker, let reason): left(worker, reason: reason, now, &actions)
    case .tick: tick(now, &actions)
    case .pause(let sweep): pause(sweep, now, &actions)
    case .resume(let sweep): resume(sweep, &actions)
    case .cancel(let sweep): cancel(sweep, &actions)
    case .prioritise(let sweep, let priority): prioritise(sweep, priority, &actions)
    case .retry(let cells): retry(cells, &actions)
    case .drain: drain(&actions)
    case .drainWorker(let worker): drainWorker(worker, &actions)
    case .revokeWorker(let worker, let reason): revokeWorker(worker, reason: reason, now, &actions)
    }
    deal(now, &actions)
    conclude(&actions)
    return actions
  }

  // MARK: - Ends

  private mutating func drain(_ actions: inout [Action]) {
    switch phase {
    case .dealing:
      phase = .draining
      drainWorkers(&actions)
    case .draining, .finished: break
    }
  }

  private mutating func conclude(_ actions: inout [Action]) {
    let isComplete = unended == 0 && auditsOwed == 0
    switch phase {
    case .dealing:
      guard isComplete else { return }
      drainWorkers(&actions)
    case .draining:
      guard isComplete || liveAttempts == 0 else { return }
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
}
