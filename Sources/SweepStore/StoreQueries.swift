internal import ContentHash
internal import Foundation
internal import GRDB
internal import SweepCore

/// Reads from a store's tables, on the queue of its connection.
struct StoreQueries {
  let connection: Database
  let path: String

  func sweeps() throws -> [SweepRecord] {
    try Row.fetchAll(
      connection,
      sql: """
        SELECT id, digest, name, file, vocabulary_size, goal_removal, goal_retention_cost, audit_fraction, begun, opened,
          priority, paused, selections
        FROM sweeps ORDER BY opened DESC, id DESC
        """
    ).map { row in
      let removal: Double? = row[5]
      return SweepRecord(
        id: SweepID(row: row[0]),
        description: SweepDescription(
          name: row[2], digest: try SHA256Digest(blob: row[1], path: path), file: row[3], vocabularySize: row[4],
          goal: SweepGoal(removal: removal.map { .nats($0) } ?? .uniform, retentionCostAtMost: row[6]),
          auditFraction: row[7], selections: try decode(row[12], "the selections of a sweep")),
        begun: Date(milliseconds: row[8]), opened: Date(milliseconds: row[9]), priority: row[10], isPaused: row[11])
    }
  }

  func tallies(of sweep: SweepID) throws -> [MethodTally] {
    let rows = try Row.fetchAll(
      connection,
      sql: """
        WITH running AS (SELECT DISTINCT idx FROM attempts WHERE sweep = ?1 AND outcome IS NULL)
        SELECT c.method,
          CASE WHEN c.state = 'pending' AND c.idx IN running THEN 'running' ELSE c.state END AS standing,
          count(*), min(c.idx), coalesce(sum(a.sweep <> c.sweep), 0)
        FROM cells c
          LEFT JOIN results r ON r.specification = c.specification AND c.state = 'completed'
          LEFT JOIN attempts a ON a.number = r.attempt
        WHERE c.sweep = ?1 GROUP BY c.method, standing ORDER BY min(c.idx)
        """, arguments: [sweep.row])
    var tallies: [MethodTally] = []
    for row in rows {
      let method: String = row[0]
      let state = try state(row[1])
      let index = tallies.firstIndex { $0.method == method } ?? tallies.count
      if index == tallies.count { tallies.append(MethodTally(method: method, cells: [:], cached: 0)) }
      tallies[index].cells[state] = row[2]
      tallies[index].cached += row[4] as Int
    }
    return tallies
  }

  func records(of sweep: SweepID) throws -> [CellRecord] {
    let attempts = try attempts(of: sweep)
    let rows = try Row.fetchCursor(
      connection,
      sql: """
        SELECT c.idx, c.method, s.fingerprint, s.specification, c.state, c.failure, c.message, r.result, r.report,
          o.name, w.base, w.losses
        FROM cells c JOIN specifications s ON s.id = c.specification
          LEFT JOIN results r ON r.specification = c.specification AND c.state = 'completed'
          LEFT JOIN windows w ON w.specification = r.specification
          LEFT JOIN attempts a ON a.number = r.attempt
          LEFT JOIN sweeps o ON o.id = a.sweep AND o.id <> c.sweep
        WHERE c.sweep = ? ORDER BY c.idx
        """, arguments: [sweep.row])
    var records: [CellRecord] = []
    var bases: [Int64: Base] = [:]
    while let row = try rows.next() { records.append(try record(row, attempts, &bases)) }
    return records
  }

  func events(of sweep: SweepID, cell: Int?) throws -> [StoredEvent] {
    try Row.fetchAll(
      connection,
      sql: """
        SELECT at, kind, idx, attempt, worker, message FROM events
        WHERE CASE WHEN ?2 IS NULL THEN sweep = ?1 OR sweep IS NULL ELSE sweep = ?1 AND idx = ?2 END
        ORDER BY at, step, attempt
        """, arguments: [sweep.row, cell]
    ).map { row in
      StoredEvent(
        at: Date(milliseconds: row[0]), kind: row[1], cell: row[2],
        attempt: (row[3] as Int64?).map(AttemptID.init(row:)),
        worker: (row[4] as String?).map(WorkerID.init), message: row[5])
    }
  }

