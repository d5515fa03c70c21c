internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepWire
internal import SweepWorker

/// Workers and their engines.
extension SimulatedHistory {
  mutating func bear(_ health: HistoryPlan.Health) throws {
    workersBorn += 1
    let number = workersBorn
    let worker = SimulatedWorker(number: number, health: health, &random)
    workers[number] = worker
    tell("worker-\(number) starts, \(health)")
    try feed(number, .started)
  }

  /// What has become due in a worker.
  mutating func advance(_ number: Int) throws {
    guard let worker = workers[number], worker.frozenUntil <= now else { return }
    for slot in worker.engines.indices {
      guard let engine = workers[number]?.engines[slot] else { return }
      switch engine {
      case .absent, .idle: break
      case .starting(let until) where until <= now:
        workers[number]?.engines[slot] = .idle
        try feed(number, .engineReady(slot: slot))
      case .running(let run) where run.until <= now:
        try finish(run, slot, number)
      case .running(var run) where !run.isTold:
        run.isTold = true
        workers[number]?.engines[slot] = .running(run)
        let progress = AttemptProgress(attempt: run.cell.attempt, step: 1, steps: 10, loss: nil)
        try feed(number, .progressed(slot: slot, progress))
      case .ending(let at, let wantedMemory) where at <= now:
        workers[number]?.engines[slot] = .absent
        let end = EngineEnd(description: "the engine was killed by signal 9", wantedMemory: wantedMemory)
        try feed(number, .engineEnded(slot: slot, end))
      case .starting, .running, .ending: break
      }
    }
    if let deadline = workers[number]?.session.nextDeadline, deadline <= instant {
      try feed(number, .timeReached)
    }
  }

  private mutating func finish(_ run: SimulatedWorker.Run, _ slot: Int, _ number: Int) throws {
    let attempt = run.cell.attempt
    guard let source = TrialCells.all.firstIndex(where: { $0.cell.specification.canonicalForm == run.cell.cell }) else {
      throw ledger.broken("attempt \(attempt.number) is of an unknown cell")
    }
    let isFlaky = workers[number]?.health == .flaky && random.chance(1, in: 2)
    if plan.natures[source] == .poisonous || isFlaky {
      workers[number]?.engines[slot] = .ending(at: now, wantedMemory: random.chance(1, in: 3))
      return
    }
    workers[number]?.engines[slot] = .idle
    if run.isCancelled {
      let failure = CellFailure(kind: .preempted, message: "cancelled")
      try feed(number, .finished(slot: slot, attempt, .failure(failure)))
    } else if plan.natures[source] == .diverging {
      let failure = CellFailure(kind: .diverged, message: "the loss is not a number")
      try feed(number, .finished(slot: slot, attempt, .failure(failure)))
    } else {
      let known = TrialCells.all[source]
      let result = AttemptResult(
        attempt: attempt, fingerprint: known.cell.fingerprint, result: known.result, report: known.report,
        windows: known.windows)
      try feed(number, .finished(slot: slot, attempt, .result(result)))
    }
  }

  mutating func feed(_ number: Int, _ event: WorkerSession.Event) throws {
    let now = instant
    workers[number]?.noteOwed(event)
    for action in workers[number]?.session.handle(event, at: now) ?? [] { try perform(action, number) }
    // Whoever lost a connection by what was done learns it now, not in the middle.
    while let report = workers[number]?.reports.first {
      workers[number]?.reports.removeFirst()
      try feed(number, .kept(report))
    }
    try tellBroken()
  }

  mutating func tellBroken() throws {
    while let lost = broken.popLast() { try feed(lost, .disconnected) }
  }

  private mutating func perform(_ action: WorkerSession.Action, _ number: Int) throws {
    switch action {
    case .connect:
      linksMade += 1
      links[linksMade] = Link(worker: number)
      workers[number]?.link = linksMade
    case .disconnect:
      guard let link = workers[number]?.link else { return }
      workers[number]?.link = nil
      abandon(link, tellingWorker: false)
    case .send(let messages):
      guard let link = workers[number]?.link else { return }
      for message in messages {
        try checkOwed(message, number)
        send(.toCoordinator(message), over: link)
      }
    case .startEngine(let slot):
      let isBroken = workers[number]?.health == .broken
      let at = now + random.time(0.01...0.2)
      workers[number]?.engines[slot] = isBroken ? .ending(at: at, wantedMemory: false) : .starting(until: at)
    case .killEngine(let slot):
      workers[number]?.engines[slot] = .ending(at: now, wantedMemory: false)
    case .keep(let command): keep(command, number)
    case .run(let slot, let cell, _):
      let until = now + (random.chance(1, in: 8) ? random.time(2...8) : random.time(0.02...1.5))
      workers[number]?.engines[slot] = .running(SimulatedWorker.Run(cell: cell, until: until))
    case .cancel(let slot, _):
      guard case .running(let run) = workers[number]?.engines[slot] else { return }
      // It may be about to end by itself.
      var cancelled = SimulatedWorker.Run(cell: run.cell, until: min(run.until, now + 50_000_000))
      cancelled.isCancelled = random.chance(3, in: 4)
      cancelled.isTold = run.isTold
      workers[number]?.engines[slot] = .running(cancelled)
    case .note: break
    case .exit(let outcome):
      tell("worker-\(number) ends: \(outcome)")
      if outcome == .drained, let owed = workers[number]?.owed, !owed.isEmpty {
        throw ledger.broken("worker-\(number) leaves with \(owed.map(\.number).sorted()) undelivered")
      }
      workers[number] = nil
      if !ledger.isComplete, workers.isEmpty { try bear(.good) }
    }
  }

  /// A worker names every outcome that it keeps, until it hears that nobody needs it.
  private func checkOwed(_ message: FromWorker, _ number: Int) throws {
    let named: [AttemptID]
    switch message {
    case .hello(let hello): named = hello.running
    case .heartbeat(let held): named = held.map(\.attempt)
    case .ready, .result, .failure, .goodbye, .artefactRequest: return
    }
    let forgotten = workers[number]?.owed.subtracting(named) ?? []
    guard forgotten.isEmpty else {
      throw ledger.broken("worker-\(number) has forgotten \(forgotten.map(\.number).sorted())")
    }
  }

  /// Does what a worker's keeper of files does.
  private mutating func keep(_ command: ArtefactCommand, _ number: Int) {
    let artefact = TrialCells.artefact
    let file = LocalArtefact(
      artefact: artefact, path: "/weights",
      stamp: FileStamp(size: artefact.size, changed: Date(timeIntervalSince1970: 0), number: 1))
    switch command {
    case .obtain(let ticket, _):
      let fetched = workers[number]?.fetched ?? 0
      workers[number]?.reports.append(fetched == artefact.size ? .ready(ticket, file) : .absent(ticket, from: fetched))
    case .write(let ticket, let offset, let bytes):
      let end = offset + bytes.count
      workers[number]?.fetched = end
      workers[number]?.reports.append(end == artefact.size ? .ready(ticket, file) : .written(ticket, upTo: end))
    case .release: break
    }
  }
}
