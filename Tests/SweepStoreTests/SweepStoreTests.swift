import ContentHash
import Foundation
import GRDB
import SweepCore
import Testing

@testable import SweepStore

/// What only a store in a file promises; the rest is in ``StorePromises``.
@Suite struct SweepStoreTests {
  private let folder: TemporaryFolder
  private let anna = Fixture.anna

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("a reader sees what is committed while the coordinator has the store, and who has it")
  func readingMeanwhile() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(1)
    let open = try store.begin(Fixture.sweep(cells), cells: cells)
    let reader = try StoreReader(path: folder.store)
    try await store.commit(StoreBatch([.leased(AttemptID(1), CellID(0), anna)]), in: open.places, at: Fixture.time)
    #expect(try reader.records(of: open.sweeps[0].id).map(\.state) == [.running])
    #expect(reader.coordinator?.contains("process \(ProcessInfo.processInfo.processIdentifier)") == true)
  }

  @Test("a request is left while a coordinator has the store, and when none has")
  func leavingRequests() async throws {
    let cells = Fixture.cells(2)
    do {
      let store = try SweepStore(path: folder.store)
      let open = try store.begin(Fixture.sweep(cells), cells: cells)
      let holder = try StoreRequests.leave(.retry([0, 1]), for: open.sweeps[0].id, in: folder.store)
      #expect(holder?.contains("process") == true)
      #expect(try await store.openRequests().map(\.wish) == [.retry([0, 1])])
    }
    #expect(try StoreRequests.leave(.pause, for: nil, in: folder.store) == nil)
    #expect(try StoreReader(path: folder.store).openRequests().map(\.wish) == [.retry([0, 1]), .pause])
    #expect(throws: StoreError.missing(path: "nowhere")) { try StoreRequests.leave(.pause, for: nil, in: "nowhere") }
  }

  @Test(
    "lists of cells are written as ranges and read back", arguments: [[], [0], [0, 1, 2], [3, 5, 6, 7, 9], [7, 8]])
  func ranges(_ cells: [Int]) {
    #expect(CellRanges.cells(in: CellRanges.text(of: cells)) == cells)
  }

  @Test(
    "what is no list of cells is not read", arguments: ["x", "1-", "-1", "3-1", "1,,2", "0-99999999999", "1-2-3", "1,"])
  func badRanges(_ text: String) {
    #expect(CellRanges.cells(in: text) == nil)
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
    let open = try store.begin(Fixture.sweep(cells), cells: cells)
    for index in 0..<3 {
      let attempt = AttemptID(UInt64(index + 1))
      try await store.commit(
        StoreBatch([
          .leased(attempt, CellID(index), anna), .result(attempt, Fixture.delivered(cells[index])),
          .outcome(CellID(index), .completed),
        ]), in: open.places, at: Fixture.time)
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

  @Test("what the base model read is kept once, whoever brings it")
  func sharedBase() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(70)
    let open = try store.begin(Fixture.sweep(cells), cells: cells)
    for part in [cells.prefix(40), cells.dropFirst(40)] {
      let writes = part.flatMap { cell -> [StoreWrite] in
        let attempt = AttemptID(UInt64(cell.index + 1))
        let delivered = Fixture.delivered(cell, Fixture.windowed(alpha: Double(cell.index)))
        return [.leased(attempt, CellID(cell.index), anna), .result(attempt, delivered)]
      }
      try await store.commit(StoreBatch(writes), in: open.places, at: Fixture.time)
    }
    let sizes = try await store.database.read { connection in
      try Row.fetchAll(
        connection,
        sql: """
          SELECT count(*), sum(length(losses)) FROM base_windows UNION ALL
            SELECT count(*), sum(length(losses)) FROM windows
          """
      ).map { [$0[0] as Int, $0[1] as Int] }
    }
    #expect(sizes == [[1, 32], [70, 70 * 32]])
  }

  @Test("a full disk is said in one line, leaves nothing half-written, and is over when there is room")
  func fullDisk() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(400)
    let open = try store.begin(Fixture.sweep(cells), cells: cells)
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
      try await store.commit(StoreBatch(writes), in: open.places, at: Fixture.time)
    }
    #expect(try store.begin(Fixture.sweep(cells), cells: cells).attempts.isEmpty)
    try await limit(to: 1_000_000)
    try await store.commit(StoreBatch(writes), in: open.places, at: Fixture.time)
    let tallies = try StoreReader(path: folder.store).tallies(of: open.sweeps[0].id)
    #expect(tallies.map(\.cells) == [[.completed: 200], [.completed: 200]])
  }
}
