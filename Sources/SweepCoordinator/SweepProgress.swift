public import SweepCore
public import SweepStore

/// Where a coordinator's sweeps stand at one moment.
public struct SweepProgress: Sendable, Hashable {
  /// A sweep.
  public struct Sweep: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// Its methods, in the order in which cells first name them.
    public var methods: [Method]
    /// Whether no cells of it are handed out because somebody asked for it.
    public var isPaused: Bool
    /// Cells completed since this coordinator started.
    public var completedHere: Int
    /// Reproducibility faults found since this coordinator started.
    public var faults: Int

    /// Cells that have come to their end.
    public var ended: Int {
      count(.completed) + count(.failed) + count(.cancelled)
    }

    /// Whether every cell is completed.
    public var isComplete: Bool { count(.completed) == total }

    /// Cells in a state.
    public func count(_ state: CellRecord.State) -> Int {
      methods.reduce(0) { $0 + ($1.cells[state] ?? 0) }
    }

    /// Cells in all.
    public var total: Int {
      CellRecord.State.allCases.reduce(0) { $0 + count($1) }
    }
  }

  /// A method's cells.
  public struct Method: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// How many of its cells stand where; states without cells may be absent.
    public var cells: [CellRecord.State: Int]
  }

  /// A worker that is connected.
  public struct Worker: Sendable, Hashable {
    /// Its name.
    public var id: WorkerID
    /// The name of its machine.
    public var host: String
    /// Its process on that machine.
    public var processIdentifier: Int
    /// Cells that it runs at a time.
    public var slots: Int
    /// Why it gets no cells but one now and then to prove itself; `nil` for a worker like any other.
    public var setAside: String?
    /// What it holds, those that it runs first.
    public var attempts: [Attempt]
  }

  /// An attempt under way.
  public struct Attempt: Sendable, Hashable {
    /// Its number.
    public var id: AttemptID
    /// The name of its sweep.
    public var sweep: String
    /// Its cell's place in the sweep.
    public var cell: Int
    /// The cell's method.
    public var method: String
    /// Steps done.
    public var step: Int
    /// Steps in all; 0 while it waits to be started.
    public var steps: Int
    /// The latest total loss, nats; `nil` before the first step.
    public var loss: Double?
  }

  /// The sweeps, in the order in which they were given.
  public var sweeps: [Sweep]
  /// The workers, by name.
  public var workers: [Worker]
  /// Time since this coordinator started.
  public var elapsed: Duration
  /// Time that the cells left over will take the slots that are busy now, at the pace of each method so far; `nil`
  /// while that cannot be said.
  public var remaining: Duration?
  /// Whether no more cells are handed out because somebody asked for it.
  public var isDraining: Bool
  /// Why nothing can be recorded at the moment, and so nothing is handed out: a full disk; `nil` where all goes on.
  public var waitsForStore: StoreError?

  /// Cells in a state.
  public func count(_ state: CellRecord.State) -> Int {
    sweeps.reduce(0) { $0 + $1.count(state) }
  }

  /// Cells in all.
  public var total: Int {
    sweeps.reduce(0) { $0 + $1.total }
  }

  /// Cells that have come to their end.
  public var ended: Int {
    sweeps.reduce(0) { $0 + $1.ended }
  }

  /// Whether every cell is completed.
  public var isComplete: Bool { sweeps.allSatisfy(\.isComplete) }

  /// Cells completed since this coordinator started.
  public var completedHere: Int {
    sweeps.reduce(0) { $0 + $1.completedHere }
  }

  /// Cells completed a second since this coordinator started; `nil` before the first.
  public var cellsPerSecond: Double? {
    completedHere > 0 && elapsed > .zero ? Double(completedHere) / (elapsed / .seconds(1)) : nil
  }
}
