internal import HeapModule

/// Which worker gets which cell.
///
/// Cells are dealt in the order of their indices, those that were leased before first; workers with the fewest leases
/// come first, and among them those that have waited longest, so that the last cells are spread rather than stacked.
/// A cell is not given to a worker on which it failed while another worker is there to try it.
extension Scheduler {
  /// Requeued cells looked at for one that a worker may try; bounds the cost of an event when many avoid the same
  /// worker. The others have their turn when a worker that they do not avoid asks.
  private static let lookAhead = 32

  mutating func deal(_ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .dealing: break
    case .draining, .finished: return
    }
    var passed: [Hungry] = []
    while hasWaitingCells, let entry = popHungry() {
      guard let cell = takeCell(for: entry.worker) else {
        passed.append(entry)
        continue
      }
      let attempt = AttemptID(nextAttempt)
      nextAttempt += 1
      attempts[attempt] = AttemptEntry(cell: cell, worker: entry.worker, standing: .live)
      hold(attempt, at: now, wasNamed: false)
      actions.append(.record(.leased(attempt, cell, entry.worker)))
      actions.append(.lease(entry.worker, attempt, cell))
    }
    for entry in passed { hungry.insert(entry) }
  }

  /// Puts a pending cell before those that were never leased.
  mutating func requeue(_ cell: CellID) {
    guard !cells[cell.index].isQueued else { return }
    switch cells[cell.index].state {
    case .pending:
      cells[cell.index].isQueued = true
      requeued.insert(cell)
    case .running, .twin, .completed, .failed, .cancelled: break
    }
  }

  /// Whether a cell may be waiting. Skips, for good, those at the front that are not.
  private var hasWaitingCells: Bool {
    mutating get {
      while nextFresh < cells.count, !isFresh(nextFresh) { nextFresh += 1 }
      return nextFresh < cells.count || !requeued.isEmpty
    }
  }

  private func isFresh(_ index: Int) -> Bool {
    switch cells[index].state {
    case .pending: !cells[index].isQueued
    case .twin, .running, .completed, .failed, .cancelled: false
    }
  }

  private mutating func takeCell(for worker: WorkerID) -> CellID? {
    var avoided: [CellID] = []
    defer { for cell in avoided { requeued.insert(cell) } }
    while avoided.count < Self.lookAhead, let cell = requeued.popMin() {
      switch cells[cell.index].state {
      case .pending:
        guard mayTry(cell, worker) else {
          avoided.append(cell)
          continue
        }
        cells[cell.index].isQueued = false
        return cell
      case .running, .completed, .failed, .cancelled:
        cells[cell.index].isQueued = false
      case .twin:
        preconditionFailure("twin \(cell.index) was queued")
      }
    }
    guard nextFresh < cells.count, isFresh(nextFresh) else { return nil }
    nextFresh += 1
    return CellID(nextFresh - 1)
  }

  private func mayTry(_ cell: CellID, _ worker: WorkerID) -> Bool {
    guard let avoided = troubles[cell], avoided.contains(worker) else { return true }
    let willingAvoided = Set(avoided).count { (workers[$0]?.credit ?? 0) > 0 }
    return willingAvoided == willing
  }

  /// Puts a worker in the line for cells, at the place that its present leases give it.
  mutating func offer(_ worker: WorkerID) {
    guard let entry = workers[worker] else { return }
    nextTicket += 1
    workers[worker]?.ticket = nextTicket
    guard entry.leases.count < entry.credit else { return }
    hungry.insert(Hungry(leases: entry.leases.count, ticket: nextTicket, worker: worker))
    // Stale entries leave when they come to the front; when none is asked for, they must not pile up.
    if hungry.count > 2 * workers.count + 64 {
      hungry = Heap(hungry.unordered.filter { isCurrent($0) })
    }
  }

  /// How many entries the lines of workers hold, stale ones included.
  var lineLengths: (hungry: Int, deadlines: Int) { (hungry.count, deadlines.count) }

  private mutating func popHungry() -> Hungry? {
    while let entry = hungry.popMin() {
      if isCurrent(entry) { return entry }
    }
    return nil
  }

  private func isCurrent(_ entry: Hungry) -> Bool {
    workers[entry.worker]?.ticket == entry.ticket
  }
}
