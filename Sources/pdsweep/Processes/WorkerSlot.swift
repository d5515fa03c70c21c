internal import Foundation
internal import SweepWorker

/// How a process ended.
enum ProcessExit: Sendable, Hashable {
  /// By itself, with a status.
  case status(Int32)
  /// By a signal that it did not handle.
  case signal(Int32)
}

extension ProcessExit: CustomStringConvertible {
  /// For people: `exit status 1`, `signal 9 (killed)`.
  var description: String {
    switch self {
    case .status(let status): "exit status \(status)"
    case .signal(let signal): "signal \(signal)" + (Self.names[signal].map { " (\($0))" } ?? "")
    }
  }

  private static let names: [Int32: String] = [
    SIGILL: "illegal instruction, or a trap", SIGTRAP: "trap", SIGABRT: "aborted", SIGBUS: "bus error",
    SIGFPE: "arithmetic error", SIGKILL: "killed", SIGSEGV: "segmentation fault", SIGTERM: "terminated",
  ]
}

/// Decides what becomes of the worker of `pdsweep run` when its process has ended: another is started, later each time
/// that one did not live long, or none.
struct WorkerSlot: Sendable {
  /// What to do.
  enum Verdict: Sendable, Hashable {
    /// The worker ended as it was told to.
    case done
    /// Start another worker after a pause.
    case restart(after: Duration)
    /// Start no other: it would end in the same way.
    case giveUp
  }

  /// Short lives in a row after which no other worker is started.
  static let mostShortLives = 6

  private var backoff = RestartBackoff()

  /// Takes note of the end of the process.
  mutating func ended(_ exit: ProcessExit, after life: Duration) -> Verdict {
    switch exit {
    case .status(0): return .done
    // Bad input, or refused by the coordinator.
    case .status(2): return .giveUp
    case .status, .signal: break
    }
    let pause = backoff.ended(after: life)
    return backoff.shortLives < Self.mostShortLives ? .restart(after: pause) : .giveUp
  }
}
