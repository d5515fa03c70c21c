internal import ContentHash
internal import HeapModule

/// What the scheduler keeps of everything it knows.
extension Scheduler {
  /// Whether cells are leased.
  enum Phase: Sendable {
    case dealing, draining, finished
  }

  /// A sweep.
  struct Lane: Sendable {
    let cells: Range<Int>
    let groups: Range<Int>
    let auditFraction: Double
    var priority: Int
    var isPaused: Bool
    /// Attempts under way that were leased for its cells.
    var running = 0
    /// Its cells from here on have never been requeued, unless they say so.
    var nextFresh: Int
    /// Its waiting cells that were leased before; entries with an old ticket are stale.
    var requeued = Heap<Waiting>()
    /// Heads whose audit waits for a worker; entries with an old ticket are stale.
    var audits = Heap<Waiting>()
  }

  struct CellEntry: Sendable {
    let fingerprint: SHA256Digest
    /// The digest of the first result of the fingerprint, which may have come too late for the cell. Kept at the head;
    /// that of its windows is in ``Scheduler/windowDigests``.
    var resultDigest: SHA256Digest?
    /// Index into the tallies.
    let group: Int32
    let lane: Int32
    var standing = CellStanding.open
  }

  enum CellStanding: Sendable {
    case open, completed, failed, cancelled
  }

  /// What is under way for the cells of one fingerprint.
  struct Effort: Sendable {
    /// Attempts that hold a lease, oldest first.
    var live: [AttemptID] = []
    /// Attempts used up.
    var failures = 0
    /// Workers on which it failed, as often as it did.
    var troubles: [Trouble] = []
    /// The most memory, MiB for each slot, with which it ran out of memory.
    var memoryFloor = 0
    /// The number of its valid entry in the line in which it waits; 0 = it waits in none.
    var ticket: UInt64 = 0
    var audit: Audit?
  }

  struct Trouble: Sendable {
    let worker: WorkerID
    /// Whether the worker said so itself; it may as well have been lost.
    let isReported: Bool
  }

  /// A second execution that is owed to a completed cell.
  struct Audit: Sendable {
    /// The cell that asks for it.
    let cell: CellID
    /// The worker whose result is to be checked.
    let worker: WorkerID
    /// When the result came.
    let since: Instant
    /// Attempts used up.
    var failures = 0
    /// Workers on which it failed.
    var troubles: [WorkerID] = []
  }

  struct AttemptEntry: Sendable {
    let cell: CellID
    let worker: WorkerID
    var purpose: LeasePurpose
    var standing: Standing
    /// What it has used up one of.
    var counted = Count.nothing
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

  enum Count: Sendable {
    case nothing
    /// The attempts that the cell is allowed.
    case cell
    /// Those that its audit is allowed.
    case audit
  }

  struct WorkerEntry: Sendable {
    var capacity: WorkerCapacity
    /// In listening time.
    var lastHeard: Instant
    /// Whether it has spoken to this scheduler; `false` for one that is only known from the store.
    var isPresent: Bool
    var credit = 0
    /// Oldest first: it starts them in this order.
    var leases: [Lease] = []
    /// The number of its valid entries in `hungry` and `laden`.
    var ticket: UInt64 = 0
    /// Whether it is counted among `willing`.
    var isWilling = false
    /// The number of its valid entry in `deadlines`.
    var registration: UInt64
    /// Times that the usual intervals are doubled, as it was told last.
    var doublings = 0
  }

  struct Lease: Sendable {
    let attempt: AttemptID
    let since: Instant
    /// When its worker last named it, or when it was leased; in listening time.
    var lastNamed: Instant
    var wasNamed: Bool
    /// Whether its worker has started it, as it said last; `nil` where it has not said so.
    var isStarted: Bool?
  }

  /// How a worker behaved.
  struct Conduct: Sendable {
    /// Cells that failed on it and were then completed by others.
    var faults = 0
    /// Different cells that failed on it since one last ended as it should, the latest of them.
    var streak: [CellID] = []
    /// First results there were when the streak began.
    var completionsBefore = 0
    /// Cells that ended on it as they should since one last failed.
    var successes = 0
    /// Time before the next proof that it is asked for, nanoseconds.
    var pause: Int64
    var aside: Aside?
  }

  /// What holds for a worker that is set aside.
  struct Aside: Sendable {
    let reason: String
    /// Attempts from this number on are proofs.
    let firstProof: UInt64
    /// When it may be given the next.
    var nextProof: Instant
  }

  /// A cell that waits. The lowest place first.
  struct Waiting: Sendable, Comparable {
    let cell: CellID
    let ticket: UInt64

    static func < (left: Waiting, right: Waiting) -> Bool {
      (left.cell, left.ticket) < (right.cell, right.ticket)
    }
  }

  struct Hungry: Sendable, Comparable {
    /// Leases for each slot, in 1024ths.
    let load: Int
    let ticket: UInt64
    let worker: WorkerID

    /// Whether the worker has a slot for which it holds no lease.
    var isIdle: Bool { load < 1024 }

    /// The lowest load first, then the longest wait.
    static func < (left: Hungry, right: Hungry) -> Bool {
      (left.load, left.ticket) < (right.load, right.ticket)
    }
  }

  struct Laden: Sendable, Comparable {
    /// Leases beyond its slots.
    let excess: Int
    let ticket: UInt64
    let worker: WorkerID

    /// The smallest excess first, and among equals the latest.
    static func < (left: Laden, right: Laden) -> Bool {
      (left.excess, right.ticket) < (right.excess, left.ticket)
    }
  }

  struct UnderWay: Sendable, Comparable {
    let since: Instant
    let attempt: AttemptID

    static func < (left: UnderWay, right: UnderWay) -> Bool {
      (left.since, left.attempt) < (right.since, right.attempt)
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
}

extension CellRecord.State {
  /// Its place in a tally.
  var ordinal: Int {
    switch self {
    case .pending: 0
    case .running: 1
    case .completed: 2
    case .failed: 3
    case .cancelled: 4
    }
  }
}
