internal import SweepCore
internal import SweepWire

// What the coordinator says.

extension WorkerSession {
  mutating func received(_ message: ToWorker, _ now: Instant, _ actions: inout [Action]) {
    switch phase {
    case .created: preconditionFailure("there is no connection")
    // The message crossed the decision to give its connection up.
    case .pausing: ignore("a message over a connection given up", &actions)
    case .ended: break
    case .greeting:
      switch message {
      case .welcome(let welcome): welcomed(welcome, now, &actions)
      case .refuse(let reason): end(.refused(reason), &actions)
      case .lease, .acknowledge, .revoke, .drain, .artefactChunk, .artefactMissing:
        ignore("a message before the welcome", &actions)
      }
    case .admitted(var admission):
      admission.lastHeard = now
      lastContact = now
      phase = .admitted(admission)
      switch message {
      case .welcome(let welcome): welcomed(welcome, now, &actions)
      case .lease(let cells): leased(cells, &actions)
      case .acknowledge(let attempts): forget(attempts)
      case .revoke(let attempts): revoked(attempts, &actions)
      case .drain: drain(&actions)
      case .refuse(let reason): end(.refused(reason), &actions)
      case .artefactChunk(let chunk):
        if !shelf.take(chunk, now, &actions) { ignore("a part of an artefact that was not asked for", &actions) }
      case .artefactMissing(let digest, let reason):
        if let loss = shelf.take(missing: digest, reason, &actions) { lost(loss, &actions) }
      }
    }
  }

  mutating func undecodable(_ error: WireError, _ actions: inout [Action]) {
    switch phase {
    case .created: preconditionFailure("there is no connection")
    case .greeting:
      if case .unknownVersion = error {
        end(.refused(error.description), &actions)
      } else {
        ignore(error.description, &actions)
      }
    case .admitted, .pausing: ignore(error.description, &actions)
    case .ended: break
    }
  }

  private mutating func welcomed(_ new: Welcome, _ now: Instant, _ actions: inout [Action]) {
    if let old = welcome, old.storeID != new.storeID { dropLeases(&actions) }
    welcome = new
    lastContact = now
    losses = 0
    phase = .admitted(
      Admission(lastHeard: now, nextHeartbeat: now + new.heartbeatInterval, credit: credit, creditTold: now))
    actions.append(.note(.welcomed(new)))
    actions.append(.send([.ready(credit: credit)] + unsentOutcomes(now)))
  }

  /// Forgets leases whose numbers mean nothing to the coordinator.
  private mutating func dropLeases(_ actions: inout [Action]) {
    actions.append(.note(.dropped(held.map(\.attempt))))
    for lease in waiting { shelf.release(lease.files, &actions) }
    waiting = []
    outcomes = []
    cancelRunning(&actions)
    for slot in slots.indices { slots[slot].updateRunning { $0.isRevoked = true } }
  }

  private mutating func forget(_ attempts: [AttemptID]) {
    let acknowledged = Set(attempts)
    outcomes.removeAll { acknowledged.contains($0.attempt) }
  }

  private mutating func revoked(_ attempts: [AttemptID], _ actions: inout [Action]) {
    forget(attempts)
    let unwanted = Set(attempts)
    for lease in waiting where unwanted.contains(lease.cell.attempt) { shelf.release(lease.files, &actions) }
    waiting.removeAll { unwanted.contains($0.cell.attempt) }
    cancelRunning(&actions) { unwanted.contains($0) }
    for slot in slots.indices {
      slots[slot].updateRunning { running in
        if unwanted.contains(running.progress.attempt) { running.isRevoked = true }
      }
    }
  }

  private mutating func drain(_ actions: inout [Action]) {
    switch intent {
    case .working:
      intent = .draining
      handBack("the coordinator drains this worker", &actions)
    case .draining, .stopping: break
    }
  }

  private mutating func leased(_ cells: [LeasedCell], _ actions: inout [Action]) {
    guard let welcome else { preconditionFailure("leases come after the welcome") }
    var known = Set(held.map(\.attempt)).union(slots.compactMap { $0.running?.progress.attempt })
    for cell in cells {
      guard !known.contains(cell.attempt) else {
        ignore("a lease that the worker holds already", &actions)
        continue
      }
      // Room for twice the credit, and so for leases that cross a change of it.
      guard known.count < WireProtocol.listCount else {
        ignore("a lease beyond what the worker can hold", &actions)
        continue
      }
      known.insert(cell.attempt)
      guard cell.artefacts.allSatisfy(welcome.artefacts.indices.contains) else {
        let reason =
          "cell \(cell.index): expected files among the \(welcome.artefacts.count) of the welcome, found others"
        keep(.failure(attempt: cell.attempt, .refused(reason)), of: cell.attempt)
        continue
      }
      let artefacts = cell.artefacts.map { welcome.artefacts[$0] }
      waiting.append(Lease(cell: cell, artefacts: artefacts, files: shelf.retain(artefacts, &actions)))
    }
    switch intent {
    case .working: break
    case .draining, .stopping: handBack("the worker takes no more cells", &actions)
    }
  }
}
