public import Foundation
internal import GRDB

/// The store of a coordinator: one SQLite file that holds sweeps, cells, attempts, results and their history.
///
/// What ``commit(_:in:at:)`` has returned from survives the loss of power (write-ahead log, `synchronous = FULL`).
/// One coordinator at a time holds a store; any number of ``StoreReader`` read it meanwhile, from any process, and any
/// process may leave requests in it. All access to SQLite happens on one serial queue, never on Swift's cooperative
/// threads.
public final class SweepStore: SweepKeeper {
  /// The store's file.
  public let path: String
  /// Names the store to workers: within it attempt numbers are unique.
  public let storeID: String

  let database: DatabaseQueue
  private let lock: StoreLock

  /// Opens the store for a coordinator, creating it if there is none, and looks through all of it for damage.
  ///
  /// - Throws: ``StoreError``.
  public init(path: String, now: Date = Date()) throws(StoreError) {
    self.path = path
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().resolvingSymlinksInPath().path
    guard FileManager.default.typeOfItem(folder) == .typeDirectory else { throw .folderMissing(path: folder) }
    // Before the lock leaves a file beside what is none of ours.
    guard Self.mayBeDatabase(path) else { throw .notAStore(path: path, found: "a file that is no database") }
    lock = try StoreLock(of: path)
    (database, storeID) = try translating(path: path) {
      var configuration = Configuration()
      configuration.label = "store"
      configuration.busyMode = .timeout(Self.patience)
      let database = try DatabaseQueue(path: path, configuration: configuration)
      return (database, try Self.prepare(database, path: path, now))
    }
  }

  /// Seconds to wait for another process that writes.
  static let patience = 5.0

  /// Makes sure that a database is a sound store of this version, and returns its name.
  private static func prepare(_ database: DatabaseQueue, path: String, _ now: Date) throws -> String {
    try database.inDatabase { connection in
      // Before anything is written: a database of another program stays as it is.
      _ = try StoreSchema.check(connection, path: path)
      try connection.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
      try StoreSchema.checkIntegrity(connection, path: path)
      try StoreSchema.migrate(connection, storeID: UUID().uuidString, now: now.milliseconds)
      guard let storeID = try String.fetchOne(connection, sql: "SELECT id FROM store") else {
        throw StoreError.damaged(path: path, detail: "it has no identity")
      }
      return storeID
    }
  }

  /// Closes the store. The last to close it folds the write-ahead log into its file, which then stands alone and can be
  /// copied. Nothing may be written afterwards.
  ///
  /// - Throws: ``StoreError``.
  public func close() throws(StoreError) {
    try translating(path: path) { try database.close() }
  }

  /// Whether a file is absent, empty, or begins as SQLite's do.
  private static func mayBeDatabase(_ path: String) -> Bool {
    guard let handle = FileHandle(forReadingAtPath: path) else { return true }
    defer { try? handle.close() }
    guard let start = try? handle.read(upToCount: 16), !start.isEmpty else { return true }
    return start == Data("SQLite format 3\0".utf8)
  }
}

extension FileManager {
  /// The type of what lies at a path free of symbolic links; `nil` if there is nothing.
  func typeOfItem(_ path: String) -> FileAttributeType? {
    (try? attributesOfItem(atPath: path))?[.type] as? FileAttributeType
  }
}

extension Date {
  /// Milliseconds since 1970.
  var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }
}
