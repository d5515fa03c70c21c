public import SweepCore
internal import SweepWire

/// All decisions of a worker, as a value: when to connect, what to say, what to run where, what to keep.
///
/// It has no clock, socket, thread, process or logger. Whoever drives it feeds it everything that happens, in order,
/// together with the time, and performs the actions that it returns, in order.
///
/// A worker is in one phase towards its coordinator:
///
///     created ──start──▶ greeting ──welcome──▶ admitted ─┐
///                           ▲  │                  │      │ refuse, drain, stop
///                     pause │  │ silence, break   │      │ (from any phase)
///                     over  │  ▼                  ▼      ▼
///                           pausing ◀──silence, break   ended
///
/// Each lease passes through `waiting → running → outcome → forgotten`, in every phase: what the worker runs goes on
/// while it is cut off, and an outcome is kept until it is acknowledged. Cells run in the engines of the worker's
/// slots (``EngineSlot``): an engine that dies costs the attempt that it had, which is reported at once, and nothing
/// else.
public struct WorkerSession: Sendable {
  /// The connection to the coordinator.
  enum Phase: Sendable {
    /// Nothing has happened yet.
    case created
    /// A connection is being made; the hello is said, the welcome is awaited.
    case greeting(since: Instant)
    /// There is no connection; one is made when the pause is over.
    case pausing(until: Instant)
    /// Welcomed on this connection.
    case admitted(Admission)
    /// It is over.
    case ended
  }

  /// What holds while the worker is admitted.
  struct Admission: Sendable {
    var lastHeard: Instant
    var nextHeartbeat: Instant
    /// The credit that the coordinator was told last, and when.
    var credit: Int
    var creditTold: Instant
  }

  /// Whether the worker wants more cells.
  enum Intent: Sendable {
    /// It does.
    case working
    /// The coordinator said that it is to end; what runs is finished first.
    case draining
    /// It is to end: what runs may go on until `cancelling`, outcomes may be delivered until `leaving`.
    case stopping(cancelling: Instant, leaving: Instant, Cause)
  }

  /// Why a worker stops.
  enum Cause: Sendable {
    /// It was told to.
    case told
    /// No engine can be kept running.
    case unfit(String)
  }

  /// A cell that has been leased and has not ended.
  struct Lease: Sendable {
    let cell: LeasedCell
    /// The files that it needs.
    let artefacts: [Artefact]
    var files: [ArtefactTicket]
    /// How often an engine found them changed.
    var rechecks = 0
  }

  /// The outcome of an attempt, kept until it is acknowledged.
  struct Outcome: Sendable {
    var attempt: AttemptID
    var message: FromWorker
    /// When it was last sent on the present connection.
    var sent: Instant?
  }

  let configuration: Configuration
  var generator: any RandomNumberGenerator & Sendable

  var phase = Phase.created
  var intent = Intent.working
  /// The latest welcome; kept while cut off.
  var welcome: Welcome?
  /// Leases not started, in the order in which they came.
  var waiting: [Lease] = []
  /// The worker's slots, from the start on.
  var slots: [EngineSlot] = []
  /// The files that cells need.
  var shelf = ArtefactShelf()
  /// Leases wanted beyond what runs.
  var prefetch: Prefetch
  var outcomes: [Outcome] = []
  /// When the coordinator was last heard of, or the worker started.
  var lastContact = Instant(nanoseconds: 0)
  /// Connections given up since the latest welcome.
  var losses = 0
  /// The time by which engines are judged, and what it shows.
  private var clock: ListeningClock
  private(set) var listened = Instant(nanoseconds: 0)
  /// Messages of the coordinator that were out of place or unreadable.
  public private(set) var ignoredMessages = 0

  /// Creates a session; nothing happens until ``Event/started``.
  ///
  /// - Parameters:
  ///   - configuration: who the worker is and how patient.
  ///   - generator: draws the pauses between connections, so that many workers do not come back at once.
  public init(
    _ configuration: Configuration, generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
  ) {
    self.configuration = configuration
    self.generator = generator
    prefetch = Prefetch(configuration.prefetch, slots: configuration.identity.slots)
    clock = ListeningClock(
      longestGap: (configuration.engineSilence / 4).nanoseconds, start: Instant(nanoseconds: 0))
  }

