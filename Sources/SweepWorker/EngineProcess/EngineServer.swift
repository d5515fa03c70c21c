public import Foundation
internal import SweepCore
internal import SweepWire

/// The whole life of an engine's process: it takes cells from its supervisor over one pipe, runs them one at a time, and
/// says over another what became of them.
///
/// Three threads: the caller's reads, one trains, one gives a sign of life at every pulse, so that a supervisor notices a
/// process that is stopped or that the machine has no memory or time left for.
public struct EngineServer: Sendable {
  private let signature: EngineSignature
  private let clock: any WorkerClock
  private let pulse: Duration
  private let makeRunner: @Sendable () -> any CellRunner

  /// Creates a server; nothing happens until ``serve(input:output:)``.
  ///
  /// - Parameters:
  ///   - signature: what is written into reports.
  ///   - clock: measures how long cells take.
  ///   - pulse: the time between two signs of life.
  ///   - makeRunner: makes the engine, on the engine's thread, when the first cell comes.
  public init(
    signature: EngineSignature, clock: any WorkerClock = SystemClock(), pulse: Duration = .milliseconds(500),
    makeRunner: @escaping @Sendable () -> any CellRunner
  ) {
    self.signature = signature
    self.clock = clock
    self.pulse = pulse
    self.makeRunner = makeRunner
  }

  /// Serves until `input` ends: nobody is left to work for then, and a cell that still runs is of no use to anyone. The
  /// process is to end at once.
  ///
  /// - Throws: ``EngineInputError`` if what comes cannot be read.
  public func serve(input: FileHandle, output: FileHandle) throws(EngineInputError) {
    let output = FrameOutput(output)
    defer { output.close() }
    let thread = EngineThread.start(signature: signature, clock: clock, makeRunner: makeRunner) { news in
      output.write(EngineFrames.encode(news))
    }
    defer { thread.close() }
    output.write(EngineFrames.encode(.ready))
    let heart = Pulse(every: pulse) { output.write(EngineFrames.encode(.alive(thread.takeProgress()))) }
    defer { heart.stop() }
    let frames = FrameInput(input)
    do {
      while let frame = try frames.next() {
        switch try EngineFrames.decodeToEngine(frame) {
        case .run(let job):
          guard thread.run(job) else { throw EngineFrameError("expected no cell while another runs, found one") }
        case .cancel(let attempt): thread.cancel(attempt)
        }
      }
    } catch {
      throw EngineInputError(description: "cannot go on with what the supervisor says: \(error)")
    }
  }
}

/// An engine's input is not what a supervisor says.
public struct EngineInputError: Error, CustomStringConvertible {
  /// One line: what was expected and what was found.
  public let description: String
}

/// Does something at every interval, on a thread of its own.
private final class Pulse: Sendable {
  private let stopped = DispatchSemaphore(value: 0)

  /// Starts the thread.
  init(every interval: Duration, _ beat: @escaping @Sendable () -> Void) {
    let milliseconds = Int(interval / .milliseconds(1))
    let thread = Thread { [stopped] in
      while case .timedOut = stopped.wait(timeout: .now() + .milliseconds(milliseconds)) { beat() }
    }
    thread.stackSize = 256 << 10
    thread.start()
  }

  /// Lets the thread end.
  func stop() {
    stopped.signal()
  }
}
