internal import ContentHash
internal import Foundation
internal import HeapModule
internal import SweepCore

/// How long a sweep will take: the real ``Scheduler`` with workers that only take time.
///
/// What is modelled: every worker runs so many cells at a time; a cell takes its method's time, times a factor drawn
/// from a log-normal distribution, the same whenever it is run; workers fail at random (exponential times), lose what
/// they run, and come back after a pause under another name; the coordinator does the same, and nothing is handed out
/// meanwhile while cells go on. What is not: the network, start-up, fetching of files, and cells that fail by
/// themselves.
public struct SweepForecast: Sendable {
  /// What is to be run, and on what.
  public struct Conditions: Sendable {
    /// Of each cell, in order, the seconds that it takes in the median.
    public var cellSeconds: [Double]
    /// The standard deviation of the logarithm of a cell's time; 0 = none.
    public var spread = 0.0
    /// Workers.
    public var workers: Int
    /// Cells that each runs at a time.
    public var slots = 1
    /// Mean seconds from a worker's start to its failure; `nil` = it never fails.
    public var workerMTBF: Double?
    /// The same of the coordinator.
    public var coordinatorMTBF: Double?
    /// Seconds from a failure to the start after it.
    public var restart = 60.0
    /// Seconds until the failure of a worker is noticed.
    public var noticed = 2.0

    /// Conditions without failures or spread.
    public init(cellSeconds: [Double], workers: Int) {
      precondition(workers > 0)
      self.cellSeconds = cellSeconds
      self.workers = workers
    }
  }

  /// What came of it.
  public struct Outcome: Sendable, Hashable {
    /// Seconds from the start to the last result.
    public var makespan = 0.0
    /// Slot-seconds in which cells were run.
    public var busy = 0.0
    /// Those of them that brought no result: cut off by failures.
    public var lost = 0.0
    /// Those of them spent on second copies of cells that the first copy completed, or the other way round.
    public var spare = 0.0
    /// Cells that were begun more than once because a worker failed.
    public var retried = 0
    /// Cells that used up their attempts.
    public var failed = 0
  }

  private struct Moment: Comparable {
    enum What {
      case workerStarts(Int)
      case workerFails(Int, life: Int)
      case failureNoticed(Int, life: Int)
      case cellEnds(AttemptID)
      case coordinatorFails
      case tick
    }

    let at: Double
    let order: Int
    let what: What

    static func == (left: Moment, right: Moment) -> Bool { left.order == right.order }
    static func < (left: Moment, right: Moment) -> Bool { (left.at, left.order) < (right.at, right.order) }
  }

  private struct Run {
    let cell: CellID
    let worker: Int
    let life: Int
    let began: Double
  }

  private struct Worker {
    var life = 0
    var isUp = false
    /// Leases that wait for a slot.
    var waiting: [(AttemptID, CellID)] = []
    var running: Set<AttemptID> = []
  }

  private let conditions: Conditions
  private var random: SeededRandom
  private var scheduler: Scheduler
  private let seconds: [Double]
  private let fingerprints: [SHA256Digest]
  private var moments = Heap<Moment>()
  private var moment = 0
  private var now = 0.0
  private var blindUntil = 0.0
  private var workers: [Worker]
  private var runs: [AttemptID: Run] = [:]
  private var disturbed: Set<CellID> = []
  private var hasFinished = false
  private var outcome = Outcome()

  /// Draws the times of the cells.
  public init(_ conditions: Conditions, seed: UInt64) {
    self.conditions = conditions
    random = SeededRandom(seed: seed)
    var times: [Double] = []
    for median in conditions.cellSeconds { times.append(median * exp(conditions.spread * random.normal())) }
    seconds = times
    fingerprints = times.indices.map { SHA256Digest(of: "\($0)") }
    // Nobody is taken for lost by silence: failures are told when they would have been noticed.
    let settings = Scheduler.Settings(
      heartbeatInterval: .seconds(1_000_000_000), lostAfter: .seconds(2_000_000_000),
      quarantine: .init(failures: .max))
    scheduler = Scheduler(
      sweeps: [
        .init(
          cells: fingerprints.map { .init(fingerprint: $0, state: .pending, resultDigest: nil, group: 0) }, groups: 1)
      ], attempts: [], nextAttempt: AttemptID(1), settings: settings, at: Instant(nanoseconds: 0))
    workers = Array(repeating: Worker(), count: conditions.workers)
  }

  /// Runs the sweep to its end.
  public mutating func run() -> Outcome {
    guard !seconds.isEmpty else { return outcome }
    for worker in workers.indices { plan(0, .workerStarts(worker)) }
    if let mtbf = conditions.coordinatorMTBF { plan(random.exponential(mtbf), .coordinatorFails) }
    plan(Self.tickSeconds, .tick)
    while !hasFinished, let next = moments.popMin() {
      // What happens while the coordinator is away is learned when it is back, but for the failures of workers.
      now = max(now, next.at)
      take(next.what)
    }
    outcome.makespan = now
    outcome.retried = disturbed.count
    return outcome
  }

