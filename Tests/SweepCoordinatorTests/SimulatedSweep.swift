import Foundation
import SweepCore
import SweepWire
import SweepWorker

@testable import SweepCoordinator
@testable import SweepStore

/// A promise that was broken.
struct Violation: Error, CustomStringConvertible {
  let description: String
}

/// A whole sweep in virtual time, determined by its seed: the real coordinator session, the real worker sessions and
/// a store in memory, with a network that delays and breaks, and a coordinator and workers that are killed at
/// any point, in particular between deciding, committing and sending.
///
/// Chaos ends after a while; then everything must come to its end by itself.
struct SimulatedSweep {
  private struct Connection {
    var worker: Int
    /// What was sent later arrives later.
    var lastArrival: Int64 = 0
    /// Nothing passes, and nobody is told.
    var isCut = false
  }

  private struct SimulatedWorker {
    var session: WorkerSession
    var connection: UInt32?
    /// What the engine runs, and when it is ready.
    var running: (cell: LeasedCell, until: Int64)?
    /// Stopped, as by SIGSTOP: nothing is handled before.
    var frozenUntil: Int64 = 0
  }

  private enum Delivery {
    case toCoordinator(UInt32, FromWorker)
    case toWorker(UInt32, ToWorker)
  }

  private let cells: [Cell]
  private let store = MemoryStore(storeID: "store")
  private var random: SeededGenerator
  private var now: Int64 = 0
  private let calmAfter: Int64

  private var coordinator: CoordinatorSession?
  private var coordinatorStarts: Int64 = 0
  private var places: CellPlaces?
  private var sweep: SweepID?
  private var workers: [Int: SimulatedWorker] = [:]
  private var workersBorn = 0
  private var connections: [UInt32: Connection] = [:]
  private var connectionsMade: UInt32 = 0
  private var inFlight: [(at: Int64, order: Int, what: Delivery)] = []
  private var sent = 0
  /// Workers that ended as they should.
  private(set) var drained = 0
  /// How often the coordinator was killed.
  private(set) var kills = 0
  private(set) var log: [String] = []

  init(seed: UInt64) throws {
    random = SeededGenerator(seed: seed)
    cells = Fixture.cells(Int.random(in: 4...14, using: &random))
    calmAfter = Int64.random(in: 5...25, using: &random) * 1_000_000_000
  }

  // MARK: - Running

  /// Runs to the end.
  mutating func run() async throws {
    for _ in 0..<Int.random(in: 1...4, using: &random) { bear() }
    while true {
      guard now < calmAfter + 120_000_000_000 else {
        throw Violation(description: "no end two minutes after the chaos")
      }
      try await step()
      // Workers that are cut off may be left: nobody starts a coordinator again for them.
      if isCalm, let coordinator, coordinator.isOver(at: instant), try allEnded() { break }
    }
    try checkEnd()
  }

  private var instant: Instant { Instant(nanoseconds: now) }
  private var isCalm: Bool { now >= calmAfter }

  private mutating func step() async throws {
    let moments =
      inFlight.map(\.at) + [coordinator == nil ? coordinatorStarts : coordinator?.nextDeadline?.nanoseconds ?? .max]
      + workers.values.flatMap { worker -> [Int64] in
        [worker.session.nextDeadline?.nanoseconds ?? .max, worker.running?.until ?? .max]
          .map { max($0, worker.frozenUntil) }
      }
    // A coordinator ticks at every heartbeat even when nothing is due.
    let next = min(moments.min() ?? .max, now + 500_000_000)
    now = max(now, next)
    try await startCoordinator()
    try await deliver()
    for index in workers.keys.sorted() { advance(index) }
    try await coordinate([.tick])
    if !isCalm { wreak() }
    if workers.isEmpty, try !allEnded() { bear() }
  }

  private mutating func note(_ text: String) {
    log.append("\(now / 1_000_000) ms: \(text)")
  }

  // MARK: - The coordinator

  private mutating func startCoordinator() async throws {
    guard coordinator == nil, now >= coordinatorStarts else { return }
    let taken = try store.begin(Fixture.sweep(cells), cells: cells, at: Date(timeIntervalSince1970: 0))
    sweep = taken.sweeps[0].id
    places = taken.places
    coordinator = CoordinatorSession(taken, Fixture.configuration(store), at: instant)
    note("coordinator starts")
  }

