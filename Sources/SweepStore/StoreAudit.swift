public import ContentHash
internal import Foundation
public import SweepCore

/// What a store proves of a sweep: that every cell of its grid has exactly one accepted result, or what is wanting.
///
/// Nothing that a coordinator once concluded is taken on trust: every specification and result is digested again, and
/// the sweep's own digest is computed from its cells.
public struct StoreAudit: Sendable, Hashable {
  /// A cell that ended without a result.
  public struct Failure: Sendable, Hashable {
    /// Its place in the sweep.
    public let cell: Int
    /// Why.
    public let failure: CellFailure
  }

  /// An attempt at a cell.
  public struct Attempt: Sendable, Hashable {
    /// The cell's place in the sweep.
    public let cell: Int
    /// The attempt.
    public let attempt: AttemptID
    /// The worker that it was leased to.
    public let worker: WorkerID
  }

  /// Something in the store that contradicts itself, or does not fit its digest.
  public struct Contradiction: Sendable, Hashable, Comparable {
    /// The cell's place in the sweep; `nil` for the sweep as a whole.
    public let cell: Int?
    /// One line for people.
    public let detail: String

    /// The sweep first, then by cell.
    public static func < (left: Contradiction, right: Contradiction) -> Bool {
      (left.cell ?? -1, left.detail) < (right.cell ?? -1, right.detail)
    }
  }

  /// The sweep's name.
  public let sweep: String
  /// The sweep's digest.
  public let digest: SHA256Digest
  /// Cells of the grid.
  public internal(set) var cells = 0
  /// Cells with exactly one accepted result that fits its digest.
  public internal(set) var accepted = 0
  /// Those among them whose result another sweep brought.
  public internal(set) var cached = 0
  /// Cells that have not ended, by their places.
  public internal(set) var missing: [Int] = []
  /// Cells that failed.
  public internal(set) var failed: [Failure] = []
  /// Cells that were cancelled, by their places.
  public internal(set) var cancelled: [Int] = []
  /// Attempts whose result differed from the first of their cell.
  public internal(set) var differing: [Attempt] = []
  /// Attempts whose result was equal to the first of their cell.
  public internal(set) var duplicates = 0
  /// Attempts that have not ended.
  public internal(set) var open: [Attempt] = []
  /// How the audits of cells ended, and how many did so.
  public internal(set) var audits: [AuditOutcome: Int] = [:]
  /// What contradicts itself.
  public internal(set) var contradictions: [Contradiction] = []

  /// Whether every cell has exactly one accepted result, none was contradicted by another execution, and nothing in the
  /// store contradicts itself.
  public var isProven: Bool {
    accepted == cells && missing.isEmpty && failed.isEmpty && cancelled.isEmpty && differing.isEmpty
      && contradictions.isEmpty
  }
}
