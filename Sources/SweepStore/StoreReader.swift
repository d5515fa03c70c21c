public import ContentHash
public import Foundation
internal import GRDB
public import SweepCore

/// Reads a store, also while a coordinator writes to it. Changes nothing.
public final class StoreReader: Sendable {
  /// A sweep of the store.
  public struct Sweep: Sendable, Hashable {
    /// Its name within the store.
    public let id: SweepID
    /// What it is.
    public let description: SweepDescription
    /// When it was entered.
    public let begun: Date
    /// When a coordinator last took it up.
    public let opened: Date
  }

  /// A result that differs from the first of its fingerprint.
  public struct Fault: Sendable, Hashable {
    /// The attempt that gave it.
    public let attempt: AttemptID
    /// The worker that ran the attempt.
    public let worker: WorkerID
    /// The cell.
    public let cell: CellID
    /// When it came.
    public let at: Date
  }

  /// The store's file.
  public let path: String
  private let database: DatabaseQueue

  /// Opens a store.
  ///
  /// - Throws: ``StoreError``.
  public init(path: String) throws(StoreError) {
    self.path = path
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: file) else { throw .missing(path: path) }
    guard attributes[.type] as? FileAttributeType == .typeRegular else {
      throw .notAStore(path: path, found: "something that is no file")
    }
    guard attributes[.size] as? Int != 0 else { throw .empty(path: path) }
    database = try translating(path: path) {
      var configuration = Configuration()
      configuration.label = "store reader"
      configuration.readonly = true
      configuration.busyMode = .timeout(5)
      let database = try DatabaseQueue(path: path, configuration: configuration)
      guard try database.read({ try StoreSchema.check($0, path: path) }) > 0 else {
        throw StoreError.empty(path: path)
      }
      return database
    }
  }

  /// The coordinator that has the store at this moment, in words for people; `nil` if none has.
  public var coordinator: String? {
    StoreLock.holder(of: path)
  }

  /// All sweeps, the one taken up last first.
  ///
  /// - Throws: ``StoreError``.
  public func sweeps() throws(StoreError) -> [Sweep] {
    try translating(path: path) {
      try database.read { connection in
        try Row.fetchAll(
          connection,
          sql: """
            SELECT id, digest, name, file, vocabulary_size, goal_removal, goal_retention_cost, begun, opened
            FROM sweeps ORDER BY opened DESC, id DESC
            """
        ).map { row in
          let removal: Double? = row[5]
          return Sweep(
            id: SweepID(row: row[0]),
            description: SweepDescription(
              name: row[2], digest: try SHA256Digest(blob: row[1], path: path), file: row[3], vocabularySize: row[4],
              goal: SweepGoal(removal: removal.map { .nats($0) } ?? .uniform, retentionCostAtMost: row[6])),
            begun: Date(milliseconds: row[7]), opened: Date(milliseconds: row[8]))
        }
      }
    }
  }

  /// How many cells of each method stand where; methods in the order in which cells first name them.
  ///
  /// - Throws: ``StoreError``.
  public func tallies(
    of sweep: SweepID
  ) throws(StoreError) -> [(method: String, cells: [CellRecord.State: Int])] {
    try translating(path: path) {
      try database.read { connection in
        let running = """
          EXISTS (SELECT * FROM attempts a WHERE a.sweep = c.sweep AND a.idx = c.idx AND a.outcome IS NULL)
          """
        let rows = try Row.fetchAll(
          connection,
          sql: """
            SELECT method, CASE WHEN state = 'pending' AND \(running) THEN 'running' ELSE state END AS standing,
              count(*), min(idx)
            FROM cells c WHERE sweep = ? GROUP BY method, standing ORDER BY min(idx)
            """, arguments: [sweep.row])
        var tallies: [(method: String, cells: [CellRecord.State: Int])] = []
        for row in rows {
          let method: String = row[0]
          let state = try state(row[1])
          if let index = tallies.firstIndex(where: { $0.method == method }) {
            tallies[index].cells[state] = row[2]
          } else {
            tallies.append((method, [state: row[2]]))
          }
        }
        return tallies
      }
    }
  }

  /// Everything known of the cells of a sweep, by ascending index, as of one moment.
  ///
  /// - Throws: ``StoreError``.
  public func records(of sweep: SweepID) throws(StoreError) -> [CellRecord] {
    try translating(path: path) {
      try database.read { connection in
        let attempts = try attempts(of: sweep, connection)
        let rows = try Row.fetchCursor(
          connection,
          sql: """
            SELECT c.idx, c.method, c.fingerprint, s.specification, c.state, c.failure, c.message, r.result, p.report
            FROM cells c JOIN specifications s USING (fingerprint)
              LEFT JOIN results r ON r.fingerprint = c.fingerprint AND c.state = 'completed'
              LEFT JOIN reports p ON p.attempt = r.attempt
            WHERE c.sweep = ? ORDER BY c.idx
            """, arguments: [sweep.row])
        var records: [CellRecord] = []
        while let row = try rows.next() { records.append(try record(row, attempts)) }
        return records
      }
    }
  }

  /// The fingerprints that have a result: cells with them are not computed again, whatever their sweep.
  ///
  /// - Throws: ``StoreError``.
  public func completedFingerprints() throws(StoreError) -> Set<SHA256Digest> {
    try translating(path: path) {
      try database.read { connection in
        let blobs = try Data.fetchCursor(connection, sql: "SELECT fingerprint FROM results")
        var fingerprints: Set<SHA256Digest> = []
        while let blob = try blobs.next() { fingerprints.insert(try SHA256Digest(blob: blob, path: path)) }
        return fingerprints
      }
    }
  }

  /// The reproducibility faults of a sweep, oldest first.
  ///
  /// - Throws: ``StoreError``.
  public func faults(of sweep: SweepID) throws(StoreError) -> [Fault] {
    try translating(path: path) {
      try database.read { connection in
        try Row.fetchAll(
          connection,
          sql: """
            SELECT f.attempt, a.worker, a.idx, f.at FROM faults f JOIN attempts a ON a.number = f.attempt
            WHERE a.sweep = ? ORDER BY f.at, f.attempt
            """, arguments: [sweep.row]
        ).map { row in
          Fault(
            attempt: AttemptID(UInt64(row[0] as Int64)), worker: WorkerID(row[1]), cell: CellID(row[2]),
            at: Date(milliseconds: row[3]))
        }
      }
    }
  }
}

