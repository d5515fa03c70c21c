internal import ContentHash
internal import Foundation
internal import GRDB
internal import SweepCore

extension StoreReader {
  /// Examines sweeps, all as of one moment, with all of the file that they lie in.
  ///
  /// - Throws: ``StoreError/damaged(path:detail:)`` where the file itself is damaged.
  public func audit(_ sweeps: [SweepRecord]) throws(StoreError) -> [StoreAudit] {
    try read { queries in
      try StoreSchema.checkIntegrity(queries.connection, path: queries.path)
      return try sweeps.map { try queries.audit($0) }
    }
  }
}

extension StoreQueries {
  /// What is known of the attempts at one cell.
  private struct Tried {
    /// Attempts that are recorded to have brought the first result.
    var completing: [AttemptID] = []
  }

  func audit(_ sweep: SweepRecord) throws -> StoreAudit {
    var audit = StoreAudit(sweep: sweep.description.name, digest: sweep.description.digest)
    let tried = try attempts(of: sweep.id, &audit)
    var members: [(method: String, fingerprint: SHA256Digest)] = []
    let rows = try Row.fetchCursor(
      connection,
      sql: """
        SELECT c.idx, c.method, c.state, c.failure, c.message, c.audit, s.fingerprint, s.specification,
          r.digest, r.result, r.report, r.attempt, a.outcome, a.sweep, a.idx, o.specification = c.specification,
          w.digest, b.losses, w.losses
        FROM cells c LEFT JOIN specifications s ON s.id = c.specification
          LEFT JOIN results r ON r.specification = c.specification
          LEFT JOIN windows w ON w.specification = c.specification LEFT JOIN base_windows b ON b.id = w.base
          LEFT JOIN attempts a ON a.number = r.attempt
          LEFT JOIN cells o ON o.sweep = a.sweep AND o.idx = a.idx
        WHERE c.sweep = ? ORDER BY c.idx
        """, arguments: [sweep.id.row])
    while let row = try rows.next() {
      let index: Int = row[0]
      if index != audit.cells {
        audit.contradictions.append(.init(cell: index, detail: "expected cell \(audit.cells) at its place"))
      }
      audit.cells += 1
      let fingerprint = try examineSpecification(row, &audit)
      members.append((row[1], fingerprint))
      if let outcome = (row[5] as String?).flatMap(AuditOutcome.init) { audit.audits[outcome, default: 0] += 1 }
      try examineEnd(row, index, sweep.id, tried[index] ?? Tried(), &audit)
    }
    if SweepIdentity.digest(name: audit.sweep, cells: members) != audit.digest {
      audit.contradictions.append(
        .init(cell: nil, detail: "the sweep's name and cells do not fit its digest: they are not those of its file"))
    }
    audit.contradictions.sort()
    return audit
  }

  private func attempts(of sweep: SweepID, _ audit: inout StoreAudit) throws -> [Int: Tried] {
    var tried: [Int: Tried] = [:]
    let rows = try Row.fetchCursor(
      connection, sql: "SELECT number, idx, worker, outcome FROM attempts WHERE sweep = ? ORDER BY number",
      arguments: [sweep.row])
    while let row = try rows.next() {
      let attempt = StoreAudit.Attempt(cell: row[1], attempt: AttemptID(row: row[0]), worker: WorkerID(row[2]))
      switch row[3] as String? {
      case "completed": tried[attempt.cell, default: Tried()].completing.append(attempt.attempt)
      case "duplicate": audit.duplicates += 1
      case nil: audit.open.append(attempt)
      default: break
      }
    }
    // One attempt may have contradicted itself after a result that was accepted.
    let differing = try Row.fetchAll(
      connection,
      sql: """
        SELECT DISTINCT a.idx, a.number, a.worker FROM faults f JOIN attempts a ON a.number = f.attempt
        WHERE a.sweep = ? ORDER BY a.number
        """, arguments: [sweep.row])
    audit.differing = differing.map {
      StoreAudit.Attempt(cell: $0[0], attempt: AttemptID(row: $0[1]), worker: WorkerID($0[2]))
    }
    return tried
  }

