internal import ContentHash
internal import Foundation
internal import SweepCore

/// What a ``MemoryStore`` keeps. Whatever throws has changed nothing.
struct MemoryTables {
  struct Sweep {
    var description: SweepDescription
    let methods: [String]
    let begun: Date
    var opened: Date
    var priority = 0
    var isPaused = false
    var cells: [StoredCell]
  }

  struct StoredCell {
    let cell: Cell
    var state = CellRecord.State.pending
    var failure: CellFailure?
    var countedFrom = AttemptID(0)
    var audit: AuditOutcome?
    var attempts: [AttemptID] = []
  }

  struct Attempt {
    let sweep: SweepID
    let index: Int
    let worker: WorkerID
    let purpose: LeasePurpose
    var end: (standing: Scheduler.StoredStanding, at: Date)?
  }

  struct Result {
    let attempt: AttemptID
    let delivered: DeliveredResult
  }

  struct Event {
    let sweep: SweepID?
    let what: StoredEvent
  }

  /// By row, which counts from 1.
  var sweeps: [Sweep] = []
  var attempts: [AttemptID: Attempt] = [:]
  var lastAttempt = AttemptID(0)
  var results: [SHA256Digest: Result] = [:]
  var faults: [(sweep: SweepID, fault: ReproducibilityFault, digest: ResultDigest)] = []
  var events: [Event] = []
  var requests: [StoreRequest] = []
  private var lastRequest: Int64 = 0

  subscript(sweep: SweepID) -> Sweep {
    get { sweeps[Int(sweep.row) - 1] }
    set { sweeps[Int(sweep.row) - 1] = newValue }
    _modify { yield &sweeps[Int(sweep.row) - 1] }
  }

  // MARK: - Beginning

  mutating func begin(_ entries: [SweepEntry], at time: Date) throws(StoreError) -> OpenSweeps {
    precondition(Set(entries.map(\.description.digest)).count == entries.count, "a sweep is begun twice at a time")
    for entry in entries { try checkIsKnown(entry) }
    var places = CellPlaces()
    var opened: [OpenSweep] = []
    var open: [Scheduler.StoredAttempt] = []
    for entry in entries {
      let sweep = enter(entry, at: time)
      settle(sweep, at: time)
      let start = places.count
      places.append(sweep, cells: entry.cells.count)
      opened.append(load(sweep))
      for (index, cell) in self[sweep].cells.enumerated() {
        for number in cell.attempts {
          guard let attempt = attempts[number] else { preconditionFailure("attempt \(number.number) was listed") }
          open.append(
            Scheduler.StoredAttempt(
              attempt: number, cell: CellID(start + index), worker: attempt.worker, purpose: attempt.purpose,
              standing: attempt.end?.standing ?? .open))
        }
      }
    }
    open.sort { $0.attempt < $1.attempt }
    return OpenSweeps(
      sweeps: opened, attempts: open, nextAttempt: AttemptID(lastAttempt.number + 1), places: places)
  }

  private func row(of digest: SHA256Digest) -> SweepID? {
    sweeps.firstIndex { $0.description.digest == digest }.map { SweepID(row: Int64($0) + 1) }
  }

  private func checkIsKnown(_ entry: SweepEntry) throws(StoreError) {
    guard let sweep = row(of: entry.description.digest) else { return }
    guard self[sweep].cells.map(\.cell) == entry.cells else {
      throw .damaged(path: "memory", detail: "sweep \(entry.description.name) has other cells")
    }
  }

  private mutating func enter(_ entry: SweepEntry, at time: Date) -> SweepID {
    var sweep = row(of: entry.description.digest)
    if sweep == nil {
      sweeps.append(
        Sweep(
          description: entry.description, methods: entry.methods, begun: time, opened: time,
          cells: entry.cells.map { StoredCell(cell: $0) }))
      sweep = SweepID(row: Int64(sweeps.count))
    }
    guard let sweep else { preconditionFailure("the sweep was entered above") }
    self[sweep].description = entry.description
    self[sweep].opened = time
    events.append(Event(sweep: sweep, what: StoredEvent(at: time, kind: "sweep-opened")))
    return sweep
  }

