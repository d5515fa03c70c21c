internal import ContentHash
public import SweepCore
public import SweepStore
public import SweepWire

/// All decisions of a coordinator, as a value: it stands between what peers say and the ``Scheduler``.
///
/// It has no clock, socket, store, task or logger. Whoever drives it feeds it everything that happens, in order,
/// together with the time; commits the writes of each step; and only then sends its messages.
///
/// A peer is nobody until its hello is accepted: what it says before is counted and dropped, and so is what comes over
/// a connection that its worker has replaced or that was given up.
public struct CoordinatorSession: Sendable {
  /// What a coordinator tells its workers.
  public struct Configuration: Sendable, Hashable {
    /// The sweep's name.
    public var sweep: String
    /// Names the coordinator's process.
    public var coordinatorID: String
    /// Names the store.
    public var storeID: String
    /// The files that cells refer to by digest.
    public var artefacts: [Artefact]
    /// The scheduler's policy.
    public var settings: Scheduler.Settings

    /// Creates a configuration.
    public init(
      sweep: String, coordinatorID: String, storeID: String, artefacts: [Artefact],
      settings: Scheduler.Settings = Scheduler.Settings()
    ) {
      self.sweep = sweep
      self.coordinatorID = coordinatorID
      self.storeID = storeID
      self.artefacts = artefacts
      self.settings = settings
    }
  }

  /// What can happen to a coordinator.
  public enum Event: Sendable {
    /// The transport brought something.
    case arrived(CoordinatorEvent)
    /// Time passed: due at ``CoordinatorSession/nextDeadline``, harmless at any other moment.
    case tick
    /// No more cells are to be handed out; what runs may finish.
    case drain
    /// Every cell that has not ended is called off.
    case cancel
  }

  /// What is to be done about a batch of events: commit the writes, then send the messages.
  public struct Step: Sendable {
    /// To be committed together.
    public var writes: [StoreWrite] = []
    /// To be sent once the writes are committed, in order.
    public var messages: [OutgoingMessage] = []
    /// To be answered by the server of artefacts, in order.
    public var requests: [ArtefactQuery] = []
    /// Peers that are done with, once the messages are sent: nothing more is served to them, and their connections end.
    public var dropped: [PeerID] = []
    /// To be told to people.
    public var notes: [Note] = []
    /// The latest message to each peer, to which more of its kind can be added.
    fileprivate var latest: [PeerID: Int] = [:]
  }

  /// A worker's request for a part of an artefact.
  public struct ArtefactQuery: Sendable, Hashable {
    /// Who asks.
    public var peer: PeerID
    /// What for.
    public var request: ArtefactRequest
  }

  /// What people may want to know, beside the writes.
  public enum Note: Sendable, Hashable {
    /// A worker was refused, for this reason.
    case refused(WorkerID, host: String, reason: String)
    /// A message could not be read, or came from a peer that is nobody; so many have by now.
    case ignored(String, count: Int)
    /// The transport says this.
    case remark(String)
    /// A worker was cut off: the key of this name is no longer admitted.
    case cutOff(WorkerID, key: String)
    /// All cells have ended, or nothing runs any more.
    case finished
  }

  /// What is known of a worker beside its leases.
  private struct Acquaintance: Sendable {
    let peer: PeerID
    let host: String
    let processIdentifier: Int
    let slots: Int
  }

  let configuration: Configuration
  private let cells: [Cell]
  private let methods: [String]
  private let groups: [String: Int]
  /// Where each artefact stands in the welcome.
  private let places: [SHA256Digest: Int]
  private let start: Instant
  private var scheduler: Scheduler
  private var workers: [WorkerID: Acquaintance] = [:]
  private var peers: [PeerID: WorkerID] = [:]
  private var progress: [AttemptID: AttemptProgress] = [:]
  private var pace: Pace
  private var completedHere = 0
  private var faults = 0
  private var ignored = 0
  private var isDraining = false
  /// When the sweep came to its end: nothing more will be leased.
  private var finished: Instant?