  /// Digests a cell's specification, and returns the fingerprint that the store has of it.
  private func examineSpecification(_ row: Row, _ audit: inout StoreAudit) throws -> SHA256Digest {
    guard let blob: Data = row[6], let specification: String = row[7] else {
      audit.contradictions.append(.init(cell: row[0], detail: "its specification is missing"))
      return SHA256Digest(of: "")
    }
    let fingerprint = try SHA256Digest(blob: blob, path: path)
    if SHA256Digest(of: specification) != fingerprint {
      audit.contradictions.append(.init(cell: row[0], detail: "its specification does not fit its fingerprint"))
    } else if (try? CanonicalJSON.decode(CellSpecification.self, from: Array(specification.utf8))) == nil {
      audit.contradictions.append(.init(cell: row[0], detail: "its specification cannot be read"))
    }
    return fingerprint
  }

  private func examineEnd(
    _ row: Row, _ index: Int, _ sweep: SweepID, _ tried: Tried, _ audit: inout StoreAudit
  ) throws {
    switch CellRecord.State(rawValue: row[2]) {
    case .completed:
      let found = try contradictions(in: row, index, sweep, tried)
      audit.contradictions += found.map { .init(cell: index, detail: $0) }
      if found.isEmpty {
        audit.accepted += 1
        if row[13] != sweep.row { audit.cached += 1 }
      }
    case .failed:
      let failure = AttemptColumns(outcome: nil, reason: row[3], message: row[4]).failure
      audit.failed.append(
        .init(cell: index, failure: failure ?? CellFailure(kind: .engineFault, message: "for a reason unknown")))
    case .cancelled: audit.cancelled.append(index)
    case .pending, .running: audit.missing.append(index)
    case nil: audit.contradictions.append(.init(cell: index, detail: "its state is \(row[2] as String)"))
    }
  }

  /// What keeps a completed cell from having exactly one accepted result.
  private func contradictions(in row: Row, _ index: Int, _ sweep: SweepID, _ tried: Tried) throws -> [String] {
    guard let blob: Data = row[8], let result: String = row[9], let report: String = row[10] else {
      return ["it is completed and has no result"]
    }
    var found: [String] = []
    if SHA256Digest(of: result) != (try SHA256Digest(blob: blob, path: path)) {
      found.append("its result does not fit its digest")
    }
    let windows = (row[16] as Data?).map { _ in
      WindowBytes(base: Array(row[17] as Data? ?? Data()), edited: Array(row[18] as Data? ?? Data()))
    }
    if let blob: Data = row[16], windows?.digest() != (try SHA256Digest(blob: blob, path: path)) {
      found.append("its evaluation windows do not fit their digest")
    }
    let read = try? CellResult(canonicalForm: Array(result.utf8), windows: windows)
    if read?.evaluations.isEmpty != false { found.append("its result cannot be read") }
    if read?.isMeanOfItsWindows == false { found.append("its evaluation windows do not average to its means") }
    if (try? CanonicalJSON.decode(AttemptReport.self, from: Array(report.utf8))) == nil {
      found.append("the report of its result cannot be read")
    }
    let number: Int64 = row[11]
    if row[12] as String? != "completed" {
      found.append("attempt \(number), which is said to have brought its result, ended otherwise")
    } else if row[15] as Bool? != true {
      found.append("attempt \(number), which brought its result, ran another cell")
    }
    let isOwn = row[13] as Int64? == sweep.row && row[14] as Int? == index
    let expected = isOwn ? [AttemptID(row: number)] : []
    if tried.completing != expected {
      let numbers = tried.completing.map { "\($0.number)" }.joined(separator: ", ")
      found.append("expected one attempt that brought its result, found \(numbers.isEmpty ? "none" : numbers)")
    }
    return found
  }
}
