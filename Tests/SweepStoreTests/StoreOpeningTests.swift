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
    let sweep = try store.begin(Fixture.sweep(cells), cells: cells)
    try await store.database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA busy_timeout = 0") }
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: folder.store, configuration: configuration)
    try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    await #expect(throws: StoreError.busy(path: folder.store)) {
      try await store.commit([.leased(AttemptID(1), CellID(0), Fixture.anna)], of: sweep.id, at: Fixture.time)
    }
    try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
  }

  @Test("a sweep file that changed under the same digest is not mixed with the old cells")
  func changedCells() throws {
    let store = try SweepStore(path: folder.store)
    let cells = Fixture.cells(3)
    _ = try store.begin(Fixture.sweep(cells), cells: cells)
    expectDamage { try store.begin(Fixture.sweep(cells), cells: Fixture.cells(seeds: [0, 1, 7])) }
    expectDamage { try store.begin(Fixture.sweep(cells), cells: Fixture.cells(2)) }
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
