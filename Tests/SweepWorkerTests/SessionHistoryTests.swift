import ContentHash
import SweepCore
import SweepWire
import TestSupport
import Testing

@testable import SweepWorker

/// Sessions driven through random histories, held to an independent model after every step.
@Suite struct SessionHistoryTests {
  @Test("A session keeps to the grammar in whatever order things happen", arguments: 0..<10)
  func histories(block: UInt64) {
    for seed in block * 300..<(block + 1) * 300 {
      var history = History(seed)
      for step in 0..<80 {
        history.step()
        if let fault = history.model.faults.first {
          Issue.record("seed \(seed), step \(step): \(fault), after \(history.log.suffix(6))")
          return
        }
      }
    }
  }

  @Test("Histories reach every end and every phase")
  func coverage() {
    var ends: Set<String> = []
    var fates: Set<String> = []
    var (delivered, kills, written, runsWithFiles) = (0, 0, 0, 0)
    for seed in 0..<2000 as Range<UInt64> {
      var history = History(seed)
      for _ in 0..<80 where history.end == nil { history.step() }
      if let end = history.end { ends.insert(String(String(describing: end).prefix { $0.isLetter })) }
      delivered += history.delivered
      kills += history.kills
      written += history.written
      runsWithFiles += history.runsWithFiles
      fates.formUnion(history.fates)
    }
    #expect(ends == ["drained", "stopped", "refused", "gaveUp", "unfit"])
    #expect(delivered > 2000)
    #expect(fates == ["crashed", "out-of-memory", "preempted", "refused-input", "worker-unfit"])
    #expect(kills > 50)
    #expect(written > 300 && runsWithFiles > 300, "\(written) parts, \(runsWithFiles) cells with files")
  }
}

/// One random history.
private struct History {
  private var session: WorkerSession
  private(set) var model: SessionModel
  private var random: SeededGenerator
  private var now = Instant(nanoseconds: 0)
  private var nextAttempt: UInt64 = 1
  private var hasStarted = false
  private let brokenEngines: Bool
  private(set) var end: WorkerOutcome?
  private(set) var delivered = 0
  /// Engines that were killed, and the kinds of failures reported that no engine spoke of.
  private(set) var kills = 0
  private(set) var fates: Set<String> = []
  /// Parts that were written, and cells that ran with files.
  private(set) var (written, runsWithFiles) = (0, 0)
  /// What whoever keeps the files has been asked and has not answered.
  private var questions: [(ArtefactTicket, Artefact)] = []
  private var receipts: UInt64 = 0
  private static let artefacts = [
    artefact("small", size: 5000), artefact("large", size: 300_000), artefact("larger", size: 5_000_000),
  ]
  private(set) var log: [WorkerSession.Event] = []

  init(_ seed: UInt64) {
    random = SeededGenerator(seed: seed)
    let patience: [Duration?] = [nil, .seconds(3), .seconds(30)]
    var identity = WorkerIdentity.example
    identity.slots = Int.random(in: 1...3, using: &random)
    let configuration = WorkerSession.Configuration(
      identity: identity, prefetch: [0, 1, 2, nil].randomElement(using: &random) ?? nil,
      giveUpAfter: patience.randomElement(using: &random) ?? nil,
      engineSilence: .milliseconds(Int.random(in: 400...6000, using: &random)),
      enginePatience: .milliseconds(Int.random(in: 300...6000, using: &random)))
    brokenEngines = Int.random(in: 0..<8, using: &random) == 0
    session = WorkerSession(configuration, generator: SeededGenerator(seed: seed &+ 1))
    model = SessionModel(configuration)
  }

  mutating func step() {
    let event = hasStarted ? draw() : .started
    hasStarted = true
    log.append(event)
    let actions = session.handle(event, at: now)
    model.follow(event, at: now, actions, nextDeadline: session.nextDeadline)
    for action in actions {
      switch action {
      case .exit(let outcome): end = outcome
      case .send(let messages):
        for case .result in messages { delivered += 1 }
        for case .failure(_, let failure) in messages where failure.kind != .engineFault {
          fates.insert(failure.kind.rawValue)
        }
      case .killEngine: kills += 1
      case .keep(.obtain(let ticket, let artefact)): questions.append((ticket, artefact))
      case .keep(.write): written += 1
      case .run(_, _, let files): if !files.isEmpty { runsWithFiles += 1 }
      case .connect, .disconnect, .startEngine, .cancel, .keep, .note: break
      }
    }
  }