  /// Completes the cells that have a result by now, and with them what may still have been open.
  private mutating func settle(_ sweep: SweepID, at time: Date) {
    for index in self[sweep].cells.indices {
      let cell = self[sweep].cells[index]
      switch cell.state {
      case .pending, .running, .failed:
        guard results[cell.cell.fingerprint] != nil else { continue }
        if cell.state == .failed {
          note("cell-reopened", sweep, index, at: time, "its result came after it had failed")
        }
        self[sweep].cells[index].state = .completed
        self[sweep].cells[index].failure = nil
      case .completed, .cancelled: break
      }
    }
    for index in self[sweep].cells.indices {
      let cell = self[sweep].cells[index]
      for number in cell.attempts where attempts[number]?.end == nil {
        let isChecking =
          cell.state == .completed && attempts[number]?.purpose == .audit && self[sweep].description.auditFraction > 0
          && !isAudited(cell.cell.fingerprint)
        if cell.state != .pending, !isChecking { finish(number, .ended(.revoked), at: time) }
      }
    }
  }

  /// Whether the audit of a cell or of one that is equal to it is over.
  private func isAudited(_ fingerprint: SHA256Digest) -> Bool {
    sweeps.contains { $0.cells.contains { $0.cell.fingerprint == fingerprint && $0.audit != nil } }
  }

  private func load(_ id: SweepID) -> OpenSweep {
    let sweep = self[id]
    let groups = Dictionary(uniqueKeysWithValues: sweep.methods.enumerated().map { ($1, $0) })
    return OpenSweep(
      id: id, name: sweep.description.name, cells: sweep.cells.map(\.cell), methods: sweep.methods,
      stored: Scheduler.StoredSweep(
        cells: sweep.cells.map { cell in
          Scheduler.StoredCell(
            fingerprint: cell.cell.fingerprint, state: cell.state,
            resultDigest: results[cell.cell.fingerprint]?.delivered.digest, group: groups[cell.cell.method] ?? 0,
            countedFrom: cell.countedFrom, isAudited: cell.audit != nil)
        }, groups: sweep.methods.count, priority: sweep.priority, isPaused: sweep.isPaused,
        auditFraction: sweep.description.auditFraction))
  }

  // MARK: - Committing

  mutating func perform(_ batch: StoreBatch, in places: CellPlaces, at time: Date) throws(StoreError) {
    try check(batch, places)
    for write in batch.writes { perform(write, places, at: time) }
    requests.removeAll { batch.settled.contains($0.id) }
  }

  mutating func enter(_ wish: StoreRequest.Wish, for sweep: SweepID?, at time: Date) {
    lastRequest += 1
    requests.append(StoreRequest(id: .init(row: lastRequest), at: time, sweep: sweep, wish: wish))
  }

  /// Refuses what the tables of a file would: the number of an attempt, or a result, for the second time.
  private func check(_ batch: StoreBatch, _ places: CellPlaces) throws(StoreError) {
    var numbers: Set<AttemptID> = []
    var fingerprints: Set<SHA256Digest> = []
    for write in batch.writes {
      switch write {
      case .leased(let attempt, _, _, _):
        guard attempts[attempt] == nil, numbers.insert(attempt).inserted else {
          throw .failed(path: "memory", detail: "attempt \(attempt.number) is leased twice")
        }
      case .result(let attempt, let delivered):
        guard results[delivered.fingerprint] == nil, fingerprints.insert(delivered.fingerprint).inserted else {
          throw .failed(path: "memory", detail: "attempt \(attempt.number) brings a second result")
        }
      case .adopted, .ended, .fault, .outcome, .reopened, .audited, .worker, .sweep: break
      }
    }
  }

