public import SweepCore
internal import SweepWire

/// All decisions of a worker, as a value: when to connect, what to say, what to run, what to keep.
///
/// It has no clock, socket, thread or logger. Whoever drives it feeds it everything that happens, in order, together
/// with the time, and performs the actions that it returns, in order.
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
/// while it is cut off, and an outcome is kept until it is acknowledged.
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
  }

  /// Whether the worker wants more cells.
  enum Intent: Sendable {
    /// It does.
    case working
    /// The coordinator said that it is to end; what runs is finished first.
    case draining
    /// It was told to stop: what runs may go on until `cancelling`, outcomes may be delivered until `leaving`.
    case stopping(cancelling: Instant, leaving: Instant)
  }

  /// The attempt that the engine has.
  struct Running: Sendable {
    var progress: AttemptProgress
    /// The coordinator wants no word of it.
    var isRevoked = false
    /// It has been told to end early.
    var isCancelled = false
  }

  /// The outcome of an attempt, kept until it is acknowledged.
  struct Outcome: Sendable {
    var attempt: AttemptID
    var message: FromWorker
    /// When it was last sent on the present connection.
    var sent: Instant?
  }

  let configuration: Configuration
  private var generator: any RandomNumberGenerator & Sendable

  private(set) var phase = Phase.created
  private(set) var intent = Intent.working
  /// The latest welcome; kept while cut off.
  private var welcome: Welcome?
  /// Leases not started, in the order in which they came.
  private var waiting: [LeasedCell] = []
  private(set) var running: Running?
  private var outcomes: [Outcome] = []
  /// When the coordinator was last heard of, or the worker started.
  private var lastContact = Instant(nanoseconds: 0)
  /// Connections given up since the latest welcome.
  private var losses = 0
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
    }
    if case .stopping(let cancelling, let leaving) = intent {
      deadlines.append(running.map { $0.isCancelled } == false ? cancelling : leaving)
    }
    return deadlines.min()
  }

  /// Takes in what happened and returns what is to be done, in order.
  public mutating func handle(_ event: Event, at now: Instant) -> [Action] {
    var actions: [Action] = []
    switch event {
    case .started: start(now, &actions)
    case .connectFailed(let reason): connectFailed(reason, now, &actions)
    case .disconnected: disconnected(now, &actions)
    case .received(let message): received(message, now, &actions)
    case .undecodable(let error): undecodable(error, &actions)
    case .progressed(let progress): progressed(progress)
    case .finished(let attempt, let outcome): finished(attempt, outcome, now, &actions)
    case .stopRequested(let grace): stopRequested(grace, now, &actions)
    case .timeReached: timeReached(now, &actions)
    }
    endIfDone(&actions)
    return actions
  }

  /// Silence after which the coordinator is taken for lost.
  private var lostAfter: Duration { welcome?.lostAfter ?? configuration.lostAfter }

  /// What the worker answers for: what a hello and a heartbeat name.
  private var held: [AttemptProgress] {
    let ended = outcomes.map { AttemptProgress(attempt: $0.attempt, step: 0, steps: 0, loss: nil) }
    let runs = running.flatMap { $0.isRevoked ? nil : $0.progress }
    let waits = waiting.map { AttemptProgress(attempt: $0.attempt, step: 0, steps: 0, loss: nil) }
    return ended + (runs.map { [$0] } ?? []) + waits
  }
}

// MARK: - The connection

