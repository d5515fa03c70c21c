internal import SweepCore
internal import SweepStore
internal import SweepWire

extension CoordinatorSession {
  mutating func received(_ result: AttemptResult, from worker: WorkerID, _ now: Instant, _ step: inout Step) {
    progress[result.attempt] = nil
    switch examine(result) {
    case .success(let seconds):
      let delivered = DeliveredResult(
        fingerprint: result.fingerprint, result: result.result, report: result.report, windows: result.windows)
      let before = step.batch.writes.count
      decide(.result(worker, result.attempt, delivered), now, &step)
      for write in step.batch.writes[before...] {
        guard case .result(let attempt, _) = write, let cell = scheduler.cell(of: attempt) else { continue }
        pace.note(seconds: seconds, group: group(of: cell))
      }
    case .failure(let failure):
      decide(.failure(worker, result.attempt, failure), now, &step)
    }
  }

  /// Looks at a result and says how long it took, in seconds: whatever is stored must be fit for reports.
  private func examine(_ result: AttemptResult) -> Result<Double, CellFailure> {
    func unfit(_ what: String) -> Result<Double, CellFailure> {
      .failure(CellFailure(kind: .engineFault, message: "the worker sent a result \(what)"))
    }
    let cell = scheduler.cell(of: result.attempt)
    let corpora = cell.map { self.cell(at: $0).specification.corpora }
    /// Whether the windows are those of so many measurements of the cell; what is of no cell is not kept.
    func fit(_ measurements: Int) -> Bool {
      guard let windows = result.windows, let cell, let corpora else { return true }
      let evaluation = self.cell(at: cell).specification.evaluation
      return windows.fit(
        corpora: corpora.count, measurements: measurements,
        windows: evaluation.tokensPerCorpus / evaluation.context)
    }
    let misfit = "with evaluation windows that do not fit its cell"
    if let corpora, let measurements = DeliveredJSON.measurements(inResult: result.result, of: corpora),
      let seconds = DeliveredJSON.wallSeconds(ofReport: result.report)
    {
      return fit(measurements) ? .success(seconds) : unfit(misfit)
    }
    guard let values: CellResult = try? CanonicalJSON.decode(from: result.result) else {
      return unfit("that cannot be read")
    }
    guard let report: AttemptReport = try? CanonicalJSON.decode(from: result.report) else {
      return unfit("with a report that cannot be read")
    }
    guard !values.evaluations.isEmpty else { return unfit("without a measurement") }
    if let names = corpora?.map(\.name), !values.evaluations.allSatisfy({ $0.corpora.map(\.name) == names }) {
      return unfit("of other corpora than the cell's")
    }
    return fit(values.evaluations.count) ? .success(report.wallSeconds) : unfit(misfit)
  }

  /// The cell at a place of the coordinator's enumeration.
  func cell(at id: CellID) -> Cell {
    let (sweep, index) = places.place(of: id)
    return sweeps[sweep.position].cells[index]
  }

  /// The place of a cell's method among those of all sweeps.
  private func group(of cell: CellID) -> Int {
    let (sweep, index) = places.place(of: cell)
    let known = groups[sweep.position]
    return known.first + (known.ofMethod[sweeps[sweep.position].cells[index].method] ?? 0)
  }
}
