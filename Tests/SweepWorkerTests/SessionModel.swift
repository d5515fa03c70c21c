import SweepCore
import SweepWire
import SweepWorker

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
    case handedBack
  }

  struct Running {
    var attempt: AttemptID
    var progress: AttemptProgress
    var isUnwanted = false
    var isCancelled = false
  }

  let configuration: WorkerSession.Configuration
  private(set) var now = Instant(nanoseconds: 0)
  private(set) var link = Link.none
  private(set) var mode = Mode.working
  private(set) var waiting: [LeasedCell] = []
  private(set) var running: Running?
  private(set) var ended: [AttemptID: Outcome] = [:]
  private(set) var hasExited = false
  private var context: Welcome?
  private var sent: [AttemptID: Instant] = [:]
  private var lastHeard = Instant(nanoseconds: 0)
  private var lastContact = Instant(nanoseconds: 0)
  private var lastBeat = Instant(nanoseconds: 0)
  private var losses = 0
  private var refusal: String?

  /// What was found to be wrong.
  private(set) var faults: [String] = []

  init(_ configuration: WorkerSession.Configuration) {
    self.configuration = configuration
  }

  /// What the worker answers for.
  var held: Set<AttemptID> {
    var held = Set(waiting.map(\.attempt)).union(ended.keys)
    if let running, !running.isUnwanted { held.insert(running.attempt) }
    return held
  }

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
    self.now = now
    guard !hasExited else {
      expect(actions.isEmpty, "acts after the end")
      expect(nextDeadline == nil, "waits after the end")
      if case .finished = event { running = nil }
      return
    }
    let wasCut = duty(of: event)
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
    case .started: lastContact = now
    case .connectFailed, .disconnected, .timeReached: break
    case .undecodable(let error):
      if isGreeting, case .unknownVersion = error { refusal = error.description }
    case .progressed(let progress): running?.progress = progress
    case .finished(let attempt, let outcome):
      if running?.isUnwanted == false {
        switch outcome {
        case .result(let result): ended[attempt] = .exactly(.result(result))
        case .failure(let failure): ended[attempt] = .exactly(.failure(attempt: attempt, failure))
        }
      }
      running = nil
    case .stopRequested(let grace):
      var cancelling = now + grace
      if case .stopping(let earlier, _) = mode { cancelling = min(cancelling, earlier) }
      mode = .stopping(cancelling: cancelling, leaving: cancelling + configuration.farewell)
      handBack()
    case .received(let message): hear(message)
    }
  }

  private mutating func hear(_ message: ToWorker) {
    switch (link, message) {
    case (.greeting, .welcome(let new)), (.open, .welcome(let new)):
      if let old = context, old.storeID != new.storeID {
        waiting = []
        ended = [:]
        sent = [:]
        running?.isUnwanted = true
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
        for cell in cells where !held.contains(cell.attempt) && running?.attempt != cell.attempt {
          waiting.append(cell)
        }
        if case .working = mode {} else { handBack() }
      case .acknowledge(let attempts): for attempt in attempts { forget(attempt) }
      case .revoke(let attempts):
        for attempt in attempts {
          forget(attempt)
          if running?.attempt == attempt { running?.isUnwanted = true }
        }
        waiting.removeAll { attempts.contains($0.attempt) }
      case .drain:
        if case .working = mode {
          mode = .draining
          handBack()
        }
      case .refuse(let reason): refusal = reason
      case .artefactChunk, .artefactMissing: break
      }
    }
  }

  private mutating func forget(_ attempt: AttemptID) {
    ended[attempt] = nil
    sent[attempt] = nil
  }

  private mutating func handBack() {
    for cell in waiting { ended[cell.attempt] = .handedBack }
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
    case .send(let messages):
      expect(!messages.isEmpty, "sends nothing")
      for message in messages { say(message) }
    case .run(let cell, let artefacts):
      expect(running == nil, "runs two cells")
      expect(waiting.first == cell, "runs a cell out of order")
      expect(artefacts == context?.artefacts, "runs with another sweep's files")
      if case .working = mode {} else { expect(false, "starts a cell before the end") }
      if !waiting.isEmpty { waiting.removeFirst() }
      running = Running(
        attempt: cell.attempt, progress: AttemptProgress(attempt: cell.attempt, step: 0, steps: 0, loss: nil))
    case .cancel(let attempt):
      expect(running?.attempt == attempt && running?.isCancelled == false, "cancels what does not run")
      running?.isCancelled = true
    case .note: break
    case .exit(let outcome):
      expect(isLast, "acts after the end")
      leave(outcome)
    }
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
      if case .working = mode {
        expect(credit == configuration.credit, "asks for another credit")
      } else {
        expect(credit == 0, "asks for cells before the end")
      }
    case (.open, .heartbeat(let named)):
      lastBeat = now
      expect(Set(named.map(\.attempt)) == held && named.count == held.count, "heartbeat misstates what is held")
      if let running, !running.isUnwanted {
        expect(named.contains(running.progress), "heartbeat misstates the progress")
      }
    case (.open, .result(let result)): deliver(result.attempt, message)
    case (.open, .failure(let attempt, _)): deliver(attempt, message)
    case (.open, .artefactRequest): expect(false, "asks for an artefact")
    case (.open, .goodbye):
      if case .working = mode { expect(false, "says goodbye while working") }
    }
  }

  private mutating func deliver(_ attempt: AttemptID, _ message: FromWorker) {
    switch ended[attempt] {
    case .exactly(let outcome): expect(outcome == message, "alters an outcome")
    case .handedBack:
      if case .failure(_, let failure) = message, failure.kind == .preempted {
      } else {
        expect(false, "alters what is handed back")
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
      expect(held.isEmpty && running == nil, "ends before all is delivered")
    case .stopped(let undelivered):
      expect(undelivered == held.count, "misstates what is undelivered")
      guard case .stopping(_, let leaving) = mode else { return expect(false, "stops unasked") }
      expect(now >= leaving || held.isEmpty && running == nil, "stops before all is delivered")
    case .refused(let reason): expect(reason == refusal, "takes something for a refusal")
    case .gaveUp:
      guard let patience = configuration.giveUpAfter else { return expect(false, "gives up though patient") }
      expect(now - lastContact >= patience && losses > 1, "gives up too soon")
    }
    if let running { expect(running.isCancelled, "leaves the engine running") }
  }

  // MARK: What must hold after every step

  private mutating func checkState(after event: WorkerSession.Event) {
    expect(hasExited || refusal == nil, "stays though refused")
    guard !hasExited else { return }
    if isOpen {
      for attempt in ended.keys { expect(sent[attempt] != nil, "withholds an outcome") }
    }
    switch mode {
    case .working: expect(running != nil || waiting.isEmpty, "idles with cells waiting")
    case .draining:
      expect(waiting.isEmpty, "keeps cells while draining")
      expect(running != nil || !held.isEmpty, "stays with nothing to do")
    case .stopping(let cancelling, let leaving):
      expect(waiting.isEmpty, "keeps cells while stopping")
      expect(running != nil || !held.isEmpty, "stays with nothing to do")
      if case .timeReached = event {
        expect(running == nil || now < cancelling || running?.isCancelled == true, "lets a cell run on")
        expect(now < leaving, "stays too long")
      }
    }
    if let running, running.isUnwanted { expect(running.isCancelled, "runs what is unwanted") }
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
      if let running, !running.isCancelled { expect(deadline <= max(cancelling, now), "overlooks the grace") }
    }
  }
}