  /// How often the scheduler looks at what only time allows: copies of slow cells.
  private static let tickSeconds = 5.0

  private mutating func plan(_ at: Double, _ what: Moment.What) {
    moment += 1
    moments.insert(Moment(at: at, order: moment, what: what))
  }

  private mutating func take(_ what: Moment.What) {
    switch what {
    case .workerFails(let worker, let life): fail(worker, life)
    case .coordinatorFails:
      blindUntil = now + conditions.restart
      if let mtbf = conditions.coordinatorMTBF { plan(blindUntil + random.exponential(mtbf), .coordinatorFails) }
    case .workerStarts, .failureNoticed, .cellEnds, .tick:
      guard now >= blindUntil else { return plan(blindUntil, what) }
      learn(what)
    }
  }

  private mutating func learn(_ what: Moment.What) {
    switch what {
    case .workerStarts(let worker):
      workers[worker].isUp = true
      workers[worker].life += 1
      if let mtbf = conditions.workerMTBF {
        plan(now + random.exponential(mtbf), .workerFails(worker, life: workers[worker].life))
      }
      let capacity = WorkerCapacity(slots: conditions.slots)
      feed(.joined(name(worker), capacity, running: []))
      feed(.ready(name(worker), credit: conditions.slots + 1 + conditions.slots / 4))
    case .failureNoticed(let worker, let life):
      for attempt in runs.keys.sorted() where runs[attempt]?.worker == worker && runs[attempt]?.life == life {
        runs[attempt] = nil
        let failure = CellFailure(kind: .workerLost, message: "the worker failed")
        feed(.failure(name(worker, life), attempt, failure))
      }
      feed(.left(name(worker, life), reason: "the worker failed"))
    case .cellEnds(let attempt): end(attempt)
    case .tick:
      feed(.tick)
      plan(now + Self.tickSeconds, .tick)
    case .workerFails, .coordinatorFails: preconditionFailure("told elsewhere")
    }
  }

  private func name(_ worker: Int, _ life: Int? = nil) -> WorkerID {
    WorkerID("\(worker).\(life ?? workers[worker].life)")
  }

  // MARK: - Workers

  private mutating func fail(_ worker: Int, _ life: Int) {
    guard workers[worker].life == life, workers[worker].isUp else { return }
    workers[worker].isUp = false
    for attempt in workers[worker].running {
      guard let run = runs[attempt] else { continue }
      outcome.busy += now - run.began
      outcome.lost += now - run.began
      disturbed.insert(run.cell)
    }
    workers[worker].running = []
    workers[worker].waiting = []
    plan(now + conditions.noticed, .failureNoticed(worker, life: life))
    plan(now + max(conditions.restart, conditions.noticed), .workerStarts(worker))
  }

  private mutating func end(_ attempt: AttemptID) {
    guard let run = runs[attempt], workers[run.worker].running.contains(attempt) else { return }
    workers[run.worker].running.remove(attempt)
    runs[attempt] = nil
    outcome.busy += seconds[run.cell.index]
    let result = DeliveredResult(fingerprint: fingerprints[run.cell.index], result: [], report: [])
    feed(.result(name(run.worker), attempt, result))
    startNext(run.worker)
  }

  private mutating func startNext(_ worker: Int) {
    while workers[worker].isUp, workers[worker].running.count < conditions.slots, !workers[worker].waiting.isEmpty {
      let (attempt, cell) = workers[worker].waiting.removeFirst()
      runs[attempt] = Run(cell: cell, worker: worker, life: workers[worker].life, began: now)
      workers[worker].running.insert(attempt)
      plan(now + seconds[cell.index], .cellEnds(attempt))
    }
  }

  private mutating func feed(_ event: Scheduler.Event) {
    for action in scheduler.handle(event, at: Instant(nanoseconds: Int64(now * 1e9))) {
      switch action {
      case .lease(let name, let attempt, let cell):
        guard let worker = index(of: name), self.name(worker) == name, workers[worker].isUp else { continue }
        workers[worker].waiting.append((attempt, cell))
        startNext(worker)
      case .revoke(let name, let attempt):
        guard let worker = index(of: name), self.name(worker) == name else { continue }
        workers[worker].waiting.removeAll { $0.0 == attempt }
        if workers[worker].running.remove(attempt) != nil, let run = runs.removeValue(forKey: attempt) {
          outcome.busy += now - run.began
          outcome.spare += now - run.began
        }
        startNext(worker)
      case .record(.outcome(_, .failed)): outcome.failed += 1
      case .finish: hasFinished = true
      case .record, .welcome, .acknowledge, .drain, .forget: break
      }
    }
  }

  private func index(of name: WorkerID) -> Int? {
    name.name.split(separator: ".").first.flatMap { Int($0) }
  }
}

extension SeededRandom {
  /// A time until something happens that happens once in `mean` on average.
  mutating func exponential(_ mean: Double) -> Double {
    -mean * log(1 - Double.random(in: 0..<1, using: &self))
  }

  /// A number of the standard normal distribution (Box and Muller).
  mutating func normal() -> Double {
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &self))).squareRoot()
    return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &self))
  }
}