extension StoreReader {
  /// What is known of the attempts at one cell.
  private struct Attempts {
    var count = 0
    var isOpen = false
    var lastFailure: CellFailure?
  }

  private func attempts(of sweep: SweepID, _ connection: Database) throws -> [Int: Attempts] {
    var attempts: [Int: Attempts] = [:]
    let rows = try Row.fetchCursor(
      connection, sql: "SELECT idx, outcome, reason, message FROM attempts WHERE sweep = ? ORDER BY number",
      arguments: [sweep.row])
    while let row = try rows.next() {
      let columns = AttemptColumns(outcome: row[1], reason: row[2], message: row[3])
      attempts[row[0], default: Attempts()].count += 1
      if columns.outcome == nil { attempts[row[0]]?.isOpen = true }
      if let failure = columns.failure { attempts[row[0]]?.lastFailure = failure }
    }
    return attempts
  }

  private func record(_ row: Row, _ attempts: [Int: Attempts]) throws -> CellRecord {
    let index: Int = row[0]
    let cell = Cell(
      index: index, method: row[1], specification: try decode(row[3], "the specification of cell \(index)"))
    guard row[2] == cell.fingerprint.blob else {
      throw StoreError.damaged(path: path, detail: "cell \(index) does not fit its fingerprint")
    }
    var state = try state(row[4])
    let tried = attempts[index] ?? Attempts()
    if state == .pending, tried.isOpen { state = .running }
    let decided = AttemptColumns(outcome: nil, reason: row[5], message: row[6]).failure
    let result: String? = row[7]
    guard (result != nil) == (state == .completed) else {
      throw StoreError.damaged(path: path, detail: "cell \(index) is completed without a result")
    }
    return CellRecord(
      cell: cell, state: state, result: try result.map { try decode($0, "the result of cell \(index)") },
      failure: decided ?? tried.lastFailure,
      report: try (row[8] as String?).map { try decode($0, "the report of cell \(index)") }, attempts: tried.count)
  }

  private func state(_ text: String) throws(StoreError) -> CellRecord.State {
    guard let state = CellRecord.State(rawValue: text) else {
      throw .damaged(path: path, detail: "expected the state of a cell, found \(text)")
    }
    return state
  }

  private func decode<Value: Decodable>(_ json: String, _ what: String) throws -> Value {
    do {
      return try CanonicalJSON.decode(from: Array(json.utf8))
    } catch {
      throw StoreError.damaged(path: path, detail: "\(what) cannot be read")
    }
  }
}

extension Date {
  /// Reads milliseconds since 1970.
  init(milliseconds: Int64) {
    self.init(timeIntervalSince1970: Double(milliseconds) / 1000)
  }
}
