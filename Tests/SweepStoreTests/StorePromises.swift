import Foundation
import SweepCore
import SweepStore
import Testing

/// A store of each kind, empty: whatever is promised of one holds for the other.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
  case file
  case memory

  var testDescription: String { rawValue }

  func open() throws -> StoreUnderTest {
    switch self {
    case .file:
      let folder = try TemporaryFolder()
      let store = try SweepStore(path: folder.store)
      return StoreUnderTest(keeper: store, records: try StoreReader(path: folder.store), folder: folder)
    case .memory:
      let store = MemoryStore()
      return StoreUnderTest(keeper: store, records: store, folder: nil)
    }
  }
}

/// A store, and what it tells.
struct StoreUnderTest {
  let keeper: any SweepKeeper
  let records: any SweepRecords
  /// Where the file is; removed with the last reference.
  let folder: TemporaryFolder?

  func begin(_ cells: [Cell], name: String = "trial", at time: Date = Fixture.time) throws -> OpenSweeps {
    try keeper.begin(Fixture.sweep(cells, name: name), cells: cells, at: time)
  }

  func commit(_ writes: [StoreWrite], _ sweeps: OpenSweeps, at seconds: Double = 1) async throws {
    try await keeper.commit(StoreBatch(writes), in: sweeps.places, at: Fixture.time + seconds)
  }
}

/// One suite for every kind of store.
@Suite struct StorePromises {
  private let anna = Fixture.anna
  private let bert = Fixture.bert

  /// The writes of a cell that is leased and completed.
  private func completing(_ attempt: UInt64, _ cell: Cell, at id: Int? = nil, alpha: Double = 0.5) -> [StoreWrite] {
    let place = CellID(id ?? cell.index)
    return [
      .leased(AttemptID(attempt), place, anna), .result(AttemptID(attempt), Fixture.delivered(cell, alpha: alpha)),
      .outcome(place, .completed),
    ]
  }

  @Test("what is committed is what is told", arguments: StoreKind.allCases)
  func roundTrip(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(5)
    let goal = SweepGoal(removal: .nats(3.5), retentionCostAtMost: 0.125)
    let sweep = Fixture.sweep(cells, goal: goal, audit: 0.25, selections: [Fixture.selection(from: "a harvest")])
    let open = try store.keeper.begin(sweep, cells: cells, at: Fixture.time)
    #expect(open.sweeps[0].methods == ["scan", "other"])
    #expect(open.sweeps[0].stored.auditFraction == 0.25)
    #expect(open.nextAttempt == AttemptID(1))
    let refused = CellFailure(kind: .refusedInput, message: "no such subcomponent")
    try await store.commit(
      [
        .worker(anna, .joined),
        .leased(AttemptID(1), CellID(0), anna), .leased(AttemptID(2), CellID(1), anna),
        .leased(AttemptID(3), CellID(2), bert), .leased(AttemptID(4), CellID(3), bert),
        .result(AttemptID(1), Fixture.delivered(cells[0])), .outcome(CellID(0), .completed),
        .ended(AttemptID(2), .failed(refused)), .outcome(CellID(1), .failed(refused)),
        .ended(AttemptID(4), .lost(.workerLost, message: "silent")),
        .outcome(CellID(4), .cancelled),
      ], open)

    let found = try #require(try store.records.sweeps().first)
    #expect(found.description == sweep)
    #expect(found.begun == Fixture.time)
    #expect(!found.isPaused)
    let silent = CellFailure(kind: .workerLost, message: "silent")
    #expect(
      try store.records.records(of: found.id) == [
        CellRecord(
          cell: cells[0], state: .completed, result: Fixture.result(), report: Fixture.report, attempts: 1),
        CellRecord(cell: cells[1], state: .failed, failure: refused, attempts: 1),
        CellRecord(cell: cells[2], state: .running, attempts: 1),
        CellRecord(cell: cells[3], state: .pending, failure: silent, attempts: 1),
        CellRecord(cell: cells[4], state: .cancelled),
      ])
    let tallies = try store.records.tallies(of: found.id)
    #expect(tallies.map(\.method) == ["scan", "other"])
    #expect(tallies.map(\.cells) == [[.completed: 1, .running: 1, .cancelled: 1], [.failed: 1, .pending: 1]])

