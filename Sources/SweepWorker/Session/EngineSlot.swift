internal import SweepCore
internal import SweepWire

/// A place for an engine, and the engine in it.
///
///     starting ──ready──▶ idle ◀──run, finished──▶ running
///        │                 │                          │
///        ├──── too slow ───┴── silent, deaf ──────────┤
///        │        ▼                                   │
///        │     ending                                 │
///        │        │                                   │
///        └────────┴───────────── ended ───────────────┘
///                                  ▼
///              starting ◀──── resting, or abandoned if engine after engine ends before it is ready
///
/// Times are listening times: a worker that slept heard nothing, and holds it against no engine.
struct EngineSlot: Sendable {
  /// The engine.
  enum Engine: Sendable {
    /// It has been started and has not said that it is ready.
    case starting
    /// It waits for a cell.
    case idle
    /// It has a cell.
    case running(Running)
    /// It is being killed, and may still have a cell.
    case ending(Running?, Fault)
    /// There is none before this moment.
    case resting(until: Instant)
    /// There is none, and none will be started.
    case abandoned
  }

  /// Why an engine is killed.
  enum Fault: Sendable {
    /// It gave no sign of life.
    case silent
    /// It did not end a cell that was cancelled.
    case deaf
    /// It did not become ready.
    case slow
  }

  /// The attempt that an engine has.
  struct Running: Sendable {
    let lease: WorkerSession.Lease
    /// When it was given to the engine.
    let since: Instant
    var progress: AttemptProgress
    /// The coordinator wants no word of it.
    var isRevoked = false
    /// When it was told to end early.
    var cancelled: Instant?

    init(_ lease: WorkerSession.Lease, at now: Instant) {
      self.lease = lease
      since = now
      progress = AttemptProgress(attempt: lease.cell.attempt, step: 0, steps: 0, loss: nil)
    }
  }

  /// Engines in a row that may end before they are ready.
  static let mostFailedStarts = 6

  var engine = Engine.starting
  /// When the engine last gave a sign of life.
  var lastSign: Instant
  private var started: Instant
  private var hasBeenReady = false
  private var failedStarts = 0
  private var backoff = RestartBackoff()

  /// A place whose first engine is started now.
  init(at now: Instant) {
    started = now
    lastSign = now
  }

  /// What the engine has.
  var running: Running? {
    switch engine {
    case .running(let running), .ending(.some(let running), _): running
    case .starting, .idle, .ending(.none, _), .resting, .abandoned: nil
    }
  }

  /// Whether the engine takes cells, at once or when it has done what it runs.
  var isUsable: Bool {
    switch engine {
    case .idle, .running: true
    case .starting, .ending, .resting, .abandoned: false
    }
  }

  /// Whether cells may wait for the place.
  var isPromising: Bool {
    if case .starting = engine { true } else { isUsable }
  }

  /// Changes what is known of the attempt that the engine has, if it has one.
  mutating func updateRunning(_ change: (inout Running) -> Void) {
    switch engine {
    case .running(var running):
      change(&running)
      engine = .running(running)
    case .ending(.some(var running), let fault):
      change(&running)
      engine = .ending(running, fault)
    case .starting, .idle, .ending(.none, _), .resting, .abandoned: break
    }
  }

  /// Another engine is started.
  mutating func start(at now: Instant) {
    engine = .starting
    hasBeenReady = false
    started = now
    lastSign = now
  }

  /// The engine is ready for its first cell.
  mutating func becomeReady() {
    engine = .idle
    hasBeenReady = true
  }

  /// The engine has ended.
  ///
  /// - Returns: the pause before the next is started; `nil` if there is no use in another.
  mutating func end(at now: Instant) -> Duration? {
    failedStarts = hasBeenReady ? 0 : failedStarts + 1
    let pause = backoff.ended(after: now - started)
    if failedStarts == Self.mostFailedStarts {
      engine = .abandoned
      return nil
    }
    engine = .resting(until: now + pause)
    return pause
  }

  /// What the silence of the engine leads to, and when; `nil` where none is watched for.
  func patience(_ configuration: WorkerSession.Configuration) -> (fault: Fault, ends: Instant)? {
    switch engine {
    case .starting: return (.slow, started + configuration.enginePatience)
    case .idle: return (.silent, lastSign + configuration.engineSilence)
    case .running(let running):
      let silent = lastSign + configuration.engineSilence
      guard let deaf = running.cancelled.map({ $0 + configuration.enginePatience }), deaf < silent else {
        return (.silent, silent)
      }
      return (.deaf, deaf)
    case .ending, .resting, .abandoned: return nil
    }
  }
}