extension WorkerSession {
  private mutating func start(_ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .created:
      lastContact = now
      connect(now, &actions)
    case .greeting, .pausing, .admitted, .ended:
      preconditionFailure("a session starts once")
    }
  }

  private mutating func connect(_ now: Instant, _ actions: inout [Action]) {
    phase = .greeting(since: now)
    let identity = configuration.identity
    let hello = Hello(
      workerID: identity.workerID, engineVersion: identity.engineVersion, engineRevision: identity.engineRevision,
      host: identity.host, processIdentifier: identity.processIdentifier, cores: identity.cores,
      memoryMiB: identity.memoryMiB, storeID: welcome?.storeID, running: held.map(\.attempt),
      slots: identity.slots, build: identity.build)
    actions += [.connect, .send([.hello(hello)])]
  }

  private mutating func connectFailed(_ reason: String, _ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .greeting: lose(.connectFailed(reason), now, &actions)
    // The connection that failed has been given up already.
    case .pausing, .ended: break
    case .created, .admitted: preconditionFailure("no connection is being made")
    }
  }

  private mutating func disconnected(_ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .greeting, .admitted: lose(.broken, now, &actions)
    case .pausing, .ended: break
    case .created: preconditionFailure("there was no connection")
    }
  }

  /// Gives the connection up and pauses before the next.
  ///
  /// The pause is drawn uniformly from the upper half of an interval that doubles up to
  /// ``Configuration/longestPause``:
  ///
  ///     loss             1        2        3        4        5        6
  ///     seconds   0.05-0.1  0.1-0.2  0.2-0.4  0.4-0.8  0.8-1.6  1.6-3.2
  ///
  /// A worker whose patience is over ends here, but not on the first loss: a machine that wakes from sleep finds much
  /// time gone by and its coordinator well.
  private mutating func lose(_ loss: Loss, _ now: Instant, _ actions: inout [Action]) {
    losses += 1
    let longest = min(Duration.milliseconds(100) * (1 << min(losses - 1, 16)), configuration.longestPause)
    let pause = longest * Double.random(in: 0.5...1, using: &generator)
    phase = .pausing(until: now + pause)
    for index in outcomes.indices { outcomes[index].sent = nil }
    actions += [.note(.lost(loss, pause: pause)), .disconnect]
    if let patience = configuration.giveUpAfter, losses > 1, now >= lastContact + patience {
      end(.gaveUp(after: now - lastContact), &actions)
    }
  }

  private mutating func timeReached(_ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .created, .ended: return
    case .greeting(let since):
      if now >= since + lostAfter { lose(.silent(now - lastContact), now, &actions) }
    case .pausing(let until):
      if now >= until { connect(now, &actions) }
    case .admitted(let admission):
      if now >= admission.lastHeard + lostAfter {
        lose(.silent(now - admission.lastHeard), now, &actions)
      } else if now >= admission.nextHeartbeat {
        beat(now, &actions)
      }
    }
    if case .stopping(let cancelling, let leaving) = intent {
      if now >= cancelling { cancelRunning(&actions) }
      if now >= leaving { leave(&actions) }
    }
  }

  /// Sends the heartbeat, and again what may have been lost.
  private mutating func beat(_ now: Instant, _ actions: inout [Action]) {
    guard case .admitted(var admission) = phase, let welcome else {
      preconditionFailure("only an admitted worker has a heartbeat")
    }
    admission.nextHeartbeat = now + welcome.heartbeatInterval
    phase = .admitted(admission)
    let named = held
    var messages: [FromWorker] = [.heartbeat(named)]
    if named.isEmpty { messages.append(.ready(credit: credit)) }
    messages += unsentOutcomes(now)
    actions.append(.send(messages))
  }

  /// The outcomes that have not been sent on this connection, or long ago.
  private mutating func unsentOutcomes(_ now: Instant) -> [FromWorker] {
    outcomes.indices.compactMap { index in
      if let sent = outcomes[index].sent, now < sent + lostAfter { return nil }
      outcomes[index].sent = now
      return outcomes[index].message
    }
  }

  private var credit: Int {
    switch intent {
    case .working: configuration.credit
    case .draining, .stopping: 0
    }
  }
}

// MARK: - What the coordinator says

