import SweepCore
import SweepWire
import SweepWorker
import TestSupport
import Testing

/// What a session makes of engines that are slow, silent, dead or deaf.
@Suite struct EngineSlotTests {
  /// A session with ready engines that was welcomed at second 0.
  private func admitted(slots: Int, ready: Bool = true) -> WorkerSession {
    var identity = WorkerIdentity.example
    identity.slots = slots
    var session = WorkerSession(
      WorkerSession.Configuration(identity: identity, prefetch: 1), generator: SeededGenerator(seed: 1))
    _ = session.handle(.started, at: Instant(0))
    if ready {
      for slot in 0..<slots { _ = session.handle(.engineReady(slot: slot), at: Instant(0)) }
    }
    _ = session.handle(.received(.welcome(welcome())), at: Instant(0))
    return session
  }

  private let signal9 = EngineEnd(description: "the engine (process 7) ended with signal 9", wantedMemory: false)

  private func failure(_ number: UInt64, _ kind: CellFailure.Kind, _ message: String) -> FromWorker {
    .failure(attempt: AttemptID(number), CellFailure(kind: kind, message: message))
  }

  /// Lets time go on, with a coordinator and the engines of `alive` well; returns what was done.
  private func pass(
    _ session: inout WorkerSession, from start: Double, to end: Double, alive: [Int] = []
  ) -> [WorkerSession.Action] {
    var actions: [WorkerSession.Action] = []
    for step in 1...Int(((end - start) / 0.25).rounded()) {
      let now = Instant(start + 0.25 * Double(step))
      _ = session.handle(.received(.acknowledge([])), at: now)
      for slot in alive { actions += session.handle(.engineAlive(slot: slot), at: now) }
      actions += session.handle(.timeReached, at: now)
    }
    return actions.filter { if case .send = $0 { false } else { true } }
  }

