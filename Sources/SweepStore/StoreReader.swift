internal import Foundation
internal import GRDB
public import SweepCore

/// Reads a store, also while a coordinator writes to it. Changes nothing, and needs no permission to.
public final class StoreReader: SweepRecords {
  /// The store's file.
  public let path: String
  /// The version of the tables in the file.
  let version: Int
  private let database: DatabaseQueue

  /// Opens a store.
  ///
  /// - Throws: ``StoreError``.
  public init(path: String) throws(StoreError) {
    self.path = path
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: file) else { throw .missing(path: path) }
    guard attributes[.type] as? FileAttributeType == .typeRegular else {
      throw .notAStore(path: path, found: "something that is no file")
    }
    guard attributes[.size] as? Int != 0 else { throw .empty(path: path) }
    (database, version) = try translating(path: path) {
      do {
        return try Self.open(path, named: path)
      } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN {
        // Readers of a write-ahead log share an index beside it. Where nothing can be written and there is no log,
        // nothing can change either, and the file alone is the store.
        guard !FileManager.default.fileExists(atPath: file + "-wal") else { throw error }
        return try Self.open(Self.immutable(file), named: path)
      }
    }
  }

  private static func open(_ name: String, named path: String) throws -> (DatabaseQueue, version: Int) {
    var configuration = Configuration()
    configuration.label = "store reader"
    configuration.readonly = true
    configuration.busyMode = .timeout(SweepStore.patience)
    let database = try DatabaseQueue(path: name, configuration: configuration)
    let version = try database.read { try StoreSchema.check($0, path: path) }
    guard version > 0 else { throw StoreError.empty(path: path) }
    guard version < StoreSchema.version else { return (database, version) }
    // What an earlier pdsweep wrote is brought up to date in a copy.
    let copy = try DatabaseQueue()
    try database.backup(to: copy)
    try copy.inDatabase { try StoreSchema.migrate($0, storeID: "", now: 0) }
    return (copy, version)
  }

  /// A URI under which SQLite takes a file for one that nobody changes.
  private static func immutable(_ file: String) -> String {
    var components = URLComponents()
    components.scheme = "file"
    components.path = file
    components.queryItems = [URLQueryItem(name: "immutable", value: "1")]
    return components.string ?? file
  }

  /// The coordinator that has the store at this moment, in words for people; `nil` if none has.
  public var coordinator: String? {
    StoreLock.holder(of: path)
  }

  /// All sweeps, the one taken up last first.
  ///
  /// - Throws: ``StoreError``.
  public func sweeps() throws(StoreError) -> [SweepRecord] {
    try read { try $0.sweeps() }
  }

  /// How many cells of each method stand where; methods in the order in which cells first name them.
  ///
  /// - Throws: ``StoreError``.
  public func tallies(of sweep: SweepID) throws(StoreError) -> [MethodTally] {
    try read { try $0.tallies(of: sweep) }
  }

  /// Everything known of the cells of a sweep, by ascending index, as of one moment.
  ///
  /// - Throws: ``StoreError``.
  public func records(of sweep: SweepID) throws(StoreError) -> [CellRecord] {
    try read { try $0.records(of: sweep) }
  }

  /// The history of a sweep, oldest first.
  ///
  /// - Throws: ``StoreError``.
  public func events(of sweep: SweepID, cell: Int? = nil) throws(StoreError) -> [StoredEvent] {
    try read { try $0.events(of: sweep, cell: cell) }
  }

  /// The cells of a sweep that failed or were cancelled, by ascending index.
  ///
  /// - Throws: ``StoreError``.
  public func unsuccessful(of sweep: SweepID) throws(StoreError) -> [UnsuccessfulCell] {
    try read { try $0.unsuccessful(of: sweep) }
  }

  /// Every specification of the store's cells with what became of it, in the order in which they were entered.
  ///
  /// - Throws: ``StoreError``.
  public func specifications() throws(StoreError) -> [SpecificationRecord] {
    try read { try $0.specifications() }
  }

  /// The reproducibility faults of a sweep, oldest first.
  ///
  /// - Throws: ``StoreError``.
  public func faults(of sweep: SweepID) throws(StoreError) -> [ReproducibilityFault] {
    try read { try $0.faults(of: sweep) }
  }

  /// The requests that no coordinator has taken up, oldest first.
  ///
  /// - Throws: ``StoreError``.
  public func openRequests() throws(StoreError) -> [StoreRequest] {
    try read { try StoreRequest.open(in: $0.connection, path: $0.path) }
  }

  /// Writes a copy of the store, as of one moment, to a file that is not there yet.
  ///
  /// - Throws: ``StoreError``.
  public func copy(to path: String) throws(StoreError) {
    try translating(path: path) { try database.vacuum(into: path) }
  }

  /// Runs queries that all see the store as of one moment.
  func read<Value>(_ body: (StoreQueries) throws -> Value) throws(StoreError) -> Value {
    try translating(path: path) {
      try database.read { try body(StoreQueries(connection: $0, path: path)) }
    }
  }
}
