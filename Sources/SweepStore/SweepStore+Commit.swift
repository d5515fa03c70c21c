public import Foundation
internal import GRDB
internal import SweepCore

extension SweepStore {
  /// Writes a batch in one transaction. When it returns, all of it is on disk; when it throws, none of it.
  ///
  /// Not cancellable: a transaction under way is not worth less because somebody stopped waiting.
  ///
  /// - Throws: ``StoreError``.
  public func commit(
    _ batch: StoreBatch, in places: CellPlaces, at time: Date
  ) async throws(StoreError) {
    guard !batch.isEmpty else { return }
    let now = time.milliseconds
    let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
      database.asyncWrite(
        { connection in
          let writer = BatchWriter(connection, places, now)
          for write in batch.writes { try writer.perform(write) }
          for request in batch.settled { try writer.settle(request) }
        },
        completion: { _, result in continuation.resume(returning: result) })
    }
    try translating(path: path) { try result.get() }
  }

  /// The requests that no coordinator has taken up, oldest first.
  ///
  /// - Throws: ``StoreError``.
  public func openRequests() async throws(StoreError) -> [StoreRequest] {
    let result: Result<[StoreRequest], any Error> = await withCheckedContinuation { [path] continuation in
      database.asyncWriteWithoutTransaction { connection in
        continuation.resume(returning: Result { try StoreRequest.open(in: connection, path: path) })
      }
    }
    return try translating(path: path) { try result.get() }
  }

  /// Leaves a request for the coordinator; see ``SweepKeeper/enter(_:for:at:)``.
  ///
  /// - Throws: ``StoreError``.
  public func enter(_ wish: StoreRequest.Wish, for sweep: SweepID?, at time: Date) throws(StoreError) {
    try translating(path: path) {
      try database.write { try StoreRequest.enter(wish, for: sweep, at: time.milliseconds, in: $0) }
    }
  }
}

/// Performs writes within one transaction, on the store's queue.
private struct BatchWriter {
  private let connection: Database
  private let places: CellPlaces
  private let now: Int64

  init(_ connection: Database, _ places: CellPlaces, _ now: Int64) {
    self.connection = connection
    self.places = places
    self.now = now
  }

  func perform(_ write: StoreWrite) throws {
    switch write {
    case .leased(let attempt, let cell, let worker, let purpose):
      let (sweep, index) = places.row(of: cell)
      try statement(
        "INSERT INTO attempts (number, sweep, idx, worker, purpose, started) VALUES (?, ?, ?, ?, ?, ?)"
      ).execute(arguments: [attempt.row, sweep.row, index, worker.name, purpose.rawValue, now])
    case .adopted(let attempt):
      try keepEnd(of: attempt)
      try statement("UPDATE attempts SET ended = NULL, outcome = NULL, reason = NULL, message = NULL WHERE number = ?")
        .execute(arguments: [attempt.row])
      try note("adopted", attempt: attempt)
    case .ended(let attempt, let end):
      try finish(attempt, AttemptColumns(end))
    case .result(let attempt, let delivered):
      try statement(
        """
        INSERT INTO results (specification, digest, attempt, result, report)
          SELECT c.specification, ?, a.number, ?, ? FROM attempts a JOIN cells c USING (sweep, idx) WHERE a.number = ?
        """
      ).execute(arguments: [delivered.digest.blob, text(delivered.result), text(delivered.report), attempt.row])
      try finish(attempt, AttemptColumns(outcome: "completed", reason: nil, message: nil))
    case .fault(let attempt, let delivered):
      try note(fault: attempt, delivered)
    case .outcome(let cell, let outcome):
      try end(cell, as: outcome)
    case .reopened(let cell, let from):
      let (sweep, index) = places.row(of: cell)
      try statement(
        """
        UPDATE cells SET state = 'pending', failure = NULL, message = NULL, counted_from = ? WHERE sweep = ? AND idx = ?
        """
      ).execute(arguments: [from.row, sweep.row, index])
      try note("cell-reopened", cell: cell)
    case .audited(let cell, let outcome):
      let (sweep, index) = places.row(of: cell)
      try statement("UPDATE cells SET audit = ? WHERE sweep = ? AND idx = ?")
        .execute(arguments: [outcome.rawValue, sweep.row, index])
      try note("audited", cell: cell, message: outcome.rawValue)
    case .worker(let worker, let change):
      let (kind, message) = change.event
      try note(kind, worker: worker, message: message)
    case .sweep(let index, let change):
      try note(change, of: places.sweep(at: index))
    }
  }

  func settle(_ request: StoreRequest.ID) throws {
    try statement("UPDATE requests SET settled = ? WHERE id = ?").execute(arguments: [now, request.row])
  }

