internal import HeapModule

/// Workers that come, speak, fall silent and go.
extension Scheduler {
  mutating func joined(
    _ worker: WorkerID, _ capacity: WorkerCapacity, running: [AttemptID], _ now: Instant, _ actions: inout [Action]
  ) {
    hear(worker, now)
    setCapacity(of: worker, to: capacity)
    actions.append(.record(.worker(worker, .joined)))
    setPace(of: worker)
    actions.append(.welcome(worker))
    // A hello opens a new connection: leases that it does not name cannot arrive any more.
    let named = Set(running)
    for lease in workers[worker]?.leases ?? [] where !named.contains(lease.attempt) {
      giveUp(
        lease.attempt, as: lease.wasNamed ? .forgotten : .undelivered,
        message: "worker \(worker.name) connected again without it", &actions)
    }
    var hint = 0
    for attempt in running {
      name(attempt, isStarted: nil, by: worker, hint: &hint, now, &actions)
    }
    switch phase {
    case .dealing: if leaving.contains(worker) { actions.append(.drain(worker)) }
    case .draining, .finished: actions.append(.drain(worker))
    }
  }

  mutating func ready(_ worker: WorkerID, credit: Int, _ now: Instant, _ actions: inout [Action]) {
    meet(worker, now, &actions)
    setCredit(of: worker, to: min(max(credit, 0), 1024))
  }

  mutating func heartbeat(
    _ worker: WorkerID, holding: [HeldAttempt], _ now: Instant, _ actions: inout [Action]
  ) {
    meet(worker, now, &actions)
    if setPace(of: worker) { actions.append(.welcome(worker)) }
    var hint = 0
    for held in holding {
      name(held.attempt, isStarted: held.isStarted, by: worker, hint: &hint, now, &actions)
    }
    guard let entry = workers[worker] else { preconditionFailure("a worker that was met is there") }
    for lease in entry.leases where now.nanoseconds - lease.lastNamed.nanoseconds > silence(of: entry) {
      giveUp(
        lease.attempt, as: lease.wasNamed ? .forgotten : .undelivered,
        message: "worker \(worker.name) has not spoken of it for \(patience(with: worker).lostAfter)", &actions)
    }
  }

  mutating func left(_ worker: WorkerID, reason: String, _ now: Instant, _ actions: inout [Action]) {
    guard let entry = workers[worker] else { return }
    actions.append(.record(.worker(worker, .left(reason))))
    remove(worker)
    conducts[worker] = nil
    leaving.remove(worker)
    for lease in entry.leases {
      giveUp(lease.attempt, as: .workerLeft, message: "worker \(worker.name) left: \(reason)", &actions)
    }
  }

  /// Takes workers that were silent too long for lost, and looks again at all that depends on time.
  mutating func tick(_ now: Instant, _ actions: inout [Action]) {
    while let first = deadlines.min, first.at <= now {
      deadlines.removeMin()
      guard let entry = workers[first.worker], entry.registration == first.registration else { continue }
      let deadline = deadline(of: entry)
      guard deadline <= now else {
        deadlines.insert(Deadline(at: deadline, registration: first.registration, worker: first.worker))
        continue
      }
      lose(first.worker, entry, &actions)
    }
    offerProofs(now)
    isSettled = false
  }

  private mutating func lose(_ worker: WorkerID, _ entry: WorkerEntry, _ actions: inout [Action]) {
    let lostAfter = patience(with: worker).lostAfter
    remove(worker)
    if entry.isPresent {
      actions.append(.record(.worker(worker, .lost)))
      actions.append(.forget(worker))
    }
    for (place, lease) in entry.leases.enumerated() {
      if entry.isPresent {
        // Only what it was running can have brought it down.
        let isBlamed = place < entry.capacity.slots || lease.isStarted == true
        giveUp(
          lease.attempt, as: isBlamed ? .workerLost : .unstarted,
          message: "worker \(worker.name) was silent for \(lostAfter)", &actions)
      } else {
        giveUp(
          lease.attempt, as: .abandoned, message: "worker \(worker.name) did not come back after a restart", &actions)
      }
    }
  }

