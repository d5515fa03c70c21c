internal import ContentHash
public import Foundation
internal import GRDB
public import SweepCore

extension SweepStore {
  /// Takes up a sweep: enters it if the store does not have it, and completes every cell whose fingerprint has a
  /// result already, of this sweep or another.
  ///
  /// A sweep of the same digest is carried on, with what its file now says of the goal.
  ///
  /// - Parameter cells: All cells; each cell's index is its place.
  /// - Throws: ``StoreError``.
  public func begin(
    _ sweep: SweepDescription, cells: [Cell], at time: Date = Date()
  ) throws(StoreError) -> OpenSweep {
    try translating(path: path) {
      try database.write { connection in
        let row = try enter(sweep, cells, time.milliseconds, connection)
        // A result that another sweep brought ends the cell, and with it what may still have been open.
        try connection.execute(
          sql: """
            UPDATE cells SET state = 'completed'
            WHERE sweep = ? AND state = 'pending' AND fingerprint IN (SELECT fingerprint FROM results)
            """, arguments: [row])
        try connection.execute(
          sql: """
            UPDATE attempts SET outcome = 'revoked', ended = ?2
            WHERE sweep = ?1 AND outcome IS NULL
              AND EXISTS (SELECT * FROM cells c WHERE c.sweep = ?1 AND c.idx = attempts.idx AND c.state <> 'pending')
            """, arguments: [row, time.milliseconds])
        try connection.execute(
          sql: "INSERT INTO events (at, sweep, kind) VALUES (?, ?, 'sweep-opened')",
          arguments: [time.milliseconds, row])
        return try load(SweepID(row: row), cells, connection)
      }
    }
  }

  /// Returns the row of the sweep.
  private func enter(
    _ sweep: SweepDescription, _ cells: [Cell], _ now: Int64, _ connection: Database
  ) throws -> Int64 {
    let removal: Double? =
      switch sweep.goal.removal {
      case .uniform: nil
      case .nats(let nats): nats
      }
    try connection.execute(
      sql: """
        INSERT INTO sweeps
          (digest, name, file, vocabulary_size, goal_removal, goal_retention_cost, begun, opened)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
        ON CONFLICT (digest) DO UPDATE SET file = ?3, vocabulary_size = ?4, goal_removal = ?5,
          goal_retention_cost = ?6, opened = ?7
        """,
      arguments: [
        sweep.digest.blob, sweep.name, sweep.file, sweep.vocabularySize, removal, sweep.goal.retentionCostAtMost, now,
      ])
    guard
      let row = try Int64.fetchOne(
        connection, sql: "SELECT id FROM sweeps WHERE digest = ?", arguments: [sweep.digest.blob])
    else { preconditionFailure("the sweep was entered above") }
    let known = try Int.fetchOne(connection, sql: "SELECT count(*) FROM cells WHERE sweep = ?", arguments: [row]) ?? 0
    guard known == 0 else {
      guard known == cells.count else {
        throw StoreError.damaged(path: path, detail: "sweep \(sweep.name) has \(known) cells of \(cells.count)")
      }
      return row
    }
    let specification = try connection.makeStatement(
      sql: "INSERT OR IGNORE INTO specifications (fingerprint, specification) VALUES (?, ?)")
    let cell = try connection.makeStatement(
      sql: "INSERT INTO cells (sweep, idx, method, fingerprint, state) VALUES (?, ?, ?, ?, 'pending')")
    for (index, entered) in cells.enumerated() {
      precondition(entered.index == index, "cell \(entered.index) stands at place \(index)")
      let canonical = CanonicalJSON.encode(entered.specification)
      try specification.execute(arguments: [entered.fingerprint.blob, String(decoding: canonical, as: UTF8.self)])
      try cell.execute(arguments: [row, index, entered.method, entered.fingerprint.blob])
    }
    return row
  }

  private func load(_ sweep: SweepID, _ cells: [Cell], _ connection: Database) throws -> OpenSweep {
    var methods: [String] = []
    var groups: [String: Int] = [:]
    for cell in cells where groups[cell.method] == nil {
      groups[cell.method] = methods.count
      methods.append(cell.method)
    }
    var stored: [Scheduler.StoredCell] = []
    stored.reserveCapacity(cells.count)
    let states = try Row.fetchCursor(
      connection,
      sql: """
        SELECT c.fingerprint, c.state, r.digest FROM cells c LEFT JOIN results r USING (fingerprint)
        WHERE c.sweep = ? ORDER BY c.idx
        """, arguments: [sweep.row])
    while let row = try states.next() {
      let cell = cells[stored.count]
      guard let state = CellRecord.State(rawValue: row[1]), try digest(row[0]) == cell.fingerprint else {
        throw StoreError.damaged(path: path, detail: "cell \(cell.index) is not the one of the sweep file")
      }
      stored.append(
        Scheduler.StoredCell(
          fingerprint: cell.fingerprint, state: state, resultDigest: try (row[2] as Data?).map(digest),
          group: groups[cell.method] ?? 0))
    }
    let attempts = try Row.fetchAll(
      connection,
      sql: "SELECT number, idx, worker, outcome, reason, message FROM attempts WHERE sweep = ? ORDER BY number",
      arguments: [sweep.row]
    ).map { row in
      let index: Int = row[1]
      guard stored.indices.contains(index) else {
        throw StoreError.damaged(path: path, detail: "an attempt at cell \(index), which is not there")
      }
      return Scheduler.StoredAttempt(
        attempt: AttemptID(UInt64(bitPattern: row[0])), cell: CellID(index), worker: WorkerID(row[2]),
        standing: try AttemptColumns(outcome: row[3], reason: row[4], message: row[5]).standing(path: path))
    }
    let last = try Int64.fetchOne(connection, sql: "SELECT max(number) FROM attempts") ?? 0
    return OpenSweep(
      id: sweep, cells: cells, methods: methods, stored: stored, attempts: attempts,
      nextAttempt: AttemptID(UInt64(last) + 1))
  }

  private func digest(_ blob: Data) throws -> SHA256Digest {
    try SHA256Digest(blob: blob, path: path)
  }
}
