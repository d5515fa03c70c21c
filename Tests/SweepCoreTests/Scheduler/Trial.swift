import ContentHash

@testable import SweepCore

let broken = CellFailure(kind: .engineFault, message: "it broke")

/// A lease as it was given out.
struct GivenLease: Equatable {
  var worker: WorkerID
  var attempt: UInt64
  var cell: Int

  init(_ worker: WorkerID, _ attempt: UInt64, _ cell: Int) {
    self.worker = worker
    self.attempt = attempt
    self.cell = cell
  }
}

extension [Scheduler.Action] {
  var leases: [GivenLease] {
    compactMap { action in
      if case .lease(let worker, let attempt, let cell) = action {
        GivenLease(worker, attempt.number, cell.index)
      } else {
        nil
      }
    }
  }

  /// What the leases given out are for.
  var purposes: [LeasePurpose] {
    compactMap { if case .record(.leased(_, _, _, let purpose)) = $0 { purpose } else { nil } }
  }

  /// How attempts were lost.
  var losses: [LeaseLoss] {
    compactMap { if case .record(.ended(_, .lost(let loss, _))) = $0 { loss } else { nil } }
  }
}

/// A scheduler with a clock in milliseconds.
struct Trial {
  let fingerprints: [SHA256Digest]
  var scheduler: Scheduler

  /// Sweeps of so many cells each, all different.
  init(
    sweeps: [(cells: Int, priority: Int)] = [(1, 0)], audited: Double = 0, attempts: [Scheduler.StoredAttempt] = [],
    next: UInt64 = 1, settings: Scheduler.Settings = Scheduler.Settings()
  ) {
    let total = sweeps.reduce(0) { $0 + $1.cells }
    self.init(
      fingerprints: (0..<total).map { SHA256Digest(of: "cell \($0)") }, sweeps: sweeps, audited: audited,
      attempts: attempts, next: next, settings: settings)
  }

  init(
    cells: Int, audited: Double = 0, attempts: [Scheduler.StoredAttempt] = [], next: UInt64 = 1,
    settings: Scheduler.Settings = Scheduler.Settings()
  ) {
    self.init(sweeps: [(cells, 0)], audited: audited, attempts: attempts, next: next, settings: settings)
  }

  init(
    fingerprints: [SHA256Digest], sweeps: [(cells: Int, priority: Int)]? = nil, audited: Double = 0,
    attempts: [Scheduler.StoredAttempt] = [], next: UInt64 = 1, settings: Scheduler.Settings = Scheduler.Settings()
  ) {
    self.fingerprints = fingerprints
    var rest = fingerprints[...]
    let stored = (sweeps ?? [(fingerprints.count, 0)]).map { sweep in
      defer { rest = rest.dropFirst(sweep.cells) }
      return Scheduler.StoredSweep(
        cells: rest.prefix(sweep.cells).map {
          Scheduler.StoredCell(fingerprint: $0, state: .pending, resultDigest: nil, group: 0)
        }, groups: 1, priority: sweep.priority, auditFraction: audited)
    }
    scheduler = Scheduler(
      sweeps: stored, attempts: attempts, nextAttempt: AttemptID(next), settings: settings,
      at: Instant(nanoseconds: 0))
  }

  func result(_ cell: Int, _ text: String = "numbers") -> DeliveredResult {
    DeliveredResult(fingerprint: fingerprints[cell], result: Array(text.utf8), report: [])
  }

  mutating func at(_ milliseconds: Int, _ event: Scheduler.Event) -> [Scheduler.Action] {
    scheduler.handle(event, at: Instant(nanoseconds: Int64(milliseconds) * 1_000_000))
  }

  /// A worker says hello and how much it wants; returns what it is given.
  @discardableResult
  mutating func admit(
    _ worker: WorkerID, slots: Int = 1, memoryMiB: Int = 0, credit: Int = 1, at milliseconds: Int = 0
  ) -> [GivenLease] {
    _ = at(milliseconds, .joined(worker, WorkerCapacity(slots: slots, memoryMiB: memoryMiB), running: []))
    return at(milliseconds, .ready(worker, credit: credit)).leases
  }

  mutating func deliver(
    _ worker: WorkerID, _ attempt: UInt64, cell: Int, at milliseconds: Int
  ) -> [Scheduler.Action] {
    at(milliseconds, .result(worker, AttemptID(attempt), result(cell)))
  }

  mutating func fail(
    _ worker: WorkerID, _ attempt: UInt64, _ kind: CellFailure.Kind = .engineFault, at milliseconds: Int
  ) -> [Scheduler.Action] {
    at(milliseconds, .failure(worker, AttemptID(attempt), CellFailure(kind: kind, message: "it broke")))
  }

  /// Ticks as a coordinator does that hears nothing.
  mutating func pass(from start: Int, to end: Int) {
    for moment in stride(from: start, through: end, by: 500) { _ = at(moment, .tick) }
  }

  /// Lets time pass in which workers say that they run all that they hold; returns what was done.
  mutating func work(_ workers: [WorkerID], from start: Int, to end: Int) -> [Scheduler.Action] {
    stride(from: start, through: end, by: 500).flatMap { moment in
      workers.flatMap { worker in
        let held = (scheduler.leases(of: worker) ?? []).map { HeldAttempt($0, isStarted: true) }
        return at(moment, .heartbeat(worker, holding: held))
      } + at(moment, .tick)
    }
  }

  /// `first` gets attempt 1 at cell 0 and falls silent; `second` gets attempt 2 at it by 2.5 s.
  mutating func loseToBert(_ first: WorkerID, _ second: WorkerID) {
    admit(first)
    pass(from: 500, to: 2000)
    admit(second, at: 2500)
  }
}