  /// Takes up a sweep where its store has it.
  public init(_ sweep: OpenSweep, _ configuration: Configuration, at now: Instant) {
    self.configuration = configuration
    cells = sweep.cells
    methods = sweep.methods
    groups = Dictionary(uniqueKeysWithValues: sweep.methods.enumerated().map { ($1, $0) })
    places = Dictionary(
      configuration.artefacts.enumerated().map { ($1.digest, $0) }, uniquingKeysWith: { first, _ in first })
    start = now
    pace = Pace(groups: sweep.methods.count)
    scheduler = Scheduler(
      sweeps: [Scheduler.StoredSweep(cells: sweep.stored, groups: sweep.methods.count)], attempts: sweep.attempts,
      nextAttempt: sweep.nextAttempt, settings: configuration.settings, at: now)
  }

  /// When the next ``Event/tick`` is due, at the latest.
  public var nextDeadline: Instant? { scheduler.nextDeadline }

  /// Whether the sweep has ended and there is nobody left to talk to: every worker is gone, or has had time enough to
  /// go. All outcomes are recorded by then.
  public func isOver(at now: Instant) -> Bool {
    guard let finished else { return false }
    return workers.isEmpty || now >= finished + configuration.settings.lostAfter * 3
  }

  /// Takes in what happened and says what is to be done.
  public mutating func handle(_ events: [Event], at now: Instant) -> Step {
    var step = Step()
    for event in events {
      switch event {
      case .arrived(.message(let peer, let message)): received(message, from: peer, now, &step)
      case .arrived(.undecodable(let peer, let error)): undecodable(error, from: peer, &step)
      case .arrived(.unreachable(let peer)): drop(peer, &step)
      case .arrived(.revoked(let key)): cutOff(key, now, &step)
      case .arrived(.remark(let text)): step.notes.append(.remark(text))
      case .tick: decide(.tick, now, &step)
      case .drain:
        isDraining = true
        decide(.drain, now, &step)
      case .cancel: decide(.cancel(SweepIndex(0)), now, &step)
      }
    }
    return step
  }

  // MARK: - What peers say

  private mutating func received(
    _ message: FromWorker, from peer: PeerID, _ now: Instant, _ step: inout Step
  ) {
    if case .hello(let hello) = message {
      greet(hello, from: peer, now, &step)
      return
    }
    guard let worker = peers[peer] else {
      ignore("a message of a peer that has not said hello", &step)
      return
    }
    switch message {
    case .hello:
      preconditionFailure("a hello needs no introduction")
    case .ready(let credit):
      decide(.ready(worker, credit: credit), now, &step)
    case .heartbeat(let held):
      for attempt in held { progress[attempt.attempt] = attempt }
      decide(.heartbeat(worker, holding: held.map { HeldAttempt($0.attempt, isStarted: $0.steps > 0) }), now, &step)
      let mine = Set(scheduler.leases(of: worker) ?? [])
      for attempt in held where !mine.contains(attempt.attempt) { progress[attempt.attempt] = nil }
      if step.latest[peer] == nil { say(.acknowledge([]), to: worker, &step) }
    case .result(let result):
      received(result, from: worker, now, &step)
    case .failure(let attempt, let failure):
      progress[attempt] = nil
      decide(.failure(worker, attempt, failure), now, &step)
    case .goodbye(let reason):
      drop(peer, &step)
      decide(.left(worker, reason: reason), now, &step)
    case .artefactRequest(let request):
      step.requests.append(ArtefactQuery(peer: peer, request: request))
    }
  }

  private mutating func greet(_ hello: Hello, from peer: PeerID, _ now: Instant, _ step: inout Step) {
    disconnect(peer)
    // A worker's name begins with the name of its key, so that no peer can pass for a worker with another key.
    let worker = peer.key.map { WorkerID("\($0)/\(hello.workerID.name)") } ?? hello.workerID
    let revision = CellSpecification.engineRevision
    guard hello.engineRevision == revision else {
      let reason =
        "expected a worker with engine revision \(revision), found \(hello.engineRevision) (pdsweep "
        + "\(hello.engineVersion)); run the same pdsweep on both sides"
      step.messages.append(OutgoingMessage(to: peer, .refuse(reason: reason)))
      step.notes.append(.refused(worker, host: hello.host, reason: reason))
      return
    }
    if let old = workers[worker] { drop(old.peer, &step) }
    peers[peer] = worker
    workers[worker] = Acquaintance(
      peer: peer, host: hello.host, processIdentifier: hello.processIdentifier, slots: hello.slots)
    // Attempt numbers of another store mean nothing here; the worker drops them when it is welcomed.
    let running = hello.storeID == configuration.storeID ? hello.running : []
    let capacity = WorkerCapacity(slots: hello.slots, memoryMiB: hello.memoryMiB)
    decide(.joined(worker, capacity, running: running), now, &step)
  }

