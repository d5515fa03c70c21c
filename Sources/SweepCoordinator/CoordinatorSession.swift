internal import ContentHash
public import SweepCore
public import SweepStore
public import SweepWire

/// All decisions of a coordinator, as a value: it stands between what peers and people say and the ``Scheduler``.
///
/// It has no clock, socket, store, task or logger. Whoever drives it feeds it everything that happens, in order,
/// together with the time; commits the batch of each step; and only then sends its messages.
///
/// A peer is nobody until its hello is accepted: what it says before is counted and dropped, and so is what comes over
/// a connection that its worker has replaced or that was given up.
public struct CoordinatorSession: Sendable {
  /// What a coordinator tells its workers.
  public struct Configuration: Sendable, Hashable {
    /// Names the coordinator's process.
    public var coordinatorID: String
    /// Names the store.
    public var storeID: String
    /// The version of pdsweep that the coordinator was built from.
    public var engineVersion: String
    /// Names the program that the coordinator runs: the same for equal executables.
    public var build: String
    /// The files that cells refer to by digest.
    public var artefacts: [Artefact]
    /// The scheduler's policy.
    public var settings: Scheduler.Settings

    /// Creates a configuration.
    public init(
      coordinatorID: String, storeID: String, engineVersion: String, build: String, artefacts: [Artefact],
      settings: Scheduler.Settings = Scheduler.Settings()
    ) {
      self.coordinatorID = coordinatorID
      self.storeID = storeID
      self.engineVersion = engineVersion
      self.build = build
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
    /// The store holds these requests, which nobody has taken up.
    case requests([StoreRequest])
    /// No more cells are to be handed out; what runs may finish.
    case drain
  }

  /// What is to be done about a batch of events: commit the batch, then send the messages.
  public struct Step: Sendable {
    /// To be committed together.
    public var batch = StoreBatch()
    /// To be sent once the batch is committed, in order.
    public var messages: [OutgoingMessage] = []
    /// To be answered by the server of artefacts, in order.
    public var queries: [ArtefactQuery] = []
    /// Peers that are done with, once the messages are sent: nothing more is served to them, and their connections end.
    public var dropped: [PeerID] = []
    /// To be told to people.
    public var notes: [Note] = []
    /// What was said to each peer, and where more of its kind can be added.
    var latest: [PeerID: Latest] = [:]

    /// Places of messages to a peer that more of their kind can be added to.
    struct Latest: Sendable {
      var lease: Int?
      var acknowledge: Int?
      var revoke: Int?
    }
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
    /// A worker runs another build of pdsweep than the coordinator. It is admitted; of each build one worker is named.
    case otherBuild(WorkerID, host: String, engineVersion: String)
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
  struct Acquaintance: Sendable {
    let peer: PeerID
    let host: String
    let processIdentifier: Int
    let slots: Int
  }

  let configuration: Configuration
  let sweeps: [OpenSweep]
  let places: CellPlaces
  /// The group of each sweep's first method, and of each method within its sweep.
  let groups: [(first: Int, ofMethod: [String: Int])]
  /// Where each artefact stands in the welcome.
  let artefacts: [SHA256Digest: Int]
  /// What the cell that was leased last names, and where that stands in the welcome.
  var latestFiles: (target: TargetReference, corpora: [CorpusReference], places: [Int])?
  let start: Instant
  var scheduler: Scheduler
  var workers: [WorkerID: Acquaintance] = [:]
  var peers: [PeerID: WorkerID] = [:]
  var progress: [AttemptID: AttemptProgress] = [:]
  var pace: Pace
  /// Cells completed and faults found since this coordinator started, for each sweep.
  var completedHere: [Int]
  var faults: [Int]
  var isDraining = false
  private var ignored = 0
  private var knownBuilds: Set<String> = []
  /// When the sweeps came to their end: nothing more will be leased.
  var finished: Instant?

  /// Takes up sweeps where their store has them.
  public init(_ open: OpenSweeps, _ configuration: Configuration, at now: Instant) {
    self.configuration = configuration
    sweeps = open.sweeps
    places = open.places
    var first = 0
    var groups: [(first: Int, ofMethod: [String: Int])] = []
    for sweep in open.sweeps {
      groups.append((first, Dictionary(uniqueKeysWithValues: sweep.methods.enumerated().map { ($1, $0) })))
      first += sweep.methods.count
    }
    self.groups = groups
    completedHere = Array(repeating: 0, count: open.sweeps.count)
    faults = completedHere
    artefacts = Dictionary(
      configuration.artefacts.enumerated().map { ($1.digest, $0) }, uniquingKeysWith: { first, _ in first })
    start = now
    pace = Pace(groups: first)
    scheduler = Scheduler(
      sweeps: open.sweeps.map(\.stored), attempts: open.attempts, nextAttempt: open.nextAttempt,
      settings: configuration.settings, at: now)
  }

