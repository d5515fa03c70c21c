internal import ContentHash
public import Foundation
internal import GRDB
internal import SweepCore

extension SweepStore {
  /// Takes up sweeps; see ``SweepKeeper/begin(_:at:)``.
  ///
  /// - Throws: ``StoreError``.
  public func begin(_ sweeps: [SweepEntry], at time: Date) throws(StoreError) -> OpenSweeps {
    try translating(path: path) {
      try database.write { connection in
        let rows = try sweeps.map { try enter($0, time.milliseconds, connection) }
        precondition(Set(rows).count == rows.count, "a sweep is begun twice at a time")
        for row in rows { try settle(row, time.milliseconds, connection) }
        return try load(zip(rows, sweeps).map { ($0, $1) }, connection)
      }
    }
  }

  /// Enters a sweep, or what is new about it, and returns its row.
  private func enter(_ sweep: SweepEntry, _ now: Int64, _ connection: Database) throws -> Int64 {
    let description = sweep.description
    let removal: Double? =
      switch description.goal.removal {
      case .uniform: nil
      case .nats(let nats): nats
      }
    try connection.execute(
      sql: """
        INSERT INTO sweeps
          (digest, name, file, vocabulary_size, goal_removal, goal_retention_cost, audit_fraction, selections, begun,
            opened)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
        ON CONFLICT (digest) DO UPDATE SET file = ?3, vocabulary_size = ?4, goal_removal = ?5,
          goal_retention_cost = ?6, audit_fraction = ?7, selections = ?8, opened = ?9
        """,
      arguments: [
        description.digest.blob, description.name, description.file, description.vocabularySize, removal,
        description.goal.retentionCostAtMost, description.auditFraction,
        String(decoding: CanonicalJSON.encode(description.selections), as: UTF8.self), now,
      ])
    guard
      let row = try Int64.fetchOne(
        connection, sql: "SELECT id FROM sweeps WHERE digest = ?", arguments: [description.digest.blob])
    else { preconditionFailure("the sweep was entered above") }
    try connection.execute(
      sql: "INSERT INTO journal (at, kind, sweep) VALUES (?, 'sweep-opened', ?)", arguments: [now, row])
    let known = try Int.fetchOne(connection, sql: "SELECT count(*) FROM cells WHERE sweep = ?", arguments: [row]) ?? 0
    if known == 0 {
      try enter(sweep.cells, of: row, connection)
    } else if known != sweep.cells.count {
      throw StoreError.damaged(
        path: path, detail: "sweep \(description.name) has \(known) cells of \(sweep.cells.count)")
    }
    return row
  }

  private func enter(_ cells: [Cell], of sweep: Int64, _ connection: Database) throws {
    let known = try connection.makeStatement(sql: "SELECT id FROM specifications WHERE fingerprint = ?")
    let specification = try connection.makeStatement(
      sql: "INSERT INTO specifications (fingerprint, specification) VALUES (?, ?)")
    let cell = try connection.makeStatement(
      sql: "INSERT INTO cells (sweep, idx, method, specification, state) VALUES (?, ?, ?, ?, 'pending')")
    for (index, entered) in cells.enumerated() {
      precondition(entered.index == index, "cell \(entered.index) stands at place \(index)")
      let fingerprint = entered.fingerprint.blob
      var row = try Int64.fetchOne(known, arguments: [fingerprint])
      if row == nil {
        try specification.execute(
          arguments: [fingerprint, String(decoding: entered.specification.canonicalForm, as: UTF8.self)])
        row = connection.lastInsertedRowID
      }
      try cell.execute(arguments: [sweep, index, entered.method, row])
    }
  }

  /// Completes the cells that have a result by now, and with them what may still have been open.
  private func settle(_ sweep: Int64, _ now: Int64, _ connection: Database) throws {
    try connection.execute(
      sql: """
        INSERT INTO journal (at, kind, sweep, idx, message)
          SELECT ?2, 'cell-reopened', sweep, idx, 'its result came after it had failed' FROM cells
          WHERE sweep = ?1 AND state = 'failed' AND specification IN (SELECT specification FROM results)
        """, arguments: [sweep, now])
    try connection.execute(
      sql: """
        UPDATE cells SET state = 'completed', failure = NULL, message = NULL
        WHERE sweep = ? AND state IN ('pending', 'failed') AND specification IN (SELECT specification FROM results)
        """, arguments: [sweep])
    // What is to check a completed cell goes on.
    try connection.execute(
      sql: """
        UPDATE attempts SET outcome = 'revoked', ended = ?2
        WHERE sweep = ?1 AND outcome IS NULL
          AND EXISTS (
            SELECT * FROM cells c JOIN sweeps s ON s.id = c.sweep WHERE c.sweep = ?1 AND c.idx = attempts.idx
              AND c.state <> 'pending'
              AND NOT (c.state = 'completed' AND purpose = 'audit' AND s.audit_fraction > 0
                AND NOT EXISTS (SELECT * FROM cells t WHERE t.specification = c.specification AND t.audit NOT NULL)))
        """, arguments: [sweep, now])
  }

