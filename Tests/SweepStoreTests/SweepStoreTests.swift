import ContentHash
import Foundation
import GRDB
import SweepCore
import Testing

@testable import SweepStore

@Suite struct SweepStoreTests {
  private let folder: TemporaryFolder
  private let anna = Fixture.anna
  private let bert = Fixture.bert

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("what is committed is what a reader finds, also while the coordinator has the store")
  func roundTrip() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(5)
    let goal = SweepGoal(removal: .nats(3.5), retentionCostAtMost: 0.125)
    let sweep = try store.begin(Fixture.sweep(cells, goal: goal), cells: cells, at: Fixture.time)
    #expect(sweep.methods == ["scan", "other"])
    #expect(sweep.nextAttempt == AttemptID(1))
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
      ], of: sweep.id, at: Fixture.time)

    let reader = try StoreReader(path: folder.store)
    let found = try #require(try reader.sweeps().first)
    #expect(found.description == Fixture.sweep(cells, goal: goal))
    #expect(found.begun == Fixture.time)
    let silent = CellFailure(kind: .workerLost, message: "silent")
    #expect(
      try reader.records(of: found.id) == [
        CellRecord(
          cell: cells[0], state: .completed, result: Fixture.result(), report: Fixture.report, attempts: 1),
        CellRecord(cell: cells[1], state: .failed, failure: refused, attempts: 1),
        CellRecord(cell: cells[2], state: .running, attempts: 1),
        CellRecord(cell: cells[3], state: .pending, failure: silent, attempts: 1),
        CellRecord(cell: cells[4], state: .cancelled),
      ])
    let tallies = try reader.tallies(of: found.id)
    #expect(tallies.map(\.method) == ["scan", "other"])
    #expect(tallies.map(\.cells) == [[.completed: 1, .running: 1, .cancelled: 1], [.failed: 1, .pending: 1]])
    #expect(reader.coordinator != nil)
  }

  @Test("a sweep taken up again stands where it was, and attempt numbers go on")
  func reopening() async throws {
    let cells = Fixture.cells(4)
    let engine = CellFailure(kind: .engineFault, message: "it broke")
    let ends: [AttemptEnd] = [
      .failed(engine), .lost(.undelivered, message: "gone"), .lost(.abandoned, message: "away"), .revoked, .duplicate,
    ]
    do {
      let store = try SweepStore(path: folder.store)
      let sweep = try store.begin(Fixture.sweep(cells), cells: cells)
      var writes: [StoreWrite] = []
      for (offset, end) in ends.enumerated() {
        let attempt = AttemptID(UInt64(offset + 1))
        writes += [.leased(attempt, CellID(1), anna), .ended(attempt, end)]
      }
      writes += [
        .leased(AttemptID(6), CellID(0), anna), .result(AttemptID(6), Fixture.delivered(cells[0])),
        .outcome(CellID(0), .completed), .leased(AttemptID(7), CellID(2), bert),
      ]
      try await store.commit(writes, of: sweep.id, at: Fixture.time)
    }
    let store = try SweepStore(path: folder.store)
    let sweep = try store.begin(Fixture.sweep(cells), cells: cells)
    #expect(sweep.stored.map(\.state) == [.completed, .pending, .pending, .pending])
    #expect(sweep.stored.map(\.group) == [0, 1, 0, 1])
    #expect(sweep.stored[0].resultDigest == Fixture.delivered(cells[0]).digest)
    #expect(sweep.attempts.prefix(5).map(\.standing) == ends.map { .ended($0) })
    #expect(sweep.attempts[5].standing == .delivered)
    #expect(sweep.attempts[6].standing == .open)
    #expect(sweep.attempts[6].worker == bert)
    #expect(sweep.nextAttempt == AttemptID(8))
    #expect(try StoreReader(path: folder.store).sweeps().count == 1)
  }

  @Test("an adopted attempt is open again")
  func adoption() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(1)
    let sweep = try store.begin(Fixture.sweep(cells), cells: cells)
    try await store.commit(
      [
        .leased(AttemptID(1), CellID(0), anna), .ended(AttemptID(1), .lost(.workerLost, message: "silent")),
        .adopted(AttemptID(1)),
      ], of: sweep.id, at: Fixture.time)
    #expect(try store.begin(Fixture.sweep(cells), cells: cells).attempts[0].standing == .open)
  }

  @Test("results are reused by fingerprint, in other sweeps and in cells that are equal")
  func reuse() async throws {
    let store = try SweepStore(path: folder.store)
    let first = Fixture.cells(2)
    let old = try store.begin(Fixture.sweep(first, name: "first"), cells: first)
    try await store.commit(
      [
        .leased(AttemptID(1), CellID(1), anna), .result(AttemptID(1), Fixture.delivered(first[1])),
        .outcome(CellID(1), .completed),
      ], of: old.id, at: Fixture.time)
    let second = Fixture.cells(seeds: [7, 1, 9, 1])
    let new = try store.begin(Fixture.sweep(second, name: "second"), cells: second)
    #expect(new.stored.map(\.state) == [.pending, .completed, .pending, .completed])
    #expect(new.nextAttempt == AttemptID(2), "numbers are unique in the store, not in the sweep")
    let records = try StoreReader(path: folder.store).records(of: new.id)
    #expect(records[3].result == Fixture.result())
    #expect(records[3].report == Fixture.report)
    #expect(records[3].attempts == 0)
    #expect(try StoreReader(path: folder.store).sweeps().map(\.description.name) == ["second", "first"])
  }

  @Test("a differing duplicate is kept beside the first result, once")
  func faults() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(1)
    let sweep = try store.begin(Fixture.sweep(cells), cells: cells)
    let other = Fixture.delivered(cells[0], alpha: 0.75)
    try await store.commit(
      [
        .leased(AttemptID(1), CellID(0), anna), .leased(AttemptID(2), CellID(0), bert),
        .result(AttemptID(1), Fixture.delivered(cells[0])), .outcome(CellID(0), .completed),
        .fault(AttemptID(2), other), .fault(AttemptID(2), other), .fault(AttemptID(1), other),
      ], of: sweep.id, at: Fixture.time)
    let reader = try StoreReader(path: folder.store)
    #expect(
      try reader.faults(of: sweep.id) == [
        StoreReader.Fault(attempt: AttemptID(1), worker: anna, cell: CellID(0), at: Fixture.time),
        StoreReader.Fault(attempt: AttemptID(2), worker: bert, cell: CellID(0), at: Fixture.time),
      ])
    let outcomes = try await store.database.read {
      try String.fetchAll($0, sql: "SELECT outcome FROM attempts ORDER BY number")
    }
    #expect(outcomes == ["completed", "fault"], "an attempt that contradicts itself has given a result all the same")
    #expect(try reader.records(of: sweep.id)[0].result == Fixture.result())
  }

  @Test("a batch is written whole or not at all")
  func atomicBatches() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(2)
    let sweep = try store.begin(Fixture.sweep(cells), cells: cells)
    await #expect(throws: StoreError.self) {
      try await store.commit(
        [
          .leased(AttemptID(1), CellID(0), anna), .result(AttemptID(1), Fixture.delivered(cells[0])),
          .outcome(CellID(0), .completed), .leased(AttemptID(1), CellID(1), anna),
        ], of: sweep.id, at: Fixture.time)
    }
    let again = try store.begin(Fixture.sweep(cells), cells: cells)
    #expect(again.attempts.isEmpty)
    #expect(again.stored.map(\.state) == [.pending, .pending])
  }

  @Test("commits are made to outlast the loss of power")
  func durability() throws {
    let store = try SweepStore(path: folder.store)
    #expect(try store.database.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
    #expect(try store.database.read { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
  }

  @Test("files copied at the moment a coordinator is killed hold exactly what was committed")
  func crash() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(3)
    let sweep = try store.begin(Fixture.sweep(cells), cells: cells)
    for index in 0..<3 {
      let attempt = AttemptID(UInt64(index + 1))
      try await store.commit(
        [
          .leased(attempt, CellID(index), anna), .result(attempt, Fixture.delivered(cells[index])),
          .outcome(CellID(index), .completed),
        ], of: sweep.id, at: Fixture.time)
      let copy = try TemporaryFolder()
      for suffix in ["", "-wal"] {
        try FileManager.default.copyItem(atPath: folder.store + suffix, toPath: copy.store + suffix)
      }
      let reader = try StoreReader(path: copy.store)
      #expect(reader.coordinator == nil, "the copy is nobody's")
      let records = try reader.records(of: try #require(try reader.sweeps().first).id)
      #expect(records.count { $0.state == .completed } == index + 1)
      let next = try SweepStore(path: copy.store).begin(Fixture.sweep(cells), cells: cells)
      #expect(next.nextAttempt == AttemptID(UInt64(index + 2)))
    }
  }

  @Test("a full disk is said in one line, leaves nothing half-written, and is over when there is room")
  func fullDisk() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(400)
    let sweep = try store.begin(Fixture.sweep(cells), cells: cells)
    let writes = cells.flatMap { cell -> [StoreWrite] in
      let attempt = AttemptID(UInt64(cell.index + 1))
      return [
        .leased(attempt, CellID(cell.index), anna), .result(attempt, Fixture.delivered(cell)),
        .outcome(CellID(cell.index), .completed),
      ]
    }
    func limit(to pages: Int) async throws {
      let limit = "PRAGMA max_page_count = \(pages)"
      try await store.database.writeWithoutTransaction { try $0.execute(sql: limit) }
    }
    let pages = try await store.database.read { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
    try await limit(to: pages + 4)
    await #expect(throws: StoreError.full(path: folder.store)) {
      try await store.commit(writes, of: sweep.id, at: Fixture.time)
    }
    #expect(try store.begin(Fixture.sweep(cells), cells: cells).attempts.isEmpty)
    try await limit(to: 1_000_000)
    try await store.commit(writes, of: sweep.id, at: Fixture.time)
    let tallies = try StoreReader(path: folder.store).tallies(of: sweep.id)
    #expect(tallies.map(\.cells) == [[.completed: 200], [.completed: 200]])
  }
}
