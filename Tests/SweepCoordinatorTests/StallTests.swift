import Foundation
import Logging
import SweepCore
import SweepStore
import SweepWire
import Synchronization
import Testing

@testable import SweepCoordinator

/// What a coordinator does while its store has no room.
@Suite(.timeLimit(.minutes(10))) struct StallTests {
  private let cells = Fixture.cells(2)
  private let store = FillingStore()
  private let clock = SteppedClock()
  private let words = Words()

  private func coordinator(_ transport: InMemoryTransport) throws -> Coordinator {
    let words = words
    return Coordinator(
      try store.store.begin(Fixture.sweep(cells), cells: cells), Fixture.configuration(store.store), store: store,
      transport: transport, clock: clock.clock, logger: Logger(label: "test") { _ in words })
  }

  /// A worker that has been given both cells.
  private func worker(_ transport: InMemoryTransport) async -> Listener {
    let worker = Listener(transport.connect())
    worker.send([Fixture.hello(Fixture.anna), .ready(credit: 2)])
    await worker.hears { if case .lease = $0 { true } else { false } }
    return worker
  }

  @Test("what has no room waits, with nothing acknowledged and signs of life answered, and goes on once there is room")
  func waiting() async throws {
    let transport = InMemoryTransport()
    let coordinator = try coordinator(transport)
    async let outcome = coordinator.run()
    let worker = await worker(transport)

    store.isFull = true
    worker.send([.result(Fixture.delivery(1, cells[0].specification))])
    await store.refuses(1)
    let before = worker.heard.count
    for beat in 1...3 {
      worker.send([.heartbeat([AttemptProgress(1), AttemptProgress(2)])])
      await worker.hears(beat + before)
      // Neither time nor a result makes it try before a second has passed.
      worker.send([.result(Fixture.delivery(1, cells[0].specification))])
    }
    #expect(worker.heard[before...].allSatisfy { $0 == .acknowledge([]) })
    // The first moment may be that of a heartbeat, which began before.
    while store.refusals < 2 { await clock.advance() }
    #expect(words.lines.count { $0.contains("the disk is full") } == 1, "said once, not at every attempt")

    store.isFull = false
    await clock.advance()
    await worker.hears { $0 == .acknowledge([AttemptID(1)]) }
    worker.send([.result(Fixture.delivery(2, cells[1].specification)), .goodbye(reason: "drained")])
    let last = try await outcome
    #expect(last.isComplete)
    #expect(words.lines.count { $0.contains("going on") } == 1)
    let sweep = store.store.sweeps()[0].id
    #expect(try store.store.records(of: sweep).map(\.attempts) == [1, 1], "nobody was taken for lost meanwhile")
  }

  @Test("a goodbye and a failure that came meanwhile are heard afterwards")
  func backlog() async throws {
    let transport = InMemoryTransport()
    let coordinator = try coordinator(transport)
    async let outcome = coordinator.run()
    let worker = await worker(transport)
    store.isFull = true
    worker.send([.result(Fixture.delivery(1, cells[0].specification))])
    await store.refuses(1)
    worker.send([
      .failure(attempt: AttemptID(2), CellFailure(kind: .diverged, message: "nan")), .goodbye(reason: "stopped"),
      .heartbeat([]),
    ])
    await worker.hears { $0 == .acknowledge([]) }
    store.isFull = false
    await clock.advance()
    let last = try await outcome
    #expect(last.sweeps[0].count(.completed) == 1)
    #expect(last.sweeps[0].count(.failed) == 1)
    #expect(last.workers.isEmpty)
  }

  @Test("progress tells of the wait at once, however shortly before it was published")
  func progress() async throws {
    let transport = InMemoryTransport()
    let coordinator = try coordinator(transport)
    let outcome = Task { try await coordinator.run() }
    let worker = await worker(transport)
    store.isFull = true
    worker.send([.result(Fixture.delivery(1, cells[0].specification))])
    await store.refuses(1)
    worker.send([.heartbeat([AttemptProgress(1), AttemptProgress(2)])])
    await worker.hears { $0 == .acknowledge([]) }
    // The clock has stood still. Only the newest is kept for whoever has not looked yet.
    let newest = await coordinator.progress.first { _ in true }
    #expect(newest?.waitsForStore == .full(path: "memory"))
    await coordinator.drain()
    await clock.advance()
    await #expect(throws: StoreError.self) { try await outcome.value }
  }

  @Test("whoever stops a coordinator that waits need not wait for room")
  func stopping() async throws {
    let transport = InMemoryTransport()
    let coordinator = try coordinator(transport)
    let outcome = Task { try await coordinator.run() }
    let worker = await worker(transport)
    store.isFull = true
    worker.send([.result(Fixture.delivery(1, cells[0].specification))])
    await store.refuses(1)
    await coordinator.drain()
    await clock.advance()
    await #expect(throws: StoreError.full(path: "memory")) { try await outcome.value }
    #expect(!worker.heard.contains(.acknowledge([AttemptID(1)])))
  }
}

/// A store whose disk is full when a test says so.
private final class FillingStore: CoordinatorStore {
  private struct State {
    var isFull = false
    var refusals = 0
    var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
  }

