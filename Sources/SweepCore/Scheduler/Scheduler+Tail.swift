internal import HeapModule

/// What an idle worker is given when no cell waits that it may run: first the check of a result, then what another
/// holds and has not started, then a second copy of the cell that has been under way longest.
extension Scheduler {
  /// Candidates looked at for one that a worker may have; bounds the cost of an event.
  private static let candidates = 8

  /// The cell that an idle worker is to run, and for what.
  mutating func takeForIdle(
    _ worker: WorkerID, _ now: Instant, _ actions: inout [Action]
  ) -> (CellID, LeasePurpose)? {
    if let cell = takeAudit(for: worker, now) { return (cell, .audit) }
    if let cell = takeUnstarted(for: worker, &actions) { return (cell, .result) }
    if let cell = takeCopy(for: worker, now) { return (cell, .copy) }
    return nil
  }

  // MARK: - Leases not started

  /// Whether a worker may have started the lease at a place of its list: it starts them in their order, and may be a
  /// moment ahead of what it said last. Of one that came back nothing is known until it says so.
  private func mayBeStarted(_ place: Int, of entry: WorkerEntry) -> Bool {
    place < entry.capacity.slots || entry.leases[place].isStarted != false
  }

  /// Takes a lease back from the worker with the most beyond its slots.
  private mutating func takeUnstarted(for worker: WorkerID, _ actions: inout [Action]) -> CellID? {
    guard conducts[worker]?.aside == nil else { return nil }
    var passed: [Laden] = []
    defer { for entry in passed { laden.insert(entry) } }
    while passed.count < Self.candidates, let entry = laden.popMax() {
      guard isCurrent(entry.ticket, entry.worker) else { continue }
      if let (attempt, cell) = unstarted(by: entry.worker, for: worker) {
        takeBack(attempt, &actions)
        return cell
      }
      passed.append(entry)
    }
    return nil
  }

  /// The latest lease that a worker has not started and that another may have instead.
  private func unstarted(by holder: WorkerID, for worker: WorkerID) -> (AttemptID, CellID)? {
    guard let entry = workers[holder], holder != worker else { return nil }
    for place in entry.leases.indices.reversed() where !mayBeStarted(place, of: entry) {
      let attempt = entry.leases[place].attempt
      guard let leased = attempts[attempt]?.cell, let cell = dealtMember(head(of: leased)) else { continue }
      let head = head(of: leased)
      if efforts[head]?.live.count == 1, mayTry(head, worker) { return (attempt, cell) }
    }
    return nil
  }

  /// Takes back what a worker has not started, of all sweeps or of one, for others to have.
  mutating func takeBackUnstarted(
    of worker: WorkerID, in lane: Int? = nil, _ actions: inout [Action]
  ) {
    guard let entry = workers[worker], entry.isPresent else { return }
    for place in entry.leases.indices.reversed() where !mayBeStarted(place, of: entry) {
      let attempt = entry.leases[place].attempt
      guard let cell = attempts[attempt]?.cell else { continue }
      if let lane, Int(cells[cell.index].lane) != lane { continue }
      takeBack(attempt, &actions)
      waitAgain(head(of: cell))
    }
  }

  // MARK: - Copies

  /// Puts an attempt, the only one of its cell, in the line of those that may be copied.
  mutating func watch(_ attempt: AttemptID, since: Instant) {
    underWay.insert(UnderWay(since: since, attempt: attempt))
    if underWay.count > 2 * liveAttempts + 64 {
      underWay = Heap(underWay.unordered.filter { mayBeCopied($0) })
    }
  }

  /// Whether an attempt is the only one of a cell that waits for its result, and still holds the same lease.
  private func mayBeCopied(_ entry: UnderWay) -> Bool {
    guard let cell = attempts[entry.attempt]?.cell, let effort = efforts[head(of: cell)] else { return false }
    return effort.live == [entry.attempt] && isOpen(head(of: cell)) && lease(of: entry.attempt)?.since == entry.since
  }

  private mutating func takeCopy(for worker: WorkerID, _ now: Instant) -> CellID? {
    var passed: [UnderWay] = []
    defer { for entry in passed { underWay.insert(entry) } }
    while passed.count < Self.candidates, let first = underWay.popMin() {
      guard mayBeCopied(first), let entry = attempts[first.attempt] else { continue }
      if now < first.since + settings.copyAfter {
        passed.append(first)
        return nil
      }
      let head = head(of: entry.cell)
      let isThere = entry.worker == worker || efforts[head]?.troubles.contains { $0.worker == worker } == true
      guard !isThere, let cell = dealtMember(head), mayTry(head, worker),
        isStarted(first.attempt, by: entry.worker)
      else {
        passed.append(first)
        continue
      }
      return cell
    }
    return nil
  }

  private func isStarted(_ attempt: AttemptID, by worker: WorkerID) -> Bool {
    guard let entry = workers[worker], let place = entry.leases.firstIndex(where: { $0.attempt == attempt }) else {
      return false
    }
    return mayBeStarted(place, of: entry)
  }

  /// The first open cell of a head whose sweep is not paused.
  private func dealtMember(_ head: CellID) -> CellID? {
    openMembers(head).first { !lanes[Int(cells[$0.index].lane)].isPaused }
  }
}
