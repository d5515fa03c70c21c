import ContentHash
import SweepCore
import SweepWire
import TestSupport
import Testing

@testable import SweepWorker

/// What a session decides about files, one decision at a time.
@Suite struct ArtefactShelfTests {
  private static let lostAfter = Duration.seconds(2)

  /// A shelf with its keeper and its coordinator, both of whom do as the test says.
  private struct Shelf {
    var shelf = ArtefactShelf()
    var now = Instant(0)
    var requests: [ArtefactRequest] = []
    private var receipt: UInt64 = 0

    /// Needs files; returns what the keeper is asked.
    mutating func retain(_ artefacts: [Artefact]) -> (tickets: [ArtefactTicket], asked: [WorkerSession.Action]) {
      var actions: [WorkerSession.Action] = []
      let tickets = shelf.retain(artefacts, &actions)
      return (tickets, actions)
    }

    @discardableResult
    mutating func report(_ report: ArtefactReport, othersRun: Bool = false) -> (CellFailure?, [WorkerSession.Action]) {
      var actions: [WorkerSession.Action] = []
      let loss = shelf.take(report, othersRun: othersRun, now, &actions)
      return (loss?.failure, actions)
    }

    /// Lets the shelf ask the coordinator; returns what is new.
    @discardableResult
    mutating func ask() -> [ArtefactRequest] {
      let new = shelf.requests(lostAfter: lostAfter, now)
      requests += new.filter { $0.count > 0 }
      return new
    }

    /// Answers the oldest request after a while, and has what came written. Returns whether it was taken.
    mutating func answer(after time: Duration, from ticket: ArtefactTicket) -> Bool {
      let request = requests.removeFirst()
      now = now + time
      receipt += 1
      var actions: [WorkerSession.Action] = []
      let chunk = ArtefactChunk(
        digest: request.digest, offset: request.offset, content: [UInt8](repeating: 1, count: request.count),
        receipt: receipt)
      let isTaken = shelf.take(chunk, now, &actions)
      report(.written(ticket, upTo: request.offset + request.count))
      return isTaken
    }

    /// Bytes that are asked for and have not come.
    var ahead: Int { requests.reduce(0) { $0 + $1.count } }
  }

  /// A shelf that fetches a file from its beginning.
  private func fetching(_ artefact: Artefact) -> (Shelf, ArtefactTicket) {
    var shelf = Shelf()
    let ticket = shelf.retain([artefact]).tickets[0]
    shelf.report(.absent(ticket, from: 0))
    return (shelf, ticket)
  }

  @Test("A file is obtained once for all cells that need it, and released with the last")
  func sharing() {
    var shelf = Shelf()
    let file = artefact("a", size: 10)
    let (first, asked) = shelf.retain([file])
    #expect(asked == [.keep(.obtain(first[0], file))])
    let (second, again) = shelf.retain([file])
    #expect(second == first && again.isEmpty)
    #expect(shelf.shelf.files(first) == nil)
    shelf.report(.ready(first[0], local(file)))
    #expect(shelf.shelf.files(first) == [local(file)])
    var actions: [WorkerSession.Action] = []
    shelf.shelf.release(first, &actions)
    #expect(actions.isEmpty)
    shelf.shelf.release(second, &actions)
    #expect(actions == [.keep(.release(first[0]))])
    // A need that arises again is another.
    let (third, _) = shelf.retain([file])
    #expect(third != first)
    shelf.report(.ready(first[0], local(file)))
    #expect(shelf.shelf.files(third) == nil)
  }

