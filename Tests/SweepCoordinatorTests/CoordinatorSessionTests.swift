import Foundation
import SweepCore
import SweepWire
import Testing

@testable import SweepCoordinator
@testable import SweepStore

@Suite struct CoordinatorSessionTests {
  private let store = MemoryStore(storeID: "store")
  private let cells = Fixture.cells(4)
  private var session: CoordinatorSession
  private let anna = Fixture.anna
  private let here = PeerID([1])
  private let there = PeerID([2])

  init() throws {
    session = CoordinatorSession(
      try store.begin(Fixture.sweep(cells), cells: cells), Fixture.configuration(store), at: Instant(nanoseconds: 0))
  }

  private mutating func hear(
    _ messages: FromWorker..., from peer: PeerID? = nil, at milliseconds: Int = 0
  ) -> CoordinatorSession.Step {
    session.handle(
      messages.map { .arrived(.message(peer ?? here, $0)) },
      at: Instant(nanoseconds: Int64(milliseconds) * 1_000_000))
  }

  private func leased(_ attempt: UInt64, _ index: Int) -> LeasedCell {
    LeasedCell(
      attempt: AttemptID(attempt), index: index, cell: CanonicalJSON.encode(cells[index].specification),
      artefacts: [0])
  }

  @Test("a hello is welcomed with the context of the sweep, and readiness with cells in one message")
  mutating func admission() {
    let step = hear(Fixture.hello(anna), .ready(credit: 2))
    #expect(
      step.messages == [
        OutgoingMessage(
          to: here,
          .welcome(
            Welcome(
              sweep: "trial", coordinatorID: "coordinator", storeID: store.storeID, artefacts: [Fixture.artefact],
              heartbeatInterval: .milliseconds(500), lostAfter: .seconds(2)))),
        OutgoingMessage(to: here, .lease([leased(1, 0), leased(2, 1)])),
      ])
    #expect(step.batch.writes.contains(.leased(AttemptID(2), CellID(1), anna)))
  }

  @Test("a worker whose engine would give other numbers is refused with the reason")
  mutating func otherRevision() {
    let step = hear(Fixture.hello(anna, revision: 99), .ready(credit: 1))
    #expect(step.messages.count == 1)
    guard case .refuse(let reason) = step.messages.first?.message else {
      Issue.record("\(step.messages)")
      return
    }
    #expect(
      reason
        == "expected a worker with engine revision 1 (pdsweep 1), found 99 (pdsweep 1): the worker is newer; "
        + "run the worker's pdsweep on both sides")
    #expect(step.batch.writes.isEmpty)
  }

  @Test("what a worker has begun is left to it, even before its first step")
  mutating func begun() {
    _ = hear(Fixture.hello(anna), .ready(credit: 4))
    let held = (1...4).map { attempt in
      AttemptProgress(attempt: AttemptID(attempt), step: 0, steps: 0, loss: nil, isStarted: attempt != 2)
    }
    _ = hear(.heartbeat(held), at: 1)
    let step = hear(Fixture.hello(Fixture.bert), .ready(credit: 4), from: there, at: 2)
    #expect(step.messages.contains(OutgoingMessage(to: here, .revoke([AttemptID(2)]))))
    #expect(step.messages.contains(OutgoingMessage(to: there, .lease([leased(5, 1)]))))
  }

  @Test("a peer of another protocol is refused; what cannot be read is counted, and told ever more rarely")
  mutating func unreadable() {
    let version = session.handle(
      [.arrived(.undecodable(here, .unknownVersion(9)))], at: Instant(nanoseconds: 0))
    #expect(version.messages == [OutgoingMessage(to: here, .refuse(reason: WireError.unknownVersion(9).description))])
    let flood = session.handle(
      (0..<99).map { _ in .arrived(.undecodable(here, .frameCount(3))) }, at: Instant(nanoseconds: 0))
    #expect(flood.messages.isEmpty)
    #expect(flood.notes.count == 6, "the 2nd, 4th, 8th, 16th, 32nd and 64th")
  }

  @Test("before its hello, and over a connection given up, a peer is nobody")
  mutating func nobody() {
    #expect(hear(.ready(credit: 1), .heartbeat([]), .goodbye(reason: "bye")).messages.isEmpty)
    _ = hear(Fixture.hello(anna), .ready(credit: 1))
    _ = hear(Fixture.hello(anna, storeID: store.storeID, running: [1]), from: there)
    let late = hear(.result(Fixture.delivery(1, cells[0].specification)), from: here)
    #expect(late.messages.isEmpty)
    #expect(late.batch.writes.isEmpty)
    let again = hear(.result(Fixture.delivery(1, cells[0].specification)), from: there)
    #expect(again.messages.first == OutgoingMessage(to: there, .acknowledge([AttemptID(1)])))
    _ = session.handle([.arrived(.unreachable(there))], at: Instant(nanoseconds: 0))
    #expect(hear(.heartbeat([]), from: there).messages.isEmpty)
  }

  @Test("a worker is known by its key and its name: nobody passes for a worker with another key")
  mutating func impostor() {
    let (annas, berts) = (PeerID([1], key: "anna"), PeerID([2], key: "bert"))
    let first = hear(Fixture.hello(anna), .ready(credit: 1), from: annas)
    #expect(first.batch.writes.contains(.leased(AttemptID(1), CellID(0), WorkerID("anna/anna"))))
    // With the name of another's worker, and what it runs.
    let impostor = hear(Fixture.hello(anna, storeID: store.storeID, running: [1]), from: berts)
    #expect(
      impostor.batch.writes.allSatisfy { if case .worker(WorkerID("bert/anna"), .joined) = $0 { true } else { false } })
    let theft = hear(.result(Fixture.delivery(1, cells[0].specification)), from: berts)
    #expect(!theft.messages.contains { if case .acknowledge([AttemptID(1)]) = $0.message { true } else { false } })
    let delivered = hear(.result(Fixture.delivery(1, cells[0].specification)), from: annas)
    #expect(delivered.messages.first == OutgoingMessage(to: annas, .acknowledge([AttemptID(1)])))
  }

  @Test("when a key is revoked its workers are sent away at once, and nothing of them is heard any more")
  mutating func revokedKey() {
    let peers = [PeerID([1], key: "anna"), PeerID([2], key: "anna"), PeerID([3], key: "bert")]
    for (number, peer) in peers.enumerated() {
      _ = hear(Fixture.hello(WorkerID("w\(number)")), .ready(credit: 1), from: peer)
    }
    let step = session.handle([.arrived(.revoked(key: "anna"))], at: Instant(nanoseconds: 0))
    let refused = step.messages.filter { if case .refuse = $0.message { true } else { false } }
    #expect(refused.map(\.peer) == [peers[0], peers[1]])
    #expect(step.notes == [.cutOff(WorkerID("anna/w0"), key: "anna"), .cutOff(WorkerID("anna/w1"), key: "anna")])
    #expect(hear(.heartbeat([AttemptProgress(1)]), from: peers[0]).messages.isEmpty)
    #expect(!hear(.heartbeat([AttemptProgress(3)]), from: peers[2]).messages.isEmpty)
    #expect(session.progress(at: Instant(nanoseconds: 0)).workers.map(\.id) == [WorkerID("bert/w2")])
  }

  @Test("every heartbeat is answered, by an empty acknowledgement if there is nothing else to say")
  mutating func heartbeats() {
    _ = hear(Fixture.hello(anna), .ready(credit: 1))
    let step = hear(.heartbeat([AttemptProgress(1, step: 3, loss: 0.5)]), at: 500)
    #expect(step.messages == [OutgoingMessage(to: here, .acknowledge([]))])
    #expect(step.batch.writes.isEmpty)
    let attempt = session.progress(at: Instant(nanoseconds: 0)).workers.first?.attempts.first
    #expect(
      attempt
        == SweepProgress.Attempt(
          id: AttemptID(1), sweep: "trial", cell: 0, method: "scan", step: 3, steps: 10, loss: 0.5))
    let unknown = hear(.heartbeat([AttemptProgress(1), AttemptProgress(77)]), at: 1000)
    #expect(unknown.messages == [OutgoingMessage(to: here, .revoke([AttemptID(77)]))])
  }

  @Test("attempts of another store are not adopted")
  mutating func otherStore() {
    _ = hear(Fixture.hello(anna), .ready(credit: 1))
    let step = hear(Fixture.hello(anna, storeID: "another", running: [1]), from: there)
    #expect(step.batch.writes.contains { if case .ended(AttemptID(1), .lost) = $0 { true } else { false } })
  }

  @Test("a result is recorded with its windows, and acknowledged")
  mutating func windows() {
    _ = hear(Fixture.hello(anna), .ready(credit: 1))
    var result = Fixture.delivery(1, cells[0].specification)
    result.windows = Fixture.windows
    let step = hear(.result(result))
    let recorded = step.batch.writes.compactMap { write -> WindowBytes? in
      if case .result(_, let delivered) = write { delivered.windows } else { nil }
    }
    #expect(recorded == [Fixture.windows])
  }

  @Test("a result that reports could not use is a fault of the engine", arguments: 0..<9)
  mutating func unfitResult(kind: Int) {
    _ = hear(Fixture.hello(anna), .ready(credit: 1))
    var result = Fixture.delivery(1, cells[0].specification)
    switch kind {
    case 0: result.result = Array("{}".utf8)
    case 1: result.report = Array("no JSON".utf8)
    case 2:
      var values = Fixture.result(cells[0].specification)
      values.evaluations = []
      result.result = CanonicalJSON.encode(values)
    case 3:
      var values = Fixture.result(cells[0].specification)
      values.evaluations[0].corpora[0].name = "dutch"
      result.result = CanonicalJSON.encode(values)
    case 4: result.windows = WindowBytes(base: [], edited: [])
    case 5: result.windows = WindowBytes(base: Fixture.windows.base, edited: Fixture.windows.edited.dropLast())
    case 6: result.windows = WindowBytes(base: Fixture.windows.base, edited: Fixture.windows.edited * 2)
    case 7: result.windows = WindowBytes(base: Fixture.windows.base * 2, edited: Fixture.windows.edited * 2)
    default:
      // Not a number.
      result.windows = WindowBytes(
        base: Fixture.windows.base, edited: Fixture.windows.edited.dropLast(4) + [1, 0, 0x80, 0xff])
      // Not in the usual form.
      result.result.append(UInt8(ascii: " "))
    }
    let step = hear(.result(result))
    #expect(!step.batch.writes.contains { if case .result = $0 { true } else { false } })
    #expect(
      step.batch.writes.contains { write in
        if case .ended(AttemptID(1), .failed(let failure)) = write { failure.kind == .engineFault } else { false }
      })
    #expect(step.messages.first == OutgoingMessage(to: here, .acknowledge([AttemptID(1)])))
  }

  @Test("what one step says to a worker of many cells is one lease and one acknowledgement, each in order")
  mutating func merging() {
    _ = hear(Fixture.hello(anna), .ready(credit: 2))
    let results = (0..<2).map { FromWorker.result(Fixture.delivery(UInt64($0 + 1), cells[$0].specification)) }
    let step = session.handle(results.map { .arrived(.message(here, $0)) }, at: Instant(nanoseconds: 0))
    #expect(
      step.messages == [
        OutgoingMessage(to: here, .acknowledge([AttemptID(1), AttemptID(2)])),
        OutgoingMessage(to: here, .lease([leased(3, 2), leased(4, 3)])),
      ])
  }

  @Test("nothing is said before a revocation that was decided after it")
  mutating func revocationsInOrder() {
    _ = hear(Fixture.hello(anna), .ready(credit: 4))
    let step = session.handle(
      [
        .arrived(.message(here, .result(Fixture.delivery(1, cells[0].specification)))),
        .arrived(.message(here, .heartbeat([AttemptProgress(77)]))),
        .arrived(.message(here, .result(Fixture.delivery(2, cells[1].specification)))),
        .arrived(.message(here, .heartbeat([AttemptProgress(78)]))),
      ], at: Instant(nanoseconds: 0))
    #expect(
      step.messages == [
        OutgoingMessage(to: here, .acknowledge([AttemptID(1)])),
        OutgoingMessage(to: here, .revoke([AttemptID(77)])),
        OutgoingMessage(to: here, .acknowledge([AttemptID(2)])),
        OutgoingMessage(to: here, .revoke([AttemptID(78)])),
      ])
  }

  @Test("where there are many workers each is told to give signs of life more rarely, and those before it as well")
  mutating func manyWorkers() throws {
    var configuration = Fixture.configuration(store)
    configuration.settings.mostHeartbeats = 4
    session = CoordinatorSession(
      try store.begin(Fixture.sweep(cells), cells: cells), configuration, at: Instant(nanoseconds: 0))
    func intervals(_ step: CoordinatorSession.Step) -> [[Duration]] {
      step.messages.compactMap {
        guard case .welcome(let welcome) = $0.message else { return nil }
        return [welcome.heartbeatInterval, welcome.lostAfter]
      }
    }
    let usual: [Duration] = [.milliseconds(500), .seconds(2)]
    let doubled: [Duration] = [.seconds(1), .seconds(4)]
    #expect(intervals(hear(Fixture.hello(WorkerID("w1")), from: PeerID([1]))) == [usual])
    #expect(intervals(hear(Fixture.hello(WorkerID("w2")), from: PeerID([2]))) == [usual])
    #expect(intervals(hear(Fixture.hello(WorkerID("w3")), from: PeerID([3]))) == [doubled])
    let told = hear(.heartbeat([]), from: PeerID([1]), at: 500)
    #expect(intervals(told) == [doubled])
    #expect(told.messages.count == 1, "a welcome is an answer")
    #expect(hear(.heartbeat([]), from: PeerID([1]), at: 1500).messages.map(\.message) == [.acknowledge([])])
  }

  @Test("when all is done, workers are drained, and the end waits for their goodbyes, but not for ever")
  mutating func farewell() {
    _ = hear(Fixture.hello(anna), .ready(credit: 4))
    let results = (0..<4).map { FromWorker.result(Fixture.delivery(UInt64($0 + 1), cells[$0].specification)) }
    let step = session.handle(results.map { .arrived(.message(here, $0)) }, at: Instant(nanoseconds: 0))
    #expect(
      step.messages == [
        OutgoingMessage(to: here, .acknowledge((1...4).map { AttemptID($0) })), OutgoingMessage(to: here, .drain),
      ])
    #expect(!session.isOver(at: Instant(nanoseconds: 5_900_000_000)))
    #expect(session.isOver(at: Instant(nanoseconds: 6_000_000_000)))
    _ = hear(.goodbye(reason: "drained"))
    #expect(session.isOver(at: Instant(nanoseconds: 1)))
    #expect(session.progress(at: Instant(nanoseconds: 1)).isComplete)
  }

  @Test("the time that is left follows from the pace of each method and the workers that are busy")
  mutating func estimate() {
    _ = hear(Fixture.hello(anna), .ready(credit: 4))
    #expect(session.progress(at: Instant(nanoseconds: 0)).remaining == nil)
    _ = hear(.result(Fixture.delivery(1, cells[0].specification, seconds: 10)))
    #expect(session.progress(at: Instant(nanoseconds: 0)).remaining == .seconds(30), "three more, taken to be alike")
    _ = hear(.result(Fixture.delivery(2, cells[1].specification, seconds: 2)))
    let progress = session.progress(at: Instant(nanoseconds: 4_000_000_000))
    #expect(progress.remaining == .seconds(12), "one of 10 s and one of 2 s")
    #expect(progress.cellsPerSecond == 0.5)
    #expect(progress.count(.completed) == 2)
    #expect(progress.count(.running) == 2)
    #expect(progress.total == 4)
  }
}

extension [UInt8] {
  /// The bytes several times over.
  fileprivate static func * (bytes: [UInt8], times: Int) -> [UInt8] {
    (0..<times).flatMap { _ in bytes }
  }
}
