internal import Foundation
internal import SweepCore

/// What a ``MemoryStore`` tells.
extension MemoryTables {
  func sweepRecords() -> [SweepRecord] {
    sweeps.enumerated().map { index, sweep in
      SweepRecord(
        id: SweepID(row: Int64(index) + 1), description: sweep.description, begun: sweep.begun, opened: sweep.opened,
        priority: sweep.priority, isPaused: sweep.isPaused)
    }.sorted { ($0.opened, $0.id.row) > ($1.opened, $1.id.row) }
  }

  func tallies(of sweep: SweepID) -> [MethodTally] {
    var tallies = self[sweep].methods.map { MethodTally(method: $0, cells: [:], cached: 0) }
    let places = Dictionary(uniqueKeysWithValues: self[sweep].methods.enumerated().map { ($1, $0) })
    for cell in self[sweep].cells {
      guard let place = places[cell.cell.method] else { continue }
      tallies[place].cells[standing(of: cell), default: 0] += 1
      if source(of: cell, in: sweep) != nil { tallies[place].cached += 1 }
    }
    return tallies
  }

  func records(of sweep: SweepID) throws(StoreError) -> [CellRecord] {
    var records: [CellRecord] = []
    for cell in self[sweep].cells {
      let accepted = cell.state == .completed ? results[cell.cell.fingerprint] : nil
      guard (accepted != nil) == (cell.state == .completed) else {
        throw .damaged(path: "memory", detail: "cell \(cell.cell.index) is completed without a result")
      }
      let result: CellResult? = if let accepted { try self.result(accepted.delivered) } else { nil }
      let report: AttemptReport? = if let accepted { try decode(accepted.delivered.report) } else { nil }
      let lastFailure = cell.attempts.compactMap { attempts[$0]?.failure }.last
      records.append(
        CellRecord(
          cell: cell.cell, state: standing(of: cell), result: result, failure: cell.failure ?? lastFailure,
          report: report, attempts: cell.attempts.count, cachedFrom: source(of: cell, in: sweep)))
    }
    return records
  }

  func events(of sweep: SweepID, cell: Int?) -> [StoredEvent] {
    var told = events.filter { event in
      cell == nil ? event.sweep == sweep || event.sweep == nil : event.sweep == sweep && event.what.cell == cell
    }.map(\.what)
    for (index, entry) in self[sweep].cells.enumerated() where cell == nil || cell == index {
      guard entry.state == .completed, let result = results[entry.cell.fingerprint],
        let attempt = attempts[result.attempt], let end = attempt.end,
        attempt.sweep != sweep || attempt.index != index
      else { continue }
      told.append(
        StoredEvent(
          at: max(end.at, self[sweep].begun), kind: "cached", cell: index, attempt: result.attempt,
          message: self[attempt.sweep].description.name))
    }
    return told.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
  }

  func faults(of sweep: SweepID) -> [ReproducibilityFault] {
    faults.filter { $0.sweep == sweep }.map(\.fault).sorted { ($0.at, $0.attempt) < ($1.at, $1.attempt) }
  }

  private func standing(of cell: StoredCell) -> CellRecord.State {
    let isRunning = cell.state == .pending && cell.attempts.contains { attempts[$0]?.end == nil }
    return isRunning ? .running : cell.state
  }

  /// The name of the sweep that brought a cell's result, where it was another.
  private func source(of cell: StoredCell, in sweep: SweepID) -> String? {
    guard cell.state == .completed, let result = results[cell.cell.fingerprint],
      let origin = attempts[result.attempt]?.sweep, origin != sweep
    else { return nil }
    return self[origin].description.name
  }

  private func result(_ delivered: DeliveredResult) throws(StoreError) -> CellResult {
    do {
      return try CellResult(canonicalForm: delivered.result, windows: delivered.windows)
    } catch {
      throw .damaged(path: "memory", detail: "a result cannot be read")
    }
  }

  private func decode<Value: Decodable>(_ json: [UInt8]) throws(StoreError) -> Value {
    do {
      return try CanonicalJSON.decode(from: json)
    } catch {
      throw .damaged(path: "memory", detail: "a result cannot be read")
    }
  }
}

extension MemoryTables.Attempt {
  /// The failure that the attempt ended with; `nil` where it did not fail.
  var failure: CellFailure? {
    guard case .ended(let end) = end?.standing else { return nil }
    return AttemptColumns(end).failure
  }
}
