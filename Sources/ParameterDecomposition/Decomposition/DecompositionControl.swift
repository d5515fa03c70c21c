public import ContentHash
internal import Foundation

/// How a decomposition is carried out; changes nothing of its result. For methods that take steps: the others are done
/// before anybody would want to interrupt them, or soon after.
public struct DecompositionControl {
  /// Where a method keeps what it needs to go on after an interruption.
  public struct Checkpoint: Sendable {
    /// The file.
    public let path: String
    /// The digest of all that the result depends on.
    public let identity: SHA256Digest

    /// Whether there is one.
    var exists: Bool { FileManager.default.fileExists(atPath: path) }
  }

  /// It was asked to stop; a checkpoint behind so many steps is written.
  public struct Stopped: Error, Hashable {
    /// Updates made.
    public let step: Int
    /// Updates in all.
    public let steps: Int
  }

  /// What there is to tell in the course of a decomposition.
  public enum Event: Sendable {
    /// It goes on behind so many steps, from a checkpoint.
    case resumed(step: Int, of: Int)
    /// A step was made.
    case stepped(VPDStep, of: Int)
  }

  /// Threads to compute on.
  public var threads: Int
  /// `nil` = none is written or looked for.
  public var checkpoint: Checkpoint?
  /// Asked before every step, on the thread of the decomposition.
  public var shouldStop: () -> Bool
  /// Is told of every event, on the thread of the decomposition.
  public var observe: (Event) -> Void

  /// Goes through to the end, on one thread unless more are said.
  public init(
    threads: Int = 1, checkpoint: Checkpoint? = nil, shouldStop: @escaping () -> Bool = { false },
    observe: @escaping (Event) -> Void = { _ in }
  ) {
    precondition(threads > 0, "at least one thread")
    self.threads = threads
    self.checkpoint = checkpoint
    self.shouldStop = shouldStop
    self.observe = observe
  }
}
