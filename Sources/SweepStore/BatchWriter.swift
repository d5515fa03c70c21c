internal import ContentHash
internal import Foundation
internal import GRDB
internal import SweepCore

/// Performs writes within one transaction, on the store's queue.
///
/// Leases, first results and completed cells come by the thousand a second. Those that follow each other are gathered
/// and written many rows at a time, which takes half as long: none of them touches what another of them reads, so that
/// their order among themselves does not matter. Whatever else comes is written after what was gathered before it.
struct BatchWriter {
  private let connection: Database
  private let path: String
  private let places: CellPlaces
  private let now: Int64

  // Gathered.
  private var leases: [(attempt: AttemptID, cell: CellID, worker: WorkerID, purpose: LeasePurpose)] = []
  private var results: [(attempt: AttemptID, delivered: DeliveredResult)] = []
  private var completed: [CellID] = []

  /// Begins a batch.
  ///
  /// - Parameters:
  ///   - path: The store's file, which errors name.
  ///   - now: The time that is written.
  init(_ connection: Database, path: String, _ places: CellPlaces, at now: Int64) {
    self.connection = connection
    self.path = path
    self.places = places
    self.now = now
  }

  /// Writes the next write of the batch, or gathers it for ``writeGathered()``.
  mutating func perform(_ write: StoreWrite) throws {
    switch write {
    case .leased(let attempt, let cell, let worker, let purpose): leases.append((attempt, cell, worker, purpose))
    case .result(let attempt, let delivered): results.append((attempt, delivered))
    case .outcome(let cell, .completed): completed.append(cell)
    case .adopted, .ended, .fault, .outcome(_, .failed), .outcome(_, .cancelled), .reopened, .audited, .worker, .sweep:
      try writeGathered()
      try writeAlone(write)
    }
  }

