import ContentHash
import SweepCore
import SweepWire
@testable import SweepWorker

/// What the grammar page asks of a worker, kept apart from how ``WorkerSession`` does it. It follows a session's
/// events and actions and says what is wrong with them.
struct SessionModel {
  enum Link {
    case none
    case greeting(since: Instant, helloSaid: Bool)
    case open
  }

  enum Mode {
    case working
    case draining
    case stopping(cancelling: Instant, leaving: Instant)
  }

  enum Outcome: Equatable {
    case exactly(FromWorker)
    case failed(CellFailure.Kind)
  }

  /// A cell that has not ended, with those of its files that have not been lost.
  struct Lease {
    var cell: LeasedCell
    var files: Set<SHA256Digest>
    let allFiles: Set<SHA256Digest>
    var rechecks = 0
  }

  struct Running {
    var lease: Lease
    var attempt: AttemptID { lease.cell.attempt }
    var progress: AttemptProgress
    var isUnwanted = false
    var cancelled: Duration?
  }

  /// What is known of the engine of a slot.
  struct Engine {
    enum State {
      case absent, starting, live, ending
    }

    var state = State.absent
    var running: Running?
    /// In listening time, as all that follows.
    var started = Duration.zero
    var lastSign = Duration.zero
    var ended = Duration.zero
    var wasReady = false
    /// Ends in a row before the engine was ready.
    var failedStarts = 0
    var isAbandoned: Bool { failedStarts >= 6 }
    var isUsable: Bool { state == .live }
    var isPromising: Bool { state == .live || state == .starting }
  }

  let configuration: WorkerSession.Configuration
  private(set) var now = Instant(nanoseconds: 0)
  private(set) var link = Link.none
  private(set) var mode = Mode.working
  private(set) var waiting: [Lease] = []
  var files = FilesModel()
  private(set) var engines: [Engine] = []
  private(set) var ended: [AttemptID: Outcome] = [:]
  private(set) var hasExited = false
  private var context: Welcome?
  private var sent: [AttemptID: Instant] = [:]
  private var lastHeard = Instant(nanoseconds: 0)
  private var lastContact = Instant(nanoseconds: 0)
  private var lastBeat = Instant(nanoseconds: 0)
  private var losses = 0
  private var refusal: String?
  /// The credit that the coordinator was told last on this connection.
  private var told: Int?
  /// Time in which the session listened: gaps of more than a quarter of the engines' longest silence do not count.
  private var listened = Duration.zero

  /// What was found to be wrong.
  private(set) var faults: [String] = []

  init(_ configuration: WorkerSession.Configuration) {
    self.configuration = configuration
  }

  /// What the worker answers for.
  var held: Set<AttemptID> {
    var held = Set(waiting.map(\.cell.attempt)).union(ended.keys)
    for running in engines.compactMap(\.running) where !running.isUnwanted { held.insert(running.attempt) }
    return held
  }

  private var hasRunning: Bool { engines.contains { $0.running != nil } }

  var isOpen: Bool {
    if case .open = link { true } else { false }
  }

  private var lostAfter: Duration { context?.lostAfter ?? configuration.lostAfter }

  private mutating func expect(_ truth: Bool, _ fault: @autoclosure () -> String) {
    if !truth { faults.append(fault()) }
  }

  /// Follows one step of a session.
  mutating func follow(
    _ event: WorkerSession.Event, at now: Instant, _ actions: [WorkerSession.Action], nextDeadline: Instant?
  ) {
    let gap = now - self.now
    if gap <= configuration.engineSilence / 4 { listened += gap }
    self.now = now
    guard !hasExited else {
      expect(actions.isEmpty, "acts after the end")
      expect(nextDeadline == nil, "waits after the end")
      return
    }
    let wasCut = duty(of: event)
    doubtful = nil
    startsAnother = actions.contains { if case .startEngine = $0 { true } else { false } }
    take(event)
    for (index, action) in actions.enumerated() {
      expect(!hasExited, "acts after the end")
      perform(action, isLast: index == actions.count - 1)
    }
    switch wasCut {
    case .mustCut: expect(!isOpen && !isGreeting || hasExited, "stays with a lost connection")
    case .mustBeat: expect(lastBeat == now || hasExited, "misses a heartbeat")
    case .mustConnect: expect(isGreeting || hasExited, "does not connect after the pause")
    case nil: break
    }
    checkState(after: event)
    if !hasExited {
      let leases = waiting + engines.compactMap(\.running?.lease)
      files.check(held: leases.reduce(into: []) { $0.formUnion($1.files) }, isOpen: isOpen)
    }
    faults += files.faults
    check(nextDeadline, after: event)
  }