  /// The moment at which ``Event/timeReached`` is due, if nothing else happens before.
  public var nextDeadline: Instant? {
    var deadlines: [Instant] = []
    switch phase {
    case .created, .ended: return nil
    case .greeting(let since): deadlines.append(since + lostAfter)
    case .pausing(let until): deadlines.append(until)
    case .admitted(let admission):
      deadlines += [admission.nextHeartbeat, admission.lastHeard + lostAfter]
      if let request = shelf.requestDeadline(lostAfter: lostAfter) { deadlines.append(request) }
    }
    if let again = shelf.nextDeadline { deadlines.append(again) }
    if case .stopping(let cancelling, let leaving, _) = intent {
      deadlines.append(hasUncancelled ? cancelling : leaving)
    }
    for slot in slots {
      if case .resting(let until) = slot.engine, case .working = intent { deadlines.append(clock.moment(of: until)) }
      guard let (_, ends) = slot.patience(configuration) else { continue }
      // Looked after more often than the longest gap that counts as listening.
      deadlines.append(min(clock.moment(of: ends), clock.last + configuration.engineSilence / 8))
    }
    return deadlines.min()
  }

  /// Takes in what happened and returns what is to be done, in order.
  public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
    var actions: [Action] = []
    switch phase {
    case .created:
      guard case .started = event else { preconditionFailure("a session begins with its start") }
      clock = ListeningClock(longestGap: (configuration.engineSilence / 4).nanoseconds, start: now)
    case .ended: return []
    case .greeting, .pausing, .admitted: break
    }
    listened = clock.advance(to: now)
    switch event {
    case .started: start(now, &actions)
    case .connectFailed(let reason): connectFailed(reason, now, &actions)
    case .disconnected: disconnected(now, &actions)
    case .received(let message): received(message, now, &actions)
    case .undecodable(let error): undecodable(error, &actions)
    case .engineReady(let slot): engineReady(slot)
    case .engineAlive(let slot): slots[slot].lastSign = listened
    case .progressed(let slot, let progress): progressed(slot, progress)
    case .finished(let slot, let attempt, let outcome): finished(slot, attempt, outcome, &actions)
    case .stale(let slot, let attempt, let digests): stale(slot, attempt, digests, &actions)
    case .kept(let report): kept(report, now, &actions)
    case .engineEnded(let slot, let end): engineEnded(slot, end, now, &actions)
    case .stopRequested(let grace): stopRequested(grace, now, &actions)
    case .timeReached: timeReached(now, &actions)
    }
    if case .ended = phase { return actions }
    handBackFromDeadEngines(&actions)
    runNext(&actions)
    sayWhatChanged(now, &actions)
    endIfDone(&actions)
    return actions
  }

  /// Silence after which the coordinator is taken for lost.
  var lostAfter: Duration { welcome?.lostAfter ?? configuration.lostAfter }

  /// What the worker answers for: what a hello and a heartbeat name.
  var held: [AttemptProgress] {
    func bare(_ attempt: AttemptID, isStarted: Bool) -> AttemptProgress {
      AttemptProgress(attempt: attempt, step: 0, steps: 0, loss: nil, isStarted: isStarted)
    }
    let runs = slots.compactMap { slot in slot.running.flatMap { $0.isRevoked ? nil : $0.progress } }
    return outcomes.map { bare($0.attempt, isStarted: true) } + runs
      + waiting.map { bare($0.cell.attempt, isStarted: false) }
  }

  /// Unfinished leases that the worker wants to hold: none while no engine could run them.
  var credit: Int {
    switch intent {
    case .working:
      let usable = slots.count(where: \.isUsable)
      return usable == 0 ? 0 : usable + prefetch.count
    case .draining, .stopping: return 0
    }
  }

  /// Counts a message that was out of place.
  mutating func ignore(_ reason: String, _ actions: inout [Action]) {
    ignoredMessages += 1
    actions.append(.note(.ignored(reason)))
  }
}

extension Duration {
  /// Whole nanoseconds.
  var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}
