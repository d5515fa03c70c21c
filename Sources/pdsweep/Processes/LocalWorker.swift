internal import Foundation
internal import Synchronization

/// The worker process of `pdsweep run`, kept running until the sweep has no more for it to do.
///
/// It leaves when its standard input ends (``ChildProcess``), and its engines when its own end of theirs does: nothing
/// outlives a run that is killed.
final class LocalWorker: Sendable {
  /// What people are told.
  enum Event: Sendable {
    /// The worker said something about itself or its engines.
    case said(String)
    /// The process could not be started.
    case notStarted(reason: String)
    /// The process ended otherwise than it was told to.
    case died(process: Int32, ProcessExit, WorkerSlot.Verdict)
    /// No process runs, and none will be started.
    case gone
  }

  private struct State {
    var slot = WorkerSlot()
    var process: ChildProcess?
    /// Whether a process is, or will be, there.
    var isOpen = true
    var isStopping = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let arguments: [String]
  private let files: RunFiles
  private let onEvent: @Sendable (Event) -> Void
  private let state = Mutex(State())

  /// Prepares a worker; it is not started yet.
  ///
  /// - Parameters:
  ///   - arguments: What `pdsweep` is called with.
  ///   - files: Where the files of the sweep are.
  ///   - onEvent: Called, on any thread, when something is worth telling.
  init(arguments: [String], files: RunFiles, onEvent: @escaping @Sendable (Event) -> Void) {
    self.arguments = arguments
    self.files = files
    self.onEvent = onEvent
  }

  /// Starts the worker.
  func start() {
    do {
      // Under the lock, so that whoever stops the worker does not miss it.
      let isWanted = try state.withLock { state in
        guard !state.isStopping else { return false }
        let process = try ChildProcess(
          ChildProcess.program, arguments, output: FileHandle.nullDevice,
          onLine: { [onEvent] in onEvent(.said($0)) },
          onEnd: { [weak self] process, exit in self?.ended(process, exit) })
        state.process = process
        // A long list waits until the worker reads it.
        Thread.detachNewThread { [files] in try? process.input.write(contentsOf: files.line) }
        return true
      }
      if !isWanted { close() }
    } catch {
      onEvent(.notStarted(reason: error.localizedDescription))
      close()
    }
  }

  /// Tells the worker to leave at once, waits until it has, and kills it if it has not after `patience`. No other is
  /// started.
  func stop(patience: Duration) async {
    let process = state.withLock { state in
      state.isStopping = true
      return state.process
    }
    if let process { try? process.input.close() } else { close() }
    let impatience = Task {
      try await Task.sleep(for: patience)
      kill()
    }
    await ended()
    impatience.cancel()
  }

  /// Tells the worker to hand back what it runs and to leave. Returns at once; no other is started.
  func handBack() {
    signal(SIGTERM)
  }

  /// Kills the worker. Returns at once; no other is started.
  func kill() {
    signal(SIGKILL)
  }

  private func signal(_ signal: Int32) {
    let process = state.withLock { state in
      state.isStopping = true
      return state.process
    }
    process?.signal(signal)
  }

  /// Returns when no process runs and none will be started.
  private func ended() async {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        if state.isOpen { state.waiters.append(continuation) }
        return !state.isOpen
      }
      if isOver { continuation.resume() }
    }
  }

  private func ended(_ process: ChildProcess, _ exit: ChildProcess.Exit) {
    let (verdict, isStopping) = state.withLock { state in
      state.process = nil
      return (state.slot.ended(exit.how, after: exit.life), state.isStopping)
    }
    guard !isStopping, verdict != .done else { return close() }
    onEvent(.died(process: process.processIdentifier, exit.how, verdict))
    guard case .restart(let pause) = verdict else { return close() }
    Task {
      try? await Task.sleep(for: pause)
      start()
    }
  }

  private func close() {
    let waiters: [CheckedContinuation<Void, Never>]? = state.withLock { state in
      guard state.isOpen else { return nil }
      state.isOpen = false
      defer { state.waiters = [] }
      return state.waiters
    }
    guard let waiters else { return }
    onEvent(.gone)
    for waiter in waiters { waiter.resume() }
  }
}