  private func writeAlone(_ write: StoreWrite) throws {
    switch write {
    case .leased, .result, .outcome(_, .completed): preconditionFailure("what is gathered is not written alone")
    case .adopted(let attempt):
      try keepEnd(of: attempt)
      try statement("UPDATE attempts SET ended = NULL, outcome = NULL, reason = NULL, message = NULL WHERE number = ?")
        .execute(arguments: [attempt.row])
      try note("adopted", attempt: attempt)
    case .ended(let attempt, let end):
      try finish(attempt, AttemptColumns(end))
    case .fault(let attempt, let delivered):
      try note(fault: attempt, delivered)
    case .outcome(let cell, .failed(let failure)):
      try note("cell-failed", cell: cell, message: "\(failure.kind.rawValue): \(failure.message)")
      try end(cell, as: .failed, failure)
    case .outcome(let cell, .cancelled):
      try note("cell-cancelled", cell: cell)
      try end(cell, as: .cancelled)
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

  /// Writes that a request has been taken up.
  func settle(_ request: StoreRequest.ID) throws {
    try statement("UPDATE requests SET settled = ? WHERE id = ?").execute(arguments: [now, request.row])
  }

  // MARK: - Many rows at a time

  /// Writes what has been gathered. To be called after the last write of a batch.
  mutating func writeGathered() throws {
    // In this order: a result needs the row of its attempt.
    try inRuns(of: leases) { leases in try insert(leases) }
    try inRuns(of: results) { results in try insert(results) }
    try insertWindows(of: results.filter { $0.delivered.windows != nil })
    if !completed.isEmpty { try complete() }
    leases.removeAll(keepingCapacity: true)
    results.removeAll(keepingCapacity: true)
    completed.removeAll(keepingCapacity: true)
  }

  /// Cuts a list into parts of the sizes that there are statements for.
  private func inRuns<Element>(of list: [Element], _ write: (ArraySlice<Element>) throws -> Void) throws {
    var rest = list[...]
    for size in RowStatement.sizes {
      while rest.count >= size {
        try write(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
    }
  }

  private func insert(
    _ leases: ArraySlice<(attempt: AttemptID, cell: CellID, worker: WorkerID, purpose: LeasePurpose)>
  ) throws {
    var values: [DatabaseValue] = []
    values.reserveCapacity(6 * leases.count)
    for (attempt, cell, worker, purpose) in leases {
      let (sweep, index) = places.row(of: cell)
      values += [
        attempt.row.databaseValue, sweep.row.databaseValue, index.databaseValue, worker.name.databaseValue,
        purpose.rawValue.databaseValue, now.databaseValue,
      ]
    }
    try statement(RowStatement.leases[leases.count]).execute(arguments: StatementArguments(values))
  }

  private func insert(_ results: ArraySlice<(attempt: AttemptID, delivered: DeliveredResult)>) throws {
    var values: [DatabaseValue] = []
    values.reserveCapacity(4 * results.count)
    for (attempt, delivered) in results {
      values += [
        attempt.row.databaseValue, delivered.digest.numbers.blob.databaseValue, text(delivered.result).databaseValue,
        text(delivered.report).databaseValue,
      ]
    }
    try statement(RowStatement.results[results.count]).execute(arguments: StatementArguments(values))
    guard connection.changesCount == results.count else {
      throw StoreError.damaged(path: path, detail: "the cell of an attempt that has a result is not there")
    }
    let numbers = results.map { $0.attempt.row.databaseValue }
    try statement(RowStatement.ends[results.count])
      .execute(arguments: StatementArguments([now.databaseValue] + numbers))
    guard connection.changesCount < results.count else { return }
    // Some had ended before, as lost or otherwise.
    let late = try Int64.fetchSet(
      statement(RowStatement.lateEnds[results.count]), arguments: StatementArguments(numbers))
    for (attempt, _) in results where late.contains(attempt.row) {
      try finish(attempt, AttemptColumns(outcome: "completed", reason: nil, message: nil))
    }
  }

  private func insertWindows(of results: [(attempt: AttemptID, delivered: DeliveredResult)]) throws {
    var bases: Set<SHA256Digest> = []
    for (_, delivered) in results {
      guard let windows = delivered.windows, let digest = delivered.baseDigest, bases.insert(digest).inserted else {
        continue
      }
      try statement("INSERT OR IGNORE INTO base_windows (digest, losses) VALUES (?, ?)")
        .execute(arguments: [digest.blob, Data(windows.base)])
    }
    try inRuns(of: results) { results in
      var values: [DatabaseValue] = []
      values.reserveCapacity(4 * results.count)
      for (attempt, delivered) in results {
        values += [
          attempt.row.databaseValue, (delivered.digest.windows?.blob).databaseValue,
          (delivered.baseDigest?.blob).databaseValue, Data(delivered.windows?.edited ?? []).databaseValue,
        ]
      }
      try statement(RowStatement.windows[results.count]).execute(arguments: StatementArguments(values))
      guard connection.changesCount == results.count else {
        throw StoreError.damaged(path: path, detail: "the base of windows that a result brought is not there")
      }
    }
  }

  private func complete() throws {
    for (sweep, cells) in Dictionary(grouping: completed.map(places.row), by: { $0.sweep.row }) {
      try inRuns(of: cells) { cells in
        let indices = cells.map { $0.index.databaseValue }
        try statement(RowStatement.completions[cells.count])
          .execute(arguments: StatementArguments([sweep.databaseValue] + indices))
      }
    }
  }

  // MARK: - One at a time

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
      """
      INSERT OR IGNORE INTO faults (attempt, digest, fingerprint, at, result, report, base_windows, windows)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).execute(arguments: [
      attempt.row, delivered.digest.numbers.blob, delivered.fingerprint.blob, now, text(delivered.result),
      text(delivered.report), (delivered.windows?.base).map { Data($0) }, (delivered.windows?.edited).map { Data($0) },
    ])
    // What an attempt came to first stands.
    let outcome = try String.fetchOne(
      statement("SELECT outcome FROM attempts WHERE number = ?"), arguments: [attempt.row])
    switch outcome {
    case nil, "lost": try finish(attempt, AttemptColumns(outcome: "fault", reason: nil, message: nil))
    default: try note("fault", attempt: attempt)
    }
  }

  private func end(_ cell: CellID, as state: CellRecord.State, _ failure: CellFailure? = nil) throws {
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

/// A statement for many rows at a time: its text for each of a few numbers of rows, so that each is prepared once.
private struct RowStatement {
  /// Numbers of rows, from the most to 1.
  static let sizes = [64, 16, 4, 1]

  static let leases = RowStatement(rows: "(?, ?, ?, ?, ?, ?)") {
    "INSERT INTO attempts (number, sweep, idx, worker, purpose, started) VALUES \($0)"
  }
  /// The joins are crossed so that they are made in this order, from the few to the many.
  static let results = RowStatement(rows: "(?, ?, ?, ?)") {
    """
    INSERT INTO results (specification, digest, attempt, result, report)
      SELECT c.specification, v.column2, v.column1, v.column3, v.column4 FROM (VALUES \($0)) v
        CROSS JOIN attempts a ON a.number = v.column1 CROSS JOIN cells c ON c.sweep = a.sweep AND c.idx = a.idx
    """
  }
  /// The joins are crossed as those of ``results``.
  static let windows = RowStatement(rows: "(?, ?, ?, ?)") {
    """
    INSERT INTO windows (specification, digest, base, losses)
      SELECT c.specification, v.column2, b.id, v.column4 FROM (VALUES \($0)) v
        CROSS JOIN attempts a ON a.number = v.column1 CROSS JOIN cells c ON c.sweep = a.sweep AND c.idx = a.idx
        CROSS JOIN base_windows b ON b.digest = v.column3
    """
  }
  static let ends = RowStatement(rows: "?") {
    """
    UPDATE attempts SET ended = ?, outcome = 'completed', reason = NULL, message = NULL
    WHERE number IN (\($0)) AND outcome IS NULL
    """
  }
  static let lateEnds = RowStatement(rows: "?") {
    "SELECT number FROM attempts WHERE number IN (\($0)) AND outcome <> 'completed'"
  }
  static let completions = RowStatement(rows: "?") {
    "UPDATE cells SET state = 'completed', failure = NULL, message = NULL WHERE sweep = ? AND idx IN (\($0))"
  }

  private let texts: [Int: String]

  /// Writes the texts.
  ///
  /// - Parameters:
  ///   - row: what stands for each row.
  ///   - text: the statement around all of them.
  private init(rows row: String, _ text: (_ rows: String) -> String) {
    texts = Dictionary(
      uniqueKeysWithValues: Self.sizes.map { size in
        (size, text(Array(repeating: row, count: size).joined(separator: ", ")))
      })
  }

  subscript(count: Int) -> String {
    guard let text = texts[count] else { preconditionFailure("there is no statement for \(count) rows") }
    return text
  }
}
