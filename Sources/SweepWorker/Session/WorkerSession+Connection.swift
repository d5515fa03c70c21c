internal import SweepCore
internal import SweepWire

// Making the connection, keeping it, giving it up.

extension WorkerSession {
  mutating func start(_ now: Instant, _ actions: inout [Action]) {
    guard case .created = phase else { preconditionFailure("a session starts once") }
    lastContact = now
    slots = (0..<configuration.identity.slots).map { _ in EngineSlot(at: listened) }
    actions += slots.indices.map { .startEngine(slot: $0) }
    connect(now, &actions)
  }

  private mutating func connect(_ now: Instant, _ actions: inout [Action]) {
    phase = .greeting(since: now)
    let identity = configuration.identity
    let hello = Hello(
      workerID: identity.workerID, engineVersion: identity.engineVersion, engineRevision: identity.engineRevision,
      host: identity.host, processIdentifier: identity.processIdentifier, cores: identity.cores,
      memoryMiB: identity.memoryMiB, storeID: welcome?.storeID, running: held.map(\.attempt),
      slots: identity.slots, build: identity.build)
    actions += [.connect, .send([.hello(hello)])]
  }

  mutating func connectFailed(_ reason: String, _ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .greeting: lose(.connectFailed(reason), now, &actions)
    // The connection that failed has been given up already.
    case .pausing, .ended: break
    case .created, .admitted: preconditionFailure("no connection is being made")
    }
  }

  mutating func disconnected(_ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .greeting, .admitted: lose(.broken, now, &actions)
    case .pausing, .ended: break
    case .created: preconditionFailure("there was no connection")
    }
  }

  /// Gives the connection up and pauses before the next.
  ///
  /// The pause is drawn uniformly from the upper half of an interval that doubles up to
  /// ``Configuration/longestPause``:
  ///
  ///     loss             1        2        3        4        5        6
  ///     seconds   0.05-0.1  0.1-0.2  0.2-0.4  0.4-0.8  0.8-1.6  1.6-3.2
  ///
  /// A worker whose patience is over ends here, but not on the first loss: a machine that wakes from sleep finds much
  /// time gone by and its coordinator well.
  private mutating func lose(_ loss: Loss, _ now: Instant, _ actions: inout [Action]) {
    losses += 1
    let longest = min(Duration.milliseconds(100) * (1 << min(losses - 1, 16)), configuration.longestPause)
    let pause = longest * Double.random(in: 0.5...1, using: &generator)
    phase = .pausing(until: now + pause)
    for index in outcomes.indices { outcomes[index].sent = nil }
    shelf.disconnect()
    actions += [.note(.lost(loss, pause: pause)), .disconnect]
    if let patience = configuration.giveUpAfter, losses > 1, now >= lastContact + patience {
      end(.gaveUp(after: now - lastContact, loss), &actions)
    }
  }

  mutating func timeReached(_ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .created, .ended: return
    case .greeting(let since):
      if now >= since + lostAfter { lose(.silent(now - lastContact), now, &actions) }
    case .pausing(let until):
      if now >= until { connect(now, &actions) }
    case .admitted(let admission):
      if now >= admission.lastHeard + lostAfter {
        lose(.silent(now - admission.lastHeard), now, &actions)
      } else if now >= admission.nextHeartbeat {
        beat(now, &actions)
      }
    }
    if case .ended = phase { return }
    watchEngines(&actions)
    shelf.askAgain(now, &actions)
    if case .stopping(let cancelling, let leaving, _) = intent {
      if now >= cancelling { cancelRunning(&actions) }
      if now >= leaving { leave(&actions) }
    }
  }

  /// Sends the heartbeat, and again what may have been lost.
  private mutating func beat(_ now: Instant, _ actions: inout [Action]) {
    guard case .admitted(var admission) = phase, let welcome else {
      preconditionFailure("only an admitted worker has a heartbeat")
    }
    admission.nextHeartbeat = now + welcome.heartbeatInterval
    let named = held
    var messages: [FromWorker] = [.heartbeat(named)]
    // It may have been lost while nobody noticed.
    if named.isEmpty, now >= admission.creditTold + lostAfter {
      admission.credit = credit
      admission.creditTold = now
      messages.append(.ready(credit: credit))
    }
    phase = .admitted(admission)
    actions.append(.send(messages + unsentOutcomes(now)))
  }

  /// The outcomes that have not been sent on this connection, or long ago.
  mutating func unsentOutcomes(_ now: Instant) -> [FromWorker] {
    outcomes.indices.compactMap { index in
      if let sent = outcomes[index].sent, now < sent + lostAfter { return nil }
      outcomes[index].sent = now
      return outcomes[index].message
    }
  }

  /// Tells the coordinator of a credit that has changed and of outcomes that it has not been sent, and asks for files.
  mutating func sayWhatChanged(_ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .created, .greeting, .pausing, .ended: return
    case .admitted(var admission):
      var messages: [FromWorker] = []
      if admission.credit != credit {
        admission.credit = credit
        admission.creditTold = now
        messages.append(.ready(credit: credit))
        phase = .admitted(admission)
      }
      for index in outcomes.indices where outcomes[index].sent == nil {
        outcomes[index].sent = now
        messages.append(outcomes[index].message)
      }
      messages += shelf.requests(lostAfter: lostAfter, now).map { .artefactRequest($0) }
      if !messages.isEmpty { actions.append(.send(messages)) }
    }
  }
}