  private var isGreeting: Bool {
    if case .greeting = link { true } else { false }
  }

  private enum Duty {
    case mustCut, mustBeat, mustConnect
  }

  /// What the session must do because of the time alone, judged before the event.
  private func duty(of event: WorkerSession.Event) -> Duty? {
    guard case .timeReached = event else { return nil }
    switch link {
    case .none: return nil
    case .greeting(let since, _): return now - since >= lostAfter ? .mustCut : nil
    case .open:
      guard let context else { return nil }
      if now - lastHeard >= lostAfter { return .mustCut }
      return now - lastBeat >= context.heartbeatInterval ? .mustBeat : nil
    }
  }

  // MARK: What an event means

  private mutating func take(_ event: WorkerSession.Event) {
    switch event {
    case .started:
      lastContact = now
      engines = Array(repeating: Engine(), count: configuration.identity.slots)
    case .connectFailed, .disconnected, .timeReached: break
    case .undecodable(let error):
      if isGreeting, case .unknownVersion = error { refusal = error.description }
    case .engineReady(let slot):
      if engines[slot].state == .starting { engines[slot].state = .live }
      engines[slot].wasReady = true
      engines[slot].lastSign = listened
    case .engineAlive(let slot): engines[slot].lastSign = listened
    case .progressed(let slot, let progress):
      engines[slot].running?.progress = progress
      engines[slot].lastSign = listened
    case .finished(let slot, let attempt, let outcome):
      if engines[slot].running?.isUnwanted == false {
        switch outcome {
        case .result(let result): ended[attempt] = .exactly(.result(result))
        case .failure(let failure): ended[attempt] = .exactly(.failure(attempt: attempt, failure))
        }
      }
      engines[slot].running = nil
      engines[slot].lastSign = listened
    case .stale(let slot, let attempt, let digests): stale(slot, attempt, digests)
    case .kept(let report):
      let digest = report.ticket.digest
      let isLost = files.take(report)
      if isLost, case .failed(_, let failure) = report { lose(digest, failure.kind) }
      // The session may take these for lost, and then lets the file go.
      if case .noRoom = report, files.needs[digest]?.state == .hindered { doubtful = (digest, .workerUnfit) }
      if case .corrupt = report, files.needs[digest]?.state == .hindered { doubtful = (digest, .refusedInput) }
    case .engineEnded(let slot, let end): engineEnded(slot, end)
    case .stopRequested(let grace):
      var cancelling = now + grace
      if case .stopping(let earlier, _) = mode { cancelling = min(cancelling, earlier) }
      mode = .stopping(cancelling: cancelling, leaving: cancelling + configuration.farewell)
      handBack()
    case .received(let message): hear(message)
    }
  }

  private mutating func engineEnded(_ slot: Int, _ end: EngineEnd) {
    let engine = engines[slot]
    if let running = engine.running, !running.isUnwanted {
      let wasKilled = engine.state == .ending
      let isDeaf =
        wasKilled && running.cancelled != nil && engine.lastSign + configuration.engineSilence > listened
      ended[running.attempt] = .failed(isDeaf ? .preempted : !wasKilled && end.wantedMemory ? .outOfMemory : .crashed)
    }
    engines[slot].running = nil
    engines[slot].state = .absent
    engines[slot].ended = listened
    engines[slot].failedStarts = engine.wasReady ? 0 : engine.failedStarts + 1
    engines[slot].wasReady = false
    if engines.allSatisfy(\.isAbandoned) {
      for lease in waiting { ended[lease.cell.attempt] = .failed(.workerUnfit) }
      waiting = []
      if case .stopping = mode {} else { mode = .stopping(cancelling: now, leaving: now + configuration.farewell) }
    }
    if !engines.contains(where: \.isPromising) { handBack() }
  }

