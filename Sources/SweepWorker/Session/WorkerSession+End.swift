internal import SweepCore
internal import SweepWire

// How a worker's life ends.

extension WorkerSession {
  mutating func stopRequested(_ grace: Duration, _ now: Instant, _ actions: inout [Action]) {
    stop(after: grace, .told, now, &actions)
    if case .stopping(let cancelling, _, _) = intent, now >= cancelling { cancelRunning(&actions) }
  }

  /// No engine runs, and none will.
  mutating func becomeUnfit(_ reason: String, _ now: Instant, _ actions: inout [Action]) {
    handBack("no engine of this worker can be kept running: \(reason)", as: .workerUnfit, &actions)
    stop(after: .zero, .unfit(reason), now, &actions)
  }

  private mutating func stop(after grace: Duration, _ new: Cause, _ now: Instant, _ actions: inout [Action]) {
    var (cancelling, leaving, cause) = (now + grace, now + grace + configuration.farewell, new)
    switch intent {
    case .working, .draining: break
    // The nearer end counts, and the first cause.
    case .stopping(let earlier, let earlierLeaving, let first):
      (cancelling, leaving, cause) = (min(cancelling, earlier), min(leaving, earlierLeaving), first)
    }
    intent = .stopping(cancelling: cancelling, leaving: leaving, cause)
    handBack("the worker was told to stop", &actions)
  }

  /// Ends a session that wants no more cells and holds nothing any more.
  mutating func endIfDone(_ actions: inout [Action]) {
    switch (phase, intent) {
    case (.created, _), (.ended, _), (_, .working): return
    case (.greeting, .draining), (.pausing, .draining), (.admitted, .draining),
      (.greeting, .stopping), (.pausing, .stopping), (.admitted, .stopping):
      if outcomes.isEmpty, !slots.contains(where: { $0.running != nil }) { leave(&actions) }
    }
  }

  /// Says goodbye and ends, whether or not everything was delivered.
  mutating func leave(_ actions: inout [Action]) {
    switch phase {
    case .created, .ended: return
    case .greeting, .pausing, .admitted: break
    }
    switch intent {
    case .working: preconditionFailure("a worker leaves when it drains or stops")
    case .draining: end(.drained, farewell: "drained", &actions)
    case .stopping(_, _, .told): end(.stopped(undelivered: held.count), farewell: "told to stop", &actions)
    case .stopping(_, _, .unfit(let reason)):
      end(.unfit(reason), farewell: "no engine can be kept running: \(reason)", &actions)
    }
  }

  mutating func end(_ outcome: WorkerOutcome, farewell: String? = nil, _ actions: inout [Action]) {
    switch phase {
    case .created, .ended: return
    case .admitted:
      if let farewell { actions.append(.send([.goodbye(reason: farewell)])) }
    case .greeting, .pausing: break
    }
    cancelRunning(&actions)
    phase = .ended
    actions.append(.exit(outcome))
  }
}