  /// Takes a sign of life from a worker that ought to have said hello. One that has not is welcomed all the same.
  private mutating func meet(_ worker: WorkerID, _ now: Instant, _ actions: inout [Action]) {
    if workers[worker]?.isPresent == true {
      hear(worker, now)
    } else {
      let known = workers[worker]
      joined(
        worker, known?.capacity ?? WorkerCapacity(), running: known?.leases.map(\.attempt) ?? [], now, &actions)
    }
  }

  /// Notes a sign of life, of a worker that may be new.
  private mutating func hear(_ worker: WorkerID, _ now: Instant) {
    if workers[worker]?.isPresent == true {
      workers[worker]?.lastHeard = now
    } else {
      register(worker, workers[worker]?.capacity ?? WorkerCapacity(), isPresent: true, heard: now)
    }
  }

  /// Makes a worker known, or one that was known from the store present.
  mutating func register(_ worker: WorkerID, _ capacity: WorkerCapacity, isPresent: Bool, heard: Instant) {
    let leases = workers[worker]?.leases ?? []
    workers[worker] = WorkerEntry(
      capacity: capacity, lastHeard: heard, isPresent: isPresent, leases: leases, registration: 0)
    pace.note(workers: workers.count)
    expectSign(of: worker)
    offer(worker)
  }

  mutating func remove(_ worker: WorkerID) {
    setCredit(of: worker, to: 0)
    workers[worker] = nil
    pace.note(workers: workers.count)
  }

  // MARK: - Silence

  /// Nanoseconds of silence after which a worker is taken for lost.
  private func silence(of entry: WorkerEntry) -> Int64 { lostAfter << Int64(entry.doublings) }

  private func deadline(of entry: WorkerEntry) -> Instant {
    Instant(nanoseconds: entry.lastHeard.nanoseconds + silence(of: entry))
  }

  /// Puts a worker in the line of those that are waited for, in place of any earlier entry.
  private mutating func expectSign(of worker: WorkerID) {
    nextTicket += 1
    workers[worker]?.registration = nextTicket
    guard let entry = workers[worker] else { return }
    deadlines.insert(Deadline(at: deadline(of: entry), registration: nextTicket, worker: worker))
    // Entries that are not valid any more leave when they are due; until then they must not pile up.
    if deadlines.count > 2 * workers.count + 64 {
      deadlines = Heap(deadlines.unordered.filter { workers[$0.worker]?.registration == $0.registration })
    }
  }

  /// Agrees with a worker on the pace that holds now. Returns whether that is news, of which it is to be told.
  @discardableResult
  private mutating func setPace(of worker: WorkerID) -> Bool {
    guard let old = workers[worker]?.doublings, old != pace.doublings else { return false }
    workers[worker]?.doublings = pace.doublings
    // Its entry would be due too late.
    if pace.doublings < old { expectSign(of: worker) }
    return true
  }

  // MARK: - What workers can take

  private mutating func setCapacity(of worker: WorkerID, to capacity: WorkerCapacity) {
    guard let old = workers[worker], old.capacity != capacity else { return }
    if old.isWilling { countWilling(old.capacity, -1) }
    workers[worker]?.capacity = capacity
    if old.isWilling { countWilling(capacity, 1) }
    offer(worker)
  }

  mutating func setCredit(of worker: WorkerID, to credit: Int) {
    let credit = leaving.contains(worker) ? 0 : credit
    guard let old = workers[worker]?.credit, old != credit else { return }
    workers[worker]?.credit = credit
    refresh(worker)
  }

  /// Brings what is known of a worker's wish for cells up to date.
  mutating func refresh(_ worker: WorkerID) {
    guard let entry = workers[worker] else { return }
    let isWilling = entry.credit > 0 && conducts[worker]?.aside == nil
    if isWilling != entry.isWilling {
      workers[worker]?.isWilling = isWilling
      countWilling(entry.capacity, isWilling ? 1 : -1)
    }
    offer(worker)
  }

  private mutating func countWilling(_ capacity: WorkerCapacity, _ change: Int) {
    let memory = capacity.memoryPerSlot
    let count = (willing[memory] ?? 0) + change
    willing[memory] = count == 0 ? nil : count
    willingCount += change
  }
}