  /// Takes their leases from the workers with a key, and sends them away.
  private mutating func cutOff(_ key: String, _ now: Instant, _ step: inout Step) {
    for (worker, acquaintance) in workers.sorted(by: { $0.key < $1.key }) where acquaintance.peer.key == key {
      let reason = "the key \(key) has been revoked; ask for one made by `pdsweep keys new`"
      drop(acquaintance.peer, &step)
      decide(.revokeWorker(worker, reason: reason), now, &step)
      step.messages.append(OutgoingMessage(to: acquaintance.peer, .refuse(reason: reason)))
      step.notes.append(.cutOff(worker, key: key))
    }
  }

  private mutating func received(
    _ result: AttemptResult, from worker: WorkerID, _ now: Instant, _ step: inout Step
  ) {
    progress[result.attempt] = nil
    switch examine(result) {
    case .success(let report):
      let delivered = DeliveredResult(
        fingerprint: result.fingerprint, result: result.result, report: result.report)
      let before = step.writes.count
      decide(.result(worker, result.attempt, delivered), now, &step)
      for write in step.writes[before...] {
        guard case .result(let attempt, _) = write, let cell = scheduler.cell(of: attempt) else { continue }
        pace.note(seconds: report.wallSeconds, group: group(of: cell))
      }
    case .failure(let failure):
      decide(.failure(worker, result.attempt, failure), now, &step)
    }
  }

  /// Reads a result: whatever is stored must be fit for reports.
  private func examine(_ result: AttemptResult) -> Result<AttemptReport, CellFailure> {
    func unfit(_ what: String) -> Result<AttemptReport, CellFailure> {
      .failure(CellFailure(kind: .engineFault, message: "the worker sent a result \(what)"))
    }
    guard let values: CellResult = try? CanonicalJSON.decode(from: result.result) else {
      return unfit("that cannot be read")
    }
    guard let report: AttemptReport = try? CanonicalJSON.decode(from: result.report) else {
      return unfit("with a report that cannot be read")
    }
    guard !values.evaluations.isEmpty else { return unfit("without a measurement") }
    if let cell = scheduler.cell(of: result.attempt) {
      let names = cells[cell.index].specification.corpora.map(\.name)
      guard values.evaluations.allSatisfy({ $0.corpora.map(\.name) == names }) else {
        return unfit("of other corpora than the cell's")
      }
    }
    return .success(report)
  }

  private mutating func undecodable(_ error: WireError, from peer: PeerID, _ step: inout Step) {
    if case .unknownVersion = error {
      step.messages.append(OutgoingMessage(to: peer, .refuse(reason: error.description)))
    }
    ignore(error.description, &step)
  }

  private mutating func ignore(_ reason: String, _ step: inout Step) {
    ignored += 1
    // A flood of such messages must not become a flood of lines.
    if ignored.nonzeroBitCount == 1 { step.notes.append(.ignored(reason, count: ignored)) }
  }

  /// What the peer says from now on is dropped, and nothing is sent to it, until a hello.
  private mutating func disconnect(_ peer: PeerID) {
    guard let worker = peers.removeValue(forKey: peer) else { return }
    workers[worker] = nil
  }

  /// Disconnects a peer and ends its connection, so that its worker, if there still is one, notices at once.
  private mutating func drop(_ peer: PeerID, _ step: inout Step) {
    guard peers[peer] != nil else { return }
    disconnect(peer)
    step.dropped.append(peer)
  }

  // MARK: - What the scheduler decides