  private mutating func coordinate(_ events: [CoordinatorSession.Event]) async throws {
    guard var session = coordinator, let places else { return }
    let step = session.handle(events, at: instant)
    coordinator = session
    if !isCalm, chance(1, in: 150) { return kill("before the commit") }
    for write in step.batch.writes {
      note("\(write)")
      if case .leased(_, let cell, _, _) = write { try checkIsWanted(cell) }
    }
    try store.keep(step.batch, in: places, at: Date(timeIntervalSince1970: Double(now) / 1e9))
    if !isCalm, chance(1, in: 150) { return kill("after the commit") }
    for message in step.messages {
      if case .acknowledge(let attempts) = message.message { try attempts.forEach(checkIsKept) }
      let number = message.peer.bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      send(.toWorker(number, message.message), over: number)
    }
  }

  private mutating func kill(_ moment: String) {
    note("coordinator killed \(moment)")
    kills += 1
    coordinator = nil
    coordinatorStarts = now + Int64.random(in: 0...6_000_000_000, using: &random)
    // Some notice at once, others by silence.
    for number in connections.keys.sorted() where chance(1, in: 2) { breakConnection(number) }
  }

  // MARK: - The network

  private mutating func send(_ what: Delivery, over number: UInt32) {
    guard var connection = connections[number], !connection.isCut else { return }
    let delay = chance(1, in: 20) ? 800_000_000 : Int64.random(in: 100_000...20_000_000, using: &random)
    connection.lastArrival = max(connection.lastArrival, now + delay)
    connections[number] = connection
    sent += 1
    inFlight.append((connection.lastArrival, sent, what))
  }

  private mutating func deliver() async throws {
    let due = inFlight.filter { $0.at <= now }.sorted { ($0.at, $0.order) < ($1.at, $1.order) }
    inFlight.removeAll { $0.at <= now }
    for delivery in due {
      switch delivery.what {
      case .toCoordinator(let number, let message):
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
        try await coordinate([.arrived(.message(PeerID(bytes), message))])
      case .toWorker(let number, let message):
        guard let connection = connections[number], workers[connection.worker]?.connection == number else { continue }
        feed(connection.worker, .received(message))
      }
    }
  }

  private mutating func breakConnection(_ number: UInt32) {
    guard let connection = connections.removeValue(forKey: number) else { return }
    inFlight.removeAll { delivery in
      switch delivery.what {
      case .toCoordinator(number, _), .toWorker(number, _): true
      case .toCoordinator, .toWorker: false
      }
    }
    guard workers[connection.worker]?.connection == number else { return }
    workers[connection.worker]?.connection = nil
    feed(connection.worker, .disconnected)
  }

  // MARK: - Workers

  private mutating func bear() {
    workersBorn += 1
    let identity = WorkerIdentity(
      workerID: WorkerID("worker-\(workersBorn)"), engineVersion: "1",
      engineRevision: CellSpecification.engineRevision, host: "here", processIdentifier: workersBorn, cores: 1,
      memoryMiB: 1024, slots: 1, build: "build")
    let generator = SeededGenerator(seed: UInt64(workersBorn))
    workers[workersBorn] = SimulatedWorker(
      session: WorkerSession(.init(identity: identity, engineSilence: .seconds(86_400)), generator: generator))
    note("worker-\(workersBorn) starts")
    feed(workersBorn, .started)
  }

  private mutating func advance(_ index: Int) {
    guard let worker = workers[index], worker.frozenUntil <= now else { return }
    if let (cell, until) = worker.running, until <= now {
      workers[index]?.running = nil
      feed(index, .finished(slot: 0, cell.attempt, outcome(of: cell)))
    }
    if let deadline = workers[index]?.session.nextDeadline, deadline <= instant { feed(index, .timeReached) }
  }

  private func outcome(of leased: LeasedCell) -> AttemptOutcome {
    .result(Fixture.delivery(leased.attempt.number, cells[leased.index].specification))
  }

  private mutating func feed(_ index: Int, _ event: WorkerSession.Event) {
    guard var worker = workers[index] else { return }
    let actions = worker.session.handle(event, at: instant)
    workers[index] = worker
    for action in actions { perform(action, index) }
  }

