public import Foundation
internal import GRDB
public import SweepCore

extension SweepStore {
  /// Writes a batch in one transaction. When it returns, all of it is on disk; when it throws, none of it.
  ///
  /// Not cancellable: a transaction under way is not worth less because somebody stopped waiting.
  ///
  /// - Throws: ``StoreError``.
  public func commit(_ writes: [StoreWrite], of sweep: SweepID, at time: Date) async throws(StoreError) {
    guard !writes.isEmpty else { return }
    let now = time.milliseconds
    let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
      database.asyncWrite(
        { connection in
          for write in writes { try Self.perform(write, sweep: sweep.row, now, connection) }
        },
        completion: { _, result in continuation.resume(returning: result) })
    }
    try translating(path: path) { try result.get() }
  }

  private static func perform(_ write: StoreWrite, sweep: Int64, _ now: Int64, _ connection: Database) throws {
    switch write {
    case .leased(let attempt, let cell, let worker, _):
      try connection.cachedStatement(
        sql: "INSERT INTO attempts (number, sweep, idx, worker, started) VALUES (?, ?, ?, ?, ?)"
      ).execute(arguments: [attempt.row, sweep, cell.index, worker.name, now])
    case .adopted(let attempt):
      try connection.cachedStatement(
        sql: "UPDATE attempts SET ended = NULL, outcome = NULL, reason = NULL, message = NULL WHERE number = ?"
      ).execute(arguments: [attempt.row])
      try note("attempt-adopted", attempt: attempt, sweep, now, connection)
    case .ended(let attempt, let end):
      try finish(attempt, AttemptColumns(end), now, connection)
    case .result(let attempt, let delivered):
      try connection.cachedStatement(
        sql: "INSERT INTO results (fingerprint, digest, attempt, result) VALUES (?, ?, ?, ?)"
      ).execute(
        arguments: [
          delivered.fingerprint.blob, delivered.digest.blob, attempt.row, text(delivered.result),
        ])
      try connection.cachedStatement(sql: "INSERT OR REPLACE INTO reports (attempt, report) VALUES (?, ?)")
        .execute(arguments: [attempt.row, text(delivered.report)])
      try finish(attempt, AttemptColumns(outcome: "completed", reason: nil, message: nil), now, connection)
    case .fault(let attempt, let delivered):
      try connection.cachedStatement(
        sql: """
          INSERT OR IGNORE INTO faults (attempt, digest, fingerprint, at, result, report) VALUES (?, ?, ?, ?, ?, ?)
          """
      ).execute(
        arguments: [
          attempt.row, delivered.digest.blob, delivered.fingerprint.blob, now, text(delivered.result),
          text(delivered.report),
        ])
      // What an attempt came to first stands.
      try connection.cachedStatement(
        sql: """
          UPDATE attempts SET ended = ?, outcome = 'fault', reason = NULL, message = NULL
          WHERE number = ? AND (outcome IS NULL OR outcome = 'lost')
          """
      ).execute(arguments: [now, attempt.row])
      try note("fault", attempt: attempt, sweep, now, connection)
    case .outcome(let cell, let outcome):
      try end(cell, as: outcome, sweep: sweep, connection)
    case .reopened(let cell, _):
      try connection.cachedStatement(
        sql: "UPDATE cells SET state = 'pending', failure = NULL, message = NULL WHERE sweep = ? AND idx = ?"
      ).execute(arguments: [sweep, cell.index])
    case .audited(let cell, let outcome):
      try note("audited", message: "cell \(cell.index): \(outcome.rawValue)", sweep, now, connection)
    case .sweep(_, let change):
      switch change {
      case .paused: try note("sweep-paused", sweep, now, connection)
      case .resumed: try note("sweep-resumed", sweep, now, connection)
      case .cancelled: try note("sweep-cancelled", sweep, now, connection)
      case .prioritised(let priority):
        try note("sweep-prioritised", message: "\(priority)", sweep, now, connection)
      }
    case .worker(let worker, let change):
      switch change {
      case .joined: try note("worker-joined", worker: worker, sweep, now, connection)
      case .lost: try note("worker-lost", worker: worker, sweep, now, connection)
      case .left(let reason): try note("worker-left", worker: worker, message: reason, sweep, now, connection)
      case .revoked(let reason): try note("worker-revoked", worker: worker, message: reason, sweep, now, connection)
      case .quarantined(let reason):
        try note("worker-quarantined", worker: worker, message: reason, sweep, now, connection)
      case .released: try note("worker-released", worker: worker, sweep, now, connection)
      }
    }
  }

  private static func finish(
    _ attempt: AttemptID, _ columns: AttemptColumns, _ now: Int64, _ connection: Database
  ) throws {
    try connection.cachedStatement(
      sql: "UPDATE attempts SET ended = ?, outcome = ?, reason = ?, message = ? WHERE number = ?"
    ).execute(arguments: [now, columns.outcome, columns.reason, columns.message, attempt.row])
  }

  private static func end(
    _ cell: CellID, as outcome: CellOutcome, sweep: Int64, _ connection: Database
  ) throws {
    let state: CellRecord.State
    var failure: CellFailure?
    switch outcome {
    case .completed: state = .completed
    case .cancelled: state = .cancelled
    case .failed(let decided):
      state = .failed
      failure = decided
    }
    try connection.cachedStatement(
      sql: "UPDATE cells SET state = ?, failure = ?, message = ? WHERE sweep = ? AND idx = ?"
    ).execute(arguments: [state.rawValue, failure?.kind.rawValue, failure?.message, sweep, cell.index])
  }

  private static func note(
    _ kind: String, worker: WorkerID? = nil, attempt: AttemptID? = nil, message: String? = nil, _ sweep: Int64,
    _ now: Int64, _ connection: Database
  ) throws {
    try connection.cachedStatement(
      sql: "INSERT INTO events (at, sweep, kind, worker, attempt, message) VALUES (?, ?, ?, ?, ?, ?)"
    ).execute(arguments: [now, sweep, kind, worker?.name, attempt?.row, message])
  }

  private static func text(_ json: [UInt8]) -> String {
    String(decoding: json, as: UTF8.self)
  }
}

extension AttemptID {
  /// The number as SQLite stores it. Numbers are counted up from 1 and never come near the sign.
  var row: Int64 { Int64(number) }
}