  /// When the next ``Event/tick`` is due, at the latest.
  public var nextDeadline: Instant? { scheduler.nextDeadline }

  /// Whether all has been decided: every cell has ended, or, when draining, nothing runs any more.
  public var isFinished: Bool { finished != nil }

  /// Whether the sweeps have ended and there is nobody left to talk to: every worker is gone, or has had time enough to
  /// go. All outcomes are recorded by then.
  public func isOver(at now: Instant) -> Bool {
    guard let finished else { return false }
    return workers.isEmpty || now >= finished + configuration.settings.lostAfter * 3
  }

  /// How many things are kept of peers and of what they say, for tests of what bounds it.
  package var footprint: Int { peers.count + workers.count + progress.count }

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
      case .requests(let requests): for request in requests { take(request, now, &step) }
      case .drain:
        isDraining = true
        decide(.drain, now, &step)
      }
    }
    return step
  }

  /// What can be said to a peer while nothing can be committed: that it was heard. All else it says is left unheard, as
  /// if it had been lost on the way; the peer repeats what matters.
  public func replyUnheard(_ event: CoordinatorEvent) -> OutgoingMessage? {
    switch event {
    case .message(let peer, .heartbeat):
      peers[peer] == nil ? nil : OutgoingMessage(to: peer, .acknowledge([]))
    case .message(_, .hello), .message(_, .ready), .message(_, .result), .message(_, .failure), .message(_, .goodbye),
      .message(_, .artefactRequest), .undecodable, .unreachable, .revoked, .remark:
      nil
    }
  }

  /// A request for a part of an artefact, by a peer that may ask. It changes nothing, and needs no turn.
  func query(in event: CoordinatorEvent) -> ArtefactQuery? {
    guard case .message(let peer, .artefactRequest(let request)) = event, peers[peer] != nil else { return nil }
    return ArtefactQuery(peer: peer, request: request)
  }

  // MARK: - What people want

  /// Takes up a request about sweeps that are here. One about another sweep waits for whoever drives that.
  private mutating func take(_ request: StoreRequest, _ now: Instant, _ step: inout Step) {
    let wanted = places.positions(of: request.sweep)
    guard !wanted.isEmpty else { return }
    switch request.wish {
    case .pause: for sweep in wanted { decide(.pause(sweep), now, &step) }
    case .resume: for sweep in wanted { decide(.resume(sweep), now, &step) }
    case .cancel: for sweep in wanted { decide(.cancel(sweep), now, &step) }
    case .prioritise(let priority): for sweep in wanted { decide(.prioritise(sweep, priority), now, &step) }
    case .retry(let indices):
      let cells = wanted.flatMap { sweep in
        indices.compactMap { places.cell(at: $0, of: places.sweep(at: sweep)) }
      }
      decide(.retry(cells), now, &step)
    }
    step.batch.settled.append(request.id)
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
      decide(
        .heartbeat(worker, holding: held.map { HeldAttempt($0.attempt, isStarted: $0.isStarted) }), now, &step)
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
      step.queries.append(ArtefactQuery(peer: peer, request: request))
    }
  }

  private mutating func greet(_ hello: Hello, from peer: PeerID, _ now: Instant, _ step: inout Step) {
    disconnect(peer)
    // A worker's name begins with the name of its key, so that no peer can pass for a worker with another key.
    let worker = peer.key.map { WorkerID("\($0)/\(hello.workerID.name)") } ?? hello.workerID
    if let reason = objection(to: hello) {
      step.messages.append(OutgoingMessage(to: peer, .refuse(reason: reason)))
      step.notes.append(.refused(worker, host: hello.host, reason: reason))
      return
    }
    if hello.build != configuration.build, knownBuilds.count < 64, knownBuilds.insert(hello.build).inserted {
      step.notes.append(.otherBuild(worker, host: hello.host, engineVersion: hello.engineVersion))
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

  /// Why a worker cannot be admitted: its engine would give other numbers.
  private func objection(to hello: Hello) -> String? {
    let revision = CellSpecification.engineRevision
    guard hello.engineRevision != revision else { return nil }
    let isNewer = hello.engineRevision > revision
    return "expected a worker with engine revision \(revision) (pdsweep \(configuration.engineVersion)), found "
      + "\(hello.engineRevision) (pdsweep \(hello.engineVersion)): the worker is \(isNewer ? "newer" : "older"); "
      + "run the \(isNewer ? "worker's" : "coordinator's") pdsweep on both sides"
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
  mutating func drop(_ peer: PeerID, _ step: inout Step) {
    guard peers[peer] != nil else { return }
    disconnect(peer)
    step.dropped.append(peer)
  }
}