  @Test("Cells run side by side, one in each slot, and those beyond wait")
  func sideBySide() {
    var session = admitted(slots: 2)
    #expect(
      session.handle(.received(.lease([lease(1), lease(2), lease(3)])), at: Instant(0.1)) == [
        .run(slot: 0, lease(1), files: []), .run(slot: 1, lease(2), files: []),
      ])
    #expect(
      session.handle(.finished(slot: 1, AttemptID(2), .result(outcome(2))), at: Instant(0.2)) == [
        .run(slot: 1, lease(3), files: []), .send([.result(outcome(2))]),
      ])
    let held = [2, 1, 3].map { AttemptProgress(attempt: AttemptID($0), step: 0, steps: 0, loss: nil) }
    #expect(session.handle(.timeReached, at: Instant(0.5)) == [.send([.heartbeat(held)])])
  }

  @Test("The credit counts the engines that are ready")
  func credit() {
    var session = admitted(slots: 3, ready: false)
    #expect(session.handle(.engineReady(slot: 2), at: Instant(0.1)) == [.send([.ready(credit: 2)])])
    #expect(session.handle(.engineReady(slot: 0), at: Instant(0.1)) == [.send([.ready(credit: 3)])])
    let ended = session.handle(.engineEnded(slot: 2, signal9), at: Instant(0.2))
    #expect(ended.last == .send([.ready(credit: 2)]))
  }

  @Test("The death of an engine is reported at once, and costs the attempt that it had")
  func death() {
    var session = admitted(slots: 2)
    _ = session.handle(.received(.lease([lease(1), lease(2), lease(3)])), at: Instant(0.1))
    #expect(
      session.handle(.engineEnded(slot: 0, signal9), at: Instant(0.2)) == [
        .note(.engineEnded(slot: 0, reason: signal9.description, pause: .milliseconds(200))),
        .send([.ready(credit: 2), failure(1, .crashed, signal9.description)]),
      ])
    #expect(session.nextDeadline == Instant(0.4))
    #expect(session.handle(.timeReached, at: Instant(0.4)) == [.startEngine(slot: 0)])
    // What waited is run by the engine that lives, or by the new one: whichever is ready first.
    #expect(
      session.handle(.engineReady(slot: 0), at: Instant(0.45)) == [
        .run(slot: 0, lease(3), files: []), .send([.ready(credit: 3)]),
      ])
  }

  @Test("An engine that ended for want of memory is told apart from one that crashed")
  func memory() {
    var session = admitted(slots: 2)
    _ = session.handle(.received(.lease([lease(1)])), at: Instant(0.1))
    let end = EngineEnd(description: "killed for want of memory", wantedMemory: true)
    #expect(
      session.handle(.engineEnded(slot: 0, end), at: Instant(0.2)).last
        == .send([.ready(credit: 2), failure(1, .outOfMemory, "killed for want of memory")]))
  }

  @Test("Without an engine, what waits is handed back for others to run")
  func noEngine() {
    var session = admitted(slots: 1)
    _ = session.handle(.received(.lease([lease(1), lease(2)])), at: Instant(0.1))
    #expect(
      session.handle(.engineEnded(slot: 0, signal9), at: Instant(0.2)).last
        == .send([
          .ready(credit: 0), failure(1, .crashed, signal9.description),
          handedBack(2, "no engine of this worker runs at the moment"),
        ]))
  }

  @Test("The pauses before another engine grow while engines live for short, and cells are never given up for it")
  func backoff() {
    var session = admitted(slots: 1)
    var now = 0.0
    for pause in [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 6.4] {
      let actions = session.handle(.engineEnded(slot: 0, signal9), at: Instant(now))
      let note = WorkerSession.Note.engineEnded(
        slot: 0, reason: signal9.description, pause: .milliseconds(Int64(pause * 1000)))
      #expect(actions.first == .note(note))
      let done = pass(&session, from: now, to: now + pause + 0.25)
      #expect(done == [.startEngine(slot: 0)])
      now += pause + 0.25
      _ = session.handle(.engineReady(slot: 0), at: Instant(now))
    }
    // Long lives are forgiven everything.
    _ = pass(&session, from: now, to: now + 40, alive: [0])
    let actions = session.handle(.engineEnded(slot: 0, signal9), at: Instant(now + 40))
    #expect(
      actions.first == .note(.engineEnded(slot: 0, reason: signal9.description, pause: .milliseconds(200))))
  }

  @Test("A worker none of whose engines can start hands everything back as unfit, says why and ends")
  func neverStarts() {
    var session = admitted(slots: 1, ready: false)
    _ = session.handle(.received(.lease([lease(1)])), at: Instant(0))
    let end = EngineEnd(description: "no engine can be started: no such file", wantedMemory: false)
    var now = 0.0
    for start in 1...6 {
      let actions = session.handle(.engineEnded(slot: 0, end), at: Instant(now))
      guard start < 6 else {
        #expect(actions.first == .note(.engineEnded(slot: 0, reason: end.description, pause: nil)))
        break
      }
      if start == 1 {
        #expect(actions.last == .send([handedBack(1, "no engine of this worker runs at the moment")]))
        _ = session.handle(.received(.acknowledge([AttemptID(1)])), at: Instant(now))
      }
      _ = pass(&session, from: now, to: now + 7)
      now += 7
    }
    #expect(session.nextDeadline == nil)
  }

  @Test("Cells that come to a worker without engines are handed back as those of an unfit one")
  func unfit() {
    var session = admitted(slots: 2, ready: false)
    let end = EngineEnd(description: "exit status 127", wantedMemory: false)
    var now = 0.0
    var last: [WorkerSession.Action] = []
    for start in 1...6 {
      // Slot 1 is still trying when slot 0 has been given up.
      if start == 6 { _ = session.handle(.received(.lease([lease(1)])), at: Instant(now)) }
      _ = session.handle(.engineEnded(slot: 0, end), at: Instant(now))
      last = session.handle(.engineEnded(slot: 1, end), at: Instant(now))
      if start < 6 { _ = pass(&session, from: now, to: now + 7) }
      now += 7
    }
    let reason = "no engine of this worker can be kept running: exit status 127"
    #expect(last.last == .send([failure(1, .workerUnfit, reason)]))
    #expect(
      session.handle(.received(.acknowledge([AttemptID(1)])), at: Instant(now)) == [
        .send([.goodbye(reason: "no engine can be kept running: exit status 127")]), .exit(.unfit("exit status 127")),
      ])
  }

  @Test("An engine that gives no sign of life is killed, and its attempt reported as crashed")
  func silence() {
    var session = admitted(slots: 2)
    _ = session.handle(.received(.lease([lease(1), lease(2)])), at: Instant(0))
    #expect(pass(&session, from: 0, to: 9.75, alive: [1]) == [])
    #expect(pass(&session, from: 9.75, to: 11, alive: [1]) == [.killEngine(slot: 0)])
    let actions = session.handle(.engineEnded(slot: 0, signal9), at: Instant(11))
    let message = "the engine gave no sign of life for 10.0 s and was killed: \(signal9.description)"
    #expect(actions.last == .send([failure(1, .crashed, message)]))
  }

  @Test("A worker that slept holds the silence of its engines against none of them")
  func sleep() {
    var session = admitted(slots: 1)
    _ = session.handle(.received(.lease([lease(1)])), at: Instant(0))
    #expect(pass(&session, from: 0, to: 5, alive: []) == [])
    let woken = session.handle(.timeReached, at: Instant(3600))
    #expect(!woken.contains(.killEngine(slot: 0)))
    _ = session.handle(.received(.welcome(welcome())), at: Instant(3600))
    #expect(pass(&session, from: 3600, to: 3604, alive: []).contains(.killEngine(slot: 0)) == false)
    #expect(pass(&session, from: 3604, to: 3606, alive: []).contains(.killEngine(slot: 0)))
  }

  @Test("An engine that does not end a cancelled cell is killed, and nothing is said of a revoked attempt")
  func deaf() {
    var session = admitted(slots: 1)
    _ = session.handle(.received(.lease([lease(1)])), at: Instant(0))
    #expect(
      session.handle(.received(.revoke([AttemptID(1)])), at: Instant(0)) == [.cancel(slot: 0, AttemptID(1))])
    #expect(pass(&session, from: 0, to: 29.75, alive: [0]) == [])
    #expect(pass(&session, from: 29.75, to: 30, alive: [0]) == [.killEngine(slot: 0)])
    let actions = session.handle(.engineEnded(slot: 0, signal9), at: Instant(30))
    #expect(actions.allSatisfy { if case .note(.engineEnded) = $0 { true } else { false } })
  }

  @Test("A worker told to stop hands back the cell of an engine that does not end it")
  func deafAtTheEnd() {
    var session = admitted(slots: 1)
    _ = session.handle(.received(.lease([lease(1)])), at: Instant(0))
    _ = session.handle(.stopRequested(grace: .seconds(3)), at: Instant(0))
    let actions = pass(&session, from: 0, to: 6, alive: [0])
    #expect(actions == [.cancel(slot: 0, AttemptID(1)), .exit(.stopped(undelivered: 1))])
  }
}
