/// What becomes of attempts, and through them of cells.
extension Scheduler {
  // MARK: - Named as held

  /// A worker says that it holds an attempt.
  mutating func name(_ attempt: AttemptID, by worker: WorkerID, _ now: Instant, _ actions: inout [Action]) {
    guard let entry = attempts[attempt], entry.worker == worker else {
      actions.append(.revoke(worker, attempt))
      return
    }
    switch entry.standing {
    case .live:
      guard let index = workers[worker]?.leases.firstIndex(where: { $0.attempt == attempt }) else {
        preconditionFailure("attempt \(attempt.number) is live without a lease")
      }
      workers[worker]?.leases[index].lastNamed = now
      workers[worker]?.leases[index].wasNamed = true
    case .lost:
      switch cells[entry.cell.index].state {
      case .pending, .running:
        adopt(attempt, now, &actions)
      case .completed, .failed, .cancelled:
        actions.append(.revoke(worker, attempt))
      case .twin:
        preconditionFailure("twin \(entry.cell.index) was leased")
      }
    case .ended:
      actions.append(.revoke(worker, attempt))
    }
  }

  /// Gives an attempt its lease back: it was not lost after all.
  private mutating func adopt(_ attempt: AttemptID, _ now: Instant, _ actions: inout [Action]) {
    discount(attempt)
    attempts[attempt]?.standing = .live
    actions.append(.record(.adopted(attempt)))
    hold(attempt, at: now, wasNamed: true)
  }

  // MARK: - Results

  mutating func result(
    _ delivered: DeliveredResult, of attempt: AttemptID, by worker: WorkerID, _ now: Instant,
    _ actions: inout [Action]
  ) {
    touch(worker, now)
    guard let entry = attempts[attempt], entry.worker == worker else {
      actions.append(.revoke(worker, attempt))
      return
    }
    let cell = entry.cell
    guard delivered.fingerprint == cells[cell.index].fingerprint else {
      let failure = CellFailure(
        kind: .engineFault,
        message: "expected a result of cell \(cell.index) (\(cells[cell.index].fingerprint)), "
          + "found one of \(delivered.fingerprint)")
      self.failure(failure, of: attempt, by: worker, now, &actions)
      return
    }
    discount(attempt)
    release(attempt, to: .ended)
    if let first = cells[cell.index].resultDigest {
      if first != delivered.digest {
        actions.append(.record(.fault(attempt, delivered)))
      } else if entry.standing != .ended {
        actions.append(.record(.ended(attempt, .duplicate)))
      }
    } else {
      cells[cell.index].resultDigest = delivered.digest
      for twin in twins[cell] ?? [] { cells[twin.index].resultDigest = delivered.digest }
      actions.append(.record(.result(attempt, delivered)))
      switch cells[cell.index].state {
      case .pending, .running:
        end(cell, as: .completed, &actions)
      case .failed, .cancelled:
        break  // Too late for the cell, whose outcome stands; kept for whoever asks for the fingerprint next.
      case .completed:
        preconditionFailure("cell \(cell.index) was completed without a result")
      case .twin:
        preconditionFailure("twin \(cell.index) was leased")
      }
    }
    actions.append(.acknowledge(worker, attempt))
  }

  // MARK: - Failures

  mutating func failure(
    _ failure: CellFailure, of attempt: AttemptID, by worker: WorkerID, _ now: Instant, _ actions: inout [Action]
  ) {
    touch(worker, now)
    guard let entry = attempts[attempt], entry.worker == worker else {
      actions.append(.revoke(worker, attempt))
      return
    }
    // A worker that hands a cell back wants no other until it says so.
    if failure.kind == .preempted || failure.kind == .workerUnfit { setCredit(of: worker, to: 0) }
    switch entry.standing {
    case .ended:
      break  // Repeated, or overtaken by a revocation.
    case .live, .lost:
      discount(attempt)
      let outcome = AttemptEnd.failed(failure)
      actions.append(.record(.ended(attempt, outcome)))
      release(attempt, to: .ended)
      if outcome.isCounted { count(attempt) }
      switch cells[entry.cell.index].state {
      case .pending, .running:
        if failure.kind.isTransient {
          retry(entry.cell, after: failure, &actions)
        } else {
          end(entry.cell, as: .failed(failure), &actions)
        }
      case .completed, .failed, .cancelled:
        break
      case .twin:
        preconditionFailure("twin \(entry.cell.index) was leased")
      }
    }
    actions.append(.acknowledge(worker, attempt))
  }

