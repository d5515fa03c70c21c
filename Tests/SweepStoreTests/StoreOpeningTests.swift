import ContentHash
import Foundation
import GRDB
import SweepCore
import Testing

@testable import SweepStore

@Suite struct StoreOpeningTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("a second coordinator is refused, through a link as well; readers are welcome")
  func oneCoordinator() throws {
    let first = try SweepStore(path: folder.store)
    let error = #expect(throws: StoreError.self) { try SweepStore(path: folder.store) }
    #expect(error?.description.contains("process \(ProcessInfo.processInfo.processIdentifier)") == true)
    let link = folder.url.appendingPathComponent("link").path
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.store)
    #expect(throws: StoreError.self) { try SweepStore(path: link) }
    #expect(try StoreReader(path: link).sweeps().isEmpty)
    withExtendedLifetime(first) {}
  }

  @Test("the lock ends with its holder, though a child process lives on")
  func lockEndsWithItsHolder() throws {
    let child = Process()
    child.executableURL = URL(fileURLWithPath: "/bin/sleep")
    child.arguments = ["60"]
    child.standardInput = FileHandle.nullDevice
    child.standardOutput = FileHandle.nullDevice
    child.standardError = FileHandle.nullDevice
    do {
      let store = try SweepStore(path: folder.store)
      try child.run()
      withExtendedLifetime(store) {}
    }
    defer { child.terminate() }
    #expect(throws: Never.self) { try SweepStore(path: folder.store) }
  }

  @Test("the store keeps its name")
  func identity() throws {
    let first = try SweepStore(path: folder.store).storeID
    #expect(try SweepStore(path: folder.store).storeID == first)
    let elsewhere = try TemporaryFolder()
    #expect(try SweepStore(path: elsewhere.store).storeID != first)
  }

  @Test("no file, no folder, no permission: each has its line")
  func absences() throws {
    expect(.missing(path: folder.store)) { try StoreReader(path: folder.store) }
    let nowhere = folder.url.appendingPathComponent("no/where.sqlite").path
    expect(.folderMissing(path: folder.url.appendingPathComponent("no").path)) { try SweepStore(path: nowhere) }
    // Not even root creates files there.
    let error = #expect(throws: StoreError.self) { try SweepStore(path: "/proc/self/sweep.sqlite") }
    guard case .noAccess = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("an empty file is a new store for a coordinator and none for a reader")
  func emptyFile() throws {
    try Data().write(to: URL(fileURLWithPath: folder.store))
    expect(.empty(path: folder.store)) { try StoreReader(path: folder.store) }
    #expect(throws: Never.self) { try SweepStore(path: folder.store) }
  }

  @Test("a file of something else stays as it is")
  func otherFile() throws {
    let text = Data(String(repeating: "This is a letter, not a store.\n", count: 100).utf8)
    try text.write(to: URL(fileURLWithPath: folder.store))
    let error = StoreError.notAStore(path: folder.store, found: "a file that is no database")
    expect(error) { try SweepStore(path: folder.store) }
    expect(error) { try StoreReader(path: folder.store) }
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.store)) == text)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["sweep.sqlite"])
  }

  @Test("a database of another program stays as it is")
  func otherDatabase() throws {
    try DatabaseQueue(path: folder.store).write { try $0.execute(sql: "CREATE TABLE diary (day TEXT)") }
    let before = try Data(contentsOf: URL(fileURLWithPath: folder.store))
    let error = StoreError.notAStore(path: folder.store, found: "an SQLite database of another program")
    expect(error) { try SweepStore(path: folder.store) }
    expect(error) { try StoreReader(path: folder.store) }
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.store)) == before)
  }

  @Test("a store of a newer version is refused by number")
  func newerVersion() throws {
    try SweepStore(path: folder.store).database.write { try $0.execute(sql: "PRAGMA user_version = 99") }
    let error = StoreError.newer(path: folder.store, version: 99, supported: StoreSchema.version)
    expect(error) { try SweepStore(path: folder.store) }
    expect(error) { try StoreReader(path: folder.store) }
  }

  @Test("a store that was cut off or overwritten is found to be damaged", arguments: [0.3, 0.6, 0.9])
  func damage(place: Double) throws {
    let cells = Fixture.cells(200)
    do {
      _ = try SweepStore(path: folder.store).begin(Fixture.sweep(cells), cells: cells)
    }
    let whole = try Data(contentsOf: URL(fileURLWithPath: folder.store))
    let cut = Int(Double(whole.count) * place)
    try whole.prefix(cut).write(to: URL(fileURLWithPath: folder.store))
    expectDamage { try SweepStore(path: folder.store) }
    var scribbled = whole
    let start = cut / 4096 * 4096
    scribbled.replaceSubrange(start..<start + 4096, with: Data(repeating: 0xA5, count: 4096))
    try scribbled.write(to: URL(fileURLWithPath: folder.store))
    expectDamage { try SweepStore(path: folder.store) }
  }

  @Test("a store that another program keeps locked is said to be busy")
  func busy() async throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(1)
    let open = try store.begin(Fixture.sweep(cells), cells: cells)
    try await store.database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA busy_timeout = 0") }
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: folder.store, configuration: configuration)
    try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    await #expect(throws: StoreError.busy(path: folder.store)) {
      try await store.commit(
        StoreBatch([.leased(AttemptID(1), CellID(0), Fixture.anna)]), in: open.places, at: Fixture.time)
    }
    try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
  }

  @Test("a store of the first version is read as it is, and brought up to date by a coordinator")
  func firstVersion() throws {
    let cells = Fixture.cells(seeds: [1, 2, 1])
    try writeFirstVersion(cells)
    let before = try Data(contentsOf: URL(fileURLWithPath: folder.store))
    let reader = try StoreReader(path: folder.store)
    let sweep = try #require(try reader.sweeps().first)
    #expect(sweep.description == Fixture.sweep(cells))
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.store)) == before)

    let store = try SweepStore(path: folder.store)
    #expect(store.storeID == "old store")
    for reader in [reader, try StoreReader(path: folder.store)] {
      let records = try reader.records(of: sweep.id)
      #expect(records.map(\.state) == [.completed, .failed, .completed])
      #expect(records.map(\.attempts) == [2, 1, 0])
      #expect(records[0].result == Fixture.result())
      #expect(records[2].report == Fixture.report)
      #expect(records[1].failure == CellFailure(kind: .diverged, message: "nan"))
      let kinds = try reader.events(of: sweep.id, cell: 0).map(\.kind)
      #expect(kinds == ["leased", "worker-lost", "leased", "adopted", "completed"])
      #expect(try reader.events(of: sweep.id).contains { $0.kind == "worker-joined" && $0.worker == Fixture.anna })
    }
    let open = try store.begin(Fixture.sweep(cells), cells: cells)
    #expect(open.nextAttempt == AttemptID(4))
    #expect(
      open.sweeps[0].stored.cells.map(\.resultDigest) == [
        Fixture.delivered(cells[0]).digest, nil, Fixture.delivered(cells[0]).digest,
      ])
  }

  @Test("a request brings a store of the first version up to date, unless a coordinator of then has it")
  func firstVersionRequest() throws {
    try writeFirstVersion(Fixture.cells(seeds: [1, 2, 1]))
    do {
      let lock = try StoreLock(of: folder.store)
      #expect(throws: StoreError.self) { try StoreRequests.leave(.pause, for: nil, in: folder.store) }
      withExtendedLifetime(lock) {}
    }
    try StoreRequests.leave(.pause, for: nil, in: folder.store)
    #expect(try StoreReader(path: folder.store).openRequests().map(\.wish) == [.pause])
  }

  /// A store as pdsweep 0.1 wrote it: a completed cell with a lost and an adopted attempt, a failed one, and a twin.
  private func writeFirstVersion(_ cells: [Cell]) throws {
    let database = try DatabaseQueue(path: folder.store)
    try database.inDatabase { try StoreSchema.migrate($0, to: 1, storeID: "old store", now: 1) }
    try database.write { connection in
      let sweep = Fixture.sweep(cells)
      try connection.execute(
        sql: "INSERT INTO sweeps VALUES (1, ?, ?, ?, ?, NULL, ?, 1, 1)",
        arguments: [sweep.digest.blob, sweep.name, sweep.file, sweep.vocabularySize, sweep.goal.retentionCostAtMost])
      for cell in cells {
        try connection.execute(
          sql: "INSERT OR IGNORE INTO specifications VALUES (?, ?)",
          arguments: [
            cell.fingerprint.blob, String(decoding: cell.specification.canonicalForm, as: UTF8.self),
          ])
        try connection.execute(
          sql: "INSERT INTO cells VALUES (1, ?, ?, ?, ?, ?, ?)",
          arguments: [
            cell.index, cell.method, cell.fingerprint.blob, cell.index == 1 ? "failed" : "completed",
            cell.index == 1 ? "diverged" : nil, cell.index == 1 ? "nan" : nil,
          ])
      }
      let result = Fixture.delivered(cells[0])
      try connection.execute(
        sql: """
          INSERT INTO attempts VALUES (1, 1, 0, 'anna', 10, 20, 'lost', 'worker-lost', 'silent'),
            (2, 1, 0, 'bert', 30, 50, 'completed', NULL, NULL), (3, 1, 1, 'anna', 30, 60, 'failed', 'diverged', 'nan');
          INSERT INTO events (at, sweep, kind, worker, attempt) VALUES
            (5, 1, 'worker-joined', 'anna', NULL), (40, 1, 'attempt-adopted', NULL, 2);
          """)
      try connection.execute(
        sql: "INSERT INTO results VALUES (?, ?, 2, ?)",
        arguments: [
          result.fingerprint.blob, result.digest.numbers.blob, String(decoding: result.result, as: UTF8.self),
        ])
      try connection.execute(
        sql: "INSERT INTO reports VALUES (2, ?)", arguments: [String(decoding: result.report, as: UTF8.self)])
    }
    try database.close()
  }

  @Test("a store of before windows were kept is read and carried on: its results have none, and can be audited")
  func secondVersion() async throws {
    let cells = Fixture.cells(2)
    let sweep = Fixture.sweep(cells, audit: 1)
    do {
      let database = try DatabaseQueue(path: folder.store)
      try await database.writeWithoutTransaction {
        try StoreSchema.migrate($0, to: 2, storeID: "old store", now: 1)
      }
      try await database.write { connection in
        try connection.execute(
          sql: """
            INSERT INTO sweeps
              (id, digest, name, file, vocabulary_size, goal_retention_cost, audit_fraction, begun, opened)
            VALUES (1, ?, ?, ?, ?, ?, 1, 1, 1)
            """,
          arguments: [sweep.digest.blob, sweep.name, sweep.file, sweep.vocabularySize, sweep.goal.retentionCostAtMost])
        for cell in cells {
          try connection.execute(
            sql: "INSERT INTO specifications VALUES (?, ?, ?)",
            arguments: [
              cell.index + 1, cell.fingerprint.blob, String(decoding: cell.specification.canonicalForm, as: UTF8.self),
            ])
          try connection.execute(
            sql: "INSERT INTO cells (sweep, idx, method, specification, state) VALUES (1, ?, ?, ?, ?)",
            arguments: [cell.index, cell.method, cell.index + 1, cell.index == 0 ? "completed" : "pending"])
        }
        let result = Fixture.delivered(cells[0])
        try connection.execute(
          sql: """
            INSERT INTO attempts (number, sweep, idx, worker, started, ended, outcome)
            VALUES (1, 1, 0, 'anna', 10, 20, 'completed')
            """)
        try connection.execute(
          sql: "INSERT INTO results VALUES (1, ?, 1, ?, ?)",
          arguments: [
            result.digest.numbers.blob, String(decoding: result.result, as: UTF8.self),
            String(decoding: result.report, as: UTF8.self),
          ])
      }
      try database.close()
    }
    let reader = try StoreReader(path: folder.store)
    let old = try reader.records(of: try #require(try reader.sweeps().first).id)
    #expect(old.map(\.result) == [Fixture.result(), nil])

    let store = try SweepStore(path: folder.store)
    let open = try store.begin(sweep, cells: cells)
    #expect(open.sweeps[0].stored.cells.map(\.resultDigest) == [Fixture.delivered(cells[0]).digest, nil])
    var scheduler = Scheduler(
      sweeps: open.sweeps.map(\.stored), attempts: open.attempts, nextAttempt: open.nextAttempt,
      at: Instant(nanoseconds: 0))
    #expect(scheduler.openAudits == 1)
    var writes: [StoreWrite] = []
    func happens(_ event: Scheduler.Event) {
      for action in scheduler.handle(event, at: Instant(nanoseconds: 1)) {
        if case .record(let write) = action { writes.append(write) }
      }
    }
    happens(.joined(Fixture.bert, WorkerCapacity(), running: []))
    happens(.ready(Fixture.bert, credit: 4))
    while let attempt = scheduler.leases(of: Fixture.bert)?.first {
      let cell = try #require(scheduler.cell(of: attempt))
      happens(.result(Fixture.bert, attempt, Fixture.delivered(cells[cell.index], Fixture.windowed())))
    }
    #expect(writes.contains(.audited(CellID(0), .agreed)))
    #expect(!writes.contains { if case .fault = $0 { true } else { false } })
    try await store.commit(StoreBatch(writes), in: open.places, at: Fixture.time)
    let results = try StoreReader(path: folder.store).records(of: open.sweeps[0].id).map(\.result)
    #expect(results == [Fixture.result(), Fixture.windowed()])
  }

  @Test("a store without one of its tables says which", arguments: ["results", "journal", "events"])
  func missingTable(_ name: String) throws {
    try SweepStore(path: folder.store).database.write { connection in
      try connection.execute(sql: name == "events" ? "DROP VIEW events" : "DROP TABLE \(name)")
    }
    let error = StoreError.damaged(path: folder.store, detail: "it has no \(name)")
    expect(error) { try SweepStore(path: folder.store) }
    expect(error) { try StoreReader(path: folder.store) }
  }

  @Test("every error is one line that names the file")
  func errorLines() {
    let path = "/a/store.sqlite"
    let errors: [StoreError] = [
      .missing(path: path), .folderMissing(path: path), .empty(path: path), .notAStore(path: path, found: "x"),
      .damaged(path: path, detail: "x"), .newer(path: path, version: 2, supported: 1),
      .inUse(path: path, holder: "x"), .busy(path: path), .noAccess(path: path, detail: "x"), .full(path: path),
      .failed(path: path, detail: "x"),
    ]
    for error in errors {
      #expect(error.description.hasPrefix("\(path): "))
      #expect(!error.description.contains("\n"))
      #expect(error.localizedDescription == error.description)
    }
  }

  private func expect(_ error: StoreError, _ body: () throws -> some Any) {
    #expect(throws: error) { try body() }
  }

  private func expectDamage(_ body: () throws -> some Any) {
    let error = #expect(throws: StoreError.self) { try body() }
    guard case .damaged = error else {
      Issue.record("expected damage, found \(String(describing: error))")
      return
    }
  }
}
