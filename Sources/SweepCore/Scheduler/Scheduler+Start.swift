public import ContentHash

extension Scheduler {
  /// A cell as the store knows it.
  public struct StoredCell: Sendable, Hashable {
    /// The cell's fingerprint.
    public var fingerprint: SHA256Digest
    /// Its end, if it has come to it; `pending` or `running` otherwise.
    public var state: CellRecord.State
    /// The digest of the result that the store has of the fingerprint.
    public var resultDigest: SHA256Digest?
    /// The tally of its sweep that the cell belongs to, from 0: its method.
    public var group: Int
    /// Attempts below this number do not count towards those that the cell is allowed: it was reopened since.
    public var countedFrom: AttemptID
    /// Whether its audit is over.
    public var isAudited: Bool

    /// Creates a description.
    public init(
      fingerprint: SHA256Digest, state: CellRecord.State, resultDigest: SHA256Digest?, group: Int,
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
    /// What came of it.
    public var standing: StoredStanding

    /// Creates a description.
    public init(attempt: AttemptID, cell: CellID, worker: WorkerID, standing: StoredStanding) {
      self.attempt = attempt
      self.cell = cell
      self.worker = worker
      self.standing = standing
    }
  }

  /// What came of a stored attempt.
  public enum StoredStanding: Sendable, Hashable {
    /// Nothing yet: its worker may be running it.
    case open
    /// It gave the first result of its fingerprint, or one that differed from it.
    case delivered
    /// It ended so.
    case ended(AttemptEnd)
  }

  /// Takes up a sweep where the store has it.
  ///
  /// Leases that are still open are kept for workers that come back with them. They have three times
  /// ``Settings/lostAfter``: a worker notices only after a silence that its coordinator is gone, and then connects
  /// again.
  ///
  /// - Parameters:
  ///   - sweeps: All sweeps. A ``CellID`` is a cell's place in the cells of all, one sweep after the other.
  ///   - attempts: All attempts at these cells so far, ascending.
  ///   - nextAttempt: A number greater than that of any attempt in the store.
  public init(
    sweeps: [StoredSweep], attempts: [StoredAttempt], nextAttempt: AttemptID, settings: Settings = Settings(),
    at now: Instant
  ) {
    let cells = sweeps.flatMap(\.cells)
    let groups = sweeps.map(\.groups).reduce(0, +)
    self.settings = settings
    self.nextAttempt = nextAttempt.number
    lostAfter = (Instant(nanoseconds: 0) + settings.lostAfter).nanoseconds
    let heartbeat = (Instant(nanoseconds: 0) + settings.heartbeatInterval).nanoseconds
    clock = ListeningClock(longestGap: 2 * heartbeat, start: now)
    counts = Array(repeating: [:], count: groups)
    unended = 0

    var leaders: [SHA256Digest: CellID] = [:]
    self.cells = []
    self.cells.reserveCapacity(cells.count)
    for (index, cell) in cells.enumerated() {
      let state: CellState
      switch cell.state {
      case .completed: state = .completed
      case .failed: state = .failed
      case .cancelled: state = .cancelled
      case .pending, .running:
        precondition(cell.resultDigest == nil, "cell \(index) has a result and has not ended")
        unended += 1
        if let leader = leaders[cell.fingerprint] {
          state = .twin(of: leader)
          twins[leader, default: []].append(CellID(index))
        } else {
          state = .pending
          leaders[cell.fingerprint] = CellID(index)
        }
      }
      counts[cell.group][state.summary, default: 0] += 1
      self.cells.append(
        CellEntry(
          fingerprint: cell.fingerprint, group: cell.group, state: state, resultDigest: cell.resultDigest))
    }
    for attempt in attempts { restore(attempt, at: now) }
    for index in self.cells.indices where self.cells[index].failures > 0 { requeue(CellID(index)) }
  }

  private mutating func restore(_ stored: StoredAttempt, at now: Instant) {
    precondition(stored.attempt.number < nextAttempt, "attempt \(stored.attempt.number) is not a past one")
    let cell = leader(of: stored.cell)
    var entry = AttemptEntry(cell: cell, worker: stored.worker, standing: .ended)
    switch stored.standing {
    case .open:
      switch cells[cell.index].state {
      case .pending, .running:
        entry.standing = .live
        attempts[stored.attempt] = entry
        if workers[stored.worker] == nil {
          register(stored.worker, isPresent: false, heard: Instant(nanoseconds: now.nanoseconds + 2 * lostAfter))
        }
        // Whether its message ever left, the store does not know.
        hold(stored.attempt, at: now, wasNamed: false)
        return
      case .completed, .failed, .cancelled:
        entry.standing = .ended
      case .twin:
        preconditionFailure("cell \(cell.index) leads and follows")
      }
    case .delivered:
      entry.standing = .ended
    case .ended(.lost(let loss, _)):
      entry.standing = .lost
      entry.isCounted = loss.isCounted
    case .ended(let outcome):
      entry.isCounted = outcome.isCounted
    }
    if entry.isCounted {
      cells[cell.index].failures += 1
      troubles[cell, default: []].append(stored.worker)
    }
    if cells[cell.index].state.isFinal { troubles[cell] = nil }
    attempts[stored.attempt] = entry
  }

  /// The cell that runs for `cell`: itself, unless it is a twin.
  func leader(of cell: CellID) -> CellID {
    switch cells[cell.index].state {
    case .twin(let leader): leader
    case .pending, .running, .completed, .failed, .cancelled: cell
    }
  }
}

extension Scheduler {
  /// Where a cell stands.
  public func state(of cell: CellID) -> CellState {
    cells[cell.index].state
  }

  /// How many cells of each group of a sweep stand where; the sums are kept, not counted.
  public func tallies(of sweep: SweepIndex) -> [[CellRecord.State: Int]] { counts }

  /// The attempts that a worker holds leases of, oldest first; `nil` for a worker that is not there.
  public func leases(of worker: WorkerID) -> [AttemptID]? {
    guard let entry = workers[worker], entry.isPresent else { return nil }
    return entry.leases.map(\.attempt)
  }

  /// The cell that an attempt runs; `nil` for a number that this sweep never spent.
  public func cell(of attempt: AttemptID) -> CellID? {
    attempts[attempt]?.cell
  }

  /// The cell that an attempt runs, and the worker it was leased to; `nil` for a number that this sweep never spent.
  public func whereabouts(of attempt: AttemptID) -> (cell: CellID, worker: WorkerID)? {
    attempts[attempt].map { ($0.cell, $0.worker) }
  }
}
