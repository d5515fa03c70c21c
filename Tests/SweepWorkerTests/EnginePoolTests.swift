import Foundation
import SweepCore
import SweepWire
import Synchronization
import Testing

@testable import SweepWorker

/// The supervisor's side of its engines, with engines that are played by the test.
@Suite(.timeLimit(.minutes(10))) struct EnginePoolTests {
  /// Launches engines that do nothing but what the test does in their place.
  private final class PlayedEngines: EngineLauncher {
    struct Engine: Sendable {
      let hears: FileHandle
      let says: FileHandle
      let end: @Sendable (EngineEnd) -> Void
      let isKilled = AsyncStream<Void>.makeStream()
    }

    let (engines, launched) = AsyncStream.makeStream(of: Engine.self)

    func launch(
      slot: Int, onEnd: @escaping @Sendable (EngineEnd) -> Void
    ) throws(EngineLaunchError) -> LaunchedEngine {
      let (input, output) = (Pipe(), Pipe())
      let engine = Engine(hears: input.fileHandleForReading, says: output.fileHandleForWriting, end: onEnd)
      launched.yield(engine)
      return LaunchedEngine(input: input.fileHandleForWriting, output: output.fileHandleForReading) {
        engine.isKilled.continuation.finish()
      }
    }
  }

  private struct BrokenLauncher: EngineLauncher {
    func launch(
      slot: Int, onEnd: @escaping @Sendable (EngineEnd) -> Void
    ) throws(EngineLaunchError) -> LaunchedEngine {
      throw EngineLaunchError(description: "no such file")
    }
  }

  private let end = EngineEnd(description: "signal 9", wantedMemory: false)

  private func pool(
    _ launcher: any EngineLauncher
  ) -> (EnginePool, AsyncStream<WorkerSession.Event>.Iterator) {
    let (events, reported) = AsyncStream.makeStream(of: WorkerSession.Event.self)
    return (EnginePool(launcher) { reported.yield($0) }, events.makeAsyncIterator())
  }

  private func started() async throws -> (EnginePool, AsyncStream<WorkerSession.Event>.Iterator, PlayedEngines.Engine) {
    let launcher = PlayedEngines()
    let (pool, events) = pool(launcher)
    pool.start(slot: 3)
    for await engine in launcher.engines { return (pool, events, engine) }
    throw CancellationError()
  }

  @Test("An engine's messages are reported with its slot, and its end when it has said all and is gone")
  func life() async throws {
    var (pool, events, engine) = try await started()
    try engine.says.write(contentsOf: EngineFrames.encode(.ready))
    #expect(await events.next() == .engineReady(slot: 3))
    let job = EngineJob(cell: lease(5), files: [])
    pool.run(slot: 3, job.cell, files: job.files)
    let frame = try FrameInput(engine.hears).next() ?? []
    #expect(try EngineFrames.decodeToEngine(frame) == .run(job))
    let progress = AttemptProgress(attempt: AttemptID(5), step: 1, steps: 2, loss: 3)
    // The end of its process is heard of before what it said has been read.
    engine.end(end)
    try engine.says.write(
      contentsOf: EngineFrames.encode(.alive(progress))
        + EngineFrames.encode(.finished(AttemptID(5), .result(outcome(5))))
        + EngineFrames.encode(.alive(progress)))
    try engine.says.close()
    #expect(await events.next() == .progressed(slot: 3, progress))
    #expect(await events.next() == .finished(slot: 3, AttemptID(5), .result(outcome(5))))
    // Of an attempt that has ended there is no more progress.
    #expect(await events.next() == .engineAlive(slot: 3))
    #expect(await events.next() == .engineEnded(slot: 3, end))
  }

  @Test("An engine that cannot be started has ended")
  func notStarted() async {
    var (pool, events) = pool(BrokenLauncher())
    pool.start(slot: 1)
    #expect(
      await events.next() == .engineEnded(slot: 1, EngineEnd(description: "no such file", wantedMemory: false)))
  }

  @Test(
    "An engine that says what no engine says is killed",
    arguments: [
      [5, 0, 0, 0, 99, 1, 2, 3, 4], [255, 255, 255, 255], [0, 0, 0, 0],
      EngineFrames.encode(ToEngine.cancel(AttemptID(1))),
      EngineFrames.encode(.ready) + EngineFrames.encode(.ready),
      EngineFrames.encode(.finished(AttemptID(1), .result(outcome(1)))),
    ])
  func nonsense(bytes: [UInt8]) async throws {
    var (_, events, engine) = try await started()
    try engine.says.write(contentsOf: bytes)
    for await _ in engine.isKilled.stream {}
    engine.end(end)
    var last = await events.next()
    if last == .engineReady(slot: 3) { last = await events.next() }
    guard case .engineEnded(3, let found) = last else { return #expect(Bool(false), "\(String(describing: last))") }
    #expect(found.description.hasPrefix("the engine said what no engine says (expected"))
    #expect(found.description.hasSuffix("and was killed: signal 9"))
  }

  @Test("An engine that is killed is killed once it has been started, and no more when it is gone")
  func killing() async throws {
    var (pool, events, engine) = try await started()
    pool.kill(slot: 3)
    for await _ in engine.isKilled.stream {}
    engine.end(end)
    try engine.says.close()
    #expect(await events.next() == .engineEnded(slot: 3, end))
  }

  @Test("Engines end when their supervisor closes the pool")
  func closing() async throws {
    let (pool, _, engine) = try await started()
    pool.close()
    #expect(try FrameInput(engine.hears).next() == nil)
  }

  @Test("A supervisor does not wait for an engine that does not read")
  func notReading() async throws {
    var (pool, events, engine) = try await started()
    try engine.says.write(contentsOf: EngineFrames.encode(.ready))
    #expect(await events.next() == .engineReady(slot: 3))
    // More than any pipe takes.
    var cell = lease(1)
    cell.cell = Array(repeating: 7, count: 4 << 20)
    pool.run(slot: 3, cell, files: [])
    pool.cancel(slot: 3, AttemptID(1))
    let frames = FrameInput(engine.hears)
    #expect(try EngineFrames.decodeToEngine(frames.next() ?? []) == .run(EngineJob(cell: cell, files: [])))
    #expect(try EngineFrames.decodeToEngine(frames.next() ?? []) == .cancel(AttemptID(1)))
  }
}
