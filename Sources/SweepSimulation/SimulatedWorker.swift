internal import SweepCore
internal import SweepWire
internal import SweepWorker

/// A worker of a history: the real session, and engines that take time.
struct SimulatedWorker {
  /// What an engine has.
  struct Run {
    let cell: LeasedCell
    let until: Int64
    var isCancelled = false
    /// Whether the session knows that it has begun.
    var isTold = false
  }

  /// What an engine does next.
  enum Engine {
    case absent
    case starting(until: Int64)
    case idle
    case running(Run)
    /// It ends, and says why.
    case ending(at: Int64, wantedMemory: Bool)
  }

  let health: HistoryPlan.Health
  var session: WorkerSession
  var link: Int?
  var engines: [Engine]
  /// Attempts whose outcome it must keep, because nobody has said that it is recorded or unwanted.
  var owed: Set<AttemptID> = []
  /// Attempts that the coordinator has said it does not want.
  var unwanted: Set<AttemptID> = []
  /// Bytes of ``TrialCells/file`` that it has.
  var fetched = 0
  /// What its keeper of files has to say.
  var reports: [ArtefactReport] = []
  /// Stopped, as by SIGSTOP: nothing is handled before.
  var frozenUntil: Int64 = 0

  init(number: Int, health: HistoryPlan.Health, _ random: inout SeededRandom) {
    self.health = health
    let slots = Int.random(in: 1...3, using: &random)
    let identity = WorkerIdentity(
      workerID: WorkerID("worker-\(number)"), engineVersion: "1", engineRevision: CellSpecification.engineRevision,
      host: "here", processIdentifier: number, cores: slots, memoryMiB: 1024 * Int.random(in: 1...4, using: &random),
      slots: slots, build: "build")
    session = WorkerSession(
      WorkerSession.Configuration(identity: identity, engineSilence: .seconds(86_400)),
      generator: SeededRandom(seed: UInt64(number)))
    engines = Array(repeating: .absent, count: slots)
  }

  /// When something happens in the worker, unless something comes from outside before.
  var nextMoment: Int64 {
    var next = session.nextDeadline?.nanoseconds ?? .max
    for engine in engines {
      switch engine {
      case .absent, .idle: break
      case .starting(let until), .ending(let until, _): next = min(next, until)
      case .running(let run): next = min(next, run.until)
      }
    }
    return max(next, frozenUntil)
  }

  /// Takes note of results that come into being, and of what the coordinator says of them.
  mutating func noteOwed(_ event: WorkerSession.Event) {
    switch event {
    case .finished(_, let attempt, .result): if !unwanted.contains(attempt) { owed.insert(attempt) }
    case .received(.acknowledge(let attempts)): owed.subtract(attempts)
    case .received(.revoke(let attempts)):
      owed.subtract(attempts)
      unwanted.formUnion(attempts)
    case .started, .connectFailed, .disconnected, .received, .undecodable, .engineReady, .engineAlive, .progressed,
      .finished, .stale, .kept, .engineEnded, .stopRequested, .timeReached:
      break
    }
  }
}
