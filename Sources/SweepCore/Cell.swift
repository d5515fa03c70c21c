public import ContentHash

/// One grid point of one method.
public struct Cell: Sendable, Hashable, Codable {
  /// Position in the sweep's order of enumeration, from 0.
  public var index: Int
  /// The method's name in the sweep file.
  public var method: String
  /// All that determines the result.
  public var specification: CellSpecification
  /// The digest of ``specification``, computed once.
  public let fingerprint: SHA256Digest

  /// Creates a cell and computes its fingerprint.
  public init(index: Int, method: String, specification: CellSpecification) {
    self.index = index
    self.method = method
    self.specification = specification
    fingerprint = specification.fingerprint
  }
}

/// Names a cell in messages, events and the store: its place in its sweep's enumeration.
public struct CellID: Sendable, Hashable, Codable, Comparable {
  /// The cell's ``Cell/index``.
  public let index: Int

  /// Creates an identifier.
  public init(_ index: Int) {
    self.index = index
  }

  /// Orders by index.
  public static func < (left: CellID, right: CellID) -> Bool {
    left.index < right.index
  }
}

/// One execution of a cell. Numbers are never reused within a store, so a result that comes late or twice is
/// recognised by it.
public struct AttemptID: Sendable, Hashable, Codable, Comparable {
  /// The number, from 1.
  public let number: UInt64

  /// Creates an identifier.
  public init(_ number: UInt64) {
    self.number = number
  }

  /// Orders by number.
  public static func < (left: AttemptID, right: AttemptID) -> Bool {
    left.number < right.number
  }
}

/// A worker process, by the name it chose for itself: unique for the life of the process.
public struct WorkerID: Sendable, Hashable, Codable, Comparable {
  /// The name: `host-pid-nonce`.
  public let name: String

  /// Creates an identifier.
  public init(_ name: String) {
    self.name = name
  }

  /// Orders by name.
  public static func < (left: WorkerID, right: WorkerID) -> Bool {
    left.name < right.name
  }
}

/// Why an attempt did not give a result.
public struct CellFailure: Sendable, Hashable, Codable, Error {
  /// What went wrong, in kind.
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    /// The loss became infinite or not a number. Would repeat.
    case diverged
    /// The specification does not fit the files: an unknown subcomponent, a bad shape. Would repeat.
    case refusedInput = "refused-input"
    /// The engine's process ended by itself or by a signal. Might not repeat.
    case crashed
    /// The engine could not have the memory it needed, or was killed for it. Might not repeat where there is more.
    case outOfMemory = "out-of-memory"
    /// The engine reported an error of its own. Might not repeat.
    case engineFault = "engine-fault"
    /// The worker was lost while it ran the cell. Might not repeat.
    case workerLost = "worker-lost"
    /// The worker's process gave the cell back because it was told to stop. Says nothing about the cell.
    case preempted
    /// The worker cannot run cells as it is: no room for the files, no engine that starts. Says nothing about the cell.
    case workerUnfit = "worker-unfit"
  }

  /// What went wrong, in kind.
  public var kind: Kind
  /// One line for people.
  public var message: String

  /// Creates a failure.
  public init(kind: Kind, message: String) {
    self.kind = kind
    self.message = message
  }
}
