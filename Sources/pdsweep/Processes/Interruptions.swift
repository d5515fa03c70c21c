internal import Dispatch
internal import Glibc
internal import Synchronization

/// A signal that asks the process to end.
enum Interruption: Sendable, CaseIterable {
  /// Ctrl-C.
  case interrupt
  /// `kill`, a service manager, a batch system.
  case terminate

  /// Its number.
  var signal: Int32 {
    switch self {
    case .interrupt: SIGINT
    case .terminate: SIGTERM
    }
  }

  /// The status that shells give to a process that the signal ended.
  var exitStatus: Int32 { 128 + signal }
}

/// Takes over the signals that ask the process to end, for the rest of its life: the first begins an end in good
/// order, the second ends at once.
struct Interruptions {
  private let sources: [any DispatchSourceSignal]

  /// Takes the signals over.
  ///
  /// - Parameters:
  ///   - onFirst: Called for the first signal.
  ///   - onSecond: Called for the second, before the process ends with the signal's status.
  init(onFirst: @escaping @Sendable (Interruption) -> Void, onSecond: @escaping @Sendable () -> Void = {}) {
    let queue = DispatchQueue(label: "pdsweep.interruptions")
    let count = Mutex(0)
    sources = Interruption.allCases.map { interruption in
      let source = DispatchSource.makeSignalSource(signal: interruption.signal, queue: queue)
      source.setEventHandler {
        let number = count.withLock { count in
          count += 1
          return count
        }
        guard number > 1 else { return onFirst(interruption) }
        onSecond()
        endProcess(interruption.exitStatus)
      }
      source.resume()
      return source
    }
  }
}