  /// Moves time and chooses what happens next.
  private mutating func draw() -> WorkerSession.Event {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<25:
      now = max(now, session.nextDeadline ?? now)
      return .timeReached
    case 25..<27:
      // The machine sleeps.
      now = now + .seconds(Int.random(in: 1...5000, using: &random))
      return .timeReached
    case 27..<48: return engine() ?? .received(message())
    case 48..<58: return keeper() ?? .received(message())
    case 58..<68: return answer() ?? .received(message())
    case 68..<70:
      return isGreeting && Bool.random(using: &random) ? .connectFailed("no route") : .disconnected
    case 70: return .undecodable([.frameCount(1), .unknownVersion(9)].randomElement(using: &random) ?? .frameCount(2))
    case 71:
      return Int.random(in: 0..<4, using: &random) == 0
        ? .stopRequested(grace: .milliseconds(Int.random(in: 0...6000, using: &random))) : .timeReached
    default:
      now = now + .milliseconds(Int.random(in: 0...120, using: &random))
      return .received(message())
    }
  }

  private var isGreeting: Bool {
    if case .greeting = model.link { true } else { false }
  }

  /// Something that an engine reports, if there is one.
  private mutating func engine() -> WorkerSession.Event? {
    let live = model.engines.indices.filter { model.engines[$0].state != .absent }
    guard let slot = live.randomElement(using: &random) else { return nil }
    let engine = model.engines[slot]
    // Some histories have engines that never start.
    let isBroken = brokenEngines && engine.state == .starting
    if isBroken || engine.state == .ending && Bool.random(using: &random) || Int.random(in: 0..<12, using: &random) == 0
    {
      let wantedMemory = Int.random(in: 0..<4, using: &random) == 0
      return .engineEnded(slot: slot, EngineEnd(description: "signal 9", wantedMemory: wantedMemory))
    }
    if engine.state == .starting { return .engineReady(slot: slot) }
    guard let attempt = engine.running?.attempt else { return .engineAlive(slot: slot) }
    switch Int.random(in: 0..<9, using: &random) {
    case 8:
      let digests = engine.running?.lease.files.filter { _ in Bool.random(using: &random) } ?? []
      return .stale(slot: slot, attempt, digests.sorted { $0.hexadecimal < $1.hexadecimal })
    case 0..<2:
      let progress = AttemptProgress(attempt: attempt, step: log.count, steps: 1000, loss: Double(log.count))
      return .progressed(slot: slot, progress)
    case 2: return .engineAlive(slot: slot)
    case 3..<5:
      let failure = CellFailure(kind: .engineFault, message: "fault \(log.count)")
      return .finished(slot: slot, attempt, .failure(failure))
    default:
      return .finished(
        slot: slot, attempt,
        .result(
          AttemptResult(attempt: attempt, fingerprint: SHA256Digest(of: "cell"), result: [1], report: [2])))
    }
  }

  /// Something that whoever keeps the files says, if it was asked.
  private mutating func keeper() -> WorkerSession.Event? {
    // What is written comes to its end sooner or later.
    let fetched = model.files.needs.values.filter { $0.state == .fetching && $0.given > $0.written }
    if let need = fetched.min(by: { $0.ticket.number < $1.ticket.number }), Bool.random(using: &random) {
      guard need.given == need.artefact.size else { return .kept(.written(need.ticket, upTo: need.given)) }
      switch Int.random(in: 0..<4, using: &random) {
      case 0: return .kept(.corrupt(need.ticket, found: SHA256Digest(of: "noise")))
      case 1: return .kept(.failed(need.ticket, CellFailure(kind: .workerUnfit, message: "the disk is full")))
      default: return .kept(.ready(need.ticket, local(need.artefact)))
      }
    }
    guard !questions.isEmpty else { return nil }
    let (ticket, artefact) = questions.removeFirst()
    switch Int.random(in: 0..<8, using: &random) {
    case 0: return .kept(.busy(ticket))
    case 1: return .kept(.noRoom(ticket, reason: "no room"))
    case 2: return .kept(.failed(ticket, CellFailure(kind: .refusedInput, message: "it has changed")))
    case 3, 4: return .kept(.ready(ticket, local(artefact, version: log.count)))
    default: return .kept(.absent(ticket, from: Int.random(in: 0..<artefact.size, using: &random)))
    }
  }

  /// The coordinator's next answer to a request for a part, if one waits.
  private mutating func answer() -> WorkerSession.Event? {
    guard let request = model.files.requests.first else { return nil }
    model.files.requests.removeFirst()
    now = now + .milliseconds(Int.random(in: 0...300, using: &random))
    // Some are dropped.
    guard Int.random(in: 0..<12, using: &random) > 0 else { return nil }
    if Int.random(in: 0..<15, using: &random) == 0 {
      return .received(.artefactMissing(digest: request.digest, reason: "it is gone"))
    }
    let content = [UInt8](repeating: UInt8(truncatingIfNeeded: log.count), count: request.count)
    receipts += 1
    return .received(
      .artefactChunk(
        ArtefactChunk(digest: request.digest, offset: request.offset, content: content, receipt: receipts)))
  }

  /// Something that a coordinator may say, sensible or not.
  private mutating func message() -> ToWorker {
    if isGreeting, Int.random(in: 0..<4, using: &random) > 0 { return .welcome(context()) }
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<35:
      return .lease(
        (0..<Int.random(in: 0...3, using: &random)).map { _ in
          let isNew = Int.random(in: 0..<5, using: &random) > 0 || nextAttempt == 1
          if isNew { nextAttempt += 1 }
          let number = isNew ? nextAttempt - 1 : UInt64.random(in: 1..<nextAttempt, using: &random)
          let files = (0..<max(0, Int.random(in: -2...2, using: &random))).map { _ in
            Int.random(in: 0..<(Int.random(in: 0..<9, using: &random) == 0 ? 9 : 4), using: &random)
          }
          return lease(number, files: Set(files).sorted())
        })
    case 35..<75:
      return .acknowledge(model.ended.keys.sorted().filter { _ in Bool.random(using: &random) } + some(1))
    case 75..<85: return .revoke(some(3))
    case 85..<95: return .acknowledge([])
    case 95..<97: return .welcome(context())
    case 97: return .drain
    default: return Int.random(in: 0..<10, using: &random) == 0 ? .refuse(reason: "no") : .acknowledge([])
    }
  }

  private mutating func context() -> Welcome {
    let isAnother = Int.random(in: 0..<12, using: &random) == 0
    // The first is another each time.
    let artefacts = [artefact("\(log.count)", size: 1)] + Self.artefacts
    return welcome(store: isAnother ? "another" : "store", artefacts: artefacts)
  }

  private mutating func some(_ count: Int) -> [AttemptID] {
    (0..<Int.random(in: 0...count, using: &random)).map { _ in
      AttemptID(UInt64.random(in: 1...nextAttempt, using: &random))
    }
  }
}
