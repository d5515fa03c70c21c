import ContentHash
import Foundation
import GRDB
import SweepCore
import Testing

@testable import SweepStore

/// What a store proves, and that no contradiction in it is passed over.
@Suite struct StoreAuditTests {
  private let folder: TemporaryFolder
  private let cells: [Cell]

  init() throws {
    folder = try TemporaryFolder()
    cells = Fixture.cells(seeds: [1, 2, 3, 1])
  }

  private func description(name: String = "trial") -> SweepDescription {
    var description = Fixture.sweep(cells, name: name)
    description.digest = SweepIdentity.digest(name: name, cells: cells.map { ($0.method, $0.fingerprint) })
    return description
  }

  /// A store whose every cell is completed.
  private func complete() async throws -> SweepStore {
    let store = try SweepStore(path: folder.store)
    let open = try store.begin(description(), cells: cells, at: Fixture.time)
    let writes = (0..<3).flatMap { index -> [StoreWrite] in
      let attempt = AttemptID(UInt64(index + 1))
      return [
        .leased(attempt, CellID(index), Fixture.anna),
        .result(attempt, Fixture.delivered(cells[index], index == 1 ? Fixture.result() : Fixture.windowed())),
        .outcome(CellID(index), .completed),
      ]
    }
    try await store.commit(StoreBatch(writes + [.outcome(CellID(3), .completed)]), in: open.places, at: Fixture.time)
    return store
  }

  private func audit() throws -> StoreAudit {
    let reader = try StoreReader(path: folder.store)
    return try #require(try reader.audit(try reader.sweeps()).first)
  }

  @Test("every cell with one accepted result is the proof, whoever brought it")
  func proven() async throws {
    let store = try await complete()
    let audit = try audit()
    #expect(audit.isProven)
    #expect(audit.cells == 4)
    #expect(audit.accepted == 4)
    #expect(audit.cached == 0, "an equal cell of the same sweep")
    _ = try store.begin(description(name: "second"), cells: cells, at: Fixture.time + 1)
    let second = try self.audit()
    #expect(second.sweep == "second")
    #expect(second.isProven)
    #expect(second.cached == 4)
  }

  @Test("what is missing, failed, cancelled, differing, repeated or open is listed")
  func unproven() async throws {
    let store = try SweepStore(path: folder.store)
    let open = try store.begin(description(), cells: cells, at: Fixture.time)
    let failure = CellFailure(kind: .outOfMemory, message: "killed")
    try await store.commit(
      StoreBatch([
        .leased(AttemptID(1), CellID(0), Fixture.anna), .leased(AttemptID(2), CellID(0), Fixture.bert, for: .audit),
        .leased(AttemptID(3), CellID(0), Fixture.bert, for: .copy), .leased(AttemptID(4), CellID(2), Fixture.bert),
        .result(AttemptID(1), Fixture.delivered(cells[0])), .outcome(CellID(0), .completed),
        .outcome(CellID(3), .cancelled), .fault(AttemptID(2), Fixture.delivered(cells[0], alpha: 9)),
        .ended(AttemptID(3), .duplicate), .audited(CellID(0), .differed), .outcome(CellID(1), .failed(failure)),
      ]), in: open.places, at: Fixture.time)
    let audit = try audit()
    #expect(!audit.isProven)
    #expect(audit.accepted == 1)
    #expect(audit.missing == [2])
    #expect(audit.failed.map(\.cell) == [1])
    #expect(audit.failed.map(\.failure) == [failure])
    #expect(audit.cancelled == [3])
    #expect(audit.differing.map(\.attempt) == [AttemptID(2)])
    #expect(audit.duplicates == 1)
    #expect(audit.open.map(\.attempt) == [AttemptID(4)])
    #expect(audit.audits == [.differed: 1])
    #expect(audit.contradictions.isEmpty)
  }

  /// A change that no coordinator makes, and a word of what is said of it.
  static let forgeries: [(sql: String, says: String)] = [
    ("UPDATE results SET result = replace(result, '4.25', '4.26') WHERE specification = 1", "result does not fit"),
    ("UPDATE results SET digest = zeroblob(32) WHERE specification = 1", "result does not fit"),
    ("UPDATE results SET result = '{}' WHERE specification = 2", "result cannot be read"),
    ("UPDATE results SET report = '{}' WHERE specification = 2", "the report of its result cannot be read"),
    ("UPDATE results SET attempt = 2 WHERE specification = 1", "ran another cell"),
    ("UPDATE windows SET losses = zeroblob(32) WHERE specification = 1", "windows do not fit their digest"),
    ("UPDATE windows SET digest = zeroblob(32) WHERE specification = 1", "windows do not fit their digest"),
    ("UPDATE base_windows SET losses = zeroblob(32)", "windows do not average to its means"),
    ("UPDATE windows SET losses = zeroblob(31) WHERE specification = 3", "result cannot be read"),
    ("DELETE FROM base_windows", "windows do not fit their digest"),
    ("UPDATE results SET attempt = 99 WHERE specification = 1", "ended otherwise"),
    ("UPDATE attempts SET outcome = 'failed', reason = 'diverged' WHERE number = 1", "ended otherwise"),
    ("DELETE FROM results WHERE specification = 1", "completed and has no result"),
    ("UPDATE cells SET state = 'completed' WHERE state = 'pending'; DELETE FROM results", "has no result"),
    ("INSERT INTO attempts VALUES (9, 1, 0, 'eve', 'result', 1, 2, 'completed', NULL, NULL)", "found 1, 9"),
    ("UPDATE specifications SET specification = replace(specification, '128', '256') WHERE id = 3", "does not fit its"),
    ("UPDATE cells SET specification = 2 WHERE idx = 0", "do not fit its digest"),
    ("DELETE FROM cells WHERE idx = 3", "do not fit its digest"),
    ("DELETE FROM cells WHERE idx = 1", "expected cell 1 at its place"),
    ("UPDATE cells SET method = 'other' WHERE idx = 0", "do not fit its digest"),
    ("UPDATE sweeps SET name = 'renamed'", "do not fit its digest"),
  ]

  @Test("a forgery is found", arguments: 0..<forgeries.count)
  func forgery(_ number: Int) async throws {
    let (sql, says) = Self.forgeries[number]
    try await complete().database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA foreign_keys = OFF; " + sql) }
    let audit = try audit()
    #expect(!audit.isProven)
    #expect(audit.contradictions.contains { $0.detail.contains(says) }, "\(audit.contradictions)")
  }

  @Test("a damaged file is no proof of anything")
  func damage() async throws {
    try await complete().close()
    var content = try Data(contentsOf: URL(fileURLWithPath: folder.store))
    // With its first byte, which says what kind of page it is: whatever lies there is damaged.
    let page = content.count / 4096 / 2
    content.replaceSubrange(page * 4096..<page * 4096 + 900, with: Data(repeating: 0x5A, count: 900))
    try content.write(to: URL(fileURLWithPath: folder.store))
    let error = #expect(throws: StoreError.self) { try audit() }
    guard case .damaged = error else {
      Issue.record("expected damage, found \(String(describing: error))")
      return
    }
  }
}