  /// Takes a lease back whose worker says nothing more about it.
  mutating func giveUp(
    _ attempt: AttemptID, as loss: LeaseLoss, message: String, _ actions: inout [Action]
  ) {
    guard let cell = attempts[attempt]?.cell else { preconditionFailure("lease of an unknown attempt") }
    let outcome = AttemptEnd.lost(loss, message: message)
    actions.append(.record(.ended(attempt, outcome)))
    release(attempt, to: .lost)
    if outcome.isCounted { count(attempt) }
    retry(cell, after: CellFailure(kind: .workerLost, message: message), &actions)
  }

  /// Goes on with an unended cell after one of its attempts came to nothing.
  private mutating func retry(_ cell: CellID, after failure: CellFailure, _ actions: inout [Action]) {
    switch cells[cell.index].state {
    case .running(let live) where !live.isEmpty:
      break  // Another attempt is under way.
    case .running, .pending:
      if cells[cell.index].failures >= settings.maximumAttempts {
        var last = failure
        last.message += " (\(settings.maximumAttempts) attempts failed)"
        end(cell, as: .failed(last), &actions)
      } else {
        move(cell, to: .pending)
        requeue(cell)
      }
    case .twin, .completed, .failed, .cancelled:
      preconditionFailure("cell \(cell.index) cannot be tried again")
    }
  }

  // MARK: - Bookkeeping

  private mutating func touch(_ worker: WorkerID, _ now: Instant) {
    if workers[worker]?.isPresent == true { workers[worker]?.lastHeard = now }
  }

  private mutating func count(_ attempt: AttemptID) {
    guard let entry = attempts[attempt], !entry.isCounted else { return }
    attempts[attempt]?.isCounted = true
    cells[entry.cell.index].failures += 1
    if !cells[entry.cell.index].state.isFinal { troubles[entry.cell, default: []].append(entry.worker) }
  }

  private mutating func discount(_ attempt: AttemptID) {
    guard let entry = attempts[attempt], entry.isCounted else { return }
    attempts[attempt]?.isCounted = false
    cells[entry.cell.index].failures -= 1
    if let index = troubles[entry.cell]?.firstIndex(of: entry.worker) {
      troubles[entry.cell]?.remove(at: index)
    }
  }

  /// Gives a live attempt to its worker and its cell.
  mutating func hold(_ attempt: AttemptID, at now: Instant, wasNamed: Bool) {
    guard let entry = attempts[attempt] else { preconditionFailure("lease of an unknown attempt") }
    liveAttempts += 1
    workers[entry.worker]?.leases.append(Lease(attempt: attempt, lastNamed: now, wasNamed: wasNamed))
    offer(entry.worker)
    switch cells[entry.cell.index].state {
    case .pending: move(entry.cell, to: .running([attempt]))
    case .running(let live): move(entry.cell, to: .running(live + [attempt]))
    case .twin, .completed, .failed, .cancelled:
      preconditionFailure("cell \(entry.cell.index) cannot be leased")
    }
  }

  /// Takes an attempt from its worker and its cell, if it is live. A cell whose last attempt this was is left running
  /// without any, for the caller to decide. Returns the worker that held it.
  @discardableResult
  mutating func release(_ attempt: AttemptID, to standing: Standing) -> WorkerID? {
    guard let entry = attempts[attempt] else { preconditionFailure("attempt \(attempt.number) is unknown") }
    attempts[attempt]?.standing = standing
    guard case .live = entry.standing else { return nil }
    liveAttempts -= 1
    if let index = workers[entry.worker]?.leases.firstIndex(where: { $0.attempt == attempt }) {
      workers[entry.worker]?.leases.remove(at: index)
      offer(entry.worker)
    }
    switch cells[entry.cell.index].state {
    case .running(let live): move(entry.cell, to: .running(live.filter { $0 != attempt }))
    case .completed, .failed, .cancelled: break
    case .pending, .twin: preconditionFailure("cell \(entry.cell.index) had a live attempt")
    }
    return entry.worker
  }
}