  @Test("A file is asked for in parts, without gaps, to its end")
  func parts() {
    var (shelf, ticket) = fetching(artefact("a", size: 3_000_001))
    var next = 0
    var actions = 0
    while next < 3_000_001 {
      for request in shelf.ask() where request.count > 0 {
        #expect(request.offset == next && request.count <= ArtefactShelf.largestPart)
        next += request.count
      }
      guard !shelf.requests.isEmpty else { return #expect(Bool(false), "stuck at \(next)") }
      let isTaken = shelf.answer(after: .milliseconds(1), from: ticket)
      #expect(isTaken)
      actions += 1
    }
    while !shelf.requests.isEmpty {
      let isTaken = shelf.answer(after: .milliseconds(1), from: ticket)
      #expect(isTaken)
    }
    // The coordinator learns that the last parts have come, once.
    #expect(shelf.ask().map(\.count) == [0])
    #expect(shelf.ask().isEmpty)
    #expect(actions < 300)
  }

  @Test("The window grows while answers are quick, and is bounded")
  func growth() {
    var (shelf, ticket) = fetching(artefact("a", size: 1 << 30))
    shelf.ask()
    #expect(shelf.ahead == ArtefactShelf.firstWindow)
    for _ in 0..<400 {
      _ = shelf.answer(after: .milliseconds(1), from: ticket)
      shelf.ask()
      #expect(shelf.ahead < ArtefactShelf.largestWindow + ArtefactShelf.largestPart)
    }
    #expect(shelf.ahead >= ArtefactShelf.largestWindow)
    #expect(shelf.requests.allSatisfy { $0.count == ArtefactShelf.largestPart })
  }

  @Test("A far coordinator is not taken for a slow one")
  func longWay() {
    var (shelf, ticket) = fetching(artefact("a", size: 1 << 30))
    shelf.ask()
    // Every answer takes 300 ms, and they come in a train.
    for _ in 0..<60 {
      shelf.now = shelf.now + .milliseconds(300)
      for _ in shelf.requests.indices { _ = shelf.answer(after: .zero, from: ticket) }
      shelf.ask()
    }
    #expect(shelf.ahead >= ArtefactShelf.largestWindow)
  }

  @Test(
    "On a slow link no more is asked for ahead than comes within a second, and what comes is not asked for again",
    arguments: [20_000, 100_000, 1_000_000])
  func slowLink(bytesPerSecond: Int) {
    var (shelf, ticket) = fetching(artefact("a", size: 1 << 30))
    shelf.ask()
    var taken = 0
    for step in 0..<2000 {
      guard let request = shelf.requests.first else { return #expect(Bool(false), "nothing is asked for") }
      let time = Duration.seconds(Double(request.count) / Double(bytesPerSecond))
      if shelf.answer(after: time, from: ticket) { taken += request.count }
      shelf.ask()
      if step > 200 {
        #expect(shelf.ahead <= max(bytesPerSecond, ArtefactShelf.smallestWindow + ArtefactShelf.smallestWindow / 8))
      }
    }
    // Nothing was asked for twice.
    #expect(shelf.requests.first?.offset == taken)
  }

  @Test("What is not written does not make room")
  func slowDisk() {
    var (shelf, _) = fetching(artefact("a", size: 1 << 30))
    var came = 0
    while came < 1000 {
      shelf.ask()
      guard !shelf.requests.isEmpty else { break }
      let request = shelf.requests.removeFirst()
      var actions: [WorkerSession.Action] = []
      let content = [UInt8](repeating: 1, count: request.count)
      let chunk = ArtefactChunk(digest: request.digest, offset: request.offset, content: content, receipt: 1)
      #expect(shelf.shelf.take(chunk, shelf.now, &actions))
      came += 1
    }
    #expect(came < 200, "memory is filled without end")
  }

  @Test("After a break a file is asked for from where it ends")
  func disconnection() {
    var (shelf, ticket) = fetching(artefact("a", size: 1 << 20))
    shelf.ask()
    for _ in 0..<3 { _ = shelf.answer(after: .milliseconds(1), from: ticket) }
    let ended = shelf.requests[0].offset
    shelf.shelf.disconnect()
    shelf.requests = []
    let again = shelf.ask()
    #expect(again.first?.offset == ended && again.first?.receipt == 0)
  }

  @Test("Answers that do not come are asked for again, and late ones are passed over")
  func stall() {
    var (shelf, ticket) = fetching(artefact("a", size: 1 << 20))
    let first = shelf.ask()
    #expect(shelf.shelf.requestDeadline(lostAfter: Self.lostAfter) == Instant(2))
    shelf.now = Instant(1.9)
    #expect(shelf.ask().isEmpty)
    shelf.now = Instant(2)
    shelf.requests = []
    let again = shelf.ask()
    #expect(again.first?.offset == 0)
    #expect(again.reduce(0) { $0 + $1.count } <= ArtefactShelf.firstWindow / 2 + again[0].count)
    // Both answers come after all; the first counts.
    let isTaken = shelf.answer(after: .zero, from: ticket)
    #expect(isTaken)
    var actions: [WorkerSession.Action] = []
    let late = ArtefactChunk(
      digest: ticket.digest, offset: 0, content: [UInt8](repeating: 1, count: first[0].count), receipt: 9)
    #expect(!shelf.shelf.take(late, shelf.now, &actions))
    #expect(actions.isEmpty)
  }

  @Test("Parts that were not asked for are passed over")
  func unasked() {
    var (shelf, ticket) = fetching(artefact("a", size: 1 << 20))
    let requests = shelf.ask()
    var actions: [WorkerSession.Action] = []
    for (offset, count) in [(requests[1].offset, requests[1].count), (0, 1), (0, requests[0].count + 1), (1 << 19, 5)] {
      let chunk = ArtefactChunk(
        digest: ticket.digest, offset: offset, content: [UInt8](repeating: 1, count: count), receipt: 9)
      #expect(!shelf.shelf.take(chunk, shelf.now, &actions))
    }
    let stranger = ArtefactChunk(
      digest: SHA256Digest(of: "stranger"), offset: 0, content: [UInt8](repeating: 1, count: requests[0].count),
      receipt: 9)
    #expect(!shelf.shelf.take(stranger, shelf.now, &actions))
    #expect(actions.isEmpty)
  }

  @Test("Files come in the order in which they came to be needed, the next as soon as all of one is asked for")
  func order() {
    var shelf = Shelf()
    let files = [artefact("b", size: 20_000), artefact("a", size: 30_000), artefact("c", size: 9)]
    let (tickets, _) = shelf.retain(files)
    for ticket in tickets { shelf.report(.absent(ticket, from: ticket == tickets[2] ? 4 : 0)) }
    let requests = shelf.ask()
    #expect(requests.map(\.digest) == [0, 0, 1, 1, 2].map { files[$0].digest })
    #expect(requests.last?.offset == 4 && requests.last?.count == 5)
  }

  @Test("A file that comes wrong is fetched once more, and then given up")
  func corruption() {
    var (shelf, ticket) = fetching(artefact("a", size: 10))
    shelf.ask()
    _ = shelf.answer(after: .zero, from: ticket)
    let noise = SHA256Digest(of: "noise")
    let (failure, actions) = shelf.report(.corrupt(ticket, found: noise))
    #expect(failure == nil && actions == [.keep(.obtain(ticket, artefact("a", size: 10)))])
    shelf.report(.absent(ticket, from: 0))
    #expect(shelf.ask().map(\.offset) == [0])
    _ = shelf.answer(after: .zero, from: ticket)
    let (second, release) = shelf.report(.corrupt(ticket, found: noise))
    #expect(second?.kind == .refusedInput && release == [.keep(.release(ticket))])
    #expect(
      second?.message.hasPrefix("a: expected SHA-256 \(ticket.digest), received a file with \(noise), twice") == true)
  }

  @Test("A file that another process fetches is asked for again, and people are told once")
  func busy() {
    var shelf = Shelf()
    let file = artefact("a", size: 10)
    let ticket = shelf.retain([file]).tickets[0]
    #expect(shelf.report(.busy(ticket)).1 == [.note(.fetchedByAnother(file))])
    #expect(shelf.shelf.nextDeadline == Instant(0.5))
    var actions: [WorkerSession.Action] = []
    shelf.shelf.askAgain(Instant(0.4), &actions)
    #expect(actions.isEmpty)
    shelf.shelf.askAgain(Instant(0.5), &actions)
    #expect(actions == [.keep(.obtain(ticket, file))])
    #expect(shelf.report(.busy(ticket)).1.isEmpty)
  }

  @Test("Room is waited for while cells run that may leave some, for a minute")
  func noRoom() {
    var shelf = Shelf()
    let file = artefact("a", size: 10)
    let ticket = shelf.retain([file]).tickets[0]
    for second in 0..<60 {
      shelf.now = Instant(Double(second))
      #expect(shelf.report(.noRoom(ticket, reason: "full"), othersRun: true).0 == nil)
    }
    shelf.now = Instant(60)
    let (failure, actions) = shelf.report(.noRoom(ticket, reason: "full"), othersRun: true)
    #expect(failure == CellFailure(kind: .workerUnfit, message: "a: full") && actions == [.keep(.release(ticket))])
    var alone = Shelf()
    let other = alone.retain([file]).tickets[0]
    #expect(alone.report(.noRoom(other, reason: "full"), othersRun: false).0?.kind == .workerUnfit)
  }

  @Test("A file that cannot be had fails the cells that wait for it; others run, and what is needed anew is tried anew")
  func loss() {
    var identity = WorkerIdentity.example
    identity.slots = 2
    var session = WorkerSession(
      WorkerSession.Configuration(identity: identity, prefetch: 2), generator: SeededGenerator(seed: 1))
    _ = session.handle(.started, at: Instant(0))
    for slot in 0..<2 { _ = session.handle(.engineReady(slot: slot), at: Instant(0)) }
    let (a, b) = (artefact("a", size: 10), artefact("b", size: 10))
    _ = session.handle(.received(.welcome(welcome(artefacts: [a, b]))), at: Instant(0))
    let leases = [lease(1, files: [0, 1]), lease(2, files: [1]), lease(3)]
    let asked = session.handle(.received(.lease(leases)), at: Instant(0))
    let tickets = asked.compactMap { if case .keep(.obtain(let ticket, _)) = $0 { ticket } else { nil } }
    #expect(tickets.map(\.digest) == [a.digest, b.digest])
    // The cell that needs no file is not held up.
    #expect(asked.last == .run(slot: 0, lease(3), files: []))
    #expect(
      session.handle(.kept(.ready(tickets[1], local(b))), at: Instant(0)) == [
        .run(slot: 1, lease(2, files: [1]), files: [local(b)])
      ])
    let gone = session.handle(.received(.artefactMissing(digest: a.digest, reason: "it has changed")), at: Instant(0))
    let message = "a: the coordinator cannot give the file: it has changed"
    #expect(
      gone == [
        .keep(.release(tickets[0])), .note(.noFile(CellFailure(kind: .workerUnfit, message: message))),
        .send([.failure(attempt: AttemptID(1), CellFailure(kind: .workerUnfit, message: message))]),
      ])
    #expect(
      session.handle(.finished(slot: 1, AttemptID(2), .result(outcome(2))), at: Instant(0)).first
        == .keep(.release(tickets[1])))
    let again = session.handle(.received(.lease([lease(4, files: [0])])), at: Instant(0))
    guard case .keep(.obtain(let ticket, a))? = again.first else { return #expect(Bool(false), "\(again)") }
    #expect(ticket != tickets[0])
  }

  @Test("A cell whose files were changed runs once they have been looked at, but not for ever")
  func stale() {
    var session = WorkerSession(WorkerSession.Configuration(identity: .example), generator: SeededGenerator(seed: 1))
    _ = session.handle(.started, at: Instant(0))
    _ = session.handle(.engineReady(slot: 0), at: Instant(0))
    let a = artefact("a", size: 10)
    _ = session.handle(.received(.welcome(welcome(artefacts: [a]))), at: Instant(0))
    let leased = session.handle(.received(.lease([lease(1, files: [0])])), at: Instant(0))
    guard case .keep(.obtain(let ticket, a))? = leased.first else { return #expect(Bool(false), "\(leased)") }
    for version in 1...4 {
      #expect(
        session.handle(.kept(.ready(ticket, local(a, version: version))), at: Instant(0)) == [
          .run(slot: 0, lease(1, files: [0]), files: [local(a, version: version)])
        ])
      let actions = session.handle(.stale(slot: 0, AttemptID(1), [a.digest]), at: Instant(0))
      guard version == 4 else {
        #expect(actions == [.keep(.obtain(ticket, a))])
        continue
      }
      let message = "the files of the cell were changed again and again"
      #expect(
        actions == [
          .keep(.release(ticket)),
          .send([.failure(attempt: AttemptID(1), CellFailure(kind: .engineFault, message: message))]),
        ])
    }
  }

  @Test("A lease that names a file that the welcome does not is refused")
  func unknownPlace() {
    var session = WorkerSession(WorkerSession.Configuration(identity: .example), generator: SeededGenerator(seed: 1))
    _ = session.handle(.started, at: Instant(0))
    _ = session.handle(.engineReady(slot: 0), at: Instant(0))
    _ = session.handle(.received(.welcome(welcome(artefacts: [artefact("a", size: 10)]))), at: Instant(0))
    let actions = session.handle(.received(.lease([lease(1, files: [1])])), at: Instant(0))
    guard case .send(let messages)? = actions.first, case .failure(AttemptID(1), let failure)? = messages.first else {
      return #expect(Bool(false), "\(actions)")
    }
    #expect(failure.kind == .refusedInput)
  }
}