  func unsuccessful(of sweep: SweepID) throws -> [UnsuccessfulCell] {
    try Row.fetchAll(
      connection,
      sql: """
        SELECT idx, method, failure, message FROM cells WHERE sweep = ? AND state IN ('failed', 'cancelled') ORDER BY idx
        """, arguments: [sweep.row]
    ).map { row in
      UnsuccessfulCell(
        index: row[0], method: row[1],
        failure: AttemptColumns(outcome: nil, reason: row[2], message: row[3]).failure)
    }
  }

  func specifications() throws -> [SpecificationRecord] {
    let rows = try Row.fetchCursor(
      connection,
      sql: """
        SELECT s.fingerprint, s.specification, o.name, c.state, c.failure, c.message, max(c.sweep)
        FROM cells c JOIN specifications s ON s.id = c.specification
          LEFT JOIN results r ON r.specification = s.id
          LEFT JOIN attempts a ON a.number = r.attempt LEFT JOIN sweeps o ON o.id = a.sweep
        GROUP BY s.id ORDER BY s.id
        """)
    var records: [SpecificationRecord] = []
    while let row = try rows.next() {
      records.append(
        SpecificationRecord(
          specification: try decode(row[1], "a specification"), fingerprint: try SHA256Digest(blob: row[0], path: path),
          state: try state(row[3]), failure: AttemptColumns(outcome: nil, reason: row[4], message: row[5]).failure,
          completedBy: row[2]))
    }
    return records
  }

  func faults(of sweep: SweepID) throws -> [ReproducibilityFault] {
    try Row.fetchAll(
      connection,
      sql: """
        SELECT f.attempt, a.worker, a.idx, f.at FROM faults f JOIN attempts a ON a.number = f.attempt
        WHERE a.sweep = ? ORDER BY f.at, f.attempt
        """, arguments: [sweep.row]
    ).map { row in
      ReproducibilityFault(
        attempt: AttemptID(row: row[0]), worker: WorkerID(row[1]), cell: row[2], at: Date(milliseconds: row[3]))
    }
  }

  // MARK: - Cells

  /// What is known of the attempts at one cell.
  private struct Attempts {
    var count = 0
    var isOpen = false
    var lastFailure: CellFailure?
  }

  private func attempts(of sweep: SweepID) throws -> [Int: Attempts] {
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

  /// What evaluation windows read with a base model, as it is stored and, once a result has been read, as it is meant.
  private struct Base {
    let bytes: [UInt8]
    var windows: [WindowLosses]?
  }

  private func storedBase(_ id: Int64) throws -> Base {
    let losses = try Data.fetchOne(connection, sql: "SELECT losses FROM base_windows WHERE id = ?", arguments: [id])
    return Base(bytes: Array(losses ?? Data()))
  }

  /// Reads a result with its windows; what the results share of these is read once.
  private func result(
    _ json: String, base: Int64?, losses: Data?, of index: Int, _ bases: inout [Int64: Base]
  ) throws -> CellResult {
    guard let base, let losses else { return try decode(json, "the result of cell \(index)") }
    let known = try bases[base] ?? storedBase(base)
    do {
      let result = try CellResult(
        canonicalForm: Array(json.utf8), windows: WindowBytes(base: known.bytes, edited: Array(losses)),
        base: known.windows)
      bases[base] = Base(bytes: known.bytes, windows: result.windows?.base)
      return result
    } catch {
      throw StoreError.damaged(path: path, detail: "the result of cell \(index) cannot be read")
    }
  }

  private func record(
    _ row: Row, _ attempts: [Int: Attempts], _ bases: inout [Int64: Base]
  ) throws -> CellRecord {
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
    let form: String? = row[7]
    guard (form != nil) == (state == .completed) else {
      throw StoreError.damaged(path: path, detail: "cell \(index) is completed without a result")
    }
    let (base, losses): (Int64?, Data?) = (row[10], row[11])
    let result = try form.map { try self.result($0, base: base, losses: losses, of: index, &bases) }
    return CellRecord(
      cell: cell, state: state, result: result,
      failure: decided ?? tried.lastFailure,
      report: try (row[8] as String?).map { try decode($0, "the report of cell \(index)") }, attempts: tried.count,
      cachedFrom: row[9])
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
