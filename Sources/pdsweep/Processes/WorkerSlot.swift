internal import Foundation

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
    SIGFPE: "arithmetic error", SIGKILL: "killed, perhaps for want of memory", SIGSEGV: "segmentation fault",
    SIGTERM: "terminated",
  ]
}

/// Decides what becomes of a worker's place when the process in it has ended: another is started, later each time that
/// one did not live long, or the place is given up.
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

  /// A life of this length is taken for a working one.
  static let longLife = Duration.seconds(30)
  /// Short lives in a row after which the place is given up.
  static let mostShortLives = 6

  private var shortLives = 0

  /// Takes note of the end of the process.
  ///
  /// Pauses after short lives in a row:
  ///
  ///     short lives       0      1      2      3      4      5      6
  ///     pause, seconds    0.2    0.2    0.4    0.8    1.6    3.2    given up
  mutating func ended(_ exit: ProcessExit, after life: Duration) -> Verdict {
    switch exit {
    case .status(0): return .done
    // Bad input, or refused by the coordinator.
    case .status(2): return .giveUp
    case .status, .signal: break
    }
    shortLives = life >= Self.longLife ? 0 : shortLives + 1
    guard shortLives < Self.mostShortLives else { return .giveUp }
    return .restart(after: .milliseconds(200) * (1 << max(0, shortLives - 1)))
  }
}