  private mutating func perform(_ action: WorkerSession.Action, _ index: Int) {
    switch action {
    case .connect:
      connectionsMade += 1
      connections[connectionsMade] = Connection(worker: index)
      workers[index]?.connection = connectionsMade
    case .disconnect:
      guard let number = workers[index]?.connection else { return }
      workers[index]?.connection = nil
      breakConnection(number)
    case .send(let messages):
      guard let number = workers[index]?.connection else { return }
      for message in messages { send(.toCoordinator(number, message), over: number) }
    case .startEngine(let slot): feed(index, .engineReady(slot: slot))
    case .killEngine: preconditionFailure("no engine of a simulation is ever in want")
    case .run(_, let cell, _):
      let duration = Int64.random(in: 50_000_000...6_000_000_000, using: &random)
      workers[index]?.running = (cell, now + duration)
    case .cancel(let slot, let attempt):
      guard let running = workers[index]?.running, running.cell.attempt == attempt else { return }
      workers[index]?.running = nil
      feed(index, .finished(slot: slot, attempt, .failure(CellFailure(kind: .preempted, message: "cancelled"))))
    case .keep(.obtain(let ticket, let artefact)):
      let file = LocalArtefact(
        artefact: artefact, path: "/file",
        stamp: FileStamp(size: artefact.size, changed: Date(timeIntervalSince1970: 0), number: 1))
      feed(index, .kept(.ready(ticket, file)))
    case .keep, .note: break
    case .exit(let outcome):
      note("worker-\(index) ends: \(outcome)")
      if outcome == .drained { drained += 1 }
      // What waits to be sent is still sent.
      workers[index] = nil
    }
  }

  // MARK: - Chaos

  private mutating func wreak() {
    if chance(1, in: 80) { kill("between two turns") }
    if chance(1, in: 60), let index = workers.keys.sorted().randomElement(using: &random) {
      note("worker-\(index) killed")
      if let number = workers[index]?.connection, chance(1, in: 2) { connections[number]?.isCut = true }
      workers[index] = nil
      bear()
    }
    if chance(1, in: 40), let number = connections.keys.sorted().randomElement(using: &random) {
      note("connection \(number) breaks")
      breakConnection(number)
    }
    if chance(1, in: 40), let number = connections.keys.sorted().randomElement(using: &random) {
      note("connection \(number) is cut in silence")
      connections[number]?.isCut = true
    }
    if chance(1, in: 60), let index = workers.keys.sorted().randomElement(using: &random) {
      note("worker-\(index) is frozen")
      workers[index]?.frozenUntil = now + Int64.random(in: 0...5_000_000_000, using: &random)
    }
  }

  private mutating func chance(_ count: Int, in total: Int) -> Bool {
    Int.random(in: 0..<total, using: &random) < count
  }

  // MARK: - Promises

  /// Nothing completed is computed again.
  private func checkIsWanted(_ cell: CellID) throws {
    guard let sweep else { return }
    let state = try store.records(of: sweep)[cell.index].state
    guard state == .pending || state == .running else {
      throw Violation(description: "cell \(cell.index) is \(state) and leased")
    }
  }

  /// Nothing is acknowledged that is not kept.
  private func checkIsKept(_ attempt: AttemptID) throws {
    guard let sweep else { return }
    let last = store.events(of: sweep).last { $0.attempt == attempt }?.kind ?? "unknown"
    guard !["unknown", "leased", "adopted"].contains(last), LeaseLoss(rawValue: last) == nil else {
      throw Violation(description: "attempt \(attempt.number) is acknowledged and \(last)")
    }
  }

  private func allEnded() throws -> Bool {
    guard let sweep else { return false }
    return try store.records(of: sweep).allSatisfy { $0.state != .pending && $0.state != .running }
  }

  private func checkEnd() throws {
    guard let sweep else { return }
    let records = try store.records(of: sweep)
    guard records.count == cells.count else { throw Violation(description: "\(records.count) of \(cells.count) cells") }
    for (index, record) in records.enumerated() {
      let kinds = store.events(of: sweep, cell: index).map(\.kind)
      switch record.state {
      case .completed:
        guard record.result == Fixture.result(cells[index].specification) else {
          throw Violation(description: "another result of cell \(index)")
        }
        guard kinds.count(where: { $0 == "completed" }) == 1 else {
          throw Violation(description: "not one first result of cell \(index)")
        }
      case .failed:
        // An attempt that was lost may have delivered after the cell had failed.
        let lost = kinds.count { $0 == "worker-lost" || $0 == "forgotten" }
        guard lost >= 3 else { throw Violation(description: "cell \(index) failed after \(lost) losses") }
      case .pending, .running, .cancelled:
        throw Violation(description: "cell \(index) is \(record.state) at the end")
      }
    }
    let open = try store.begin(Fixture.sweep(cells), cells: cells).attempts.count { $0.standing == .open }
    guard open == 0 else { throw Violation(description: "\(open) attempts are open at the end") }
    guard store.faults(of: sweep).isEmpty else { throw Violation(description: "faults where all engines agree") }
  }
}
