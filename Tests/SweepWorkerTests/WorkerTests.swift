import ContentHash
import Dispatch
import Foundation
import Logging
import SweepCore
import SweepWire
import SweepWorker
import Synchronization
import Testing

/// A worker as a whole, over an in-memory transport and with a clock that the test moves.
@Suite(.timeLimit(.minutes(10))) struct WorkerTests {
  @Test("A worker runs what it is leased, delivers the results and ends when drained")
  func wholeLife() async throws {
    let files = try Files()
    var stage = try Stage(files) { (cell, named, _, _) throws(CellFailure) in
      .example(Double(named.count))
    }
    let outcomes = try await stage.play([files.cell, files.cell], artefacts: files.artefacts)
    #expect(try await stage.ending.value == .drained)
    for (index, outcome) in outcomes.enumerated() {
      guard case .result(let result) = outcome else { return #expect(Bool(false), "\(outcome)") }
      #expect(result.attempt == AttemptID(UInt64(index) + 1))
      #expect(result.fingerprint == files.specification.fingerprint)
      // Six files are named by the cell.
      #expect(result.result == CanonicalJSON.encode(CellRun.example(6).result))
      let report = try CanonicalJSON.decode(AttemptReport.self, from: result.report)
      #expect(report.host == "node" && report.engineVersion == "1.2.3")
      #expect(report.wallSeconds == 0 && report.tokensPerSecond == 0)
    }
    #expect(outcomes.count == 2)
  }

  @Test("The engine has a thread of its own, with a deep stack, and is made once")
  func engineThread() async throws {
    let files = try Files()
    let threads = Mutex<[String]>([])
    var stage = try Stage(files) { (_, _, _, _) throws(CellFailure) in
      threads.withLock { $0.append("\(Thread.current.name ?? "") \(Thread.current.stackSize >= 16 << 20)") }
      return .example(1)
    }
    _ = try await stage.play([files.cell, files.cell], artefacts: files.artefacts)
    #expect(threads.withLock { $0 } == ["pdsweep-engine true", "pdsweep-engine true"])
  }

  @Test("Heartbeats go on while the engine runs, and tell its progress")
  func heartbeats() async throws {
    let files = try Files()
    let step = DispatchSemaphore(value: 0)
    let (steps, stepped) = AsyncStream.makeStream(of: Int.self)
    var stage = try Stage(files) { (_, _, progress, _) throws(CellFailure) in
      for number in 1...5 {
        progress(CellProgress(step: number, steps: 5, loss: Double(number) / 2))
        stepped.yield(number)
        step.wait()
      }
      return .example(1)
    }
    guard let (peer, _) = await stage.admit(artefacts: files.artefacts) else {
      return #expect(Bool(false), "no hello")
    }
    stage.say(
      .lease([LeasedCell(attempt: AttemptID(1), index: 0, cell: files.cell, artefacts: Array(files.artefacts.indices))]
      ), to: peer)
    for await number in steps {
      let progress = AttemptProgress(attempt: AttemptID(1), step: number, steps: 5, loss: Double(number) / 2)
      // The engine tells its progress at its next pulse.
      var heard: FromWorker?
      while heard != .heartbeat([progress]) {
        await stage.clock.advance()
        heard = await stage.next()?.message
        guard case .heartbeat = heard else { return #expect(Bool(false), "\(String(describing: heard))") }
        stage.say(.acknowledge([]), to: peer)
      }
      step.signal()
      if number == 5 { break }
    }
    let seconds = Double(stage.clock.now.nanoseconds) / 1e9
    guard case .result(let result) = await stage.next()?.message else { return #expect(Bool(false), "no result") }
    let report = try CanonicalJSON.decode(AttemptReport.self, from: result.report)
    #expect(report.wallSeconds == seconds && seconds >= 2.5)
    #expect(report.tokensPerSecond == 1000 / seconds)
    stage.say(.acknowledge([AttemptID(1)]), to: peer)
    stage.say(.drain, to: peer)
    #expect(try await stage.ending.value == .drained)
    #expect(await stage.next()?.message == .ready(credit: 0))
    #expect(await stage.next()?.message == .goodbye(reason: "drained"))
  }

  @Test("A worker whose coordinator falls silent connects again, with what it runs, and delivers there")
  func silence() async throws {
    let files = try Files()
    let gate = DispatchSemaphore(value: 0)
    let (starts, started) = AsyncStream.makeStream(of: Void.self)
    var stage = try Stage(files) { (_, _, _, _) throws(CellFailure) in
      started.yield()
      gate.wait()
      return .example(1)
    }
    guard let (first, hello) = await stage.admit(artefacts: files.artefacts) else {
      return #expect(Bool(false), "no hello")
    }
    #expect(hello.running.isEmpty && hello.storeID == nil)
    stage.say(
      .lease([LeasedCell(attempt: AttemptID(1), index: 0, cell: files.cell, artefacts: Array(files.artefacts.indices))]
      ), to: first)
    for await _ in starts { break }
    let held = AttemptProgress(attempt: AttemptID(1), step: 0, steps: 0, loss: nil)
    for _ in 1...3 {
      await stage.clock.advance()
      #expect(await stage.next()?.message == .heartbeat([held]))
    }
    // To the end of the coordinator's time, and to the end of the pause.
    await stage.clock.advance()
    #expect(stage.clock.now == Instant(2))
    await stage.clock.advance()
    let heard = await stage.next()
    #expect(heard?.peer != first)
    guard let heard, case .hello(let again) = heard.message else { return #expect(Bool(false), "no hello") }
    #expect(again.running == [AttemptID(1)])
    #expect(again.storeID == "store")
    #expect(again.workerID == hello.workerID)
    gate.signal()
    stage.say(.welcome(welcome(artefacts: files.artefacts)), to: heard.peer)
    #expect(await stage.next()?.message == .ready(credit: 2))
    guard let delivery = await stage.next(), case .result = delivery.message else {
      return #expect(Bool(false), "no result")
    }
    #expect(delivery.peer == heard.peer)
    stage.say(.refuse(reason: "enough"), to: heard.peer)
    #expect(try await stage.ending.value == .refused("enough"))
  }

  @Test("A worker told to stop hands back what waits and what runs, then says goodbye")
  func stopping() async throws {
    let files = try Files()
    let (starts, started) = AsyncStream.makeStream(of: Void.self)
    var stage = try Stage(files) { (_, _, _, isCancelled) throws(CellFailure) in
      started.yield()
      while !isCancelled() { Thread.sleep(forTimeInterval: 0) }
      throw CellFailure(kind: .preempted, message: "stopped at step 3")
    }
    guard let (peer, _) = await stage.admit(artefacts: files.artefacts) else {
      return #expect(Bool(false), "no hello")
    }
    stage.say(
      .lease(
        [1, 2].map {
          LeasedCell(attempt: AttemptID($0), index: 0, cell: files.cell, artefacts: Array(files.artefacts.indices))
        }), to: peer)
    for await _ in starts { break }
    stage.worker.stop(grace: .zero)
    #expect(await stage.next()?.message == .ready(credit: 0))
    #expect(await stage.next()?.message == handedBack(2, "the worker was told to stop"))
    #expect(await stage.next()?.message == handedBack(1, "stopped at step 3"))
    stage.say(.acknowledge([AttemptID(1), AttemptID(2)]), to: peer)
    #expect(await stage.next()?.message == .goodbye(reason: "told to stop"))
    #expect(try await stage.ending.value == .stopped(undelivered: 0))
  }

  @Test("A worker that is told to stop before it runs ends at once")
  func stoppedEarly() async throws {
    let hub = InMemoryTransport()
    let worker = Worker(
      WorkerSession.Configuration(identity: .example), connect: { hub.connect() },
      launcher: ThreadEngines(clock: ManualClock()) { (_, _, _, _) throws(CellFailure) in .example(1) },
      keeper: try ArtefactKeeper(cache: nil),
      clock: ManualClock(),
      logger: Logger(label: "worker") { _ in SwiftLogNoOpLogHandler() })
    worker.stop(grace: .seconds(5))
    #expect(try await worker.run() == .stopped(undelivered: 0))
  }

  @Test("A connection that can never be made is an error")
  func wrongAddress() async throws {
    struct WrongAddress: Error {}
    let worker = Worker(
      WorkerSession.Configuration(identity: .example), connect: { throw WrongAddress() },
      launcher: ThreadEngines(clock: ManualClock()) { (_, _, _, _) throws(CellFailure) in .example(1) },
      keeper: try ArtefactKeeper(cache: nil),
      clock: ManualClock(),
      logger: Logger(label: "worker") { _ in SwiftLogNoOpLogHandler() })
    await #expect(throws: WrongAddress.self) { try await worker.run() }
  }

  @Test("A connection that cannot be made again is tried until it can")
  func failingConnections() async throws {
    struct NoRoute: Error {}
    let hub = InMemoryTransport()
    let tries = Mutex(0)
    // On the real clock: nothing here depends on how long it takes.
    let worker = Worker(
      WorkerSession.Configuration(identity: .example),
      connect: {
        let number = tries.withLock { tries in
          tries += 1
          return tries
        }
        if (2...4).contains(number) { throw NoRoute() }
        return hub.connect()
      },
      launcher: ThreadEngines(clock: ManualClock()) { (_, _, _, _) throws(CellFailure) in .example(1) },
      keeper: try ArtefactKeeper(cache: nil),
      logger: Logger(label: "worker") { _ in SwiftLogNoOpLogHandler() })
    let ending = Task { try await worker.run() }
    var context = welcome()
    context.heartbeatInterval = .milliseconds(10)
    context.lostAfter = .milliseconds(100)
    let closing = Task {
      _ = try? await ending.value
      await hub.close()
    }
    var first: PeerID?
    for await batch in hub.incoming {
      for case .message(let peer, .hello) in batch {
        // The first connection falls silent after the welcome, every other is refused.
        let answer = first == nil ? ToWorker.welcome(context) : .refuse(reason: "seen")
        first = first ?? peer
        hub.send([OutgoingMessage(to: peer, answer)])
      }
    }
    await closing.value
    #expect(try await ending.value == .refused("seen"))
    #expect(tries.withLock { $0 } >= 5)
  }
}
