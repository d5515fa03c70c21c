import SweepCore
import SweepWire
import SweepWorker
import TestSupport
import Testing

/// The session's decisions, one by one.
@Suite struct WorkerSessionTests {
  private func session(giveUpAfter: Duration? = nil) -> WorkerSession {
    WorkerSession(
      WorkerSession.Configuration(
        identity: .example, giveUpAfter: giveUpAfter, engineSilence: .seconds(1_000_000),
        enginePatience: .seconds(1_000_000)), generator: SeededGenerator(seed: 1))
  }

  /// A session with one engine that was welcomed at second 0.
  private func admitted(giveUpAfter: Duration? = nil) -> WorkerSession {
    var session = session(giveUpAfter: giveUpAfter)
    _ = session.handle(.started, at: Instant(0))
    _ = session.handle(.engineReady(slot: 0), at: Instant(0))
    _ = session.handle(.received(.welcome(welcome())), at: Instant(0))
    return session
  }

  private func hello(store: String? = nil, _ running: [UInt64] = []) -> FromWorker {
    let identity = WorkerIdentity.example
    return .hello(
      Hello(
        workerID: identity.workerID, engineVersion: identity.engineVersion, engineRevision: identity.engineRevision,
        host: identity.host, processIdentifier: identity.processIdentifier, cores: identity.cores,
        memoryMiB: identity.memoryMiB, storeID: store, running: running.map { AttemptID($0) },
        slots: identity.slots, build: identity.build))
  }

  /// Why a connection was given up and for how long, if that is what these actions do.
  private func givenUp(_ actions: [WorkerSession.Action]) -> (loss: WorkerSession.Loss, pause: Duration)? {
    guard actions.count == 2, case .note(.lost(let loss, let pause)) = actions[0], actions[1] == .disconnect else {
      return nil
    }
    return (loss, pause)
  }

