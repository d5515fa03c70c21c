extension Scheduler {
  /// What can happen to a sweep.
  public enum Event: Sendable, Hashable {
    /// A worker said hello and named the attempts that it answers for.
    case joined(WorkerID, running: [AttemptID])
    /// A worker said how many unfinished leases it wants to hold at a time.
    case ready(WorkerID, credit: Int)
    /// A worker gave a sign of life and named the attempts that it holds and has not finished.
    case heartbeat(WorkerID, holding: [AttemptID])
    /// A worker delivered a result.
    case result(WorkerID, AttemptID, DeliveredResult)
    /// A worker gave up an attempt.
    case failure(WorkerID, AttemptID, CellFailure)
    /// A worker said goodbye.
    case left(WorkerID, reason: String)
    /// Time passed: due at ``Scheduler/nextDeadline``, harmless at any other moment.
    case tick
    /// Every cell that has not ended is called off.
    case cancel
    /// No more cells are leased; what runs may finish.
    case drain
  }

  /// What is to be done about it, in this order. Nothing may be sent before all that precedes it is committed.
  public enum Action: Sendable, Hashable {
    /// Keep this.
    case record(StoreWrite)
    /// Tell the worker the context of the sweep.
    case welcome(WorkerID)
    /// Hand the cell to the worker.
    case lease(WorkerID, AttemptID, CellID)
    /// Tell the worker that what it said of the attempt is kept.
    case acknowledge(WorkerID, AttemptID)
    /// Tell the worker that nothing more is wanted of the attempt.
    case revoke(WorkerID, AttemptID)
    /// Tell the worker to finish what it runs and to end.
    case drain(WorkerID)
    /// The worker is taken for lost: whatever it says next, it must introduce itself first.
    case forget(WorkerID)
    /// Every cell has ended, or, when draining, nothing runs any more. Comes once.
    case finish
  }

  /// The policy of a scheduler.
  public struct Settings: Sendable, Hashable {
    /// Time between two signs of life of a worker.
    public var heartbeatInterval: Duration
    /// Silence after which a worker is taken for lost.
    public var lostAfter: Duration
    /// Attempts that a cell may use up before it is failed.
    public var maximumAttempts: Int

    /// Creates a policy.
    public init(
      heartbeatInterval: Duration = .milliseconds(500), lostAfter: Duration = .seconds(2), maximumAttempts: Int = 3
    ) {
      precondition(heartbeatInterval > .zero && lostAfter > heartbeatInterval && maximumAttempts > 0)
      self.heartbeatInterval = heartbeatInterval
      self.lostAfter = lostAfter
      self.maximumAttempts = maximumAttempts
    }
  }
}