extension WorkerSession {
  private mutating func received(_ message: ToWorker, _ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .created: preconditionFailure("there is no connection")
    // The message crossed the decision to give its connection up.
    case .pausing: ignore("a message over a connection given up", &actions)
    case .ended: break
    case .greeting:
      switch message {
      case .welcome(let welcome): welcomed(welcome, now, &actions)
      case .refuse(let reason): end(.refused(reason), &actions)
      case .lease, .acknowledge, .revoke, .drain, .artefactChunk, .artefactMissing:
        ignore("a message before the welcome", &actions)
      }
    case .admitted(var admission):
      admission.lastHeard = now
      lastContact = now
      phase = .admitted(admission)
      switch message {
      case .welcome(let welcome): welcomed(welcome, now, &actions)
      case .lease(let cells): leased(cells, now, &actions)
      case .acknowledge(let attempts): forget(attempts)
      case .revoke(let attempts): revoked(attempts, &actions)
      case .drain: drain(now, &actions)
      case .refuse(let reason): end(.refused(reason), &actions)
      case .artefactChunk, .artefactMissing: ignore("an artefact that was not asked for", &actions)
      }
    }
  }

  private mutating func undecodable(_ error: WireError, _ actions: inout [Action]) {
    switch phase {
    case .created: preconditionFailure("there is no connection")
    case .greeting:
      if case .unknownVersion = error {
        end(.refused(error.description), &actions)
      } else {
        ignore(error.description, &actions)
      }
    case .admitted, .pausing: ignore(error.description, &actions)
    case .ended: break
    }
  }

  private mutating func ignore(_ reason: String, _ actions: inout [Action]) {
    ignoredMessages += 1
    actions.append(.note(.ignored(reason)))
  }

  private mutating func welcomed(_ new: Welcome, _ now: Instant, _ actions: inout [Action]) {
    if let old = welcome, old.storeID != new.storeID { dropLeases(&actions) }
    welcome = new
    lastContact = now
    losses = 0
    phase = .admitted(Admission(lastHeard: now, nextHeartbeat: now + new.heartbeatInterval))
    actions.append(.note(.welcomed(new)))
    actions.append(.send([.ready(credit: credit)] + unsentOutcomes(now)))
  }

  /// Forgets leases whose numbers mean nothing to the coordinator.
  private mutating func dropLeases(_ actions: inout [Action]) {
    actions.append(.note(.dropped(held.map(\.attempt))))
    waiting = []
    outcomes = []
    cancelRunning(&actions)
    running?.isRevoked = true
  }

  private mutating func forget(_ attempts: [AttemptID]) {
    let acknowledged = Set(attempts)
    outcomes.removeAll { acknowledged.contains($0.attempt) }
  }

  private mutating func revoked(_ attempts: [AttemptID], _ actions: inout [Action]) {
    forget(attempts)
    let unwanted = Set(attempts)
    waiting.removeAll { unwanted.contains($0.attempt) }
    if let attempt = running?.progress.attempt, unwanted.contains(attempt) {
      cancelRunning(&actions)
      running?.isRevoked = true
    }
  }

  private mutating func drain(_ now: Instant, _ actions: inout [Action]) {
    switch intent {
    case .working:
      intent = .draining
      handBack("the coordinator drains this worker", now, &actions)
    case .draining, .stopping: break
    }
  }
}

// MARK: - Leases

extension WorkerSession {
  private mutating func leased(_ cells: [LeasedCell], _ now: Instant, _ actions: inout [Action]) {
    var known = Set(held.map(\.attempt))
    if let running { known.insert(running.progress.attempt) }
    for cell in cells {
      guard !known.contains(cell.attempt) else {
        ignore("a lease that the worker holds already", &actions)
        continue
      }
      // Twice the credit leaves room for leases that cross a change of it.
      guard waiting.count < 2 * WireProtocol.credit, known.count < WireProtocol.listCount else {
        ignore("a lease beyond what the worker can hold", &actions)
        continue
      }
      known.insert(cell.attempt)
      waiting.append(cell)
    }
    switch intent {
    case .working: runNext(&actions)
    case .draining, .stopping: handBack("the worker takes no more cells", now, &actions)
    }
  }

  /// Starts the next lease if the engine is idle. A worker that ends has none left: it hands them back first.
  private mutating func runNext(_ actions: inout [Action]) {
    guard running == nil, !waiting.isEmpty, let welcome else { return }
    let cell = waiting.removeFirst()
    running = Running(progress: AttemptProgress(attempt: cell.attempt, step: 0, steps: 0, loss: nil))
    actions.append(.run(cell, artefacts: welcome.artefacts))
  }

