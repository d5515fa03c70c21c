internal import ContentHash
internal import SweepCore
internal import SweepWire

// Leases and the engines that run them.

extension WorkerSession {
  /// Starts waiting cells on idle engines: the first whose files are here. A worker that ends has none waiting: it hands
  /// them back first.
  mutating func runNext(_ actions: inout [Action]) {
    switch phase {
    case .created, .ended: return
    case .greeting, .pausing, .admitted: break
    }
    for slot in slots.indices {
      guard !waiting.isEmpty else { return }
      guard case .idle = slots[slot].engine else { continue }
      guard let (index, files) = firstRunnable() else { return }
      let lease = waiting.remove(at: index)
      slots[slot].engine = .running(EngineSlot.Running(lease, at: listened))
      actions.append(.run(slot: slot, lease.cell, files: files))
    }
  }

  private func firstRunnable() -> (index: Int, files: [LocalArtefact])? {
    for index in waiting.indices {
      if let files = shelf.files(waiting[index].files) { return (index, files) }
    }
    return nil
  }

  mutating func engineReady(_ slot: Int) {
    slots[slot].lastSign = listened
    switch slots[slot].engine {
    case .starting: slots[slot].becomeReady()
    // It was too slow, and its end is under way.
    case .ending: break
    case .idle, .running, .resting, .abandoned: preconditionFailure("an engine becomes ready once")
    }
  }

  mutating func progressed(_ slot: Int, _ progress: AttemptProgress) {
    slots[slot].lastSign = listened
    slots[slot].updateRunning { running in
      precondition(running.progress.attempt == progress.attempt, "progress of an attempt that does not run")
      running.progress = progress
    }
  }

  mutating func finished(
    _ slot: Int, _ attempt: AttemptID, _ outcome: AttemptOutcome, _ actions: inout [Action]
  ) {
    let ended = take(attempt, from: slot)
    prefetch.note(listened - ended.since)
    shelf.release(ended.lease.files, &actions)
    guard !ended.isRevoked else { return }
    switch outcome {
    case .result(let result): keep(.result(result), of: attempt)
    case .failure(let failure): keep(.failure(attempt: attempt, failure), of: attempt)
    }
  }

  /// Has the files of an attempt looked at again, and the attempt run after that.
  mutating func stale(
    _ slot: Int, _ attempt: AttemptID, _ digests: [SHA256Digest], _ actions: inout [Action]
  ) {
    let ended = take(attempt, from: slot)
    var lease = ended.lease
    lease.rechecks += 1
    guard !ended.isRevoked, case .working = intent, lease.rechecks <= Self.mostRechecks else {
      shelf.release(lease.files, &actions)
      guard !ended.isRevoked else { return }
      var failure = CellFailure(kind: .preempted, message: "the worker takes no more cells")
      if lease.rechecks > Self.mostRechecks {
        failure = CellFailure(kind: .engineFault, message: "the files of the cell were changed again and again")
      }
      return keep(.failure(attempt: attempt, failure), of: attempt)
    }
    shelf.recheck(digests, &actions)
    // One of them may have been lost since the cell was started; it is needed again.
    lease.files = shelf.retain(lease.artefacts, &actions)
    shelf.release(ended.lease.files, &actions)
    waiting.insert(lease, at: 0)
  }

  /// How often the files of an attempt may be found changed.
  private static let mostRechecks = 3

  /// Takes the attempt that an engine has from it.
  private mutating func take(_ attempt: AttemptID, from slot: Int) -> EngineSlot.Running {
    slots[slot].lastSign = listened
    guard let running = slots[slot].running, running.progress.attempt == attempt else {
      preconditionFailure("the end of an attempt that does not run")
    }
    switch slots[slot].engine {
    case .running: slots[slot].engine = .idle
    case .ending(_, let fault): slots[slot].engine = .ending(nil, fault)
    case .starting, .idle, .resting, .abandoned: preconditionFailure("an engine that runs nothing")
    }
    return running
  }

  /// Takes in what whoever keeps the files says.
  mutating func kept(_ report: ArtefactReport, _ now: Instant, _ actions: inout [Action]) {
    let othersRun = slots.contains { $0.running != nil }
    if let loss = shelf.take(report, othersRun: othersRun, now, &actions) { lost(loss, &actions) }
  }

