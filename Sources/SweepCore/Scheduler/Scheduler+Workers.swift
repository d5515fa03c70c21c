internal import HeapModule

/// Workers that come, speak, fall silent and go.
extension Scheduler {
  mutating func joined(
    _ worker: WorkerID, running: [AttemptID], _ now: Instant, _ actions: inout [Action]
  ) {
    hear(worker, now)
    actions.append(.record(.worker(worker, .joined)))
    actions.append(.welcome(worker))
    // A hello opens a new connection: leases that it does not name cannot arrive any more.
    let named = Set(running)
    for lease in workers[worker]?.leases ?? [] where !named.contains(lease.attempt) {
      giveUp(
        lease.attempt, as: lease.wasNamed ? .forgotten : .undelivered,
        message: "worker \(worker.name) connected again without it", &actions)
    }
    for attempt in running { name(attempt, by: worker, now, &actions) }
    switch phase {
    case .dealing: break
    case .draining, .finished: actions.append(.drain(worker))
    }
  }

  mutating func ready(_ worker: WorkerID, credit: Int, _ now: Instant, _ actions: inout [Action]) {
    meet(worker, now, &actions)
    setCredit(of: worker, to: min(max(credit, 0), 1024))
  }

  mutating func heartbeat(
    _ worker: WorkerID, holding: [AttemptID], _ now: Instant, _ actions: inout [Action]
  ) {
    meet(worker, now, &actions)
    for attempt in holding { name(attempt, by: worker, now, &actions) }
    for lease in workers[worker]?.leases ?? []
    where now.nanoseconds - lease.lastNamed.nanoseconds > lostAfter {
      giveUp(
        lease.attempt, as: lease.wasNamed ? .forgotten : .undelivered,
        message: "worker \(worker.name) has not spoken of it for \(settings.lostAfter)", &actions)
    }
  }

  mutating func left(_ worker: WorkerID, reason: String, _ actions: inout [Action]) {
    guard let entry = workers[worker] else { return }
    actions.append(.record(.worker(worker, .left(reason))))
    remove(worker)
    for lease in entry.leases {
      giveUp(lease.attempt, as: .workerLeft, message: "worker \(worker.name) left: \(reason)", &actions)
    }
  }

  mutating func expire(_ now: Instant, _ actions: inout [Action]) {
    while let first = deadlines.min, first.at <= now {
      deadlines.removeMin()
      guard let entry = workers[first.worker], entry.registration == first.registration else { continue }
      let deadline = Instant(nanoseconds: entry.lastHeard.nanoseconds + lostAfter)
      guard deadline <= now else {
        deadlines.insert(Deadline(at: deadline, registration: first.registration, worker: first.worker))
        continue
      }
      lose(first.worker, entry, &actions)
    }
  }

  private mutating func lose(_ worker: WorkerID, _ entry: WorkerEntry, _ actions: inout [Action]) {
    remove(worker)
    if entry.isPresent {
      actions.append(.record(.worker(worker, .lost)))
      actions.append(.forget(worker))
    }
    for (position, lease) in entry.leases.enumerated() {
      if entry.isPresent {
        // A worker runs its leases in their order: only the first can have brought it down.
        giveUp(
          lease.attempt, as: position == 0 ? .workerLost : .unstarted,
          message: "worker \(worker.name) was silent for \(settings.lostAfter)", &actions)
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
      joined(worker, running: workers[worker]?.leases.map(\.attempt) ?? [], now, &actions)
    }
  }

  /// Notes a sign of life, of a worker that may be new.
  private mutating func hear(_ worker: WorkerID, _ now: Instant) {
    if workers[worker]?.isPresent == true {
      workers[worker]?.lastHeard = now
    } else {
      register(worker, isPresent: true, heard: now)
    }
  }

  /// Makes a worker known, or one that was known from the store present.
  mutating func register(_ worker: WorkerID, isPresent: Bool, heard: Instant) {
    nextTicket += 1
    let leases = workers[worker]?.leases ?? []
    workers[worker] = WorkerEntry(
      lastHeard: heard, isPresent: isPresent, leases: leases, registration: nextTicket)
    let deadline = Instant(nanoseconds: heard.nanoseconds + lostAfter)
    deadlines.insert(Deadline(at: deadline, registration: nextTicket, worker: worker))
    // Entries of workers that are gone leave when they are due; until then they must not pile up.
    if deadlines.count > 2 * workers.count + 64 {
      deadlines = Heap(deadlines.unordered.filter { workers[$0.worker]?.registration == $0.registration })
    }
  }

  private mutating func remove(_ worker: WorkerID) {
    setCredit(of: worker, to: 0)
    workers[worker] = nil
  }

  mutating func setCredit(of worker: WorkerID, to credit: Int) {
    guard let old = workers[worker]?.credit, old != credit else { return }
    if (old > 0) != (credit > 0) { willing += credit > 0 ? 1 : -1 }
    workers[worker]?.credit = credit
    offer(worker)
  }
}
