public import Foundation
internal import SweepCore
internal import SweepWire
internal import Synchronization

/// Starts engines: each a process of its own, where ``EngineServer/serve(input:output:)`` runs.
public protocol EngineLauncher: Sendable {
  /// Starts an engine. May block for a moment; never called twice at the same time.
  ///
  /// - Parameters:
  ///   - slot: the place that it is for.
  ///   - onEnd: to be called once, on any thread, when it has ended.
  /// - Throws: ``EngineLaunchError`` if there is none; `onEnd` is not called then.
  func launch(
    slot: Int, onEnd: @escaping @Sendable (EngineEnd) -> Void
  ) throws(EngineLaunchError) -> LaunchedEngine
}

/// An engine that has been started.
public struct LaunchedEngine: Sendable {
  /// Where it reads what it is told. It ends when this is closed.
  public var input: FileHandle
  /// Where what it says can be read.
  public var output: FileHandle
  /// Ends it by force.
  public var kill: @Sendable () -> Void

  /// Creates the description of an engine.
  public init(input: FileHandle, output: FileHandle, kill: @escaping @Sendable () -> Void) {
    self.input = input
    self.output = output
    self.kill = kill
  }
}

/// An engine cannot be started.
public struct EngineLaunchError: Error, Sendable, CustomStringConvertible {
  /// One line: what was tried and what the system said.
  public let description: String

  /// Creates an error.
  public init(description: String) {
    self.description = description
  }
}

/// Engines in processes of their own, each with the threads that talk to it.
final class EnginePool: WorkerEngines {
  /// What is reported to the session.
  typealias Report = @Sendable (WorkerSession.Event) -> Void

  private let launcher: any EngineLauncher
  private let report: Report
  private let links = Mutex<[Int: EngineLink]>([:])
  /// Launches one after the other, so that no engine inherits a pipe of another that is just being made: it would keep
  /// the other alive.
  private let launching = DispatchQueue(label: "pdsweep.engines")

  /// Creates a pool without engines.
  ///
  /// - Parameter report: called on any thread. Of an engine that has ended nothing more is reported.
  init(_ launcher: any EngineLauncher, report: @escaping Report) {
    self.launcher = launcher
    self.report = report
  }

  /// Starts an engine in a slot that has none. Returns at once.
  func start(slot: Int) {
    launching.async { [self] in
      let link = EngineLink(slot: slot, report)
      links.withLock { $0[slot] = link }
      do throws(EngineLaunchError) {
        link.open(try launcher.launch(slot: slot) { end in link.processEnded(end) })
      } catch {
        report(.engineEnded(slot: slot, EngineEnd(description: error.description, wantedMemory: false)))
      }
    }
  }

  /// Ends the engine of a slot by force. Returns at once.
  func kill(slot: Int) {
    // After its start.
    launching.async { [self] in links.withLock { $0[slot] }?.kill() }
  }

  /// Has the engine of a slot, which is ready and idle, run a cell.
  func run(slot: Int, _ cell: LeasedCell, files: [LocalArtefact]) {
    link(of: slot).run(EngineJob(cell: cell, files: files))
  }

  /// Tells the engine of a slot to end its attempt early.
  func cancel(slot: Int, _ attempt: AttemptID) {
    link(of: slot).cancel(attempt)
  }

  /// Lets all engines end.
  func close() {
    launching.async { [self] in
      for link in links.withLock({ $0.values.map { $0 } }) { link.close() }
    }
  }

  private func link(of slot: Int) -> EngineLink {
    guard let link = links.withLock({ $0[slot] }) else { preconditionFailure("slot \(slot) never had an engine") }
    return link
  }
}

/// The supervisor's end of the pipes to one engine.
private final class EngineLink: Sendable {
  private struct State {
    var engine: LaunchedEngine?
    var output: FrameOutput?
    /// What the engine runs, as far as it has been heard.
    var attempt: AttemptID?
    var isReady = false
    /// What the engine said that no engine says.
    var nonsense: EngineFrameError?
    /// The two halves of an end: all that it said has been read, and its process is gone.
    var hasFallenSilent = false
    var end: EngineEnd?
  }

  private let slot: Int
  private let report: EnginePool.Report
  private let state = Mutex(State())

  init(slot: Int, _ report: @escaping EnginePool.Report) {
    self.slot = slot
    self.report = report
  }

  /// Begins to talk.
  func open(_ engine: LaunchedEngine) {
    state.withLock { state in
      state.engine = engine
      state.output = FrameOutput(engine.input)
    }
    let thread = Thread { [self] in listen(FrameInput(engine.output)) }
    thread.stackSize = 512 << 10
    thread.start()
  }

  func run(_ job: EngineJob) {
    let output = state.withLock { state in
      state.attempt = job.cell.attempt
      return state.output
    }
    output?.write(EngineFrames.encode(.run(job)))
  }

  func cancel(_ attempt: AttemptID) {
    state.withLock { $0.output }?.write(EngineFrames.encode(.cancel(attempt)))
  }

  func kill() {
    // A process that is gone may have left its number to another.
    state.withLock { state in
      if state.end == nil { state.engine?.kill() }
    }
  }

  func close() {
    state.withLock { $0.output }?.close()
  }

  /// The process is gone.
  func processEnded(_ end: EngineEnd) {
    note { $0.end = end }
  }

  /// Hands on what the engine says until it says no more.
  private func listen(_ input: FrameInput) {
    do throws(EngineFrameError) {
      while let frame = try input.next() {
        if let event = try event(EngineFrames.decodeFromEngine(frame)) { report(event) }
      }
    } catch {
      state.withLock { $0.nonsense = error }
      kill()
    }
    input.close()
    note { $0.hasFallenSilent = true }
  }

  /// What it means for the session that the engine said something.
  private func event(_ message: FromEngine) throws(EngineFrameError) -> WorkerSession.Event? {
    let event: WorkerSession.Event? = state.withLock { state in
      switch message {
      case .ready:
        guard !state.isReady else { return nil }
        state.isReady = true
        return .engineReady(slot: slot)
      case .alive(let progress):
        // Progress may cross the end of its attempt.
        guard let progress, progress.attempt == state.attempt else { return .engineAlive(slot: slot) }
        return .progressed(slot: slot, progress)
      case .finished(let attempt, let outcome):
        guard attempt == state.attempt else { return nil }
        state.attempt = nil
        return .finished(slot: slot, attempt, outcome)
      case .stale(let attempt, let digests):
        guard attempt == state.attempt else { return nil }
        state.attempt = nil
        return .stale(slot: slot, attempt, digests)
      }
    }
    guard let event else { throw EngineFrameError("expected news of the cell that it was given, found other news") }
    return event
  }

  private func note(_ change: (inout State) -> Void) {
    let (end, output) = state.withLock { state -> (EngineEnd?, FrameOutput?) in
      change(&state)
      guard state.hasFallenSilent, var end = state.end else { return (nil, nil) }
      if let nonsense = state.nonsense {
        end.description = "the engine said what no engine says (\(nonsense)) and was killed: \(end.description)"
      }
      return (end, state.output)
    }
    guard let end else { return }
    output?.close()
    report(.engineEnded(slot: slot, end))
  }
}