  private mutating func hear(_ message: ToWorker) {
    switch (link, message) {
    case (.greeting, .welcome(let new)), (.open, .welcome(let new)):
      if let old = context, old.storeID != new.storeID {
        waiting = []
        ended = [:]
        sent = [:]
        for slot in engines.indices { engines[slot].running?.isUnwanted = true }
      }
      context = new
      link = .open
      lastHeard = now
      lastContact = now
      lastBeat = now
      losses = 0
    case (.greeting, .refuse(let reason)): refusal = reason
    case (.none, _), (.greeting, _): break
    case (.open, _):
      lastHeard = now
      lastContact = now
      switch message {
      case .welcome: break
      case .lease(let cells):
        for cell in cells where !held.contains(cell.attempt) {
          guard !engines.contains(where: { $0.running?.attempt == cell.attempt }) else { continue }
          let offered = context?.artefacts ?? []
          if cell.artefacts.allSatisfy(offered.indices.contains) {
            let digests = Set(cell.artefacts.map { offered[$0].digest })
            waiting.append(Lease(cell: cell, files: digests, allFiles: digests))
          } else {
            ended[cell.attempt] = .failed(.refusedInput)
          }
        }
        if case .working = mode, engines.contains(where: \.isPromising) {} else { handBack() }
      case .acknowledge(let attempts): for attempt in attempts { forget(attempt) }
      case .revoke(let attempts):
        for attempt in attempts {
          forget(attempt)
          for slot in engines.indices where engines[slot].running?.attempt == attempt {
            engines[slot].running?.isUnwanted = true
          }
        }
        waiting.removeAll { attempts.contains($0.cell.attempt) }
      case .drain:
        if case .working = mode {
          mode = .draining
          handBack()
        }
      case .refuse(let reason): refusal = reason
      case .artefactChunk(let chunk): files.hear(chunk)
      case .artefactMissing(let digest, _):
        if files.needs[digest] != nil { doubtful = (digest, .workerUnfit) }
      }
    }
  }

  /// Whether the present step starts an engine for which cells may wait.
  private var startsAnother = false
  /// A file that the session may find to be lost in the present step, and what its cells come to then.
  private var doubtful: (digest: SHA256Digest, kind: CellFailure.Kind)?

  private mutating func lose(_ digest: SHA256Digest, _ kind: CellFailure.Kind) {
    for lease in waiting where lease.files.contains(digest) { ended[lease.cell.attempt] = .failed(kind) }
    waiting.removeAll { $0.files.contains(digest) }
    for slot in engines.indices { engines[slot].running?.lease.files.remove(digest) }
  }

  private mutating func stale(_ slot: Int, _ attempt: AttemptID, _ digests: [SHA256Digest]) {
    guard var lease = engines[slot].running?.lease, let wasUnwanted = engines[slot].running?.isUnwanted else { return }
    engines[slot].running = nil
    engines[slot].lastSign = listened
    lease.rechecks += 1
    guard !wasUnwanted else { return }
    if lease.rechecks > 3 {
      ended[attempt] = .failed(.engineFault)
    } else if case .working = mode {
      files.doubt(digests)
      lease.files = lease.allFiles
      waiting.insert(lease, at: 0)
      if !engines.contains(where: \.isPromising) { handBack() }
    } else {
      ended[attempt] = .failed(.preempted)
    }
  }

  private mutating func forget(_ attempt: AttemptID) {
    ended[attempt] = nil
    sent[attempt] = nil
  }

  private mutating func handBack() {
    for lease in waiting { ended[lease.cell.attempt] = .failed(.preempted) }
    waiting = []
  }

  // MARK: What an action may be

