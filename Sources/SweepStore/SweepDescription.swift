public import ContentHash
public import SweepCore

/// A sweep as the store keeps it beside its cells: enough to report on it without its sweep file.
public struct SweepDescription: Sendable, Hashable {
  /// The name in the sweep file.
  public var name: String
  /// Tells sweeps apart: two of the same digest have the same cells.
  public var digest: SHA256Digest
  /// The text of the sweep file.
  public var file: String
  /// The size of the target model's vocabulary.
  public var vocabularySize: Int
  /// What counts as success.
  public var goal: SweepGoal
  /// The part of the cells that is run twice and compared.
  public var auditFraction: Double
  /// How the subcomponents were chosen that the sweep file does not name. Cells name them.
  public var selections: [SweepSelection]

  /// Creates a description.
  public init(
    name: String, digest: SHA256Digest, file: String, vocabularySize: Int, goal: SweepGoal, auditFraction: Double = 0,
    selections: [SweepSelection] = []
  ) {
    self.name = name
    self.digest = digest
    self.file = file
    self.vocabularySize = vocabularySize
    self.goal = goal
    self.auditFraction = auditFraction
    self.selections = selections
  }
}

/// A sweep to be taken up.
public struct SweepEntry: Sendable {
  /// What it is.
  public var description: SweepDescription
  /// All its cells; each cell's index is its place.
  public var cells: [Cell]

  /// Creates an entry.
  public init(_ description: SweepDescription, cells: [Cell]) {
    self.description = description
    self.cells = cells
  }

  /// Names of the methods, in the order in which cells first name them.
  var methods: [String] {
    var methods: [String] = []
    var known: Set<String> = []
    for cell in cells where known.insert(cell.method).inserted { methods.append(cell.method) }
    return methods
  }
}

/// Names a sweep within its store.
public struct SweepID: Sendable, Hashable {
  /// The row of the table of sweeps.
  let row: Int64
}

/// A sweep in a store, ready to be driven.
public struct OpenSweep: Sendable {
  /// Its name within the store.
  public let id: SweepID
  /// Its name in the sweep file.
  public let name: String
  /// Its cells.
  public let cells: [Cell]
  /// Names of its methods, in the order in which cells first name them: the groups of ``stored``.
  public let methods: [String]
  /// Where it and its cells stand.
  public let stored: Scheduler.StoredSweep
}

/// Sweeps in a store, ready to be driven together. In the coordinator's enumeration their cells come one sweep after
/// another.
public struct OpenSweeps: Sendable {
  /// The sweeps.
  public let sweeps: [OpenSweep]
  /// All attempts at their cells so far, ascending.
  public let attempts: [Scheduler.StoredAttempt]
  /// The first attempt number that the store has not spent.
  public let nextAttempt: AttemptID
  /// Where the cells of the enumeration stand in the store.
  public let places: CellPlaces
}
