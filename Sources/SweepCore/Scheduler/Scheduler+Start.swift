public import ContentHash

extension Scheduler {
  /// A cell as the store knows it.
  public struct StoredCell: Sendable, Hashable {
    /// The cell's fingerprint.
    public var fingerprint: SHA256Digest
    /// Its end, if it has come to it; `pending` or `running` otherwise.
    public var state: CellRecord.State
    /// The digest of the result that the store has of the fingerprint.
    public var resultDigest: ResultDigest?
    /// The tally of its sweep that the cell belongs to, from 0: its method.
    public var group: Int
    /// Attempts below this number do not count towards those that the cell is allowed: it was reopened since.
    public var countedFrom: AttemptID
    /// Whether its audit is over.
    public var isAudited: Bool

    /// Creates a description.
    public init(
      fingerprint: SHA256Digest, state: CellRecord.State, resultDigest: ResultDigest?, group: Int,
      countedFrom: AttemptID = AttemptID(0), isAudited: Bool = false
    ) {
      self.fingerprint = fingerprint
      self.state = state
      self.resultDigest = resultDigest
      self.group = group
      self.countedFrom = countedFrom
      self.isAudited = isAudited
    }
  }

  /// A sweep as the store knows it.
  public struct StoredSweep: Sendable, Hashable {
    /// Its cells, in the order in which they are to be leased.
    public var cells: [StoredCell]
    /// The number of its tallies.
    public var groups: Int
    /// Cells of sweeps with a greater number go first.
    public var priority: Int
    /// Whether its cells are not to be leased.
    public var isPaused: Bool
    /// The share of its cells, 0...1, that are run twice on different workers and compared. Which ones follows from
    /// their fingerprints.
    public var auditFraction: Double

    /// Creates a description.
    public init(
      cells: [StoredCell], groups: Int, priority: Int = 0, isPaused: Bool = false, auditFraction: Double = 0
    ) {
      self.cells = cells
      self.groups = groups
      self.priority = priority
      self.isPaused = isPaused
      self.auditFraction = auditFraction
    }
  }

  /// An attempt as the store knows it.
  public struct StoredAttempt: Sendable, Hashable {
    /// Its number.
    public var attempt: AttemptID
    /// Its cell.
    public var cell: CellID
    /// The worker it was leased to.
    public var worker: WorkerID
    /// What it was leased for.
    public var purpose: LeasePurpose
    /// What came of it.
    public var standing: StoredStanding

    /// Creates a description.
    public init(
      attempt: AttemptID, cell: CellID, worker: WorkerID, purpose: LeasePurpose = .result, standing: StoredStanding
    ) {
      self.attempt = attempt
      self.cell = cell
      self.worker = worker
      self.purpose = purpose
      self.standing = standing
    }
  }

  /// What came of a stored attempt.
  public enum StoredStanding: Sendable, Hashable {
    /// Nothing yet: its worker may be running it.
    case open
    /// It gave the first result of its fingerprint.
    case delivered
    /// It gave a result that differed from the first.
    case differed
    /// It ended so.
    case ended(AttemptEnd)
  }

  /// Takes up sweeps where the store has them.
  ///
  /// Leases that are still open are kept for workers that come back with them. They have twice
  /// ``Settings/lostAfter`` beyond the silence that so many workers are allowed: a worker notices only after it that its
  /// coordinator is gone, and then connects again. How workers behaved is not known any more: one that was set aside is tried again.
  ///
  /// - Parameters:
  ///   - sweeps: All sweeps. A ``CellID`` is a cell's place in the cells of all, one sweep after the other.
  ///   - attempts: All attempts at these cells so far, ascending.
  ///   - nextAttempt: A number greater than that of any attempt in the store.
  public init(
    sweeps: [StoredSweep], attempts: [StoredAttempt], nextAttempt: AttemptID, settings: Settings = Settings(),
    at now: Instant
  ) {
    self.settings = settings
    self.attempts = AttemptTable(nextAttempt: nextAttempt)
    pace = HeartbeatPace(settings)
    lostAfter = settings.lostAfter.nanoseconds
    clock = ListeningClock(longestGap: 2 * settings.heartbeatInterval.nanoseconds, start: now)
    counts = Array(repeating: 0, count: sweeps.reduce(0) { $0 + $1.groups } * CellRecord.State.allCases.count)
    lanes = []
    cells = []
    let total = sweeps.reduce(0) { $0 + $1.cells.count }
    cells.reserveCapacity(total)
    efforts.reserveCells(total)
    var first: [SHA256Digest: CellID] = Dictionary(minimumCapacity: total)
    var groups = 0
    for sweep in sweeps {
      let start = cells.count
      for cell in sweep.cells { enter(cell, groups, &first) }
      lanes.append(
        Lane(
          cells: start..<cells.count, groups: groups..<groups + sweep.groups, auditFraction: sweep.auditFraction,
          priority: sweep.priority, isPaused: sweep.isPaused, nextFresh: start))
      groups += sweep.groups
    }
    oweAudits(sweeps, attempts, at: now)
    for attempt in attempts { restore(attempt, at: now) }
    for worker in workers.keys { workers[worker]?.doublings = pace.doublings }
    for head in efforts.heads { waitAgain(head) }
  }