  private mutating func perform(_ action: WorkerSession.Action, isLast: Bool) {
    switch action {
    case .connect:
      if case .none = link {} else { expect(false, "connects twice") }
      link = .greeting(since: now, helloSaid: false)
    case .disconnect:
      if case .none = link { expect(false, "gives up a connection that is not there") }
      link = .none
      losses += 1
      sent = [:]
      told = nil
      files.disconnect()
    case .send(let messages):
      expect(!messages.isEmpty, "sends nothing")
      for message in messages { say(message) }
    case .startEngine(let slot):
      expect(engines[slot].state == .absent && !engines[slot].isAbandoned, "starts an engine where there is one")
      if case .working = mode {} else { expect(false, "starts an engine before the end") }
      engines[slot].state = .starting
      engines[slot].started = listened
      engines[slot].lastSign = listened
    case .killEngine(let slot):
      expect(engines[slot].isPromising, "kills an engine that is not there")
      expect(isOverdue(engines[slot]), "kills an engine that is well")
      engines[slot].state = .ending
      if !engines.contains(where: \.isPromising), !startsAnother { handBack() }
    case .keep(let command):
      if case .release(let ticket) = command, let (digest, kind) = doubtful, digest == ticket.digest {
        lose(digest, kind)
        doubtful = nil
      }
      files.perform(command)
    case .run(let slot, let cell, let named):
      expect(engines[slot].isUsable && engines[slot].running == nil, "runs a cell where none can run")
      let next = waiting.firstIndex { $0.files.allSatisfy(files.isReady) }
      guard let next, waiting[next].cell == cell else { return expect(false, "runs a cell out of order") }
      let lease = waiting.remove(at: next)
      expect(Set(named.map(\.artefact.digest)) == lease.files, "runs with another cell's files")
      expect(named.allSatisfy { files.file($0.artefact.digest) == $0 }, "runs with files as they were")
      if case .working = mode {} else { expect(false, "starts a cell before the end") }
      engines[slot].running = Running(
        lease: lease, progress: AttemptProgress(attempt: cell.attempt, step: 0, steps: 0, loss: nil))
    case .cancel(let slot, let attempt):
      let running = engines[slot].running
      expect(running?.attempt == attempt && running?.cancelled == nil, "cancels what does not run")
      engines[slot].running?.cancelled = listened
    case .note: break
    case .exit(let outcome):
      expect(isLast, "acts after the end")
      leave(outcome)
    }
  }

  /// Whether an engine has given no sign for too long, or does not do what it was told to.
  private func isOverdue(_ engine: Engine) -> Bool {
    switch engine.state {
    case .absent, .ending: return false
    case .starting: return listened - engine.started >= configuration.enginePatience
    case .live:
      let isDeaf = engine.running?.cancelled.map { listened - $0 >= configuration.enginePatience } ?? false
      return isDeaf || listened - engine.lastSign >= configuration.engineSilence
    }
  }

  /// Whether a worker may want so many leases: as many as it has engines, and what is set by hand, or what may follow
  /// from the pace of its cells.
  private func isFit(_ credit: Int?) -> Bool {
    let usable = engines.count(where: \.isUsable)
    guard case .working = mode, usable > 0 else { return credit == 0 }
    let least = configuration.prefetch ?? 1 + configuration.identity.slots / 4
    return credit.map { (usable + least...usable + (configuration.prefetch ?? 64)).contains($0) } ?? false
  }

  private mutating func say(_ message: FromWorker) {
    switch (link, message) {
    case (.none, _): expect(false, "speaks without a connection")
    case (.greeting(let since, false), .hello(let hello)):
      link = .greeting(since: since, helloSaid: true)
      expect(hello.workerID == configuration.identity.workerID, "changes its name")
      expect(Set(hello.running) == held && hello.running.count == held.count, "hello misstates what is held")
      expect(hello.storeID == context?.storeID, "hello names another store")
    case (.greeting, _): expect(false, "speaks before the welcome")
    case (.open, .hello): expect(false, "says hello twice")
    case (.open, .ready(let credit)):
      expect(isFit(credit), "asks for another credit")
      told = credit
    case (.open, .heartbeat(let named)):
      lastBeat = now
      expect(Set(named.map(\.attempt)) == held && named.count == held.count, "heartbeat misstates what is held")
      for running in engines.compactMap(\.running) where !running.isUnwanted {
        expect(named.contains(running.progress), "heartbeat misstates the progress")
      }
      let unstarted = Set(waiting.map(\.cell.attempt))
      expect(named.allSatisfy { $0.isStarted != unstarted.contains($0.attempt) }, "heartbeat misstates what was begun")
    case (.open, .result(let result)): deliver(result.attempt, message)
    case (.open, .failure(let attempt, _)): deliver(attempt, message)
    case (.open, .artefactRequest(let request)): files.say(request)
    case (.open, .goodbye):
      if case .working = mode { expect(false, "says goodbye while working") }
    }
  }

  private mutating func deliver(_ attempt: AttemptID, _ message: FromWorker) {
    switch ended[attempt] {
    case .exactly(let outcome): expect(outcome == message, "alters an outcome")
    case .failed(let kind):
      if case .failure(_, let failure) = message, failure.kind == kind {
      } else {
        expect(false, "reports \(kind) as \(message)")
      }
    case nil: expect(false, "delivers what it does not have")
    }
    if let last = sent[attempt] { expect(now - last >= lostAfter, "repeats an outcome too soon") }
    sent[attempt] = now
  }

