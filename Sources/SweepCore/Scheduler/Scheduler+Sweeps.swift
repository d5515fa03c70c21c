/// What those who run the sweeps ask for.
extension Scheduler {
  mutating func pause(_ sweep: SweepIndex, _ now: Instant, _ actions: inout [Action]) {
    guard !lanes[sweep.position].isPaused else { return }
    lanes[sweep.position].isPaused = true
    actions.append(.record(.sweep(sweep, .paused)))
    for worker in workers.keys.sorted() { takeBackUnstarted(of: worker, in: sweep.position, &actions) }
  }

  mutating func resume(_ sweep: SweepIndex, _ actions: inout [Action]) {
    guard lanes[sweep.position].isPaused else { return }
    lanes[sweep.position].isPaused = false
    isSettled = false
    actions.append(.record(.sweep(sweep, .resumed)))
  }

  mutating func prioritise(_ sweep: SweepIndex, _ priority: Int, _ actions: inout [Action]) {
    guard lanes[sweep.position].priority != priority else { return }
    lanes[sweep.position].priority = priority
    isSettled = false
    actions.append(.record(.sweep(sweep, .prioritised(priority))))
  }

  /// Ends every open cell of a sweep. Equal cells of other sweeps go on, and with them what runs for both.
  mutating func cancel(_ sweep: SweepIndex, _ actions: inout [Action]) {
    let lane = lanes[sweep.position]
    let audited = efforts.heads.filter { head in
      efforts[head]?.audit.map { lane.cells.contains($0.cell.index) } ?? false
    }
    let open = lane.cells.filter { cells[$0].standing == .open }
    guard !open.isEmpty || !audited.isEmpty else { return }
    isSettled = false
    actions.append(.record(.sweep(sweep, .cancelled)))
    for index in open {
      let head = head(of: CellID(index))
      close(CellID(index), as: .cancelled, &actions)
      guard !isOpen(head) else { continue }
      revokeLive(head, &actions)
      tidy(head)
    }
    for head in audited { concludeAudit(head, .calledOff, &actions) }
  }

  /// Reopens cells that failed or were cancelled. Those whose fingerprint has a result by now are completed by it.
  mutating func retry(_ cells: [CellID], _ actions: inout [Action]) {
    for cell in cells {
      switch self.cells[cell.index].standing {
      case .open, .completed: continue
      case .failed, .cancelled: break
      }
      actions.append(.record(.reopened(cell, from: attempts.next)))
      reopen(cell)
      reopened[cell] = attempts.next.number
      let head = head(of: cell)
      if self.cells[head.index].resultDigest != nil {
        close(cell, as: .completed, &actions)
      } else {
        undertake(head)
        efforts.update(head) {
          $0.failures = 0
          $0.troubles = []
          $0.memoryFloor = 0
          // Its sweep may be another than those in whose lines its equals wait.
          $0.ticket = 0
        }
        requeue(head)
      }
    }
  }

  private mutating func reopen(_ cell: CellID) {
    let entry = cells[cell.index]
    let isRunning = efforts[head(of: cell)]?.live.isEmpty == false
    counts[place(entry.group, entry.standing, isRunning: false)] -= 1
    counts[place(entry.group, .open, isRunning: isRunning)] += 1
    cells[cell.index].standing = .open
    unended += 1
  }

  mutating func drainWorker(_ worker: WorkerID, _ actions: inout [Action]) {
    guard workers[worker]?.isPresent == true else { return }
    leaving.insert(worker)
    setCredit(of: worker, to: 0)
    actions.append(.drain(worker))
  }

  mutating func revokeWorker(
    _ worker: WorkerID, reason: String, _ now: Instant, _ actions: inout [Action]
  ) {
    guard let entry = workers[worker] else { return }
    actions.append(.record(.worker(worker, .revoked(reason))))
    remove(worker)
    actions.append(.forget(worker))
    for lease in entry.leases {
      giveUp(lease.attempt, as: .workerRevoked, message: "worker \(worker.name) was cut off: \(reason)", &actions)
    }
  }
}
