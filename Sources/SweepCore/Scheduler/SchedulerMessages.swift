/// Names a sweep in events, writes and tallies: its place among the sweeps that a ``Scheduler`` was given.
public struct SweepIndex: Sendable, Hashable, Codable, Comparable {
  /// The place, from 0.
  public let position: Int

  /// Creates an index.
  public init(_ position: Int) {
    self.position = position
  }

  /// Orders by place.
  public static func < (left: SweepIndex, right: SweepIndex) -> Bool {
    left.position < right.position
  }
}

/// What a worker can carry.
public struct WorkerCapacity: Sendable, Hashable {
  /// Cells that it runs at a time. It starts its leases in their order.
  public var slots: Int
  /// Memory of its machine, MiB; 0 where it is not known.
  public var memoryMiB: Int

  /// Creates a capacity; fewer than one slot are one.
  public init(slots: Int = 1, memoryMiB: Int = 0) {
    self.slots = max(slots, 1)
    self.memoryMiB = max(memoryMiB, 0)
  }

  /// Memory for each cell, MiB.
  var memoryPerSlot: Int { memoryMiB / slots }
}

/// An attempt that a worker answers for.
public struct HeldAttempt: Sendable, Hashable {
  /// The attempt.
  public var attempt: AttemptID
  /// Whether the worker says that it has started it. A worker may be a moment behind.
  public var isStarted: Bool

  /// Creates a description.
  public init(_ attempt: AttemptID, isStarted: Bool) {
    self.attempt = attempt
    self.isStarted = isStarted
  }
}

extension Scheduler {
  /// What can happen to a coordinator's sweeps.
  public enum Event: Sendable, Hashable {
    /// A worker said hello and named the attempts that it answers for.
    case joined(WorkerID, WorkerCapacity, running: [AttemptID])
    /// A worker said how many unfinished leases it wants to hold at a time.
    case ready(WorkerID, credit: Int)
    /// A worker gave a sign of life and named the attempts that it answers for.
    case heartbeat(WorkerID, holding: [HeldAttempt])
    /// A worker delivered a result.
    case result(WorkerID, AttemptID, DeliveredResult)
    /// A worker gave up an attempt.
    case failure(WorkerID, AttemptID, CellFailure)
    /// A worker said goodbye.
    case left(WorkerID, reason: String)
    /// Time passed: due at ``Scheduler/nextDeadline``, harmless at any other moment.
    case tick

    /// No more cells of the sweep are leased; what runs may finish.
    case pause(SweepIndex)
    /// Cells of the sweep are leased again.
    case resume(SweepIndex)
    /// Every cell of the sweep that has not ended is called off.
    case cancel(SweepIndex)
    /// The sweep's cells go before those of sweeps with a smaller number.
    case prioritise(SweepIndex, Int)
    /// These cells, if they failed or were cancelled, are run again as if they never had been; at once completed if
    /// there is a result by now.
    case retry([CellID])
    /// No more cells are leased; what runs may finish. The scheduler finishes without the rest.
    case drain
    /// The worker gets no more cells, and is told to end when it has finished what it runs.
    case drainWorker(WorkerID)
    /// The worker is cut off, for this reason: its cells run elsewhere.
    case revokeWorker(WorkerID, reason: String)
  }

  /// What is to be done about it, in this order. Nothing may be sent before all that precedes it is committed.
  public enum Action: Sendable, Hashable {
    /// Keep this.
    case record(StoreWrite)
    /// Tell the worker the context of the sweeps, and how often to give signs of life
    /// (``Scheduler/patience(with:)``): in answer to its coming, and again when that has changed.
    case welcome(WorkerID)
    /// Hand the cell to the worker.
    case lease(WorkerID, AttemptID, CellID)
    /// Tell the worker that what it said of the attempt is kept.
    case acknowledge(WorkerID, AttemptID)
    /// Tell the worker that nothing more is wanted of the attempt.
    case revoke(WorkerID, AttemptID)
    /// Tell the worker to finish what it runs and to end.
    case drain(WorkerID)
    /// The worker is taken for lost or cut off: whatever it says next, it must introduce itself first.
    case forget(WorkerID)
    /// Every cell has ended and every audit is done, or, when draining, nothing runs any more. Comes once.
    case finish
  }

  /// The policy of a scheduler.
  public struct Settings: Sendable, Hashable {
    /// Time between two signs of life of a worker, where there are not too many.
    public var heartbeatInterval: Duration
    /// Silence after which such a worker is taken for lost.
    public var lostAfter: Duration
    /// Signs of life a second that all workers together may give: where they would be more, ``heartbeatInterval`` and
    /// ``lostAfter`` are doubled until they are not.
    public var mostHeartbeats: Int
    /// Attempts that a cell may use up before it is failed.
    public var maximumAttempts: Int
    /// How long a cell must have been leased before an idle worker may run a second copy of it.
    public var copyAfter: Duration
    /// How long an audit waits for another worker than the one whose result it checks.
    public var auditPatience: Duration
    /// When a worker is set aside.
    public var quarantine: QuarantinePolicy

    /// Creates a policy.
    public init(
      heartbeatInterval: Duration = .milliseconds(500), lostAfter: Duration = .seconds(2),
      mostHeartbeats: Int = 6000, maximumAttempts: Int = 3, copyAfter: Duration = .seconds(10),
      auditPatience: Duration = .seconds(10),
      quarantine: QuarantinePolicy = QuarantinePolicy()
    ) {
      precondition(heartbeatInterval > .zero && lostAfter > heartbeatInterval)
      precondition(mostHeartbeats > 0 && maximumAttempts > 0)
      self.heartbeatInterval = heartbeatInterval
      self.lostAfter = lostAfter
      self.mostHeartbeats = mostHeartbeats
      self.maximumAttempts = maximumAttempts
      self.copyAfter = copyAfter
      self.auditPatience = auditPatience
      self.quarantine = quarantine
    }
  }

  /// When a worker is set aside, and how it comes back.
  public struct QuarantinePolicy: Sendable, Hashable {
    /// Cells that fail on a worker, and are completed by others, before it is set aside.
    public var failures: Int
    /// Cells completed in a row after which earlier failures are no longer held against a worker.
    public var forgivenAfter: Int
    /// Time before a worker that was set aside is given one cell to prove itself; doubles with each that fails.
    public var firstProbe: Duration
    /// The longest such time.
    public var longestProbe: Duration

    /// Creates a policy.
    public init(
      failures: Int = 3, forgivenAfter: Int = 10, firstProbe: Duration = .seconds(5),
      longestProbe: Duration = .seconds(300)
    ) {
      precondition(failures > 0 && forgivenAfter > 0 && firstProbe > .zero && longestProbe >= firstProbe)
      self.failures = failures
      self.forgivenAfter = forgivenAfter
      self.firstProbe = firstProbe
      self.longestProbe = longestProbe
    }
  }
}
