public import Foundation
public import SweepCore

/// What a coordinator commits at a time: all of it or nothing.
public struct StoreBatch: Sendable {
  /// What the scheduler wants kept, in order.
  public var writes: [StoreWrite]
  /// Requests that have been taken up: their effects are among the writes.
  public var settled: [StoreRequest.ID]

  /// Creates a batch.
  public init(_ writes: [StoreWrite] = [], settled: [StoreRequest.ID] = []) {
    self.writes = writes
    self.settled = settled
  }

  /// Whether there is nothing to commit.
  public var isEmpty: Bool { writes.isEmpty && settled.isEmpty }
}

/// Where a coordinator commits.
public protocol CoordinatorStore: Sendable {
  /// Writes a batch in one transaction. When it returns, all of the batch is kept; when it throws, none of it.
  ///
  /// - Parameters:
  ///   - places: What ``SweepKeeper/begin(_:at:)`` said of the cells.
  ///   - time: The time of day.
  func commit(_ batch: StoreBatch, in places: CellPlaces, at time: Date) async throws(StoreError)

  /// The requests that no coordinator has taken up, oldest first.
  func openRequests() async throws(StoreError) -> [StoreRequest]
}

/// A store that sweeps can be begun in. What it promises is written down in the suite that ``SweepStore`` and
/// ``MemoryStore`` both pass.
public protocol SweepKeeper: CoordinatorStore {
  /// Names the store to workers: within it attempt numbers are unique.
  var storeID: String { get }

  /// Takes up sweeps: enters those that the store does not have, and completes every cell whose fingerprint has a
  /// result already, of these sweeps or another. That includes cells that had failed when their result came: they
  /// need nothing but it.
  ///
  /// A sweep of the same digest is carried on, with what its file now says of goal and audits.
  ///
  /// - Parameter sweeps: At least one; no two of one digest.
  func begin(_ sweeps: [SweepEntry], at time: Date) throws(StoreError) -> OpenSweeps

  /// Leaves a request for the coordinator of the store, now or later.
  func enter(_ wish: StoreRequest.Wish, for sweep: SweepID?, at time: Date) throws(StoreError)
}

extension SweepKeeper {
  /// Takes up one sweep.
  ///
  /// - Parameter cells: All cells; each cell's index is its place.
  public func begin(
    _ sweep: SweepDescription, cells: [Cell], at time: Date = Date()
  ) throws(StoreError) -> OpenSweeps {
    try begin([SweepEntry(sweep, cells: cells)], at: time)
  }
}
