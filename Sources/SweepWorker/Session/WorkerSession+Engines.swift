internal import SweepCore
internal import SweepWire

// Leases and the engines that run them.

extension WorkerSession {
  /// Starts waiting cells on idle engines. A worker that ends has none waiting: it hands them back first.
  mutating func runNext(_ actions: inout [Action]) {
    switch phase {
    case .created, .ended: return
    case .greeting, .pausing, .admitted: break
    }
    guard let welcome else { return }
    for slot in slots.indices {
      guard !waiting.isEmpty else { return }
      guard case .idle = slots[slot].engine else { continue }
      let cell = waiting.removeFirst()
      slots[slot].engine = .running(EngineSlot.Running(cell.attempt))
      actions.append(.run(slot: slot, cell, artefacts: welcome.artefacts))
    }
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

  mutating func finished(_ slot: Int, _ attempt: AttemptID, _ outcome: AttemptOutcome) {
    slots[slot].lastSign = listened
    guard let ended = slots[slot].running, ended.progress.attempt == attempt else {
      preconditionFailure("the end of an attempt that does not run")
    }
    switch slots[slot].engine {
    case .running: slots[slot].engine = .idle
    case .ending(_, let fault): slots[slot].engine = .ending(nil, fault)
    case .starting, .idle, .resting, .abandoned: preconditionFailure("an engine that runs nothing")
    }
    guard !ended.isRevoked else { return }
    switch outcome {
    case .result(let result): keep(.result(result), of: attempt)
    case .failure(let failure): keep(.failure(attempt: attempt, failure), of: attempt)
    }
  }

  /// Reports what the engine had, and sees to another.
  mutating func engineEnded(_ slot: Int, _ end: EngineEnd, _ now: Instant, _ actions: inout [Action]) {
    let failure = failure(of: slots[slot].engine, end)
    if let running = slots[slot].running, !running.isRevoked {
      keep(.failure(attempt: running.progress.attempt, failure), of: running.progress.attempt)
    }
    let pause = slots[slot].end(at: listened)
    actions.append(.note(.engineEnded(slot: slot, reason: failure.message, pause: pause)))
    let isUnfit = slots.allSatisfy { if case .abandoned = $0.engine { true } else { false } }
    if isUnfit { becomeUnfit(failure.message, now) }
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
  mutating func handBack(_ reason: String, _ kind: CellFailure.Kind = .preempted) {
    for cell in waiting {
      keep(.failure(attempt: cell.attempt, CellFailure(kind: kind, message: reason)), of: cell.attempt)
    }
    waiting = []
  }

  /// Hands back what would wait for engines that are not there: other workers may have some.
  mutating func handBackFromDeadEngines() {
    guard !slots.contains(where: \.isPromising) else { return }
    handBack("no engine of this worker runs at the moment")
  }
}

extension Duration {
  /// Seconds with one digit, for people.
  var inSeconds: String {
    let tenths = ((self / .milliseconds(100)).rounded())
    return "\(tenths / 10) s"
  }
}