  private mutating func progressed(_ progress: AttemptProgress) {
    precondition(running?.progress.attempt == progress.attempt, "progress of an attempt that does not run")
    running?.progress = progress
  }

  private mutating func finished(
    _ attempt: AttemptID, _ outcome: AttemptOutcome, _ now: Instant, _ actions: inout [Action]
  ) {
    guard let ended = running, ended.progress.attempt == attempt else {
      preconditionFailure("the end of an attempt that does not run")
    }
    running = nil
    if !ended.isRevoked {
      switch outcome {
      case .result(let result): keep(.result(result), of: attempt)
      case .failure(let failure): keep(.failure(attempt: attempt, failure), of: attempt)
      }
    }
    switch phase {
    case .created: preconditionFailure("nothing was run")
    case .ended: break
    case .greeting, .pausing: runNext(&actions)
    case .admitted:
      let messages = unsentOutcomes(now)
      if !messages.isEmpty { actions.append(.send(messages)) }
      runNext(&actions)
    }
  }

  private mutating func keep(_ message: FromWorker, of attempt: AttemptID) {
    outcomes.append(Outcome(attempt: attempt, message: message))
  }

  /// Turns leases that have not been started into failures that say nothing about their cells.
  private mutating func handBack(_ reason: String, _ now: Instant, _ actions: inout [Action]) {
    for cell in waiting {
      let failure = CellFailure(kind: .preempted, message: reason)
      keep(.failure(attempt: cell.attempt, failure), of: cell.attempt)
    }
    waiting = []
    switch phase {
    case .created, .greeting, .pausing, .ended: break
    case .admitted: actions.append(.send([.ready(credit: 0)] + unsentOutcomes(now)))
    }
  }

  private mutating func cancelRunning(_ actions: inout [Action]) {
    guard let attempt = running?.progress.attempt, running?.isCancelled == false else { return }
    running?.isCancelled = true
    actions.append(.cancel(attempt))
  }
}

// MARK: - The end

extension WorkerSession {
  private mutating func stopRequested(_ grace: Duration, _ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .created: preconditionFailure("the session has not started")
    case .ended: return
    case .greeting, .pausing, .admitted: break
    }
    var cancelling = now + grace
    var leaving = cancelling + configuration.farewell
    switch intent {
    case .working, .draining: break
    // Asked again: the nearer end counts.
    case .stopping(let earlier, let earlierLeaving):
      cancelling = min(cancelling, earlier)
      leaving = min(leaving, earlierLeaving)
    }
    intent = .stopping(cancelling: cancelling, leaving: leaving)
    handBack("the worker was told to stop", now, &actions)
    if now >= cancelling { cancelRunning(&actions) }
  }

  /// Ends a session that wants no more cells and holds nothing any more.
  private mutating func endIfDone(_ actions: inout [Action]) {
    switch (phase, intent) {
    case (.created, _), (.ended, _), (_, .working): return
    case (.greeting, .draining), (.pausing, .draining), (.admitted, .draining),
      (.greeting, .stopping), (.pausing, .stopping), (.admitted, .stopping):
      if running == nil, outcomes.isEmpty { leave(&actions) }
    }
  }

  /// Says goodbye and ends, whether or not everything was delivered.
  private mutating func leave(_ actions: inout [Action]) {
    switch phase {
    case .created, .ended: return
    case .greeting, .pausing, .admitted: break
    }
    let undelivered = held.count
    switch intent {
    case .working: preconditionFailure("a worker leaves when it drains or stops")
    case .draining: end(.drained, farewell: "drained", &actions)
    case .stopping: end(.stopped(undelivered: undelivered), farewell: "told to stop", &actions)
    }
  }

  private mutating func end(_ outcome: WorkerOutcome, farewell: String? = nil, _ actions: inout [Action]) {
    switch phase {
    case .created, .ended: return
    case .admitted:
      if let farewell { actions.append(.send([.goodbye(reason: farewell)])) }
    case .greeting, .pausing: break
    }
    cancelRunning(&actions)
    phase = .ended
    actions.append(.exit(outcome))
  }
}
