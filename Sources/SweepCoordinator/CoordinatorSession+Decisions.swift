internal import SweepCore
internal import SweepStore
internal import SweepWire

/// What the scheduler decides, as writes and messages.
extension CoordinatorSession {
  mutating func decide(_ event: Scheduler.Event, _ now: Instant, _ step: inout Step) {
    for action in scheduler.handle(event, at: now) {
      switch action {
      case .record(let write): note(write, &step)
      case .welcome(let worker): say(.welcome(welcome(to: worker)), to: worker, &step)
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

  private func welcome(to worker: WorkerID) -> Welcome {
    let (heartbeatInterval, lostAfter) = scheduler.patience(with: worker)
    return Welcome(
      sweep: sweeps.map(\.name).joined(separator: ", "), coordinatorID: configuration.coordinatorID,
      storeID: configuration.storeID, artefacts: configuration.artefacts, heartbeatInterval: heartbeatInterval,
      lostAfter: lostAfter)
  }

  private mutating func leased(_ attempt: AttemptID, _ id: CellID) -> LeasedCell {
    let cell = cell(at: id)
    return LeasedCell(
      attempt: attempt, index: cell.index, cell: cell.specification.canonicalForm,
      artefacts: places(of: cell.specification))
  }

  /// The places in the welcome of the files that a cell names. Cells that follow each other mostly name the same.
  private mutating func places(of specification: CellSpecification) -> [Int] {
    if let latestFiles, latestFiles.target == specification.target, latestFiles.corpora == specification.corpora {
      return latestFiles.places
    }
    let places = Set(specification.files.compactMap { artefacts[$0.digest] }).sorted()
    latestFiles = (specification.target, specification.corpora, places)
    return places
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

  /// Adds to the messages of a step. Leases and acknowledgements that are said to a worker with nothing else between
  /// them become one message each: they are about different attempts, so that their order says nothing. Otherwise order
  /// is kept towards each worker.
  func say(_ message: ToWorker, to worker: WorkerID, _ step: inout Step) {
    guard let peer = workers[worker]?.peer else { return }
    var latest = step.latest[peer] ?? Step.Latest()
    let place = step.messages.count
    let earlier: Int?
    switch message {
    case .lease:
      earlier = latest.lease
      latest = Step.Latest(lease: place, acknowledge: latest.acknowledge)
    case .acknowledge:
      earlier = latest.acknowledge
      latest = Step.Latest(lease: latest.lease, acknowledge: place)
    case .revoke:
      earlier = latest.revoke
      latest = Step.Latest(revoke: place)
    case .welcome, .drain, .refuse, .artefactChunk, .artefactMissing:
      earlier = nil
      latest = Step.Latest()
    }
    if let earlier {
      step.messages[earlier].message.append(message)
    } else {
      step.latest[peer] = latest
      step.messages.append(OutgoingMessage(to: peer, message))
    }
  }
}

extension ToWorker {
  /// Adds what another message of the same kind lists, in place.
  fileprivate mutating func append(_ more: ToWorker) {
    let whole = self
    // Nothing else holds its list while it grows.
    self = .drain
    switch (consume whole, more) {
    case (.lease(var cells), .lease(let more)):
      cells += more
      self = .lease(cells)
    case (.acknowledge(var attempts), .acknowledge(let more)):
      attempts += more
      self = .acknowledge(attempts)
    case (.revoke(var attempts), .revoke(let more)):
      attempts += more
      self = .revoke(attempts)
    case (.lease, _), (.acknowledge, _), (.revoke, _), (.welcome, _), (.drain, _), (.refuse, _), (.artefactChunk, _),
      (.artefactMissing, _):
      preconditionFailure("messages of different kinds cannot become one")
    }
  }
}
