public import SweepCore
internal import SweepStore
internal import SweepWire

/// What people see of a coordinator.
extension CoordinatorSession {
  /// Where the sweeps stand.
  public func progress(at now: Instant) -> SweepProgress {
    let present = workers.keys.sorted().compactMap { id in workers[id].map { (id, $0) } }
    let states = present.map { id, worker in
      SweepProgress.Worker(
        id: id, host: worker.host, processIdentifier: worker.processIdentifier, slots: worker.slots,
        setAside: scheduler.quarantine(of: id),
        attempts: (scheduler.leases(of: id) ?? []).compactMap { attempt in
          scheduler.cell(of: attempt).map { self.progress(of: attempt, at: $0) }
        })
    }
    let tallies = sweeps.indices.map { scheduler.tallies(of: SweepIndex($0)) }
    let left = tallies.joined().map { ($0[.pending] ?? 0) + ($0[.running] ?? 0) }
    return SweepProgress(
      sweeps: zip(sweeps, tallies).enumerated().map { position, sweep in
        SweepProgress.Sweep(
          name: sweep.0.name, methods: zip(sweep.0.methods, sweep.1).map { SweepProgress.Method(name: $0, cells: $1) },
          isPaused: scheduler.isPaused(SweepIndex(position)), completedHere: completedHere[position],
          faults: faults[position])
      },
      workers: states, elapsed: now - start,
      remaining: pace.remaining(left, slots: states.reduce(0) { $0 + min($1.slots, $1.attempts.count) }),
      isDraining: isDraining)
  }

  private func progress(of attempt: AttemptID, at id: CellID) -> SweepProgress.Attempt {
    let cell = cell(at: id)
    let known = progress[attempt]
    return SweepProgress.Attempt(
      id: attempt, sweep: sweeps[places.place(of: id).sweep.position].name, cell: cell.index, method: cell.method,
      step: known?.step ?? 0, steps: known?.steps ?? 0, loss: known?.loss)
  }

  /// The cell of an attempt, as people know it, and its worker.
  func whereabouts(of attempt: AttemptID) -> (cell: String, worker: WorkerID)? {
    scheduler.whereabouts(of: attempt).map { (name(of: $0.cell), $0.worker) }
  }

  /// A cell as people know it: its place in its sweep, with the sweep's name where there are several.
  func name(of id: CellID) -> String {
    let (sweep, index) = places.place(of: id)
    return sweeps.count == 1 ? "\(index)" : "\(sweeps[sweep.position].name)/\(index)"
  }

  /// A sweep's name.
  func name(of sweep: SweepIndex) -> String {
    sweeps[sweep.position].name
  }
}