  private mutating func leave(_ outcome: WorkerOutcome) {
    hasExited = true
    switch outcome {
    case .drained:
      if case .draining = mode {} else { expect(false, "drains unasked") }
      expect(held.isEmpty && !hasRunning, "ends before all is delivered")
    case .stopped(let undelivered):
      expect(undelivered == held.count, "misstates what is undelivered")
      guard case .stopping(_, let leaving) = mode else { return expect(false, "stops unasked") }
      expect(now >= leaving || held.isEmpty && !hasRunning, "stops before all is delivered")
    case .refused(let reason): expect(reason == refusal, "takes something for a refusal")
    case .gaveUp:
      guard let patience = configuration.giveUpAfter else { return expect(false, "gives up though patient") }
      expect(now - lastContact >= patience && losses > 1, "gives up too soon")
    case .unfit:
      expect(engines.allSatisfy(\.isAbandoned), "finds itself unfit though it has engines")
      guard case .stopping(_, let leaving) = mode else { return expect(false, "ends without a reason") }
      expect(now >= leaving || held.isEmpty, "ends before all is delivered")
    }
    for engine in engines where engine.state == .live {
      if let running = engine.running { expect(running.cancelled != nil, "leaves an engine running") }
    }
  }

  // MARK: What must hold after every step

  private mutating func checkState(after event: WorkerSession.Event) {
    expect(hasExited || refusal == nil, "stays though refused")
    guard !hasExited else { return }
    if isOpen {
      for attempt in ended.keys { expect(sent[attempt] != nil, "withholds an outcome") }
      expect(isFit(told), "withholds its credit")
    }
    switch mode {
    case .working:
      let isIdle = engines.contains { $0.isUsable && $0.running == nil }
      let canRun = waiting.contains { $0.files.allSatisfy(files.isReady) }
      expect(!isIdle || !canRun || context == nil, "idles with cells waiting")
      expect(engines.contains(where: \.isPromising) || waiting.isEmpty, "keeps cells without engines")
    case .draining:
      expect(waiting.isEmpty, "keeps cells while draining")
      expect(hasRunning || !held.isEmpty, "stays with nothing to do")
    case .stopping(let cancelling, let leaving):
      expect(waiting.isEmpty, "keeps cells while stopping")
      expect(hasRunning || !held.isEmpty, "stays with nothing to do")
      if case .timeReached = event {
        for engine in engines where engine.state == .live {
          guard let running = engine.running else { continue }
          expect(now < cancelling || running.cancelled != nil, "lets a cell run on")
        }
        expect(now < leaving, "stays too long")
      }
    }
    for engine in engines where engine.state == .live {
      if let running = engine.running, running.isUnwanted { expect(running.cancelled != nil, "runs what is unwanted") }
    }
    if case .timeReached = event {
      for engine in engines {
        expect(!isOverdue(engine), "bears with an engine that is not well")
        guard case .working = mode, engine.state == .absent, !engine.isAbandoned else { continue }
        expect(listened - engine.ended < .milliseconds(6400), "leaves a slot empty")
      }
    }
    if isGreeting, case .greeting(_, false) = link { expect(false, "connects without a hello") }
  }

  private mutating func check(_ deadline: Instant?, after event: WorkerSession.Event) {
    guard !hasExited else { return expect(deadline == nil, "waits after the end") }
    guard let deadline else { return expect(false, "waits for nothing") }
    if case .timeReached = event { expect(deadline > now, "is due again at once") }
    switch link {
    case .none: expect(deadline <= now + configuration.longestPause, "pauses too long")
    case .greeting(let since, _): expect(deadline <= since + lostAfter, "greets too long")
    case .open:
      guard let context else { return }
      expect(deadline <= lastBeat + context.heartbeatInterval, "overlooks a heartbeat")
      expect(deadline <= lastHeard + lostAfter, "overlooks silence")
    }
    if case .stopping(let cancelling, let leaving) = mode {
      expect(deadline <= max(leaving, now), "overlooks the end")
      let isUncancelled = engines.contains { $0.state == .live && $0.running.map { $0.cancelled == nil } == true }
      if isUncancelled { expect(deadline <= max(cancelling, now), "overlooks the grace") }
    }
    if engines.contains(where: \.isPromising) {
      expect(deadline <= now + configuration.engineSilence / 4, "does not look after its engines")
    }
  }
}