  let store = MemoryStore(storeID: "store")
  private let state = Mutex(State())

  var isFull: Bool {
    get { state.withLock { $0.isFull } }
    set { state.withLock { $0.isFull = newValue } }
  }

  var refusals: Int { state.withLock { $0.refusals } }

  /// Returns once it has refused so often.
  func refuses(_ count: Int) async {
    await withCheckedContinuation { continuation in
      let isReached = state.withLock { state in
        if state.refusals < count { state.waiters.append((count, continuation)) }
        return state.refusals >= count
      }
      if isReached { continuation.resume() }
    }
  }

  func openRequests() async -> [StoreRequest] { await store.openRequests() }

  func commit(_ batch: StoreBatch, in places: CellPlaces, at time: Date) async throws(StoreError) {
    guard !batch.isEmpty else { return }
    let (isFull, reached) = state.withLock { state in
      guard state.isFull else { return (false, [CheckedContinuation<Void, Never>]()) }
      state.refusals += 1
      let reached = state.waiters.filter { $0.count <= state.refusals }.map(\.continuation)
      state.waiters.removeAll { $0.count <= state.refusals }
      return (true, reached)
    }
    for waiter in reached { waiter.resume() }
    if isFull { throw .full(path: "memory") }
    try store.keep(batch, in: places, at: time)
  }
}

/// A clock that moves when a test says so.
private final class SteppedClock: Sendable {
  private struct State {
    var now = Instant(nanoseconds: 0)
    var sleepers: [Int: (until: Instant, continuation: CheckedContinuation<Void, Never>)] = [:]
    var next = 0
    var watcher: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  var clock: CoordinatorClock {
    CoordinatorClock(
      now: { self.state.withLock { $0.now } }, date: { Date(timeIntervalSince1970: 0) },
      sleep: { await self.sleep(until: $0) })
  }

  /// Waits until somebody sleeps, then goes on to the first moment that is waited for.
  func advance() async {
    await withCheckedContinuation { continuation in
      let isReady = state.withLock { state in
        if state.sleepers.isEmpty { state.watcher = continuation }
        return !state.sleepers.isEmpty
      }
      if isReady { continuation.resume() }
    }
    let woken = state.withLock { state in
      state.now = max(state.now, state.sleepers.values.map(\.until).min() ?? state.now)
      let due = state.sleepers.filter { $0.value.until <= state.now }
      for sleeper in due.keys { state.sleepers[sleeper] = nil }
      return due.values.map(\.continuation)
    }
    for sleeper in woken { sleeper.resume() }
  }

  private func sleep(until deadline: Instant) async {
    let number = state.withLock { state in
      state.next += 1
      return state.next
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let (isOver, watcher) = state.withLock { state in
          guard deadline > state.now, !Task.isCancelled else {
            return (true, nil as CheckedContinuation<Void, Never>?)
          }
          state.sleepers[number] = (deadline, continuation)
          defer { state.watcher = nil }
          return (false, state.watcher)
        }
        if isOver { continuation.resume() }
        watcher?.resume()
      }
    } onCancel: {
      state.withLock { $0.sleepers.removeValue(forKey: number) }?.continuation.resume()
    }
  }
}

/// A worker's end that remembers what it heard.
private final class Listener: Sendable {
  private let transport: InMemoryWorkerTransport
  private let state = Mutex<(heard: [ToWorker], waiters: [Waiter])>(([], []))
  private struct Waiter {
    let isSatisfied: ([ToWorker]) -> Bool
    let continuation: CheckedContinuation<Void, Never>
  }

  init(_ transport: InMemoryWorkerTransport) {
    self.transport = transport
    Task {
      for await batch in transport.incoming {
        for case .message(let message) in batch { hear(message) }
      }
    }
  }

  var heard: [ToWorker] { state.withLock { $0.heard } }

  func send(_ messages: [FromWorker]) { transport.send(messages) }

  /// Returns once it has heard such a message.
  func hears(_ isMeant: @escaping @Sendable (ToWorker) -> Bool) async {
    await waits { $0.contains(where: isMeant) }
  }

  /// Returns once it has heard so many messages.
  func hears(_ count: Int) async {
    await waits { $0.count >= count }
  }

  private func waits(_ isSatisfied: @escaping @Sendable ([ToWorker]) -> Bool) async {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        if isSatisfied(state.heard) { return true }
        state.waiters.append(Waiter(isSatisfied: isSatisfied, continuation: continuation))
        return false
      }
      if isOver { continuation.resume() }
    }
  }

  private func hear(_ message: ToWorker) {
    let satisfied = state.withLock { state in
      state.heard.append(message)
      let heard = state.heard
      let satisfied = state.waiters.filter { $0.isSatisfied(heard) }.map(\.continuation)
      state.waiters.removeAll { $0.isSatisfied(heard) }
      return satisfied
    }
    for waiter in satisfied { waiter.resume() }
  }
}

/// Keeps what was logged.
private struct Words: LogHandler {
  private final class Store: Sendable {
    let lines = Mutex<[String]>([])
  }

  private let store = Store()
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  var lines: [String] { store.lines.withLock { $0 } }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    store.lines.withLock { $0.append("\(event.message)") }
  }
}