    // Another harvest may choose the same, and is the one that is told of from then on.
    var again = sweep
    again.selections = [Fixture.selection(from: "another harvest")]
    _ = try store.keeper.begin(again, cells: cells, at: Fixture.time)
    #expect(try store.records.sweeps().map(\.description) == [again])
  }

  @Test("results keep their windows, beside others that have none", arguments: StoreKind.allCases)
  func windows(_ kind: StoreKind) async throws {
    let store = try kind.open()
    // More than are written at a time, and not all at once.
    let cells = Fixture.cells(90)
    let results = cells.map { $0.index % 9 == 4 ? Fixture.result() : Fixture.windowed(alpha: Double($0.index) / 128) }
    let open = try store.begin(cells)
    var writes: [StoreWrite] = []
    for cell in cells {
      let attempt = AttemptID(UInt64(cell.index + 1))
      writes += [
        .leased(attempt, CellID(cell.index), anna), .result(attempt, Fixture.delivered(cell, results[cell.index])),
        .outcome(CellID(cell.index), .completed),
      ]
    }
    try await store.commit(Array(writes.prefix(3)), open)
    try await store.commit(Array(writes.dropFirst(3)), open)
    #expect(try store.records.records(of: open.sweeps[0].id).map(\.result) == results)
    let digests = try store.begin(cells).sweeps[0].stored.cells.map(\.resultDigest)
    #expect(digests == zip(cells, results).map { Fixture.delivered($0, $1).digest })
    #expect(digests.count { $0?.windows == nil } == 10)
  }

  @Test("a result that differs in a window alone is kept as a fault", arguments: StoreKind.allCases)
  func differingWindows(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(1)
    let open = try store.begin(cells)
    var other = Fixture.windowed()
    other.windows?.edited[0][0].test = [4.75, 4.25, 4.5, 4.5]
    let fault = Fixture.delivered(cells[0], other)
    try await store.commit(
      [
        .leased(AttemptID(1), CellID(0), anna), .leased(AttemptID(2), CellID(0), bert, for: .audit),
        .result(AttemptID(1), Fixture.delivered(cells[0], Fixture.windowed())), .outcome(CellID(0), .completed),
        .fault(AttemptID(2), fault),
      ], open)
    #expect(try store.records.faults(of: open.sweeps[0].id).map(\.attempt) == [AttemptID(2)])
    #expect(try store.records.records(of: open.sweeps[0].id)[0].result == Fixture.windowed())
  }

  @Test("a sweep taken up again stands where it was, and attempt numbers go on", arguments: StoreKind.allCases)
  func reopening(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(4)
    let engine = CellFailure(kind: .engineFault, message: "it broke")
    let ends: [AttemptEnd] = [
      .failed(engine), .lost(.undelivered, message: "gone"), .lost(.abandoned, message: "away"), .revoked, .duplicate,
      .takenBack, .lost(.workerRevoked, message: "its key"),
    ]
    let first = try store.begin(cells)
    var writes: [StoreWrite] = []
    for (offset, end) in ends.enumerated() {
      let attempt = AttemptID(UInt64(offset + 1))
      writes += [.leased(attempt, CellID(1), anna), .ended(attempt, end)]
    }
    writes += completing(8, cells[0]) + [.leased(AttemptID(9), CellID(2), bert)]
    try await store.commit(writes, first)

    let open = try store.begin(cells)
    let stored = open.sweeps[0].stored.cells
    #expect(stored.map(\.state) == [.completed, .pending, .pending, .pending])
    #expect(stored.map(\.group) == [0, 1, 0, 1])
    #expect(stored[0].resultDigest == Fixture.delivered(cells[0]).digest)
    #expect(open.attempts.prefix(7).map(\.standing) == ends.map { .ended($0) })
    #expect(open.attempts[7].standing == .delivered)
    #expect(open.attempts[8].standing == .open)
    #expect(open.attempts[8].worker == bert)
    #expect(open.attempts[8].cell == CellID(2))
    #expect(open.nextAttempt == AttemptID(10))
    #expect(try store.records.sweeps().count == 1)
  }

  @Test("several sweeps share one enumeration, and each keeps its own cells", arguments: StoreKind.allCases)
  func severalSweeps(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let (small, large) = (Fixture.cells(seeds: [1, 2]), Fixture.cells(seeds: [3, 4, 5]))
    let entries = [
      SweepEntry(Fixture.sweep(small, name: "small"), cells: small),
      SweepEntry(Fixture.sweep(large, name: "large"), cells: large),
    ]
    let open = try store.keeper.begin(entries, at: Fixture.time)
    #expect(open.sweeps.map(\.name) == ["small", "large"])
    #expect((0..<5).map { open.places.place(of: CellID($0)).index } == [0, 1, 0, 1, 2])
    #expect((0..<5).map { open.places.place(of: CellID($0)).sweep.position } == [0, 0, 1, 1, 1])
    #expect(open.places.cell(at: 2, of: open.sweeps[1].id) == CellID(4))
    #expect(open.places.cell(at: 2, of: open.sweeps[0].id) == nil)
    try await store.commit(
      completing(1, large[2], at: 4) + [
        .leased(AttemptID(2), CellID(1), bert), .sweep(SweepIndex(1), .paused), .sweep(SweepIndex(0), .prioritised(7)),
      ], open)

    #expect(try store.records.records(of: open.sweeps[0].id).map(\.state) == [.pending, .running])
    #expect(try store.records.records(of: open.sweeps[1].id).map(\.state) == [.pending, .pending, .completed])
    // The other way round, and one of them alone.
    let again = try store.keeper.begin(entries.reversed(), at: Fixture.time + 2)
    #expect(again.attempts.map(\.attempt) == [AttemptID(1), AttemptID(2)])
    #expect(again.attempts.map(\.cell) == [CellID(2), CellID(4)])
    #expect(again.sweeps.map(\.stored.isPaused) == [true, false])
    #expect(again.sweeps.map(\.stored.priority) == [0, 7])
    let alone = try store.begin(small, name: "small", at: Fixture.time + 3)
    #expect(alone.attempts.map(\.cell) == [CellID(1)])
    #expect(alone.nextAttempt == AttemptID(3), "numbers are unique in the store, not in the sweep")
    #expect(try store.records.sweeps().map(\.description.name) == ["small", "large"])
  }

  @Test("a pause lasts over a restart, until it is lifted", arguments: StoreKind.allCases)
  func pause(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let open = try store.begin(Fixture.cells(1))
    try await store.commit([.sweep(SweepIndex(0), .paused)], open)
    #expect(try store.begin(Fixture.cells(1)).sweeps[0].stored.isPaused)
    #expect(try store.records.sweeps()[0].isPaused)
    try await store.commit([.sweep(SweepIndex(0), .resumed), .sweep(SweepIndex(0), .cancelled)], open)
    #expect(try !store.begin(Fixture.cells(1)).sweeps[0].stored.isPaused)
  }

  @Test("an adopted attempt is open again", arguments: StoreKind.allCases)
  func adoption(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let open = try store.begin(Fixture.cells(1))
    try await store.commit(
      [
        .leased(AttemptID(1), CellID(0), anna), .ended(AttemptID(1), .lost(.workerLost, message: "silent")),
        .adopted(AttemptID(1)),
      ], open)
    #expect(try store.begin(Fixture.cells(1)).attempts[0].standing == .open)
  }

  @Test("results are reused by fingerprint, in other sweeps and in cells that are equal", arguments: StoreKind.allCases)
  func reuse(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let first = Fixture.cells(2)
    let old = try store.begin(first, name: "first")
    try await store.commit(completing(1, first[1]), old)
    let second = Fixture.cells(seeds: [7, 1, 9, 1])
    let new = try store.begin(second, name: "second", at: Fixture.time + 2)
    #expect(new.sweeps[0].stored.cells.map(\.state) == [.pending, .completed, .pending, .completed])
    #expect(new.nextAttempt == AttemptID(2))
    let records = try store.records.records(of: new.sweeps[0].id)
    #expect(records[3].result == Fixture.result())
    #expect(records[3].report == Fixture.report)
    #expect(records[3].attempts == 0)
    #expect(records.map(\.cachedFrom) == [nil, "first", nil, "first"])
    #expect(try store.records.records(of: old.sweeps[0].id).map(\.cachedFrom) == [nil, nil])
    #expect(try store.records.tallies(of: new.sweeps[0].id).map(\.cached) == [0, 2])
    #expect(try store.records.sweeps().map(\.description.name) == ["second", "first"])
    let history = try store.records.events(of: new.sweeps[0].id, cell: 3)
    #expect(history.map(\.kind) == ["cached"])
    #expect(history[0].message == "first")
    #expect(history[0].attempt == AttemptID(1))
  }

  @Test("a cell that failed needs only the result that came too late", arguments: StoreKind.allCases)
  func lateResult(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(3)
    let open = try store.begin(cells)
    let lost = CellFailure(kind: .workerLost, message: "silent")
    try await store.commit(
      [.leased(AttemptID(1), CellID(0), anna), .leased(AttemptID(2), CellID(1), bert)], open, at: 0.5)
    try await store.commit(
      [
        .ended(AttemptID(1), .lost(.workerLost, message: "silent")), .outcome(CellID(0), .failed(lost)),
        .outcome(CellID(2), .cancelled),
      ], open)
    try await store.commit([.result(AttemptID(1), Fixture.delivered(cells[0]))], open, at: 2)
    #expect(try store.records.records(of: open.sweeps[0].id)[0].state == .failed, "what was decided stands")
    let again = try store.begin(cells, at: Fixture.time + 3)
    #expect(again.sweeps[0].stored.cells.map(\.state) == [.completed, .pending, .cancelled])
    let record = try store.records.records(of: open.sweeps[0].id)[0]
    #expect(record.result == Fixture.result())
    #expect(record.failure == nil)
    let history = try store.records.events(of: open.sweeps[0].id, cell: 0).map(\.kind)
    #expect(history == ["leased", "worker-lost", "cell-failed", "completed", "cell-reopened"])
  }

  @Test("a reopened cell stands as if it had never failed, but for its history", arguments: StoreKind.allCases)
  func reopened(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(2)
    let open = try store.begin(cells)
    let failure = CellFailure(kind: .diverged, message: "the loss is not a number")
    try await store.commit([.leased(AttemptID(1), CellID(1), anna)], open)
    try await store.commit(
      [.ended(AttemptID(1), .failed(failure)), .outcome(CellID(1), .failed(failure))], open, at: 2)
    try await store.commit(
      [.reopened(CellID(1), from: AttemptID(2)), .leased(AttemptID(2), CellID(1), bert)], open, at: 3)
    let again = try store.begin(cells, at: Fixture.time + 4)
    #expect(again.sweeps[0].stored.cells.map(\.state) == [.pending, .pending])
    #expect(again.sweeps[0].stored.cells.map(\.countedFrom) == [AttemptID(0), AttemptID(2)])
    #expect(try store.records.records(of: open.sweeps[0].id)[1].state == .running)
    let history = try store.records.events(of: open.sweeps[0].id, cell: 1)
    #expect(history.map(\.kind) == ["leased", "diverged", "cell-failed", "cell-reopened", "leased"])
    #expect(history.map(\.worker) == [anna, anna, nil, nil, bert])
    #expect(history[2].message == "diverged: the loss is not a number")
    #expect(history.map(\.at) == [1, 2, 2, 3, 3].map { Fixture.time + $0 })
  }

  @Test("an audit and its outcome are kept, and an open one outlasts a restart", arguments: StoreKind.allCases)
  func audits(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(3)
    func begin(at seconds: Double, audit: Double = 0.5) throws -> OpenSweeps {
      try store.keeper.begin(Fixture.sweep(cells, audit: audit), cells: cells, at: Fixture.time + seconds)
    }
    let open = try begin(at: 0)
    try await store.commit(cells.flatMap { completing(UInt64($0.index + 1), $0) }, open)
    try await store.commit(
      [
        .leased(AttemptID(4), CellID(0), bert, for: .audit), .leased(AttemptID(5), CellID(1), bert, for: .copy),
        .leased(AttemptID(6), CellID(2), bert, for: .audit), .audited(CellID(2), .calledOff),
      ], open, at: 2)
    let again = try begin(at: 3)
    #expect(again.attempts.suffix(3).map(\.purpose) == [.audit, .copy, .audit])
    #expect(again.attempts.suffix(3).map(\.standing) == [.open, .ended(.revoked), .ended(.revoked)])
    #expect(again.sweeps[0].stored.cells.map(\.isAudited) == [false, false, true])
    try await store.commit([.ended(AttemptID(4), .duplicate), .audited(CellID(0), .agreed)], again, at: 4)
    #expect(try begin(at: 5).sweeps[0].stored.cells.map(\.isAudited) == [true, false, true])
    let history = try store.records.events(of: open.sweeps[0].id, cell: 0)
    #expect(history.suffix(3).map(\.kind) == ["leased", "duplicate", "audited"])
    #expect(history.suffix(3).map(\.message) == ["audit", nil, "agreed"])
    try await store.commit([.leased(AttemptID(7), CellID(1), bert, for: .audit)], again, at: 6)
    #expect(try begin(at: 7, audit: 0).attempts.last?.standing == .ended(.revoked), "audits are not asked for any more")
  }

  @Test("a differing duplicate is kept beside the first result, once", arguments: StoreKind.allCases)
  func faults(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(1)
    let open = try store.begin(cells)
    let other = Fixture.delivered(cells[0], alpha: 0.75)
    try await store.commit(
      [.leased(AttemptID(2), CellID(0), bert)] + completing(1, cells[0]) + [
        .fault(AttemptID(2), other), .fault(AttemptID(2), other), .fault(AttemptID(1), other),
      ], open)
    #expect(
      try store.records.faults(of: open.sweeps[0].id).map { [$0.attempt.number, UInt64($0.cell)] } == [
        [1, 0], [2, 0],
      ])
    #expect(try store.records.faults(of: open.sweeps[0].id).map(\.worker) == [anna, bert])
    let again = try store.begin(cells)
    #expect(again.attempts.map(\.standing) == [.delivered, .differed], "what an attempt came to first stands")
    #expect(try store.records.records(of: open.sweeps[0].id)[0].result == Fixture.result())
  }

  @Test("the history tells of losses that were taken back, of workers and of the sweep", arguments: StoreKind.allCases)
  func history(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(2)
    let open = try store.begin(cells)
    try await store.commit([.worker(anna, .joined), .leased(AttemptID(1), CellID(0), anna)], open, at: 1)
    try await store.commit(
      [.ended(AttemptID(1), .lost(.workerLost, message: "silent")), .worker(anna, .lost)], open, at: 2)
    try await store.commit([.worker(anna, .joined), .adopted(AttemptID(1))], open, at: 3)
    try await store.commit([.ended(AttemptID(1), .lost(.forgotten, message: "not named"))], open, at: 4)
    try await store.commit(
      [.result(AttemptID(1), Fixture.delivered(cells[0])), .outcome(CellID(0), .completed)], open, at: 5)
    try await store.commit(
      [.worker(bert, .quarantined("three cells failed")), .sweep(SweepIndex(0), .prioritised(2))], open, at: 6)

    let cell = try store.records.events(of: open.sweeps[0].id, cell: 0)
    #expect(cell.map(\.kind) == ["leased", "worker-lost", "adopted", "forgotten", "completed"])
    #expect(cell.map(\.message) == [nil, "silent", nil, "not named", nil])
    #expect(cell.allSatisfy { $0.attempt == AttemptID(1) && $0.worker == anna && $0.cell == 0 })
    let all = try store.records.events(of: open.sweeps[0].id, cell: nil)
    #expect(Set(all.map(\.kind)).isSuperset(of: ["sweep-opened", "worker-joined", "sweep-prioritised"]))
    #expect(all.first { $0.kind == "worker-quarantined" }?.message == "three cells failed")
    #expect(all.map(\.at) == all.map(\.at).sorted())
  }

  @Test("a large batch is kept as the same writes one at a time would be", arguments: StoreKind.allCases)
  func largeBatch(_ kind: StoreKind) async throws {
    let cells = Fixture.cells(95)
    let others = Fixture.cells(seeds: (95..<135).map { $0 })
    let lease = { (index: Int) -> StoreWrite in .leased(AttemptID(UInt64(index + 1)), CellID(index), self.anna) }
    // Every third attempt is lost before its result comes, and its history is kept.
    let lost = (cells + others).indices.filter { $0 % 3 == 0 }
    let before: [StoreWrite] =
      lost.map(lease) + lost.map { .ended(AttemptID(UInt64($0 + 1)), .lost(.workerLost, message: "silent")) }
    let failure = CellFailure(kind: .diverged, message: "the loss is not a number")
    let writes = (cells + others).indices.reversed().flatMap { index -> [StoreWrite] in
      let attempt = AttemptID(UInt64(index + 1))
      let start = lost.contains(index) ? [] : [lease(index)]
      if index % 50 == 7 {
        return start + [.ended(attempt, .failed(failure)), .outcome(CellID(index), .failed(failure))]
      }
      let delivered = Fixture.delivered((cells + others)[index], alpha: Double(index))
      return start + [.result(attempt, delivered), .outcome(CellID(index), .completed)]
    }
    func outcome(_ batches: [[StoreWrite]]) async throws -> [String] {
      let store = try kind.open()
      let open = try store.keeper.begin(
        [SweepEntry(Fixture.sweep(cells), cells: cells), SweepEntry(Fixture.sweep(others, name: "b"), cells: others)],
        at: Fixture.time)
      try await store.commit(before, open)
      for batch in batches { try await store.commit(batch, open, at: 2) }
      return try open.sweeps.flatMap { sweep in
        let history = try store.records.events(of: sweep.id, cell: nil).map { event in
          "\(event.cell ?? -1) \(event.attempt?.number ?? 0) \(event.kind) \(event.at) \(event.message ?? "")"
        }
        return try store.records.records(of: sweep.id).map { "\($0)" } + history.sorted()
      }
    }
    let whole = try await outcome([writes])
    #expect(try await whole == outcome(writes.map { [$0] }))
    #expect(whole.count { $0.contains("worker-lost") } == lost.count)
    #expect(whole.count { $0.contains(" completed ") } == 132)
  }

  @Test("a batch is written whole or not at all", arguments: StoreKind.allCases)
  func atomicBatches(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let cells = Fixture.cells(2)
    let open = try store.begin(cells)
    await #expect(throws: StoreError.self) {
      try await store.commit(completing(1, cells[0]) + [.leased(AttemptID(1), CellID(1), anna)], open)
    }
    await #expect(throws: StoreError.self) {
      try await store.commit(
        completing(1, cells[0]) + [
          .leased(AttemptID(2), CellID(0), bert), .result(AttemptID(2), Fixture.delivered(cells[0])),
        ], open)
    }
    let again = try store.begin(cells)
    #expect(again.attempts.isEmpty)
    #expect(again.sweeps[0].stored.cells.map(\.state) == [.pending, .pending])
    #expect(try store.records.events(of: open.sweeps[0].id, cell: 0).isEmpty)
  }

  @Test("requests wait, in their order, until what they led to is committed", arguments: StoreKind.allCases)
  func requests(_ kind: StoreKind) async throws {
    let store = try kind.open()
    let open = try store.begin(Fixture.cells(3))
    let sweep = open.sweeps[0].id
    let wishes: [StoreRequest.Wish] = [.pause, .resume, .cancel, .prioritise(-3), .retry([0, 1, 2]), .retry([2])]
    for wish in wishes { try store.keeper.enter(wish, for: wish == .cancel ? nil : sweep, at: Fixture.time) }
    let found = try await store.keeper.openRequests()
    #expect(found.map(\.wish) == wishes)
    #expect(found.map(\.sweep) == [sweep, sweep, nil, sweep, sweep, sweep])
    #expect(found.allSatisfy { $0.at == Fixture.time })
    await #expect(throws: StoreError.self) {
      let impossible = StoreBatch(
        completing(1, Fixture.cells(1)[0]) + completing(1, Fixture.cells(1)[0]), settled: [found[0].id])
      try await store.keeper.commit(impossible, in: open.places, at: Fixture.time)
    }
    #expect(try await store.keeper.openRequests().count == 6)
    try await store.keeper.commit(
      StoreBatch([.sweep(SweepIndex(0), .paused)], settled: [found[0].id, found[3].id]), in: open.places,
      at: Fixture.time)
    #expect(try await store.keeper.openRequests().map(\.id) == [1, 2, 4, 5].map { found[$0].id })
  }

  @Test(
    "a sweep whose cells changed under the same digest is not mixed with the old ones", arguments: StoreKind.allCases)
  func changedCells(_ kind: StoreKind) throws {
    let store = try kind.open()
    let cells = Fixture.cells(3)
    _ = try store.begin(cells)
    for other in [Fixture.cells(seeds: [0, 1, 7]), Fixture.cells(2)] {
      let error = #expect(throws: StoreError.self) {
        try store.keeper.begin(Fixture.sweep(cells), cells: other, at: Fixture.time)
      }
      guard case .damaged = error else {
        Issue.record("expected damage, found \(String(describing: error))")
        continue
      }
    }
    #expect(try store.begin(cells).sweeps[0].stored.cells.count == 3)
  }
}