  private mutating func decide(_ event: Scheduler.Event, _ now: Instant, _ step: inout Step) {
    for action in scheduler.handle(event, at: now) {
      switch action {
      case .record(let write): note(write, &step)
      case .welcome(let worker):
        say(
          .welcome(
            Welcome(
              sweep: configuration.sweep, coordinatorID: configuration.coordinatorID, storeID: configuration.storeID,
              artefacts: configuration.artefacts, heartbeatInterval: configuration.settings.heartbeatInterval,
              lostAfter: configuration.settings.lostAfter)), to: worker, &step)
      case .lease(let worker, let attempt, let cell):
        say(.lease([leased(attempt, cell)]), to: worker, &step)
      case .acknowledge(let worker, let attempt): say(.acknowledge([attempt]), to: worker, &step)
      case .revoke(let worker, let attempt):
        progress[attempt] = nil
        say(.revoke([attempt]), to: worker, &step)
      case .drain(let worker): say(.drain, to: worker, &step)
      case .forget(let worker): if let peer = workers[worker]?.peer { drop(peer, &step) }
      case .finish:
        finished = now
        step.notes.append(.finished)
      }
    }
  }

  private func leased(_ attempt: AttemptID, _ cell: CellID) -> LeasedCell {
    let specification = cells[cell.index].specification
    return LeasedCell(
      attempt: attempt, index: cell.index, cell: CanonicalJSON.encode(specification),
      artefacts: Set(specification.files.compactMap { places[$0.digest] }).sorted())
  }

  private mutating func note(_ write: StoreWrite, _ step: inout Step) {
    step.writes.append(write)
    switch write {
    case .ended(let attempt, _), .result(let attempt, _): progress[attempt] = nil
    case .fault(let attempt, _):
      progress[attempt] = nil
      faults += 1
    case .outcome(_, .completed): completedHere += 1
    case .outcome(_, .failed), .outcome(_, .cancelled), .leased, .adopted, .reopened, .audited, .worker, .sweep: break
    }
  }

  /// Adds to the messages of a step. Order is kept towards each worker; leases, acknowledgements and revocations that
  /// follow each other become one message.
  private func say(_ message: ToWorker, to worker: WorkerID, _ step: inout Step) {
    guard let peer = workers[worker]?.peer else { return }
    if let index = step.latest[peer] {
      switch (step.messages[index].message, message) {
      case (.lease(let earlier), .lease(let more)):
        step.messages[index].message = .lease(earlier + more)
        return
      case (.acknowledge(let earlier), .acknowledge(let more)):
        step.messages[index].message = .acknowledge(earlier + more)
        return
      case (.revoke(let earlier), .revoke(let more)):
        step.messages[index].message = .revoke(earlier + more)
        return
      case (.welcome, _), (.lease, _), (.acknowledge, _), (.revoke, _), (.drain, _), (.refuse, _), (.artefactChunk, _),
        (.artefactMissing, _):
        break
      }
    }
    step.latest[peer] = step.messages.count
    step.messages.append(OutgoingMessage(to: peer, message))
  }

  // MARK: - What people see

  /// Where the sweep stands.
  public func progress(at now: Instant) -> SweepProgress {
    let present = workers.keys.sorted().compactMap { id in workers[id].map { (id, $0) } }
    let states = present.map { id, worker in
      SweepProgress.Worker(
        id: id, host: worker.host, processIdentifier: worker.processIdentifier, slots: worker.slots,
        attempts: (scheduler.leases(of: id) ?? []).compactMap { attempt in
          scheduler.cell(of: attempt).map { cell in
            let known = progress[attempt]
            return SweepProgress.Attempt(
              id: attempt, cell: cell, method: cells[cell.index].method, step: known?.step ?? 0,
              steps: known?.steps ?? 0, loss: known?.loss)
          }
        })
    }
    let left = scheduler.tallies(of: SweepIndex(0)).map { ($0[.pending] ?? 0) + ($0[.running] ?? 0) }
    return SweepProgress(
      sweep: configuration.sweep,
      methods: zip(methods, scheduler.tallies(of: SweepIndex(0))).map { SweepProgress.Method(name: $0, cells: $1) },
      workers: states, elapsed: now - start, completedHere: completedHere,
      remaining: pace.remaining(left, slots: states.reduce(0) { $0 + min($1.slots, $1.attempts.count) }),
      faults: faults,
      isDraining: isDraining)
  }

  /// The cell of an attempt and its worker, for people.
  func whereabouts(of attempt: AttemptID) -> (cell: CellID, worker: WorkerID)? {
    scheduler.whereabouts(of: attempt)
  }

  private func group(of cell: CellID) -> Int {
    groups[cells[cell.index].method] ?? 0
  }
}
