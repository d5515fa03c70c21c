/// Where a cell stands in the ``Scheduler``.
///
///                 .------------- the last running attempt ended without a result,
///                 |              and another may be tried
///                 v                             |
///     pending ---------- leased ----------> running ---- first valid result ----------> completed
///        |  ^                                |   '------ permanent failure, or the -----> failed
///        |  |                                |           last attempt allowed failed
///        |  '-- adopted: a worker that       '---------- cancel ----------------------> cancelled
///        |      was taken for lost still
///        |      runs it (to running)
///        |
///        '--- result or permanent failure of an attempt taken for lost, or cancel: straight to its end
///
///     twin ------- shares the end of the equal cell, without ever being leased
///
/// `completed`, `failed` and `cancelled` are final: nothing leaves them, whatever arrives.
public enum CellState: Sendable, Hashable {
  /// Waits to be leased.
  case pending
  /// Waits for another cell of the sweep with the same fingerprint, which runs for both.
  case twin(of: CellID)
  /// Leased: these attempts are under way, oldest first. There are several when a worker that was taken for lost
  /// comes back while another already runs the cell; the first result counts.
  case running([AttemptID])
  /// Has a result.
  case completed
  /// Has none and will have none.
  case failed
  /// Was called off before it had one.
  case cancelled

  /// Whether the cell has come to its end.
  public var isFinal: Bool {
    switch self {
    case .pending, .twin, .running: false
    case .completed, .failed, .cancelled: true
    }
  }

  /// The same in the words of reports.
  public var summary: CellRecord.State {
    switch self {
    case .pending, .twin: .pending
    case .running: .running
    case .completed: .completed
    case .failed: .failed
    case .cancelled: .cancelled
    }
  }
}
