internal import Foundation
internal import SweepCore
internal import SweepCoordinator
internal import SweepStore
internal import SweepWire
internal import SweepWorker

/// Whole sweeps in virtual time, determined by a seed: the real scheduler, coordinator session and worker sessions, a
/// store that keeps exactly what was committed, a network that delays, breaks, goes silent and parts in one direction,
/// and coordinators, workers and engines that end at any point, in particular between deciding, committing and sending.
///
/// Chaos ends after a while; then everything must come to its end by itself. Every commit and every message is held
/// against an account that knows nothing of the decisions: ``BrokenPromise`` says what did not fit.
public struct SimulatedHistory {
  struct Link {
    let worker: Int
    /// What was sent later arrives later.
    var lastArrival: Int64 = 0
    /// Nothing passes, and nobody is told.
    var isCut = false
    /// What is sent in a direction waits until then.
    var heldToCoordinator: Int64 = 0
    var heldToWorker: Int64 = 0
    /// Neither end uses it any more; what is on its way may still arrive.
    var isAbandoned = false
  }

  enum Parcel {
    case toCoordinator(FromWorker)
    case toWorker(ToWorker)
  }

  struct InFlight {
    let at: Int64
    let order: Int
    let link: Int
    let parcel: Parcel
  }

  let plan: HistoryPlan
  let store = MemoryStore(storeID: "store")
  var ledger: HistoryLedger
  var random: SeededRandom
  var now: Int64 = 0

  var coordinator: CoordinatorSession?
  var coordinatorStarts: Int64 = 0
  var nextPoll: Int64 = 0
  var places: CellPlaces?
  var workers: [Int: SimulatedWorker] = [:]
  var workersBorn = 0
  var links: [Int: Link] = [:]
  var linksMade = 0
  var inFlight: [InFlight] = []
  var parcels = 0
  var receipts: UInt64 = 0
  var wasCancelled = false
  /// Workers whose connections broke and that do not know yet.
  var broken: [Int] = []
  private var isCalm = false
  /// What happened, for people.
  public private(set) var log: [String] = []
  /// How often what happened that histories are to be about.
  public private(set) var sights: [String: Int] = [:]
  /// Whether ``log`` is kept.
  private let isTold: Bool

  /// Draws a history.
  ///
  /// - Parameter isTold: whether to keep a ``log``: takes far longer than the history.
  public init(seed: UInt64, isTold: Bool = false) {
    var random = SeededRandom(seed: seed)
    plan = HistoryPlan(&random)
    ledger = HistoryLedger(plan.sweeps)
    self.random = random
    self.isTold = isTold
  }

  /// Runs it to its end.
  ///
  /// - Throws: ``BrokenPromise``.
  public mutating func run() throws {
    for health in plan.workers { try bear(health) }
    while true {
      guard now < plan.calmAfter + 400_000_000_000 else { throw ledger.broken("no end long after the chaos") }
      try step()
      guard isCalm, coordinator?.isOver(at: instant) == true, ledger.isComplete else { continue }
      break
    }
    try ledger.checkEnd(plan, store: store, wasCancelled: wasCancelled)
  }

  var instant: Instant { Instant(nanoseconds: now) }
  var date: Date { Date(timeIntervalSince1970: Double(now) / 1e9) }

  mutating func tell(_ text: @autoclosure () -> String) {
    if isTold { log.append("\(now / 1_000_000) ms: \(text())") }
  }

  mutating func sight(_ what: String) { sights[what, default: 0] += 1 }

  // MARK: - Time

  private mutating func step() throws {
    var next = coordinator == nil ? coordinatorStarts : min(coordinator?.nextDeadline?.nanoseconds ?? .max, nextPoll)
    if let first = inFlight.first { next = min(next, first.at) }
    for worker in workers.values { next = min(next, worker.nextMoment) }
    now = max(now, next)
    if !isCalm, now >= plan.calmAfter { try calm() }
    try startCoordinator()
    // A worker that came while all had ended went again; what somebody wants anew then needs another.
    if isCalm, workers.isEmpty, coordinator != nil, !ledger.isComplete { try bear(.good) }
    while let first = inFlight.first, first.at <= now { try deliver(inFlight.removeFirst()) }
    for number in workers.keys.sorted() { try advance(number) }
    if let deadline = coordinator?.nextDeadline, deadline <= instant { try coordinate([.tick]) }
    try poll()
    if !isCalm { try wreak() }
  }

