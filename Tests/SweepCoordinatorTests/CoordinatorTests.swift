import Foundation
import Logging
import SweepCore
import SweepWire
import Synchronization
import Testing

@testable import SweepCoordinator
@testable import SweepStore

@Suite(.timeLimit(.minutes(10))) struct CoordinatorTests {
  private let cells = Fixture.cells(3)
  private let store = MemoryStore(storeID: "store")
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  /// A clock that stands still: nothing here depends on time.
  private let clock = CoordinatorClock(
    now: { Instant(nanoseconds: 0) }, date: { Date(timeIntervalSince1970: 0) },
    sleep: { _ in
      let (stream, end) = AsyncStream.makeStream(of: Void.self)
      for await _ in stream {}
      end.finish()
    })

  private func coordinator(
    _ transport: some CoordinatorTransport, store: (any CoordinatorStore)? = nil
  ) throws -> Coordinator {
    Coordinator(
      try self.store.begin(Fixture.sweep(cells), cells: cells), Fixture.configuration(self.store),
      store: store ?? self.store, transport: transport, clock: clock, logger: quiet)
  }

  @Test("a sweep runs to its end over a transport: every cell is leased, delivered, committed and acknowledged")
  func wholeSweep() async throws {
    let transport = InMemoryTransport()
    let coordinator = try coordinator(transport)
    async let outcome = coordinator.run()
    let worker = transport.connect()
    let acknowledged = await work(worker)
    #expect(acknowledged == [1, 2, 3])
    let last = try await outcome
    #expect(last.isComplete)
    #expect(last.completedHere == 3)
    let states = try store.begin(Fixture.sweep(cells), cells: cells).sweeps[0].stored.cells.map(\.state)
    #expect(states == [.completed, .completed, .completed])
  }

  @Test("progress ends with the last state of the sweep")
  func progressStream() async throws {
    let transport = InMemoryTransport()
    let coordinator = try coordinator(transport)
    async let outcome = coordinator.run()
    _ = await work(transport.connect())
    let final = try await outcome
    var latest: SweepProgress?
    for await progress in coordinator.progress { latest = progress }
    #expect(latest == final)
  }

  @Test("nothing is sent before what it rests on is committed")
  func recordFirst() async throws {
    let journal = Journal()
    let transport = InMemoryTransport()
    let coordinator = try coordinator(
      JournalTransport(transport, journal), store: JournalStore(store, journal))
    async let outcome = coordinator.run()
    _ = await work(transport.connect())
    _ = try await outcome
    var committed: Set<String> = []
    for entry in journal.entries {
      switch entry {
      case .began: break
      case .committed(let writes):
        for write in writes {
          switch write {
          case .leased(let attempt, _, _, _): committed.insert("lease \(attempt.number)")
          case .result(let attempt, _): committed.insert("result \(attempt.number)")
          case .adopted, .ended, .fault, .outcome, .reopened, .audited, .worker, .sweep: break
          }
        }
      case .sent(.lease(let cells)):
        for cell in cells { #expect(committed.contains("lease \(cell.attempt.number)")) }
      case .sent(.acknowledge(let attempts)):
        for attempt in attempts { #expect(committed.contains("result \(attempt.number)")) }
      case .sent(.welcome), .sent(.revoke), .sent(.drain), .sent(.refuse), .sent(.artefactChunk),
        .sent(.artefactMissing):
        break
      }
    }
    #expect(committed.count == 6)
    // Nothing leaves while a commit is under way either.
    for (entry, next) in zip(journal.entries, journal.entries.dropFirst()) {
      if case .began = entry, case .sent = next { Issue.record("sent in the middle of a commit") }
    }
  }

  @Test("while a commit is under way, nothing else is decided or sent")
  func turns() async throws {
    let journal = Journal()
    let gate = Gate()
    let transport = InMemoryTransport()
    let coordinator = try coordinator(
      JournalTransport(transport, journal), store: JournalStore(store, journal, gate: gate))
    let outcome = Task { try await coordinator.run() }
    let worker = transport.connect()
    worker.send([Fixture.hello(Fixture.anna), .ready(credit: 1)])
    await gate.reached()
    let drains = (0..<3).map { _ in Task { await coordinator.drain() } }
    for _ in 0..<100 { await Task.yield() }
    gate.open()
    for drain in drains { await drain.value }
    let order = journal.entries.prefix(3).map { entry in
      switch entry {
      case .began: "began"
      case .committed: "committed"
      case .sent: "sent"
      }
    }
    #expect(order == ["began", "committed", "sent"])
    outcome.cancel()
    _ = await outcome.result
  }

  @Test("what cannot be committed is not acknowledged, and ends the coordinator with the reason")
  func failingStore() async throws {
    let journal = Journal()
    let transport = InMemoryTransport()
    let coordinator = try coordinator(
      JournalTransport(transport, journal), store: JournalStore(store, journal, breaks: true))
    let outcome = Task { try await coordinator.run() }
    let worker = transport.connect()
    worker.send([Fixture.hello(Fixture.anna), .ready(credit: 1)])
    for await event in worker.incoming.flat {
      guard case .message(.lease) = event else { continue }
      worker.send([.result(Fixture.delivery(1, cells[0].specification))])
      break
    }
    await #expect(throws: StoreError.failed(path: "memory", detail: "broken")) { try await outcome.value }
    #expect(!journal.entries.contains { if case .sent(.acknowledge) = $0 { true } else { false } })
  }

  @Test("after a drain nothing is leased, what runs is still recorded, and the store can be carried on")
  func draining() async throws {
    let transport = InMemoryTransport()
    let coordinator = try coordinator(transport)
    async let outcome = coordinator.run()
    let worker = transport.connect()
    worker.send([Fixture.hello(Fixture.anna), .ready(credit: 1)])
    for await event in worker.incoming.flat {
      switch event {
      case .message(.lease): await coordinator.drain()
      case .message(.drain):
        worker.send([.result(Fixture.delivery(1, cells[0].specification)), .goodbye(reason: "drained")])
      case .message, .undecodable, .disconnected, .rejected: break
      }
      if case .message(.acknowledge) = event { break }
    }
    let last = try await outcome
    #expect(last.isDraining)
    #expect(last.count(.completed) == 1)
    #expect(last.count(.pending) == 2)
    let next = InMemoryTransport()
    let successor = try self.coordinator(next)
    async let end = successor.run()
    #expect(await work(next.connect()) == [2, 3])
    #expect(try await end.isComplete)
  }

  @Test("what was asked for while no coordinator ran is done before anything is handed out")
  func earlierRequest() async throws {
    store.enter(.cancel, for: nil, at: Date())
    let transport = InMemoryTransport()
    let coordinator = try coordinator(transport)
    let last = try await coordinator.run()
    #expect(last.count(.cancelled) == 3)
    #expect(!last.isComplete)
  }

  @Test("a coordinator whose task is cancelled ends without an outcome")
  func cancelledTask() async throws {
    let coordinator = try coordinator(InMemoryTransport())
    let task = Task { try await coordinator.run() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  /// A worker that runs whatever it is given, until it is drained. Returns the attempts that were acknowledged.
  private func work(_ worker: InMemoryWorkerTransport) async -> [UInt64] {
    var acknowledged: [UInt64] = []
    worker.send([Fixture.hello(Fixture.anna), .ready(credit: 1)])
    for await event in worker.incoming.flat {
      switch event {
      case .message(.lease(let leased)):
        for cell in leased {
          worker.send([.result(Fixture.delivery(cell.attempt.number, cells[cell.index].specification))])
        }
      case .message(.acknowledge(let attempts)): acknowledged += attempts.map(\.number)
      case .message(.drain):
        worker.send([.goodbye(reason: "drained")])
        worker.abandon()
      case .message, .undecodable, .disconnected, .rejected: break
      }
    }
    return acknowledged
  }
}

extension AsyncStream where Element == [WorkerEvent] {
  /// The events one by one.
  var flat: AsyncFlatMapSequence<Self, AsyncStream<WorkerEvent>> {
    flatMap { batch in
      AsyncStream<WorkerEvent> { continuation in
        for event in batch { continuation.yield(event) }
        continuation.finish()
      }
    }
  }
}

/// What a coordinator did, in order.
private final class Journal: Sendable {
  enum Entry: Sendable {
    case began
    case committed([StoreWrite])
    case sent(ToWorker)
  }

  private let state = Mutex<[Entry]>([])

  var entries: [Entry] { state.withLock { $0 } }

  func append(_ entry: Entry) {
    state.withLock { $0.append(entry) }
  }
}

private struct JournalTransport: CoordinatorTransport {
  let transport: InMemoryTransport
  let journal: Journal

  init(_ transport: InMemoryTransport, _ journal: Journal) {
    self.transport = transport
    self.journal = journal
  }

  var incoming: AsyncStream<[CoordinatorEvent]> { transport.incoming }

  func send(_ messages: [OutgoingMessage]) {
    for message in messages { journal.append(.sent(message.message)) }
    transport.send(messages)
  }

  func sendLater(_ messages: [OutgoingMessage]) {
    send(messages)
  }

  func drop(_ peers: [PeerID]) {
    transport.drop(peers)
  }

  func close() async { await transport.close() }
}

private struct JournalStore: CoordinatorStore {
  let store: MemoryStore
  let journal: Journal
  /// Whether results cannot be written.
  let breaks: Bool
  /// What commits wait for.
  let gate: Gate?

  init(_ store: MemoryStore, _ journal: Journal, breaks: Bool = false, gate: Gate? = nil) {
    self.store = store
    self.journal = journal
    self.breaks = breaks
    self.gate = gate
  }

  func openRequests() async throws(StoreError) -> [StoreRequest] {
    await store.openRequests()
  }

  func commit(_ batch: StoreBatch, in places: CellPlaces, at time: Date) async throws(StoreError) {
    guard !batch.isEmpty else { return }
    journal.append(.began)
    // Room for others to do what they should not.
    for _ in 0..<10 { await Task.yield() }
    await gate?.pass()
    if breaks, batch.writes.contains(where: { if case .result = $0 { true } else { false } }) {
      throw .failed(path: "memory", detail: "broken")
    }
    try await store.commit(batch, in: places, at: time)
    journal.append(.committed(batch.writes))
  }
}

/// Holds up whoever comes, until it is opened.
private final class Gate: Sendable {
  private let arrivals = AsyncStream.makeStream(of: Void.self)
  private let openings = AsyncStream.makeStream(of: Void.self)

  /// Waits for the gate to be opened; once it is, passes at once.
  func pass() async {
    arrivals.continuation.finish()
    for await _ in openings.stream {}
  }

  /// Waits for the first to come.
  func reached() async {
    for await _ in arrivals.stream {}
  }

  func open() {
    openings.continuation.finish()
  }
}