  private mutating func enter(_ stored: StoredCell, _ groups: Int, _ first: inout [SHA256Digest: CellID]) {
    let cell = CellID(cells.count)
    var entry = CellEntry(
      fingerprint: stored.fingerprint, group: Int32(groups + stored.group), lane: Int32(lanes.count))
    switch stored.state {
    case .completed: entry.standing = .completed
    case .failed: entry.standing = .failed
    case .cancelled: entry.standing = .cancelled
    case .pending, .running:
      precondition(stored.resultDigest == nil, "cell \(cell.index) has a result and has not ended")
      unended += 1
    }
    cells.append(entry)
    efforts.appendCell()
    if let head = first[stored.fingerprint] {
      heads[cell] = head
      members[head, default: [head]].append(cell)
    } else {
      first[stored.fingerprint] = cell
    }
    if let digest = stored.resultDigest { noteFirstResult(digest, of: head(of: cell)) }
    if stored.countedFrom.number > 0 { reopened[cell] = stored.countedFrom.number }
    counts[place(entry.group, entry.standing, isRunning: false)] += 1
  }

  /// Owes an audit to every completed cell that its sweep chooses, that had none, and of which it is known which
  /// worker to check.
  private mutating func oweAudits(_ sweeps: [StoredSweep], _ attempts: [StoredAttempt], at now: Instant) {
    guard sweeps.contains(where: { $0.auditFraction > 0 }) else { return }
    var accepted: [CellID: StoredAttempt] = [:]
    for attempt in attempts where attempt.standing == .delivered {
      let head = head(of: attempt.cell)
      accepted[head] = attempt
    }
    let stored = sweeps.flatMap(\.cells)
    let audited = Set(stored.indices.filter { stored[$0].isAudited }.map { head(of: CellID($0)) })
    for head in accepted.keys.sorted() where !audited.contains(head) {
      guard let first = accepted[head] else { continue }
      let asking = equals(head).first { cell in
        stored[cell.index].state == .completed && isChosen(cell, by: first.attempt)
      }
      if let asking { oweAudit(head, for: asking, of: first.worker, now) }
    }
  }

  private mutating func restore(_ stored: StoredAttempt, at now: Instant) {
    let head = head(of: stored.cell)
    var entry = AttemptEntry(
      cell: stored.cell, worker: stored.worker, purpose: stored.purpose, standing: .ended)
    switch stored.standing {
    case .open:
      guard isOpen(head) || mayAudit(head, stored) else { break }
      attempts.restore(stored.attempt, entry)
      if workers[stored.worker] == nil {
        let heard = Instant(nanoseconds: now.nanoseconds + 2 * lostAfter)
        register(stored.worker, WorkerCapacity(), isPresent: false, heard: heard)
      }
      // Whether its message ever left, the store does not know.
      hold(stored.attempt, at: now, wasNamed: false)
      return
    case .delivered, .differed: break
    case .ended(.lost): entry.standing = .lost
    case .ended: break
    }
    attempts.restore(stored.attempt, entry)
    guard case .ended(let end) = stored.standing, end.isCounted else { return }
    guard isOpen(head) || stored.purpose == .audit else { return }
    if case .failed(let failure) = end {
      count(stored.attempt, isReported: true)
      noteMemory(failure, head, stored.worker)
    } else {
      count(stored.attempt, isReported: false)
    }
  }

  /// Whether an open attempt at a completed cell serves its audit.
  private func mayAudit(_ head: CellID, _ stored: StoredAttempt) -> Bool {
    guard let audit = efforts[head]?.audit else { return false }
    return stored.purpose == .audit || stored.worker != audit.worker
  }
}

extension Scheduler {
  /// Where a cell stands.
  public func state(of cell: CellID) -> CellState {
    switch cells[cell.index].standing {
    case .open:
      let live = efforts[head(of: cell)]?.live ?? []
      return live.isEmpty ? .pending : .running(live)
    case .completed: return .completed
    case .failed: return .failed
    case .cancelled: return .cancelled
    }
  }

  /// The sweep that a cell belongs to.
  public func sweep(of cell: CellID) -> SweepIndex {
    SweepIndex(Int(cells[cell.index].lane))
  }

  /// How many cells of each group of a sweep stand where; the sums are kept, not counted.
  public func tallies(of sweep: SweepIndex) -> [[CellRecord.State: Int]] {
    let states = CellRecord.State.allCases
    return lanes[sweep.position].groups.map { group in
      Dictionary(uniqueKeysWithValues: states.map { ($0, counts[group * states.count + $0.ordinal]) })
    }
  }

  /// Whether no more cells of a sweep are leased because somebody asked for it.
  public func isPaused(_ sweep: SweepIndex) -> Bool { lanes[sweep.position].isPaused }

  /// How many second executions are still owed to completed cells.
  public var openAudits: Int { auditsOwed }

  /// The attempts that a worker holds leases of, oldest first; `nil` for a worker that is not there.
  public func leases(of worker: WorkerID) -> [AttemptID]? {
    guard let entry = workers[worker], entry.isPresent else { return nil }
    return entry.leases.map(\.attempt)
  }

  /// How often a worker is to give signs of life, and the silence after which it is taken for lost.
  public func patience(with worker: WorkerID) -> (heartbeatInterval: Duration, lostAfter: Duration) {
    let factor = 1 << (workers[worker]?.doublings ?? 0)
    return (settings.heartbeatInterval * factor, settings.lostAfter * factor)
  }

  /// Why a worker is set aside; `nil` for one that is not.
  public func quarantine(of worker: WorkerID) -> String? {
    conducts[worker]?.aside?.reason
  }

  /// The cell that an attempt runs; `nil` for a number that was never spent on these sweeps.
  public func cell(of attempt: AttemptID) -> CellID? {
    attempts[attempt]?.cell
  }

  /// The cell that an attempt runs, and the worker it was leased to; `nil` for a number that was never spent on these
  /// sweeps.
  public func whereabouts(of attempt: AttemptID) -> (cell: CellID, worker: WorkerID)? {
    attempts[attempt].map { ($0.cell, $0.worker) }
  }
}