  /// Fails the cells that wait for a file that cannot be had.
  mutating func lost(_ loss: ArtefactShelf.Loss, _ actions: inout [Action]) {
    actions.append(.note(.noFile(loss.failure)))
    for lease in waiting where lease.files.contains(where: { $0.digest == loss.digest }) {
      keep(.failure(attempt: lease.cell.attempt, loss.failure), of: lease.cell.attempt)
      shelf.release(lease.files, &actions)
    }
    waiting.removeAll { $0.files.contains { $0.digest == loss.digest } }
  }

  /// Reports what the engine had, and sees to another.
  mutating func engineEnded(_ slot: Int, _ end: EngineEnd, _ now: Instant, _ actions: inout [Action]) {
    let failure = failure(of: slots[slot].engine, end)
    if let running = slots[slot].running {
      shelf.release(running.lease.files, &actions)
      let attempt = running.progress.attempt
      if !running.isRevoked { keep(.failure(attempt: attempt, failure), of: attempt) }
    }
    let pause = slots[slot].end(at: listened)
    actions.append(.note(.engineEnded(slot: slot, reason: failure.message, pause: pause)))
    let isUnfit = slots.allSatisfy { if case .abandoned = $0.engine { true } else { false } }
    if isUnfit { becomeUnfit(failure.message, now, &actions) }
  }

  /// What an engine's end means for the attempt that it had.
  private func failure(of engine: EngineSlot.Engine, _ end: EngineEnd) -> CellFailure {
    let crash = CellFailure.Kind.crashed
    switch engine {
    case .ending(_, .silent):
      let silence = configuration.engineSilence.inSeconds
      return CellFailure(
        kind: crash, message: "the engine gave no sign of life for \(silence) and was killed: \(end.description)")
    case .ending(_, .slow):
      let patience = configuration.enginePatience.inSeconds
      return CellFailure(
        kind: crash, message: "the engine was not ready after \(patience) and was killed: \(end.description)")
    case .ending(_, .deaf):
      let patience = configuration.enginePatience.inSeconds
      return CellFailure(
        kind: .preempted,
        message: "the engine went on for \(patience) with a cell that was cancelled, and was killed")
    case .starting, .idle, .running:
      return CellFailure(kind: end.wantedMemory ? .outOfMemory : crash, message: end.description)
    case .resting, .abandoned: preconditionFailure("an engine ends once")
    }
  }

  /// Starts engines whose rest is over, and has those killed that gave no sign in time.
  mutating func watchEngines(_ actions: inout [Action]) {
    for slot in slots.indices {
      if case .resting(let until) = slots[slot].engine, case .working = intent, listened >= until {
        slots[slot].start(at: listened)
        actions.append(.startEngine(slot: slot))
      }
      guard let (fault, ends) = slots[slot].patience(configuration), listened >= ends else { continue }
      slots[slot].engine = .ending(slots[slot].running, fault)
      actions.append(.killEngine(slot: slot))
    }
  }

  /// Tells the engines to end, early, the attempts that `isMeant` says.
  mutating func cancelRunning(_ actions: inout [Action], where isMeant: (AttemptID) -> Bool = { _ in true }) {
    for slot in slots.indices {
      guard case .running(let running) = slots[slot].engine, running.cancelled == nil,
        isMeant(running.progress.attempt)
      else { continue }
      slots[slot].updateRunning { [listened] in $0.cancelled = listened }
      actions.append(.cancel(slot: slot, running.progress.attempt))
    }
  }

  /// Whether a cell runs that has not been told to end.
  var hasUncancelled: Bool {
    slots.contains { slot in
      if case .running(let running) = slot.engine { running.cancelled == nil } else { false }
    }
  }

  /// Keeps the outcome of an attempt until it is acknowledged.
  mutating func keep(_ message: FromWorker, of attempt: AttemptID) {
    outcomes.append(Outcome(attempt: attempt, message: message))
  }

  /// Turns leases that have not been started into failures that say nothing about their cells.
  mutating func handBack(_ reason: String, as kind: CellFailure.Kind = .preempted, _ actions: inout [Action]) {
    for lease in waiting {
      let attempt = lease.cell.attempt
      keep(.failure(attempt: attempt, CellFailure(kind: kind, message: reason)), of: attempt)
      shelf.release(lease.files, &actions)
    }
    waiting = []
  }

  /// Hands back what would wait for engines that are not there: other workers may have some.
  mutating func handBackFromDeadEngines(_ actions: inout [Action]) {
    guard !slots.contains(where: \.isPromising) else { return }
    handBack("no engine of this worker runs at the moment", &actions)
  }
}

extension Duration {
  /// Seconds with one digit, for people.
  var inSeconds: String {
    let tenths = ((self / .milliseconds(100)).rounded())
    return "\(tenths / 10) s"
  }
}