  private func load(_ sweeps: [(row: Int64, entry: SweepEntry)], _ connection: Database) throws -> OpenSweeps {
    var places = CellPlaces()
    var opened: [OpenSweep] = []
    var attempts: [Scheduler.StoredAttempt] = []
    for (row, entry) in sweeps {
      let cells = try cells(of: row, entry, connection)
      let start = places.count
      places.append(SweepID(row: row), cells: cells.count)
      attempts += try self.attempts(of: row, within: start..<start + cells.count, connection)
      let methods = entry.methods
      guard
        let standing = try Row.fetchOne(
          connection, sql: "SELECT priority, paused FROM sweeps WHERE id = ?", arguments: [row])
      else { preconditionFailure("the sweep was entered before") }
      opened.append(
        OpenSweep(
          id: SweepID(row: row), name: entry.description.name, cells: entry.cells, methods: methods,
          stored: Scheduler.StoredSweep(
            cells: cells, groups: methods.count, priority: standing[0], isPaused: standing[1],
            auditFraction: entry.description.auditFraction)))
    }
    if sweeps.count > 1 { attempts.sort { $0.attempt < $1.attempt } }
    let last = try Int64.fetchOne(connection, sql: "SELECT max(number) FROM attempts") ?? 0
    return OpenSweeps(
      sweeps: opened, attempts: attempts, nextAttempt: AttemptID(UInt64(last) + 1), places: places)
  }

  private func cells(
    of sweep: Int64, _ entry: SweepEntry, _ connection: Database
  ) throws -> [Scheduler.StoredCell] {
    let groups = Dictionary(uniqueKeysWithValues: entry.methods.enumerated().map { ($1, $0) })
    var cells: [Scheduler.StoredCell] = []
    cells.reserveCapacity(entry.cells.count)
    let rows = try Row.fetchCursor(
      connection,
      sql: """
        SELECT s.fingerprint, c.method, c.state, r.digest, c.counted_from, c.audit, w.digest
        FROM cells c JOIN specifications s ON s.id = c.specification LEFT JOIN results r USING (specification)
          LEFT JOIN windows w USING (specification)
        WHERE c.sweep = ? ORDER BY c.idx
        """, arguments: [sweep])
    while let row = try rows.next() {
      let known = cells.count < entry.cells.count ? entry.cells[cells.count] : nil
      guard let state = CellRecord.State(rawValue: row[2]), let known, row[1] == known.method,
        try digest(row[0]) == known.fingerprint
      else {
        throw StoreError.damaged(path: path, detail: "cell \(cells.count) is not the one of the sweep file")
      }
      let windows = try (row[6] as Data?).map(digest)
      let result = try (row[3] as Data?).map { ResultDigest(numbers: try digest($0), windows: windows) }
      cells.append(
        Scheduler.StoredCell(
          fingerprint: known.fingerprint, state: state, resultDigest: result,
          group: groups[known.method] ?? 0, countedFrom: AttemptID(row: row[4]), isAudited: row[5] as String? != nil))
    }
    guard cells.count == entry.cells.count else {
      throw StoreError.damaged(path: path, detail: "specifications of sweep \(entry.description.name) are missing")
    }
    return cells
  }

  private func attempts(
    of sweep: Int64, within cells: Range<Int>, _ connection: Database
  ) throws -> [Scheduler.StoredAttempt] {
    try Row.fetchAll(
      connection,
      sql: """
        SELECT number, idx, worker, purpose, outcome, reason, message FROM attempts WHERE sweep = ? ORDER BY number
        """,
      arguments: [sweep]
    ).map { row in
      let index: Int = row[1]
      guard (0..<cells.count).contains(index) else {
        throw StoreError.damaged(path: path, detail: "an attempt at cell \(index), which is not there")
      }
      guard let purpose = LeasePurpose(rawValue: row[3]) else {
        throw StoreError.damaged(path: path, detail: "an attempt for \(row[3] as String)")
      }
      return Scheduler.StoredAttempt(
        attempt: AttemptID(row: row[0]), cell: CellID(cells.lowerBound + index), worker: WorkerID(row[2]),
        purpose: purpose,
        standing: try AttemptColumns(outcome: row[4], reason: row[5], message: row[6]).standing(path: path))
    }
  }

  private func digest(_ blob: Data) throws -> SHA256Digest {
    try SHA256Digest(blob: blob, path: path)
  }
}
