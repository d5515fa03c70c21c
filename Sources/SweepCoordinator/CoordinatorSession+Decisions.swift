internal import SweepCore
internal import SweepStore
internal import SweepWire

/// What the scheduler decides, as writes and messages.
extension CoordinatorSession {
  mutating func decide(_ event: Scheduler.Event, _ now: Instant, _ step: inout Step) {
    for action in scheduler.handle(event, at: now) {
      switch action {
      case .record(let write): note(write, &step)
      case .welcome(let worker): say(.welcome(welcome), to: worker, &step)
      case .lease(let worker, let attempt, let cell): say(.lease([leased(attempt, cell)]), to: worker, &step)
      case .acknowledge(let worker, let attempt): say(.acknowledge([attempt]), to: worker, &step)
      case .revoke(let worker, let attempt):
        progress[attempt] = nil
        say(.revoke([attempt]), to: worker, &step)
      case .drain(let worker): say(.drain, to: worker, &step)
      case .forget(let worker): if let peer = workers[worker]?.peer { drop(peer, &step) }
      case .finish:
        finished = now
        step.notes.append(.finished)
      }
    }
  }

  private var welcome: Welcome {
    Welcome(
      sweep: sweeps.map(\.name).joined(separator: ", "), coordinatorID: configuration.coordinatorID,
      storeID: configuration.storeID, artefacts: configuration.artefacts,
      heartbeatInterval: configuration.settings.heartbeatInterval, lostAfter: configuration.settings.lostAfter)
  }

  private func leased(_ attempt: AttemptID, _ id: CellID) -> LeasedCell {
    let cell = cell(at: id)
    return LeasedCell(
      attempt: attempt, index: cell.index, cell: cell.specification.canonicalForm,
      artefacts: Set(cell.specification.files.compactMap { artefacts[$0.digest] }).sorted())
  }

  private mutating func note(_ write: StoreWrite, _ step: inout Step) {
    step.batch.writes.append(write)
    switch write {
    case .ended(let attempt, _), .result(let attempt, _): progress[attempt] = nil
    case .fault(let attempt, _):
      progress[attempt] = nil
      if let cell = scheduler.cell(of: attempt) { faults[places.place(of: cell).sweep.position] += 1 }
    case .outcome(let cell, .completed): completedHere[places.place(of: cell).sweep.position] += 1
    case .outcome(_, .failed), .outcome(_, .cancelled), .leased, .adopted, .worker, .reopened, .audited, .sweep: break
    }
  }

  /// Adds to the messages of a step. Order is kept towards each worker; leases, acknowledgements and revocations that
  /// follow each other become one message.
  func say(_ message: ToWorker, to worker: WorkerID, _ step: inout Step) {
    guard let peer = workers[worker]?.peer else { return }
    if let index = step.latest[peer] {
      switch (step.messages[index].message, message) {
      case (.lease(let earlier), .lease(let more)):
        step.messages[index].message = .lease(earlier + more)
        return
      case (.acknowledge(let earlier), .acknowledge(let more)):
        step.messages[index].message = .acknowledge(earlier + more)
        return
      case (.revoke(let earlier), .revoke(let more)):
        step.messages[index].message = .revoke(earlier + more)
        return
      case (.welcome, _), (.lease, _), (.acknowledge, _), (.revoke, _), (.drain, _), (.refuse, _), (.artefactChunk, _),
        (.artefactMissing, _):
        break
      }
    }
    step.latest[peer] = step.messages.count
    step.messages.append(OutgoingMessage(to: peer, message))
  }
}
