public import SweepWire
public import SweepCore

/// The engines of a worker's slots, as its session commands them. No call blocks.
///
/// What becomes of a command is reported as an event of the session: ``WorkerSession/Event/engineReady(slot:)``,
/// ``WorkerSession/Event/finished(slot:_:_:)`` and their like.
public protocol WorkerEngines: Sendable {
  /// Starts an engine in a slot that has none.
  func start(slot: Int)

  /// Ends the engine of a slot by force.
  func kill(slot: Int)

  /// Has the engine of a slot, which is ready and idle, run a cell.
  func run(slot: Int, _ cell: LeasedCell, files: [LocalArtefact])

  /// Tells the engine of a slot to end its attempt early.
  func cancel(slot: Int, _ attempt: AttemptID)

  /// Lets all engines end.
  func close()
}