  /// Writes an attempt's end. One that is there already, of an attempt that was taken for lost, becomes history.
  private func finish(_ attempt: AttemptID, _ columns: AttemptColumns) throws {
    let arguments: StatementArguments = [now, columns.outcome, columns.reason, columns.message, attempt.row]
    let update = "UPDATE attempts SET ended = ?, outcome = ?, reason = ?, message = ? WHERE number = ?"
    try statement(update + " AND outcome IS NULL").execute(arguments: arguments)
    guard connection.changesCount == 0 else { return }
    try keepEnd(of: attempt)
    try statement(update).execute(arguments: arguments)
  }

  private func keepEnd(of attempt: AttemptID) throws {
    try statement(
      """
      INSERT INTO journal (at, kind, sweep, idx, attempt, worker, message)
        SELECT ended, coalesce(reason, outcome), sweep, idx, number, worker, message FROM attempts
        WHERE number = ? AND outcome IS NOT NULL
      """
    ).execute(arguments: [attempt.row])
  }

  private func note(fault attempt: AttemptID, _ delivered: DeliveredResult) throws {
    try statement(
      "INSERT OR IGNORE INTO faults (attempt, digest, fingerprint, at, result, report) VALUES (?, ?, ?, ?, ?, ?)"
    ).execute(arguments: [
      attempt.row, delivered.digest.blob, delivered.fingerprint.blob, now, text(delivered.result),
      text(delivered.report),
    ])
    // What an attempt came to first stands.
    let outcome = try String.fetchOne(
      statement("SELECT outcome FROM attempts WHERE number = ?"), arguments: [attempt.row])
    switch outcome {
    case nil, "lost": try finish(attempt, AttemptColumns(outcome: "fault", reason: nil, message: nil))
    default: try note("fault", attempt: attempt)
    }
  }

  private func end(_ cell: CellID, as outcome: CellOutcome) throws {
    let state: CellRecord.State
    var failure: CellFailure?
    switch outcome {
    case .completed: state = .completed
    case .cancelled:
      state = .cancelled
      try note("cell-cancelled", cell: cell)
    case .failed(let decided):
      state = .failed
      failure = decided
      try note("cell-failed", cell: cell, message: "\(decided.kind.rawValue): \(decided.message)")
    }
    let (sweep, index) = places.row(of: cell)
    try statement("UPDATE cells SET state = ?, failure = ?, message = ? WHERE sweep = ? AND idx = ?")
      .execute(arguments: [state.rawValue, failure?.kind.rawValue, failure?.message, sweep.row, index])
  }

  private func note(_ change: SweepChange, of sweep: SweepID) throws {
    let (kind, message) = change.event
    try statement("INSERT INTO journal (at, kind, sweep, message) VALUES (?, ?, ?, ?)")
      .execute(arguments: [now, kind, sweep.row, message])
    switch change {
    case .paused, .resumed:
      try statement("UPDATE sweeps SET paused = ? WHERE id = ?").execute(arguments: [change == .paused, sweep.row])
    case .prioritised(let priority):
      try statement("UPDATE sweeps SET priority = ? WHERE id = ?").execute(arguments: [priority, sweep.row])
    case .cancelled: break
    }
  }

  private func note(
    _ kind: String, cell: CellID? = nil, worker: WorkerID? = nil, message: String? = nil
  ) throws {
    let place = cell.map(places.row)
    try statement("INSERT INTO journal (at, kind, sweep, idx, worker, message) VALUES (?, ?, ?, ?, ?, ?)")
      .execute(arguments: [now, kind, place?.sweep.row, place?.index, worker?.name, message])
  }

  private func note(_ kind: String, attempt: AttemptID) throws {
    try statement(
      """
      INSERT INTO journal (at, kind, sweep, idx, attempt, worker)
        SELECT ?, ?, sweep, idx, number, worker FROM attempts WHERE number = ?
      """
    ).execute(arguments: [now, kind, attempt.row])
  }

  private func statement(_ sql: String) throws -> Statement {
    try connection.cachedStatement(sql: sql)
  }

  private func text(_ json: [UInt8]) -> String {
    String(decoding: json, as: UTF8.self)
  }
}

extension WorkerChange {
  /// The change in the words of the history.
  var event: (kind: String, message: String?) {
    switch self {
    case .joined: ("worker-joined", nil)
    case .lost: ("worker-lost", nil)
    case .left(let reason): ("worker-left", reason)
    case .revoked(let reason): ("worker-revoked", reason)
    case .quarantined(let reason): ("worker-quarantined", reason)
    case .released: ("worker-released", nil)
    }
  }
}

extension SweepChange {
  /// The change in the words of the history.
  var event: (kind: String, message: String?) {
    switch self {
    case .paused: ("sweep-paused", nil)
    case .resumed: ("sweep-resumed", nil)
    case .cancelled: ("sweep-cancelled", nil)
    case .prioritised(let priority): ("sweep-prioritised", "\(priority)")
    }
  }
}

extension AttemptID {
  /// The number as SQLite stores it. Numbers are counted up from 1 and never come near the sign.
  var row: Int64 { Int64(number) }

  /// Reads a number as SQLite stores it.
  init(row: Int64) {
    self.init(UInt64(bitPattern: row))
  }
}