  /// The chaos ends: connections heal, and there is a worker that works.
  private mutating func calm() throws {
    isCalm = true
    tell("calm")
    for number in links.keys {
      links[number]?.heldToCoordinator = 0
      links[number]?.heldToWorker = 0
    }
    store.enter(.resume, for: nil, at: date)
    try bear(.good)
  }

  // MARK: - The coordinator

  private mutating func startCoordinator() throws {
    guard coordinator == nil, now >= coordinatorStarts else { return }
    let taken = try store.begin(plan.sweeps, at: date)
    ledger.noteRestart()
    places = taken.places
    coordinator = CoordinatorSession(
      taken,
      CoordinatorSession.Configuration(
        coordinatorID: "coordinator", storeID: store.storeID, engineVersion: "1", build: "build",
        artefacts: [TrialCells.artefact], settings: plan.settings), at: instant)
    nextPoll = now
    tell("coordinator starts")
    try coordinate([.tick])
  }

  /// A live coordinator looks for requests now and then. One that is over ends, and another takes up what is left.
  private mutating func poll() throws {
    guard coordinator != nil, now >= nextPoll else { return }
    nextPoll = now + 500_000_000
    let requests = store.waitingRequests
    if !requests.isEmpty { try coordinate([.requests(requests)]) }
    guard coordinator?.isOver(at: instant) == true, !ledger.isComplete || !store.waitingRequests.isEmpty else { return }
    endCoordinator(after: 0.1...1)
  }

  /// Decides, commits, sends; and may die at any point between.
  mutating func coordinate(_ events: [CoordinatorSession.Event]) throws {
    guard var session = coordinator, let places else { return }
    let step = session.handle(events, at: instant)
    coordinator = session
    if !isCalm, random.chance(1, in: 400) { return kill("before the commit") }
    if !step.batch.isEmpty {
      try store.keep(step.batch, in: places, at: date)
      for write in step.batch.writes {
        tell("  \(write)")
        see(write)
        try ledger.note(write)
      }
    }
    if !isCalm, random.chance(1, in: 400) { return kill("after the commit") }
    for message in step.messages {
      if !isCalm, random.chance(1, in: 400) { return kill("in the middle of sending") }
      try ledger.check(message.message)
      send(.toWorker(message.message), over: number(of: message.peer))
    }
    for query in step.queries { answer(query) }
    for peer in step.dropped { abandon(number(of: peer), tellingWorker: random.chance(1, in: 2)) }
    try tellBroken()
  }

  private mutating func see(_ write: StoreWrite) {
    switch write {
    case .leased(_, _, _, let purpose): sight(purpose.rawValue)
    case .adopted: sight("adopted")
    case .ended(_, .failed(let failure)): sight(failure.kind.rawValue)
    case .ended(_, .lost(let loss, _)): sight(loss.rawValue)
    case .ended(_, .takenBack): sight("taken back")
    case .ended(_, .duplicate), .ended(_, .revoked), .result, .fault, .outcome, .sweep: break
    case .reopened: sight("reopened")
    case .audited(_, let outcome): sight("audit \(outcome.rawValue)")
    case .worker(_, .quarantined): sight("set aside")
    case .worker(_, .released): sight("released")
    case .worker(_, .joined), .worker(_, .lost), .worker(_, .left), .worker(_, .revoked): break
    }
  }

  mutating func kill(_ moment: String) {
    tell("coordinator killed \(moment)")
    sight("coordinator killed \(moment)")
    endCoordinator(after: 0...4)
  }

  private mutating func endCoordinator(after pause: ClosedRange<Double>) {
    coordinator = nil
    coordinatorStarts = now + random.time(pause)
    // Some notice at once, others by silence.
    for number in links.keys.sorted() where random.chance(1, in: 2) { abandon(number, tellingWorker: true) }
  }
}
