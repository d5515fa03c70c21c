internal import Foundation
internal import Synchronization

/// Worker processes on this machine, each kept running until the sweep has no more for it to do.
///
/// Every worker's standard input is a pipe from this process, on which nothing is ever written: the kernel closes it
/// when this process ends, however that happens, and the worker then leaves. Workers are their processes' group
/// leaders, so that a terminal's interrupt reaches this process alone, which stops them in good order.
final class LocalWorkers: Sendable {
  /// What people are told.
  enum Event: Sendable {
    /// A process could not be started.
    case notStarted(place: Int, reason: String)
    /// A process ended otherwise than it was told to.
    case died(place: Int, process: Int32, ProcessExit, lastWords: String?, WorkerSlot.Verdict)
    /// No process runs, and none will be started.
    case allGone
  }

  private struct Place {
    var slot = WorkerSlot()
    var process: Process?
    var input: FileHandle?
    /// Whether a process is, or will be, in it.
    var isOpen = true
  }

  private struct State {
    var places: [Place]
    var isStopping = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let executable: URL
  private let arguments: [String]
  private let environment: [String: String]
  private let onEvent: @Sendable (Event) -> Void
  private let state: Mutex<State>

  /// Prepares workers; none is started yet.
  ///
  /// - Parameters:
  ///   - count: How many.
  ///   - executable: The program.
  ///   - arguments: Its arguments.
  ///   - onEvent: Called, on any thread, when something is worth telling.
  init(count: Int, executable: URL, arguments: [String], onEvent: @escaping @Sendable (Event) -> Void) {
    self.executable = executable
    self.arguments = arguments
    self.onEvent = onEvent
    // One thread a worker: more would change the order of sums and take each other's cores.
    // One BLAS thread a worker; and no backtracer, which would keep a crashed worker from being noticed for seconds.
    environment = ProcessInfo.processInfo.environment.merging(
      ["OPENBLAS_NUM_THREADS": "1", "SWIFT_BACKTRACE": "enable=no"]
    ) { _, new in new }
    state = Mutex(State(places: (0..<count).map { _ in Place() }))
  }

  /// Starts all workers.
  func start() {
    for place in state.withLock({ $0.places.indices }) { launch(place) }
  }

  /// Processes that run.
  var alive: Int {
    state.withLock { $0.places.count { $0.process?.isRunning == true } }
  }

  /// Tells all workers to leave at once, waits until they have, and kills those that have not after `patience`. No
  /// other is started.
  func stop(patience: Duration) async {
    let inputs = state.withLock { state in
      state.isStopping = true
      for index in state.places.indices where state.places[index].process == nil { state.places[index].isOpen = false }
      return state.places.compactMap(\.input)
    }
    for input in inputs { try? input.close() }
    let impatience = Task {
      try await Task.sleep(for: patience)
      kill()
    }
    await ended()
    impatience.cancel()
  }

  /// Tells all workers to hand back what they run and to leave. Returns at once; no other is started.
  func handBack() {
    state.withLock { $0.isStopping = true }
    for process in running() { process.terminate() }
  }

  /// Kills all workers. Returns at once; no other is started.
  func kill() {
    state.withLock { $0.isStopping = true }
    for process in running() { Glibc.kill(process.processIdentifier, SIGKILL) }
  }

  /// Returns when no process runs and none will be started.
  func ended() async {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        if state.places.contains(where: \.isOpen) {
          state.waiters.append(continuation)
          return false
        }
        return true
      }
      if isOver { continuation.resume() }
    }
  }

  private func running() -> [Process] {
    state.withLock { $0.places.compactMap(\.process) }.filter(\.isRunning)
  }

  // MARK: - One process

  private func launch(_ place: Int) {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.environment = environment
    let input = Pipe()
    let errors = Pipe()
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    let end = ProcessEnd { [weak self] exit, lastWords in self?.ended(place, exit, lastWords) }
    process.terminationHandler = { end.exited($0) }
    do {
      // Under the lock, so that whoever stops the workers misses none.
      let isWanted = try state.withLock { state in
        guard !state.isStopping else { return false }
        try process.run()
        state.places[place].process = process
        state.places[place].input = input.fileHandleForWriting
        return true
      }
      guard isWanted else { return close(place) }
    } catch {
      onEvent(.notStarted(place: place, reason: error.localizedDescription))
      return close(place)
    }
    let reader = Thread {
      var words = LastWords()
      while let more = try? errors.fileHandleForReading.read(upToCount: 1 << 10), !more.isEmpty { words.append(more) }
      end.fellSilent(words)
    }
    reader.start()
  }

  private func ended(_ place: Int, _ exit: ProcessEnd.Exit, _ lastWords: LastWords) {
    let (verdict, isStopping) = state.withLock { state in
      state.places[place].process = nil
      state.places[place].input = nil
      return (state.places[place].slot.ended(exit.how, after: exit.life), state.isStopping)
    }
    guard !isStopping, verdict != .done else { return close(place) }
    onEvent(.died(place: place, process: exit.process, exit.how, lastWords: lastWords.line, verdict))
    guard case .restart(let pause) = verdict else { return close(place) }
    Task {
      try? await Task.sleep(for: pause)
      launch(place)
    }
  }

  private func close(_ place: Int) {
    let waiters: [CheckedContinuation<Void, Never>]? = state.withLock { state in
      guard state.places[place].isOpen else { return nil }
      state.places[place].isOpen = false
      guard !state.places.contains(where: \.isOpen) else { return nil }
      defer { state.waiters = [] }
      return state.waiters
    }
    guard let waiters else { return }
    onEvent(.allGone)
    for waiter in waiters { waiter.resume() }
  }
}

/// Waits for the two things that make up the end of a process: that it has exited, and that all it wrote has been
/// read.
private final class ProcessEnd: Sendable {
  struct Exit: Sendable {
    var process: Int32
    var how: ProcessExit
    var life: Duration
  }

  private struct State {
    var exit: Exit?
    var lastWords: LastWords?
  }

  private let start = ContinuousClock.now
  private let state = Mutex(State())
  private let onEnd: @Sendable (Exit, LastWords) -> Void

  init(onEnd: @escaping @Sendable (Exit, LastWords) -> Void) {
    self.onEnd = onEnd
  }

  func exited(_ process: Process) {
    let how: ProcessExit =
      process.terminationReason == .uncaughtSignal
      ? .signal(process.terminationStatus) : .status(process.terminationStatus)
    let exit = Exit(process: process.processIdentifier, how: how, life: ContinuousClock.now - start)
    note { $0.exit = exit }
  }

  func fellSilent(_ lastWords: LastWords) {
    note { $0.lastWords = lastWords }
  }

  private func note(_ change: (inout State) -> Void) {
    let end: (Exit, LastWords)? = state.withLock { state in
      change(&state)
      guard let exit = state.exit, let lastWords = state.lastWords else { return nil }
      return (exit, lastWords)
    }
    if let (exit, lastWords) = end { onEnd(exit, lastWords) }
  }
}
