/// Where a cell stands in the ``Scheduler``.
///
///                 .------------- the last attempt under way ended without a result,
///                 |              and another may be tried
///                 v                             |
///     pending ---------- leased ----------> running ---- first valid result ----------> completed
///      ^  |  ^                               |   '------ permanent failure, or the -----> failed
///      |  |  |                               |           last attempt allowed failed       |
///      |  |  '-- adopted: a worker that      '---------- cancel ----------------------> cancelled
///      |  |      was taken for lost still                                                  |
///      |  |      runs it (to running)                                                      |
///      |  |                                                                                |
///      |  '--- result or permanent failure of an attempt whose lease was taken, or         |
///      |       cancel: straight to its end                                                 |
///      '--------------------------------- retry -------------------------------------------'
///
/// Cells of the same fingerprint are pending and running together: one attempt works for all of them, and they share
/// its result or failure. A cancellation ends those of its own sweep only.
///
/// `completed` is final: nothing leaves it, whatever arrives. `failed` and `cancelled` are left only by a retry.
public enum CellState: Sendable, Hashable {
  /// Waits to be leased.
  case pending
  /// Leased: these attempts are under way, oldest first. There are several when a worker that was taken for lost
  /// comes back while another already runs the cell, and when an idle worker runs a second copy; the first result
  /// counts.
  case running([AttemptID])
  /// Has a result.
  case completed
  /// Has none.
  case failed
  /// Was called off before it had one.
  case cancelled

  /// Whether the cell has come to its end.
  public var isFinal: Bool {
    switch self {
    case .pending, .running: false
    case .completed, .failed, .cancelled: true
    }
  }

  /// The same in the words of reports.
  public var summary: CellRecord.State {
    switch self {
    case .pending: .pending
    case .running: .running
    case .completed: .completed
    case .failed: .failed
    case .cancelled: .cancelled
    }
  }
}
