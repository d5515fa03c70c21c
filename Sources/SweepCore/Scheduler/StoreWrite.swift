/// Something that the scheduler wants kept. All writes of one decision are committed together, before anything that
/// the same decision sends.
public enum StoreWrite: Sendable, Hashable {
  /// A cell is leased: the attempt exists from now on, and its number is spent.
  case leased(AttemptID, CellID, WorkerID, for: LeasePurpose = .result)
  /// A worker still runs an attempt that had been recorded as lost.
  case adopted(AttemptID)
  /// An attempt has ended.
  case ended(AttemptID, AttemptEnd)
  /// An attempt has ended with the first result of its fingerprint.
  case result(AttemptID, DeliveredResult)
  /// An attempt has ended with a result that differs from the first of its fingerprint: a reproducibility fault.
  case fault(AttemptID, DeliveredResult)
  /// A cell has come to its end. Written exactly once a cell, and once more each time that it is reopened.
  case outcome(CellID, CellOutcome)
  /// A cell that had failed or been cancelled has not ended any more. Attempts below this number no longer count
  /// towards those that it is allowed.
  case reopened(CellID, from: AttemptID)
  /// The audit of a completed cell is over.
  case audited(CellID, AuditOutcome)
  /// A worker came, went or was set aside.
  case worker(WorkerID, WorkerChange)
  /// A sweep as a whole is treated otherwise from now on.
  case sweep(SweepIndex, SweepChange)
}

/// What a cell is leased for.
public enum LeasePurpose: String, Sendable, Hashable, Codable, CaseIterable {
  /// To come to a result.
  case result
  /// As a second copy of one that takes long: the first result counts.
  case copy
  /// To check the result that is there.
  case audit
}

/// How the audit of a cell ended.
public enum AuditOutcome: String, Sendable, Hashable, Codable, CaseIterable {
  /// Two workers came to the same result.
  case agreed
  /// Two executions on one worker came to the same result; there was no other worker.
  case agreedOnOneWorker = "agreed-on-one-worker"
  /// The executions differ: in their results, or one failed in a way that would repeat.
  case differed
  /// Every attempt at a second execution failed.
  case failed
  /// Its sweep was cancelled before.
  case calledOff = "called-off"
}

/// How a sweep is treated.
public enum SweepChange: Sendable, Hashable {
  /// Its cells are not leased any more.
  case paused
  /// Its cells are leased again.
  case resumed
  /// What had not ended was called off.
  case cancelled
  /// It goes before sweeps with a smaller number.
  case prioritised(Int)
}

/// How a cell ended.
public enum CellOutcome: Sendable, Hashable {
  /// The store has a result of its fingerprint.
  case completed
  /// The failure that decided it.
  case failed(CellFailure)
  /// Called off.
  case cancelled
}

/// How an attempt ended, other than with the first result of its fingerprint.
public enum AttemptEnd: Sendable, Hashable {
  /// Its result equals one that was there before.
  case duplicate
  /// Its worker reported a failure.
  case failed(CellFailure)
  /// Its lease was given up. Its worker may still come back with it.
  case lost(LeaseLoss, message: String)
  /// Its cell came to an end without it.
  case revoked
  /// Its worker had not started it, as far as was known, and another was idle or it was not to be started any more.
  case takenBack

  /// Whether it uses up one of the attempts that a cell is allowed.
  var isCounted: Bool {
    switch self {
    case .failed(let failure): failure.kind.isCounted
    case .lost(let loss, _): loss.isCounted
    case .duplicate, .revoked, .takenBack: false
    }
  }
}

/// Why a lease was given up.
public enum LeaseLoss: String, Sendable, Hashable, Codable, CaseIterable {
  /// Its worker fell silent.
  case workerLost = "worker-lost"
  /// Its worker fell silent before it came to it. Says nothing about the cell.
  case unstarted
  /// Its worker spoke of it once and then no longer.
  case forgotten
  /// Its worker never spoke of it: the message that carried it did not arrive. Says nothing about the cell.
  case undelivered
  /// Its worker ended in good order. Says nothing about the cell.
  case workerLeft = "worker-left"
  /// The coordinator was restarted, and the worker did not come back. Says nothing about the cell.
  case abandoned
  /// Its worker was cut off by those who run the sweep. Says nothing about the cell.
  case workerRevoked = "worker-revoked"

  /// Whether the loss may have been caused by the cell.
  var isCounted: Bool {
    switch self {
    case .workerLost, .forgotten: true
    case .unstarted, .undelivered, .workerLeft, .abandoned, .workerRevoked: false
    }
  }
}

/// What happened to a worker.
public enum WorkerChange: Sendable, Hashable {
  /// It said hello.
  case joined
  /// It fell silent.
  case lost
  /// It ended in good order, for this reason.
  case left(String)
  /// It was cut off, for this reason.
  case revoked(String)
  /// It is set aside, for this reason: it gets no cells but one now and then to prove itself.
  case quarantined(String)
  /// It has proved itself and gets cells again.
  case released
}

extension CellFailure.Kind {
  /// Whether the cell may come to a result in another attempt.
  var isTransient: Bool {
    switch self {
    case .diverged, .refusedInput: false
    case .engineFault, .crashed, .outOfMemory, .workerLost, .preempted, .workerUnfit: true
    }
  }

  /// Whether an attempt that ends so uses up one of those that a cell is allowed.
  var isCounted: Bool {
    switch self {
    case .diverged, .refusedInput, .preempted, .workerUnfit: false
    case .engineFault, .crashed, .outOfMemory, .workerLost: true
    }
  }
}
