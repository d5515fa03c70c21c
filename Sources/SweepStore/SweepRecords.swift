public import ContentHash
public import Foundation
public import SweepCore

/// What a store tells of its sweeps.
public protocol SweepRecords: Sendable {
  /// All sweeps, the one taken up last first.
  func sweeps() throws(StoreError) -> [SweepRecord]

  /// How many cells of each method stand where; methods in the order in which cells first name them.
  func tallies(of sweep: SweepID) throws(StoreError) -> [MethodTally]

  /// Everything known of the cells of a sweep, by ascending index, as of one moment.
  func records(of sweep: SweepID) throws(StoreError) -> [CellRecord]

  /// The history of a sweep, oldest first: of one cell, or of all cells, the sweep as a whole and the workers.
  func events(of sweep: SweepID, cell: Int?) throws(StoreError) -> [StoredEvent]

  /// The reproducibility faults of a sweep, oldest first.
  func faults(of sweep: SweepID) throws(StoreError) -> [ReproducibilityFault]
}

/// A sweep of a store.
public struct SweepRecord: Sendable, Hashable {
  /// Its name within the store.
  public let id: SweepID
  /// What it is.
  public let description: SweepDescription
  /// When it was entered.
  public let begun: Date
  /// When a coordinator last took it up.
  public let opened: Date
  /// Sweeps with a greater number go first.
  public let priority: Int
  /// Whether its cells are not to be handed out.
  public let isPaused: Bool
}

/// How many cells of a method stand where.
public struct MethodTally: Sendable, Hashable {
  /// The method's name.
  public let method: String
  /// Cells in each state; states without cells may be absent.
  public var cells: [CellRecord.State: Int]
  /// Completed cells whose result another sweep brought.
  public var cached: Int
}

/// What became of the cells that have a specification.
public struct SpecificationRecord: Sendable, Hashable {
  /// The specification.
  public let specification: CellSpecification
  /// Its fingerprint.
  public let fingerprint: SHA256Digest
  /// Where a cell that has it stands.
  public let state: CellRecord.State
  /// Why that cell failed; `nil` where it did not.
  public let failure: CellFailure?
  /// The sweep that brought a result of it; `nil` while there is none.
  public let completedBy: String?
}

/// A cell that ended without a result.
public struct UnsuccessfulCell: Sendable, Hashable {
  /// Its place in its sweep.
  public let index: Int
  /// The name of its method.
  public let method: String
  /// Why it failed; `nil` for one that was cancelled.
  public let failure: CellFailure?
}

/// A result that differs from the first of its fingerprint.
public struct ReproducibilityFault: Sendable, Hashable {
  /// The attempt that gave it.
  public let attempt: AttemptID
  /// The worker that ran the attempt.
  public let worker: WorkerID
  /// The cell's place in its sweep.
  public let cell: Int
  /// When it came.
  public let at: Date
}

/// Something that happened.
public struct StoredEvent: Sendable, Hashable {
  /// When.
  public let at: Date
  /// What, in one word: `leased`, `completed`, `worker-lost`. DESIGN's words where it has some.
  public let kind: String
  /// The cell's place in its sweep.
  public let cell: Int?
  /// The attempt.
  public let attempt: AttemptID?
  /// The worker.
  public let worker: WorkerID?
  /// One line for people.
  public let message: String?

  init(
    at: Date, kind: String, cell: Int? = nil, attempt: AttemptID? = nil, worker: WorkerID? = nil, message: String? = nil
  ) {
    self.at = at
    self.kind = kind
    self.cell = cell
    self.attempt = attempt
    self.worker = worker
    self.message = message
  }
}