  @Test("A cell goes from lease to acknowledgement")
  func oneCell() {
    var session = session()
    #expect(session.nextDeadline == nil)
    #expect(session.handle(.started, at: Instant(0)) == [.startEngine(slot: 0), .connect, .send([hello()])])
    let context = welcome()
    #expect(
      session.handle(.received(.welcome(context)), at: Instant(0.1)) == [
        .note(.welcomed(context)), .send([.ready(credit: 0)]),
      ])
    #expect(session.handle(.engineReady(slot: 0), at: Instant(0.1)) == [.send([.ready(credit: 2)])])
    #expect(
      session.handle(.received(.lease([lease(1), lease(2)])), at: Instant(0.2)) == [
        .run(slot: 0, lease(1), files: [])
      ])
    #expect(session.nextDeadline == Instant(0.6))
    let progress = AttemptProgress(attempt: AttemptID(1), step: 3, steps: 9, loss: 0.5)
    #expect(session.handle(.progressed(slot: 0, progress), at: Instant(0.3)) == [])
    let waits = AttemptProgress(attempt: AttemptID(2), step: 0, steps: 0, loss: nil, isStarted: false)
    #expect(session.handle(.timeReached, at: Instant(0.6)) == [.send([.heartbeat([progress, waits])])])
    #expect(
      session.handle(.finished(slot: 0, AttemptID(1), .result(outcome(1))), at: Instant(0.7)) == [
        .run(slot: 0, lease(2), files: []), .send([.result(outcome(1))]),
      ])
    #expect(session.handle(.received(.acknowledge([AttemptID(1)])), at: Instant(0.8)) == [])
    let failure = CellFailure(kind: .diverged, message: "loss is not a number")
    #expect(
      session.handle(.finished(slot: 0, AttemptID(2), .failure(failure)), at: Instant(0.9)) == [
        .send([.failure(attempt: AttemptID(2), failure)])
      ])
    #expect(session.handle(.received(.acknowledge([AttemptID(2)])), at: Instant(1)) == [])
    #expect(session.handle(.timeReached, at: Instant(1.1)) == [.send([.heartbeat([])])])
    #expect(
      session.handle(.received(.drain), at: Instant(1.2)) == [
        .send([.ready(credit: 0)]), .send([.goodbye(reason: "drained")]), .exit(.drained),
      ])
    #expect(session.nextDeadline == nil)
  }

  @Test("An outcome is named in heartbeats and sent again until it is acknowledged")
  func outcomeIsRepeated() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1)])), at: Instant(0))
    _ = session.handle(.finished(slot: 0, AttemptID(1), .result(outcome(1))), at: Instant(0.1))
    let named = FromWorker.heartbeat([AttemptProgress(attempt: AttemptID(1), step: 0, steps: 0, loss: nil)])
    for beat in 1...4 {
      let now = Instant(Double(beat) * 0.5)
      #expect(session.handle(.timeReached, at: now) == [.send([named])])
      _ = session.handle(.received(.acknowledge([])), at: now)
    }
    // 2 s after it was sent.
    #expect(session.handle(.timeReached, at: Instant(2.5)) == [.send([named, .result(outcome(1))])])
    _ = session.handle(.received(.acknowledge([AttemptID(1)])), at: Instant(2.6))
    #expect(session.handle(.timeReached, at: Instant(3)) == [.send([.heartbeat([]), .ready(credit: 2)])])
  }

  @Test("A worker that holds nothing repeats its credit, as rarely as it would repeat an outcome")
  func creditIsRepeated() {
    var session = admitted()
    for beat in 1...8 {
      let now = Instant(Double(beat) * 0.5)
      let repeated: [FromWorker] = beat % 4 == 0 ? [.ready(credit: 2)] : []
      #expect(session.handle(.timeReached, at: now) == [.send([.heartbeat([])] + repeated)])
      _ = session.handle(.received(.acknowledge([])), at: now)
    }
  }

  @Test("A worker that is welcomed anew keeps the intervals that it is told then")
  func otherIntervals() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1)])), at: Instant(0))
    _ = session.handle(.timeReached, at: Instant(0.5))
    var slower = welcome()
    slower.heartbeatInterval = .seconds(1)
    slower.lostAfter = .seconds(4)
    #expect(
      session.handle(.received(.welcome(slower)), at: Instant(0.5)) == [
        .note(.welcomed(slower)), .send([.ready(credit: 2)]),
      ])
    #expect(session.nextDeadline == Instant(1.5))
    #expect(session.handle(.timeReached, at: Instant(1)) == [])
    let named = FromWorker.heartbeat([AttemptProgress(attempt: AttemptID(1), step: 0, steps: 0, loss: nil)])
    for beat in 1...3 {
      #expect(session.handle(.timeReached, at: Instant(0.5 + Double(beat))) == [.send([named])])
    }
    #expect(givenUp(session.handle(.timeReached, at: Instant(4.5)))?.loss == .silent(.seconds(4)))
  }

  @Test("A worker whose cells are short asks for as many as it runs in a moment, and for few when they are long")
  func shortCells() {
    var session = admitted()
    var now = 0.0
    var attempt: UInt64 = 0
    func credits(_ cells: Int, of seconds: Double) -> [Int] {
      (0..<cells).flatMap { _ -> [Int] in
        attempt += 1
        _ = session.handle(.received(.lease([lease(attempt)])), at: Instant(now))
        now += seconds
        let ended = WorkerSession.Event.finished(slot: 0, AttemptID(attempt), .result(outcome(attempt)))
        let actions = session.handle(ended, at: Instant(now))
        _ = session.handle(.received(.acknowledge([AttemptID(attempt)])), at: Instant(now))
        return actions.flatMap { action -> [Int] in
          guard case .send(let messages) = action else { return [] }
          return messages.compactMap { if case .ready(let credit) = $0 { credit } else { nil } }
        }
      }
    }
    #expect(credits(100, of: 1) == [], "one that runs and one that waits")
    #expect(credits(64, of: 0.01) == [3, 5, 9], "8 in 80 ms")
    #expect(credits(100, of: 0.0001) == [17, 33, 65])
    #expect(credits(64, of: 0.003) == [], "less than four times too many")
    #expect(credits(1, of: 10) == [2])
  }

  @Test("A worker that is cut off goes on running, and delivers when it is welcomed again")
  func reconnection() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1), lease(2)])), at: Instant(0))
    for beat in 1...3 { _ = session.handle(.timeReached, at: Instant(Double(beat) * 0.5)) }
    let lost = session.handle(.timeReached, at: Instant(2))
    guard let (loss, pause) = givenUp(lost) else { return #expect(Bool(false), "\(lost)") }
    #expect(loss == .silent(.seconds(2)))
    #expect(pause >= .milliseconds(50) && pause <= .milliseconds(100))
    #expect(session.nextDeadline == Instant(2) + pause)
    #expect(
      session.handle(.finished(slot: 0, AttemptID(1), .result(outcome(1))), at: Instant(2.01)) == [
        .run(slot: 0, lease(2), files: [])
      ])
    // What crosses the decision to give the connection up is counted.
    _ = session.handle(.received(.lease([lease(3)])), at: Instant(2.02))
    #expect(session.ignoredMessages == 1)
    #expect(
      session.handle(.timeReached, at: Instant(2.2)) == [.connect, .send([hello(store: "store", [1, 2])])])
    let again = welcome()
    #expect(
      session.handle(.received(.welcome(again)), at: Instant(2.3)) == [
        .note(.welcomed(again)), .send([.ready(credit: 2), .result(outcome(1))]),
      ])
  }

  @Test("Pauses double up to the longest, and are drawn from their upper half")
  func pauses() {
    var session = session()
    _ = session.handle(.started, at: Instant(0))
    var longest = 0.1
    for _ in 0..<12 {
      guard let deadline = session.nextDeadline,
        case .note(.lost(.silent, let pause)) = session.handle(.timeReached, at: deadline).first,
        let next = session.nextDeadline
      else { return #expect(Bool(false), "the connection was not given up") }
      #expect(pause >= .seconds(longest / 2) && pause <= .seconds(longest))
      #expect(next == deadline + pause)
      guard case .connect = session.handle(.timeReached, at: next).first else {
        return #expect(Bool(false), "no new connection was made")
      }
      longest = min(2 * longest, 5)
    }
  }

  @Test("A connection that breaks or cannot be made is given up at once")
  func brokenConnection() {
    var session = admitted()
    #expect(givenUp(session.handle(.disconnected, at: Instant(0.1)))?.loss == .broken)
    // Late news of the same connection.
    #expect(session.handle(.disconnected, at: Instant(0.1)) == [])
    _ = session.handle(.timeReached, at: Instant(1))
    #expect(
      givenUp(session.handle(.connectFailed("no route"), at: Instant(1.1)))?.loss == .connectFailed("no route"))
    #expect(session.handle(.connectFailed("no route"), at: Instant(1.1)) == [])
  }

  @Test("Patience ends, but not on the first loss: a machine that slept tries once")
  func patience() {
    var session = admitted(giveUpAfter: .seconds(60))
    #expect(givenUp(session.handle(.timeReached, at: Instant(3600)))?.loss == .silent(.seconds(3600)))
    _ = session.handle(.timeReached, at: Instant(3601))
    let end = session.handle(.timeReached, at: Instant(3603))
    #expect(end.last == .exit(.gaveUp(after: .seconds(3603), .silent(.seconds(3603)))))
    #expect(session.handle(.timeReached, at: Instant(3700)) == [])
  }

  @Test("A patient worker goes on for ever")
  func noPatience() {
    var session = session()
    _ = session.handle(.started, at: Instant(0))
    var now = Instant(0)
    while now < Instant(100_000), let next = session.nextDeadline {
      now = next
      #expect(!session.handle(.timeReached, at: now).contains { if case .exit = $0 { true } else { false } })
    }
  }

  @Test("A revoked attempt is dropped, cancelled or forgotten, and nothing more is said of it")
  func revocation() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1), lease(2), lease(3)])), at: Instant(0))
    _ = session.handle(.finished(slot: 0, AttemptID(1), .result(outcome(1))), at: Instant(0.1))
    #expect(
      session.handle(.received(.revoke([AttemptID(1), AttemptID(2), AttemptID(3), AttemptID(9)])), at: Instant(0.2))
        == [.cancel(slot: 0, AttemptID(2))])
    #expect(session.handle(.received(.revoke([AttemptID(2)])), at: Instant(0.3)) == [])
    #expect(session.handle(.timeReached, at: Instant(0.5)) == [.send([.heartbeat([])])])
    #expect(session.handle(.received(.lease([lease(4)])), at: Instant(0.6)) == [])
    let preempted = CellFailure(kind: .preempted, message: "cancelled")
    #expect(
      session.handle(.finished(slot: 0, AttemptID(2), .failure(preempted)), at: Instant(0.7)) == [
        .run(slot: 0, lease(4), files: [])
      ])
  }

  @Test("A lease that the worker holds already is not run twice")
  func duplicateLeases() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1), lease(2), lease(2)])), at: Instant(0))
    #expect(session.ignoredMessages == 1)
    #expect(
      session.handle(.finished(slot: 0, AttemptID(1), .result(outcome(1))), at: Instant(0.1)) == [
        .run(slot: 0, lease(2), files: []), .send([.result(outcome(1))]),
      ])
    _ = session.handle(.received(.lease([lease(1), lease(2)])), at: Instant(0.2))
    #expect(session.ignoredMessages == 3)
    #expect(
      session.handle(.finished(slot: 0, AttemptID(2), .result(outcome(2))), at: Instant(0.3)) == [
        .send([.result(outcome(2))])
      ])
  }

  @Test("Leases without end are not kept")
  func tooManyLeases() {
    var session = admitted()
    for first in stride(from: UInt64(1), to: 5000, by: 500) {
      _ = session.handle(.received(.lease((first..<first + 500).map { lease($0) })), at: Instant(0))
    }
    guard case .send(let messages) = session.handle(.timeReached, at: Instant(0.5)).first,
      case .heartbeat(let held) = messages.first
    else { return #expect(Bool(false), "no heartbeat") }
    #expect(held.count <= WireProtocol.listCount)
    #expect(session.ignoredMessages == 5000 - held.count)
  }

  @Test("Leases of another store are dropped, and the one that runs is cancelled")
  func anotherStore() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1), lease(2), lease(3)])), at: Instant(0))
    _ = session.handle(.finished(slot: 0, AttemptID(1), .result(outcome(1))), at: Instant(0.1))
    _ = session.handle(.disconnected, at: Instant(0.2))
    _ = session.handle(.timeReached, at: Instant(1))
    let other = welcome(store: "another")
    #expect(
      session.handle(.received(.welcome(other)), at: Instant(1.1)) == [
        .note(.dropped([AttemptID(1), AttemptID(2), AttemptID(3)])), .cancel(slot: 0, AttemptID(2)),
        .note(.welcomed(other)),
        .send([.ready(credit: 2)]),
      ])
    // The number of the attempt that is being cancelled may be used by the other store.
    #expect(session.handle(.finished(slot: 0, AttemptID(2), .result(outcome(2))), at: Instant(1.2)) == [])
  }

  @Test("A worker told to stop hands back what waits, and what runs when the grace is over")
  func stopping() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1), lease(2)])), at: Instant(0))
    #expect(
      session.handle(.stopRequested(grace: .seconds(10)), at: Instant(0.1)) == [
        .send([.ready(credit: 0), handedBack(2, "the worker was told to stop")])
      ])
    // A lease that crossed it.
    #expect(
      session.handle(.received(.lease([lease(3)])), at: Instant(0.2)) == [
        .send([handedBack(3, "the worker takes no more cells")])
      ])
    _ = session.handle(.received(.acknowledge([AttemptID(2), AttemptID(3)])), at: Instant(0.3))
    // Told again: at once.
    #expect(
      session.handle(.stopRequested(grace: .zero), at: Instant(0.4)) == [.cancel(slot: 0, AttemptID(1))])
    let preempted = CellFailure(kind: .preempted, message: "cancelled")
    #expect(
      session.handle(.finished(slot: 0, AttemptID(1), .failure(preempted)), at: Instant(0.5)) == [
        .send([handedBack(1, "cancelled")])
      ])
    #expect(
      session.handle(.received(.acknowledge([AttemptID(1)])), at: Instant(0.6)) == [
        .send([.goodbye(reason: "told to stop")]), .exit(.stopped(undelivered: 0)),
      ])
  }

  @Test("A worker told to stop does not wait for ever for its coordinator")
  func stoppingAlone() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1), lease(2)])), at: Instant(0))
    _ = session.handle(.disconnected, at: Instant(0.1))
    _ = session.handle(.stopRequested(grace: .seconds(1)), at: Instant(0.2))
    var now = Instant(0.2)
    var actions: [WorkerSession.Action] = []
    while let next = session.nextDeadline {
      now = next
      actions += session.handle(.timeReached, at: now)
    }
    #expect(actions.contains(.cancel(slot: 0, AttemptID(1))))
    #expect(actions.last == .exit(.stopped(undelivered: 2)))
    #expect(now == Instant(3.2))
  }

  @Test("A draining worker finishes what it runs and waits until it is acknowledged")
  func draining() {
    var session = admitted()
    _ = session.handle(.received(.lease([lease(1), lease(2)])), at: Instant(0))
    #expect(
      session.handle(.received(.drain), at: Instant(0.1)) == [
        .send([.ready(credit: 0), handedBack(2, "the coordinator drains this worker")])
      ])
    _ = session.handle(.finished(slot: 0, AttemptID(1), .result(outcome(1))), at: Instant(0.2))
    #expect(session.handle(.received(.drain), at: Instant(0.3)) == [])
    _ = session.handle(.received(.acknowledge([AttemptID(1)])), at: Instant(0.4))
    #expect(
      session.handle(.received(.acknowledge([AttemptID(2)])), at: Instant(0.5)) == [
        .send([.goodbye(reason: "drained")]), .exit(.drained),
      ])
  }

  @Test("A refused worker ends with the reason, before the welcome and after")
  func refusal() {
    var early = session()
    _ = early.handle(.started, at: Instant(0))
    #expect(early.handle(.received(.refuse(reason: "too old")), at: Instant(0)) == [.exit(.refused("too old"))])
    var late = admitted()
    _ = late.handle(.received(.lease([lease(1)])), at: Instant(0))
    #expect(
      late.handle(.received(.refuse(reason: "set aside")), at: Instant(0.1)) == [
        .cancel(slot: 0, AttemptID(1)), .exit(.refused("set aside")),
      ])
    #expect(late.handle(.finished(slot: 0, AttemptID(1), .result(outcome(1))), at: Instant(0.2)) == [])
  }

  @Test("A coordinator of another version is a refusal, other noise is counted")
  func unreadableMessages() {
    var session = session()
    _ = session.handle(.started, at: Instant(0))
    let noise = WireError.frameCount(3)
    #expect(session.handle(.undecodable(noise), at: Instant(0)) == [.note(.ignored(noise.description))])
    #expect(session.handle(.received(.drain), at: Instant(0)) == [.note(.ignored("a message before the welcome"))])
    let version = WireError.unknownVersion(9)
    #expect(session.handle(.undecodable(version), at: Instant(0)) == [.exit(.refused(version.description))])
    var late = admitted()
    #expect(late.handle(.undecodable(version), at: Instant(0)) == [.note(.ignored(version.description))])
  }
}
