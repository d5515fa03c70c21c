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

  /// Creates a description.
  public init(name: String, digest: SHA256Digest, file: String, vocabularySize: Int, goal: SweepGoal) {
    self.name = name
    self.digest = digest
    self.file = file
    self.vocabularySize = vocabularySize
    self.goal = goal
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
  /// Its cells.
  public let cells: [Cell]
  /// Names of its methods, in the order in which cells first name them: the groups of ``stored``.
  public let methods: [String]
  /// Where its cells stand.
  public let stored: [Scheduler.StoredCell]
  /// All attempts at its cells so far, ascending.
  public let attempts: [Scheduler.StoredAttempt]
  /// The first attempt number that the store has not spent.
  public let nextAttempt: AttemptID
}