  private mutating func perform(_ write: StoreWrite, _ places: CellPlaces, at time: Date) {
    switch write {
    case .leased(let attempt, let cell, let worker, let purpose):
      let (sweep, index) = places.row(of: cell)
      attempts[attempt] = Attempt(sweep: sweep, index: index, worker: worker, purpose: purpose)
      lastAttempt = max(lastAttempt, attempt)
      self[sweep].cells[index].attempts.append(attempt)
      note("leased", attempt, at: time, purpose == .result ? nil : purpose.rawValue)
    case .adopted(let attempt):
      attempts[attempt]?.end = nil
      note("adopted", attempt, at: time)
    case .ended(let attempt, let end):
      finish(attempt, .ended(end), at: time)
    case .result(let attempt, let delivered):
      results[delivered.fingerprint] = Result(attempt: attempt, delivered: delivered)
      attempts[attempt]?.end = (.delivered, time)
      note("completed", attempt, at: time)
    case .fault(let attempt, let delivered):
      keep(delivered, of: attempt, at: time)
    case .outcome(let cell, let outcome):
      end(places.row(of: cell), as: outcome, at: time)
    case .reopened(let cell, let from):
      let (sweep, index) = places.row(of: cell)
      self[sweep].cells[index].state = .pending
      self[sweep].cells[index].failure = nil
      self[sweep].cells[index].countedFrom = from
      note("cell-reopened", sweep, index, at: time)
    case .audited(let cell, let outcome):
      let (sweep, index) = places.row(of: cell)
      self[sweep].cells[index].audit = outcome
      note("audited", sweep, index, at: time, outcome.rawValue)
    case .worker(let worker, let change):
      let (kind, message) = change.event
      events.append(
        Event(sweep: nil, what: StoredEvent(at: time, kind: kind, worker: worker, message: message)))
    case .sweep(let index, let change):
      let sweep = places.sweep(at: index)
      switch change {
      case .paused: self[sweep].isPaused = true
      case .resumed: self[sweep].isPaused = false
      case .prioritised(let priority): self[sweep].priority = priority
      case .cancelled: break
      }
      let (kind, message) = change.event
      events.append(Event(sweep: sweep, what: StoredEvent(at: time, kind: kind, message: message)))
    }
  }

  private mutating func finish(_ attempt: AttemptID, _ standing: Scheduler.StoredStanding, at time: Date) {
    attempts[attempt]?.end = (standing, time)
    let columns: AttemptColumns? = if case .ended(let end) = standing { AttemptColumns(end) } else { nil }
    note(columns?.reason ?? columns?.outcome ?? "fault", attempt, at: time, columns?.message)
  }

  private mutating func keep(_ delivered: DeliveredResult, of attempt: AttemptID, at time: Date) {
    guard let entry = attempts[attempt] else { return }
    if !faults.contains(where: { $0.fault.attempt == attempt && $0.digest == delivered.digest }) {
      faults.append(
        (
          entry.sweep,
          ReproducibilityFault(attempt: attempt, worker: entry.worker, cell: entry.index, at: time), delivered.digest
        ))
    }
    switch entry.end?.standing {
    case .open, .ended(.lost), nil: finish(attempt, .differed, at: time)
    case .delivered, .differed, .ended: note("fault", attempt, at: time)
    }
  }

  private mutating func end(_ place: (sweep: SweepID, index: Int), as outcome: CellOutcome, at time: Date) {
    let (sweep, index) = place
    switch outcome {
    case .completed: self[sweep].cells[index].state = .completed
    case .cancelled:
      self[sweep].cells[index].state = .cancelled
      note("cell-cancelled", sweep, index, at: time)
    case .failed(let failure):
      self[sweep].cells[index].state = .failed
      self[sweep].cells[index].failure = failure
      note("cell-failed", sweep, index, at: time, "\(failure.kind.rawValue): \(failure.message)")
    }
  }

  private mutating func note(_ kind: String, _ attempt: AttemptID, at time: Date, _ message: String? = nil) {
    guard let entry = attempts[attempt] else { return }
    events.append(
      Event(
        sweep: entry.sweep,
        what: StoredEvent(
          at: time, kind: kind, cell: entry.index, attempt: attempt, worker: entry.worker, message: message)))
  }

  private mutating func note(
    _ kind: String, _ sweep: SweepID, _ cell: Int, at time: Date, _ message: String? = nil
  ) {
    events.append(Event(sweep: sweep, what: StoredEvent(at: time, kind: kind, cell: cell, message: message)))
  }
}
