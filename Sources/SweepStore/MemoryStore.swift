internal import ContentHash
public import Foundation
public import SweepCore
internal import Synchronization

/// A store without a file, for simulated sweeps: thousands of times cheaper than a ``SweepStore``, written apart from
/// it, and held to the same promises by the same tests.
///
/// It keeps exactly what was committed: a coordinator that is lost with what it had decided but not committed finds no
/// trace of it here.
public final class MemoryStore: SweepKeeper, SweepRecords {
  /// Names the store to workers.
  public let storeID: String
  private let state = Mutex(MemoryTables())

  /// Creates an empty store.
  public init(storeID: String = UUID().uuidString) {
    self.storeID = storeID
  }

  /// Takes up sweeps; see ``SweepKeeper/begin(_:at:)``.
  ///
  /// - Throws: ``StoreError/damaged(path:detail:)`` where a sweep of a digest has other cells than before.
  public func begin(_ sweeps: [SweepEntry], at time: Date) throws(StoreError) -> OpenSweeps {
    try state.withLock { (tables) throws(StoreError) in try tables.begin(sweeps, at: time) }
  }

  /// Writes a batch, all of it or nothing; see ``CoordinatorStore/commit(_:in:at:)``.
  ///
  /// - Throws: ``StoreError/failed(path:detail:)`` for what a scheduler never writes: a number or a result twice.
  public func commit(_ batch: StoreBatch, in places: CellPlaces, at time: Date) async throws(StoreError) {
    try keep(batch, in: places, at: time)
  }

  /// The same, at once.
  ///
  /// - Throws: as ``commit(_:in:at:)``.
  public func keep(_ batch: StoreBatch, in places: CellPlaces, at time: Date) throws(StoreError) {
    try state.withLock { (tables) throws(StoreError) in try tables.perform(batch, in: places, at: time) }
  }

  /// The requests that no coordinator has taken up, oldest first.
  public func openRequests() async -> [StoreRequest] { waitingRequests }

  /// The same, at once.
  public var waitingRequests: [StoreRequest] {
    state.withLock { $0.requests }
  }

  /// Leaves a request for the coordinator; see ``SweepKeeper/enter(_:for:at:)``.
  public func enter(_ wish: StoreRequest.Wish, for sweep: SweepID?, at time: Date) {
    state.withLock { $0.enter(wish, for: sweep, at: time) }
  }

  /// All sweeps, the one taken up last first.
  public func sweeps() -> [SweepRecord] {
    state.withLock { $0.sweepRecords() }
  }

  /// How many cells of each method stand where; see ``SweepRecords/tallies(of:)``.
  public func tallies(of sweep: SweepID) -> [MethodTally] {
    state.withLock { $0.tallies(of: sweep) }
  }

  /// Everything known of the cells of a sweep, by ascending index.
  ///
  /// - Throws: ``StoreError/damaged(path:detail:)`` where a result is no result.
  public func records(of sweep: SweepID) throws(StoreError) -> [CellRecord] {
    try state.withLock { (tables) throws(StoreError) in try tables.records(of: sweep) }
  }

  /// The history of a sweep, oldest first; see ``SweepRecords/events(of:cell:)``.
  public func events(of sweep: SweepID, cell: Int? = nil) -> [StoredEvent] {
    state.withLock { $0.events(of: sweep, cell: cell) }
  }

  /// The reproducibility faults of a sweep, oldest first.
  public func faults(of sweep: SweepID) -> [ReproducibilityFault] {
    state.withLock { $0.faults(of: sweep) }
  }
}
