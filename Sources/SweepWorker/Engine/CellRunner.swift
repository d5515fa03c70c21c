public import ContentHash
public import SweepCore
internal import SweepWire

/// The engine, as a worker sees it: it turns a cell into a result.
///
/// A runner is made, used and dropped on the worker's engine thread, which has a stack of 16 MiB and runs nothing else.
/// It may therefore keep what several cells share (the model, the tokenized corpora) without locks.
public protocol CellRunner {
  /// Runs a cell to its end. Blocks.
  ///
  /// - Parameters:
  ///   - cell: what to run; its revision is this build's.
  ///   - files: the files that the cell names, each found to have the digest that the cell names it by.
  ///   - progress: to be called after every step; cheap.
  ///   - isCancelled: to be asked at least once every step; when it says so, the runner throws a failure of kind
  ///     `preempted` as soon as it can.
  /// - Returns: the result, all of whose numbers are finite, and how much work it was.
  /// - Throws: `CellFailure`: `diverged` where a loss is not finite, `refusedInput` where the cell does not fit the
  ///   files, `engineFault` for the engine's own errors, `preempted` after a cancellation.
  mutating func run(
    _ cell: CellSpecification, files: [LocalArtefact], progress: (CellProgress) -> Void, isCancelled: () -> Bool
  ) throws(CellFailure) -> CellRun
}

/// How far the engine is with a cell.
public struct CellProgress: Sendable, Hashable {
  /// Steps done.
  public var step: Int
  /// Steps in all, at least 1.
  public var steps: Int
  /// The total loss of the latest step, nats; `nil` before the first.
  public var loss: Double?

  /// Creates a progress report.
  public init(step: Int, steps: Int, loss: Double?) {
    self.step = step
    self.steps = steps
    self.loss = loss
  }
}

/// What the engine made of a cell.
public struct CellRun: Sendable, Hashable {
  /// The result.
  public var result: CellResult
  /// Tokens trained and evaluated, each pass counted.
  public var tokens: Int

  /// Creates a run.
  public init(result: CellResult, tokens: Int) {
    self.result = result
    self.tokens = tokens
  }
}

extension [LocalArtefact] {
  /// The file with a digest; `nil` if it is not among these.
  public func file(_ digest: SHA256Digest) -> LocalArtefact? {
    first { $0.artefact.digest == digest }
  }
}
