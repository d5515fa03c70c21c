/// Everything the store knows of one cell: what reports are made from.
public struct CellRecord: Sendable, Hashable {
  /// Where a cell stands.
  ///
  ///     pending -> running -> completed
  ///        ^          |-----> failed
  ///        '----------+-----> cancelled
  ///
  /// `completed`, `failed` and `cancelled` are final: every cell ends in exactly one of them.
  public enum State: String, Sendable, Hashable, Codable, CaseIterable {
    /// Waits for a worker.
    case pending
    /// An attempt is under way.
    case running
    /// Has a result.
    case completed
    /// Has none and will have none: see ``CellRecord/failure``.
    case failed
    /// Was called off before it had one.
    case cancelled
  }

  /// The grid point.
  public var cell: Cell
  /// Where it stands.
  public var state: State
  /// What it came to; present exactly when ``state`` is `completed`.
  public var result: CellResult?
  /// Why the last failed attempt gave no result; `nil` when none failed.
  public var failure: CellFailure?
  /// Where and how fast the accepted attempt ran; present exactly when ``state`` is `completed`.
  public var report: AttemptReport?
  /// Attempts begun so far.
  public var attempts: Int
  /// The sweep whose cell brought the result, where it was another.
  public var cachedFrom: String?

  /// Creates a record.
  public init(
    cell: Cell,
    state: State,
    result: CellResult? = nil,
    failure: CellFailure? = nil,
    report: AttemptReport? = nil,
    attempts: Int = 0,
    cachedFrom: String? = nil
  ) {
    self.cell = cell
    self.state = state
    self.result = result
    self.failure = failure
    self.report = report
    self.attempts = attempts
    self.cachedFrom = cachedFrom
  }
}
