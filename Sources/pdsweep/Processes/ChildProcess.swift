internal import Foundation
internal import Glibc
internal import Synchronization

/// A process of this program that this process has started.
///
/// Its standard input is a pipe from this process: the kernel closes it when this process ends, however that happens,
/// and the child then leaves. Children are their processes' group leaders, so that a terminal's interrupt reaches this
/// process alone, which ends them in good order.
final class ChildProcess: Sendable {
  /// How a child ended.
  struct Exit: Sendable {
    var how: ProcessExit
    var life: Duration
    var lastWords: LastWords
  }

  private struct State {
    var isGone = false
    var how: ProcessExit?
    var lastWords: LastWords?
  }

  private let process: Process
  private let start = ContinuousClock.now
  private let state = Mutex(State())
  private let onEnd: @Sendable (ChildProcess, Exit) -> Void
  /// Where the child reads.
  let input: FileHandle

  /// The file of this program.
  static var program: URL {
    URL(fileURLWithPath: Bundle.main.executablePath ?? CommandLine.arguments[0])
  }

  /// A child that has ended without reading what it was told is an error to whoever tells it, not the end of this process.
  private static let brokenPipesAreErrors: Void = { _ = Glibc.signal(SIGPIPE, SIG_IGN) }()

  /// Starts a child. Must not be called twice at the same time: a child could inherit the other's pipes.
  ///
  /// Process-wide effect: SIGPIPE is ignored from now on.
  ///
  /// - Parameters:
  ///   - program: its file.
  ///   - arguments: its arguments.
  ///   - output: where its standard output goes.
  ///   - onLine: called, on a thread of the child's, for every line that it writes to standard error.
  ///   - onEnd: called once, on any thread, when it has ended and all that it wrote there has been read.
  /// - Throws: what the system says.
  init(
    _ program: URL, _ arguments: [String], output: Any, onLine: @escaping @Sendable (String) -> Void,
    onEnd: @escaping @Sendable (ChildProcess, Exit) -> Void
  ) throws {
    Self.brokenPipesAreErrors
    let (input, errors) = (Pipe(), Pipe())
    self.input = input.fileHandleForWriting
    self.onEnd = onEnd
    process = Process()
    process.executableURL = program
    process.arguments = arguments
    // One BLAS thread an engine: more would change the order of sums and take each other's cores. And no backtracer,
    // which would keep a crash from being noticed for seconds.
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["OPENBLAS_NUM_THREADS": "1", "SWIFT_BACKTRACE": "enable=no"]
    ) { _, new in new }
    process.standardInput = input
    process.standardOutput = output
    process.standardError = errors
    process.terminationHandler = { [self] process in
      process.terminationHandler = nil
      let status = process.terminationStatus
      let how: ProcessExit = process.terminationReason == .uncaughtSignal ? .signal(status) : .status(status)
      note { $0.how = how }
    }
    try process.run()
    let reader = Thread { [self] in
      var words = LastWords()
      errors.fileHandleForReading.forEachPiece { piece in
        for line in words.append(piece) { onLine(line) }
      }
      note { $0.lastWords = words }
    }
    reader.stackSize = 256 << 10
    reader.start()
  }

  /// Its number.
  var processIdentifier: Int32 { process.processIdentifier }

  /// Sends it a signal, if it has not ended.
  func signal(_ signal: Int32) {
    // Foundation waits for the process right before it says so: its number is not another's yet.
    state.withLock { state in
      if state.how == nil, process.isRunning { kill(process.processIdentifier, signal) }
    }
  }

  private func note(_ change: (inout State) -> Void) {
    let exit: Exit? = state.withLock { state in
      change(&state)
      guard let how = state.how, let lastWords = state.lastWords else { return nil }
      return Exit(how: how, life: ContinuousClock.now - start, lastWords: lastWords)
    }
    if let exit { onEnd(self, exit) }
  }
}

extension FileHandle {
  /// Hands on what comes out of a pipe as soon as it does, until the pipe ends. Blocks.
  func forEachPiece(_ body: (Data) -> Void) {
    // `read(upToCount:)` would wait until it has as many bytes as are asked for.
    while true {
      let piece = availableData
      if piece.isEmpty { return }
      body(piece)
    }
  }
}
