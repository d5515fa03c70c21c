internal import HeapModule

/// Which worker gets which cell.
///
/// Sweeps of the highest priority go first, and among equals the one with the fewest cells under way. Its cells are
/// dealt in the order of their places, those that were leased before first. Workers with the lowest load (leases for
/// each slot) come first, and among them those that have waited longest, so that the last cells are spread rather than
/// stacked. A cell is given to the worker that suits it best: see ``mayTry(_:_:)``.
extension Scheduler {
  /// Waiting cells of a sweep looked at for one that a worker may try; bounds the cost of an event when many avoid the
  /// same worker. The others have their turn when a worker that they do not avoid asks.
  static let lookAhead = 32

  /// Workers looked at when no cell waits, for one that may check or copy what others run.
  private static let idleLookAhead = 8

  mutating func deal(_ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .dealing: break
    case .draining, .finished: return
    }
    guard !isSettled else { return }
    var passed: [Hungry] = []
    while true {
      let somethingWaits = nextLane(except: []) != nil
      guard somethingWaits || liveAttempts > 0 || auditsOwed > 0, let entry = popHungry() else { break }
      if somethingWaits, let cell = takeCell(for: entry.worker) {
        grant(cell, to: entry.worker, for: .result, now, &actions)
      } else if entry.isIdle, let (cell, purpose) = takeForIdle(entry.worker, now, &actions) {
        grant(cell, to: entry.worker, for: purpose, now, &actions)
      } else {
        passed.append(entry)
        if !somethingWaits, !entry.isIdle || passed.count >= Self.idleLookAhead { break }
      }
    }
    for entry in passed { hungry.insert(entry) }
    isSettled = true
  }

  private mutating func grant(
    _ cell: CellID, to worker: WorkerID, for purpose: LeasePurpose, _ now: Instant, _ actions: inout [Action]
  ) {
    let attempt = attempts.append(AttemptEntry(cell: cell, worker: worker, purpose: purpose, standing: .live))
    hold(attempt, at: now, wasNamed: false, isStarted: false)
    actions.append(.record(.leased(attempt, cell, worker, for: purpose)))
    actions.append(.lease(worker, attempt, cell))
  }

  // MARK: - Waiting cells

  /// Puts the waiting cells of a head before those of their sweeps that were never leased.
  mutating func requeue(_ head: CellID) {
    guard isWaiting(head) else { return }
    undertake(head)
    guard efforts[head]?.ticket == 0 else { return }
    nextTicket += 1
    efforts.update(head) { [nextTicket] in $0.ticket = nextTicket }
    isSettled = false
    for member in openMembers(head) {
      let lane = Int(cells[member.index].lane)
      lanes[lane].requeued.insert(Waiting(cell: member, ticket: nextTicket))
      // Stale entries leave when they come to the front; where nothing is dealt, they must not pile up.
      if lanes[lane].requeued.count > 2 * lanes[lane].cells.count + 64 {
        lanes[lane].requeued = Heap(lanes[lane].requeued.unordered.filter { isQueued($0) })
      }
    }
  }

  private func isQueued(_ entry: Waiting) -> Bool {
    cells[entry.cell.index].standing == .open && efforts[head(of: entry.cell)]?.ticket == entry.ticket
  }

  /// Whether a cell waits that was never leased.
  private func isFresh(_ index: Int) -> Bool {
    guard cells[index].standing == .open else { return false }
    return !efforts.contains(head(of: CellID(index)))
  }

  /// The sweep whose cells go first, of those that have any waiting.
  private mutating func nextLane(except passed: [Int]) -> Int? {
    var best: Int?
    for lane in lanes.indices where !lanes[lane].isPaused && !passed.contains(lane) {
      if let best, !goesBefore(lane, best) { continue }
      if hasWaitingCells(lane) { best = lane }
    }
    return best
  }

  private func goesBefore(_ left: Int, _ right: Int) -> Bool {
    (-lanes[left].priority, lanes[left].running) < (-lanes[right].priority, lanes[right].running)
  }

  /// Whether a cell of a sweep is waiting. Skips, for good, those at the front that are not.
  private mutating func hasWaitingCells(_ lane: Int) -> Bool {
    while lanes[lane].nextFresh < lanes[lane].cells.upperBound, !isFresh(lanes[lane].nextFresh) {
      lanes[lane].nextFresh += 1
    }
    if lanes[lane].nextFresh < lanes[lane].cells.upperBound { return true }
    while let first = lanes[lane].requeued.min {
      if isQueued(first) { return true }
      lanes[lane].requeued.removeMin()
    }
    return false
  }

  private mutating func takeCell(for worker: WorkerID) -> CellID? {
    var passed: [Int] = []
    while let lane = nextLane(except: passed) {
      if let cell = takeCell(of: lane, for: worker) { return cell }
      passed.append(lane)
    }
    return nil
  }

  private mutating func takeCell(of lane: Int, for worker: WorkerID) -> CellID? {
    var avoided: [Waiting] = []
    defer { for entry in avoided { lanes[lane].requeued.insert(entry) } }
    while avoided.count < Self.lookAhead, let entry = lanes[lane].requeued.popMin() {
      guard isQueued(entry) else { continue }
      guard mayTry(head(of: entry.cell), worker) else {
        avoided.append(entry)
        continue
      }
      return entry.cell
    }
    let fresh = lanes[lane].nextFresh
    guard fresh < lanes[lane].cells.upperBound, isFresh(fresh) else { return nil }
    lanes[lane].nextFresh += 1
    return CellID(fresh)
  }

  /// Whether a worker may be given the cells of a head: no other that wants cells suits them better.
  ///
  ///     best     it has not failed there, and there is more memory than where it ran out
  ///     then     it has not failed there
  ///     last     it has
  func mayTry(_ head: CellID, _ worker: WorkerID) -> Bool {
    guard let effort = efforts[head], !effort.troubles.isEmpty else { return true }
    let troubled = Set(effort.troubles.map(\.worker))
    let fits = { (memory: Int) in effort.memoryFloor == 0 || memory > effort.memoryFloor }
    let isTroubled = troubled.contains(worker)
    if !isTroubled, fits(workers[worker]?.capacity.memoryPerSlot ?? 0) { return true }
    let troubledWilling = troubled.compactMap { workers[$0] }.filter(\.isWilling)
    let fitting = effort.memoryFloor == 0 ? willingCount : willing.reduce(0) { $0 + (fits($1.key) ? $1.value : 0) }
    if fitting > troubledWilling.count(where: { fits($0.capacity.memoryPerSlot) }) { return false }
    return !isTroubled || willingCount == troubledWilling.count
  }

  // MARK: - Workers with room

  /// Puts a worker in the lines of those with room and of those with more than they can run, at the place that its
  /// present leases give it.
  mutating func offer(_ worker: WorkerID) {
    guard let entry = workers[worker] else { return }
    nextTicket += 1
    isSettled = false
    workers[worker]?.ticket = nextTicket
    let slots = entry.capacity.slots
    if entry.isPresent, entry.leases.count > slots {
      laden.insert(Laden(excess: entry.leases.count - slots, ticket: nextTicket, worker: worker))
      if laden.count > 2 * workers.count + 64 {
        laden = Heap(laden.unordered.filter { isCurrent($0.ticket, $0.worker) })
      }
    }
    guard entry.leases.count < entry.credit else { return }
    if let aside = conducts[worker]?.aside {
      guard entry.leases.isEmpty, aside.nextProof <= clock.present else { return }
    }
    hungry.insert(Hungry(load: 1024 * entry.leases.count / slots, ticket: nextTicket, worker: worker))
    // Stale entries leave when they come to the front; when none is asked for, they must not pile up.
    if hungry.count > 2 * workers.count + 64 {
      hungry = Heap(hungry.unordered.filter { isCurrent($0.ticket, $0.worker) })
    }
  }

  /// How many entries the lines of workers hold, stale ones included.
  var lineLengths: (hungry: Int, laden: Int, deadlines: Int) { (hungry.count, laden.count, deadlines.count) }

  private mutating func popHungry() -> Hungry? {
    while let entry = hungry.popMin() {
      if isCurrent(entry.ticket, entry.worker) { return entry }
    }
    return nil
  }

  func isCurrent(_ ticket: UInt64, _ worker: WorkerID) -> Bool {
    workers[worker]?.ticket == ticket
  }
}
