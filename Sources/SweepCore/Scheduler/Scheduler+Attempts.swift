/// What workers say of attempts.
extension Scheduler {
  // MARK: - Named as held

  /// A worker says that it answers for an attempt, and, in a heartbeat, whether it has started it. `hint` is where the
  /// lease may stand in the worker's list, and becomes where the next may stand.
  mutating func name(
    _ attempt: AttemptID, isStarted: Bool?, by worker: WorkerID, hint: inout Int, _ now: Instant,
    _ actions: inout [Action]
  ) {
    guard let entry = attempts[attempt], entry.worker == worker else {
      actions.append(.revoke(worker, attempt))
      return
    }
    switch entry.standing {
    case .live: renew(attempt, isStarted, by: worker, hint: &hint, now)
    case .lost:
      if isWanted(entry) {
        // It was not lost after all.
        discount(attempt)
        actions.append(.record(.adopted(attempt)))
        hold(attempt, at: now, wasNamed: true, isStarted: isStarted)
      } else {
        actions.append(.revoke(worker, attempt))
      }
    case .ended:
      actions.append(.revoke(worker, attempt))
    }
  }

  private mutating func renew(
    _ attempt: AttemptID, _ isStarted: Bool?, by worker: WorkerID, hint: inout Int, _ now: Instant
  ) {
    guard let leases = workers[worker]?.leases else { preconditionFailure("a lease of a worker that is not there") }
    let isThere = leases.indices.contains(hint) && leases[hint].attempt == attempt
    guard let index = isThere ? hint : leases.firstIndex(where: { $0.attempt == attempt }) else {
      preconditionFailure("attempt \(attempt.number) is live without a lease")
    }
    hint = index + 1
    workers[worker]?.leases[index].lastNamed = now
    workers[worker]?.leases[index].wasNamed = true
    if let isStarted, leases[index].isStarted != isStarted {
      workers[worker]?.leases[index].isStarted = isStarted
      isSettled = false
    }
  }

  /// Whether an attempt whose lease was given up may go on.
  private func isWanted(_ entry: AttemptEntry) -> Bool {
    let head = head(of: entry.cell)
    if isOpen(head) { return true }
    guard let effort = efforts[head], let audit = effort.audit else { return false }
    return effort.live.isEmpty && (entry.worker != audit.worker || entry.purpose == .audit)
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
    let head = head(of: entry.cell)
    guard delivered.fingerprint == cells[head.index].fingerprint else {
      let failure = CellFailure(
        kind: .engineFault,
        message: "expected a result of cell \(entry.cell.index) (\(cells[head.index].fingerprint)), "
          + "found one of \(delivered.fingerprint)")
      self.failure(failure, of: attempt, by: worker, now, &actions)
      return
    }
    let isNews = entry.standing != .ended
    if isNews { discount(attempt) }
    release(attempt, to: .ended)
    if let first = firstResult(of: head) {
      let agrees = first.agrees(with: delivered.digest)
      if !agrees {
        actions.append(.record(.fault(attempt, delivered)))
      } else if isNews {
        actions.append(.record(.ended(attempt, .duplicate)))
      }
      if isNews { compare(entry, agrees: agrees, head, &actions) }
    } else {
      noteFirstResult(delivered.digest, of: head)
      completions += 1
      actions.append(.record(.result(attempt, delivered)))
      // Otherwise it is too late for the cells, whose outcome stands; kept for whoever asks for the fingerprint next.
      if isOpen(head) { complete(head, by: entry, attempt, now, &actions) }
    }
    if isNews { succeeded(worker, attempt, &actions) }
    actions.append(.acknowledge(worker, attempt))
  }

  /// The digest of the first result of a head's fingerprint; `nil` before it has come.
  private func firstResult(of head: CellID) -> ResultDigest? {
    cells[head.index].resultDigest.map { ResultDigest(numbers: $0, windows: windowDigests[head]) }
  }

  /// Notes the first result of a head's fingerprint.
  mutating func noteFirstResult(_ digest: ResultDigest, of head: CellID) {
    cells[head.index].resultDigest = digest.numbers
    windowDigests[head] = digest.windows
  }

  /// Ends the open cells of a head, whose first result has come.
  private mutating func complete(
    _ head: CellID, by entry: AttemptEntry, _ attempt: AttemptID, _ now: Instant, _ actions: inout [Action]
  ) {
    let asking = openMembers(head).first { isChosen($0, by: attempt) }
    let failed = efforts[head]?.troubles.filter { $0.isReported && $0.worker != entry.worker }.map(\.worker) ?? []
    for member in openMembers(head) { close(member, as: .completed, &actions) }
    if let asking {
      oweAudit(head, for: asking, of: entry.worker, now)
      // A copy that is under way elsewhere checks the result as well as any.
      let kept = efforts[head]?.live.first { attempts[$0]?.worker != entry.worker }
      revokeLive(head, except: kept, &actions)
      if kept == nil { queueAudit(head) }
    } else {
      revokeLive(head, &actions)
      tidy(head)
    }
    for worker in Set(failed).sorted() { outdone(worker, now, &actions) }
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
    if failure.kind == .preempted { setCredit(of: worker, to: 0) }
    switch entry.standing {
    case .ended:
      break  // Repeated, or overtaken by a revocation.
    case .live, .lost:
      let head = head(of: entry.cell)
      discount(attempt)
      actions.append(.record(.ended(attempt, .failed(failure))))
      release(attempt, to: .ended)
      if failure.kind.isCounted {
        count(attempt, isReported: true)
        noteMemory(failure, head, worker)
      }
      if failure.kind.isTransient {
        goOn(head, after: failure, &actions)
      } else if isOpen(head) {
        end(head, as: .failed(failure), &actions)
      } else if efforts[head]?.audit != nil {
        concludeAudit(head, .differed, &actions)
      }
      judge(worker, failure, head, attempt, now, &actions)
    }
    actions.append(.acknowledge(worker, attempt))
  }

  /// Takes a lease back whose worker says nothing more about it.
  mutating func giveUp(
    _ attempt: AttemptID, as loss: LeaseLoss, message: String, _ actions: inout [Action]
  ) {
    guard let cell = attempts[attempt]?.cell else { preconditionFailure("lease of an unknown attempt") }
    actions.append(.record(.ended(attempt, .lost(loss, message: message))))
    release(attempt, to: .lost)
    if loss.isCounted { count(attempt, isReported: false) }
    goOn(head(of: cell), after: CellFailure(kind: .workerLost, message: message), &actions)
  }

  /// Takes a lease back that its worker has not started. If it has all the same, and delivers, the result counts.
  mutating func takeBack(_ attempt: AttemptID, _ actions: inout [Action]) {
    actions.append(.record(.ended(attempt, .takenBack)))
    if let worker = release(attempt, to: .ended) { actions.append(.revoke(worker, attempt)) }
  }

  private mutating func touch(_ worker: WorkerID, _ now: Instant) {
    if workers[worker]?.isPresent == true { workers[worker]?.lastHeard = now }
  }
}
