public import Foundation
internal import GRDB
internal import SweepCore

extension StoreRequest {
  /// The requests that no coordinator has taken up, oldest first.
  static func open(in connection: Database, path: String) throws -> [StoreRequest] {
    try Row.fetchAll(
      connection.cachedStatement(
        sql: "SELECT id, at, sweep, verb, argument FROM requests WHERE settled IS NULL ORDER BY id")
    ).map { row in
      StoreRequest(
        id: ID(row: row[0]), at: Date(milliseconds: row[1]), sweep: (row[2] as Int64?).map(SweepID.init),
        wish: try Wish(verb: row[3], argument: row[4], path: path))
    }
  }

  /// Leaves a request.
  static func enter(_ wish: Wish, for sweep: SweepID?, at now: Int64, in connection: Database) throws {
    let (verb, argument) = wish.columns
    try connection.execute(
      sql: "INSERT INTO requests (at, verb, sweep, argument) VALUES (?, ?, ?, ?)",
      arguments: [now, verb, sweep?.row, argument])
  }
}

/// Leaves requests in a store that a coordinator may have.
public enum StoreRequests {
  /// Leaves a request for the coordinator that has the store, or for the next one.
  ///
  /// - Returns: Who has the store, in words for people; `nil` if nobody has.
  /// - Throws: ``StoreError``.
  @discardableResult
  public static func leave(
    _ wish: StoreRequest.Wish, for sweep: SweepID?, in path: String, at time: Date = Date()
  ) throws(StoreError) -> String? {
    let reader = try StoreReader(path: path)
    guard reader.version == StoreSchema.version else {
      // Whoever gets the lock may bring it up to date; a coordinator of an earlier pdsweep would hear nothing.
      let store = try SweepStore(path: path)
      try store.enter(wish, for: sweep, at: time)
      try store.close()
      return nil
    }
    try translating(path: path) {
      var configuration = Configuration()
      configuration.label = "store requests"
      configuration.busyMode = .timeout(SweepStore.patience)
      let database = try DatabaseQueue(path: path, configuration: configuration)
      try database.write { try StoreRequest.enter(wish, for: sweep, at: time.milliseconds, in: $0) }
      try database.close()
    }
    return reader.coordinator
  }
}
