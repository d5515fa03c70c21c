import ContentHash
import SweepCore
import SweepWire
import TestSupport
import Testing

/// What the codec promises of messages that are well formed.
@Suite struct MessageCodecTests {
  @Test("A worker's message reads back as it was written", arguments: 0..<8)
  func fromWorkerRoundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let message = random.fromWorker()
      #expect(try MessageCodec.decodeFromWorker(framed(MessageCodec.encode(message))) == message)
    }
  }

  @Test("A coordinator's message reads back as it was written", arguments: 0..<8)
  func toWorkerRoundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let message = random.toWorker()
      let bodies = MessageCodec.encode(message)
      #expect(bodies.count == 1)
      #expect(try MessageCodec.decodeToWorker(framed(bodies[0])) == message)
    }
  }

  /// The bytes were worked out by hand from the protobuf encoding guide and messages.proto; they may only change
  /// together with the protocol's version.
  @Test("The bytes of a worker's messages are those of the protocol's version 3")
  func goldenFromWorker() {
    #expect(WireProtocol.version == 3)
    let name: [UInt8] = [0x0a, 0x01] + utf8("w")
    let hello: [UInt8] =
      name + [0x12, 0x01] + utf8("1") + [0x18, 0x02, 0x22, 0x01] + utf8("h") + [0x28, 0x96, 0x01, 0x30, 0x04, 0x38]
      + [0x80, 0x08, 0x42, 0x01] + utf8("s") + [0x4a, 0x03, 0x07, 0xac, 0x02, 0x50, 0x02, 0x5a, 0x01] + utf8("b")
    expect(
      .hello(
        Hello(
          workerID: WorkerID("w"), engineVersion: "1", engineRevision: 2, host: "h", processIdentifier: 150, cores: 4,
          memoryMiB: 1024, storeID: "s", running: [AttemptID(7), AttemptID(300)], slots: 2, build: "b")),
      [0x0a, UInt8(hello.count)] + hello)
    expect(.ready(credit: 3), [0x12, 0x02, 0x08, 0x03])
    expect(.ready(credit: 0), [0x12, 0x00])
    expect(
      .heartbeat([
        AttemptProgress(attempt: AttemptID(5), step: 1, steps: 100, loss: 1.0),
        AttemptProgress(attempt: AttemptID(6), step: 0, steps: 0, loss: nil, isStarted: false),
      ]),
      [0x1a, 0x17, 0x0a, 0x11, 0x08, 0x05, 0x10, 0x01, 0x18, 0x64, 0x21, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x28, 0x01]
        + [0x0a, 0x02, 0x08, 0x06])
    let digest = SHA256Digest(of: "cell")
    expect(
      .result(AttemptResult(attempt: AttemptID(9), fingerprint: digest, result: utf8("{}"), report: utf8("[]"))),
      [0x22, 0x2c, 0x08, 0x09, 0x12, 0x20] + digest.bytes + [0x1a, 0x02] + utf8("{}") + [0x22, 0x02] + utf8("[]"))
    expect(
      .result(
        AttemptResult(
          attempt: AttemptID(9), fingerprint: digest, result: utf8("{}"), report: utf8("[]"),
          windows: WindowBytes(base: [1, 2], edited: [3]))),
      [0x22, 0x35, 0x08, 0x09, 0x12, 0x20] + digest.bytes + [0x1a, 0x02] + utf8("{}") + [0x22, 0x02] + utf8("[]")
        + [0x2a, 0x07, 0x0a, 0x02, 1, 2, 0x12, 0x01, 3])
    expect(
      .failure(attempt: AttemptID(9), CellFailure(kind: .preempted, message: "no")),
      [0x2a, 0x08, 0x08, 0x09, 0x10, 0x05, 0x1a, 0x02] + utf8("no"))
    expect(.goodbye(reason: "bye"), [0x32, 0x05, 0x0a, 0x03] + utf8("bye"))
    expect(
      .artefactRequest(ArtefactRequest(digest: digest, offset: 300, count: 5, receipt: 1)),
      [0x3a, 0x30, 0x0a, 0x20] + digest.bytes + [0x10, 0xac, 0x02, 0x18, 0x05, 0x21, 1, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test("The bytes of a coordinator's messages are those of the protocol's version 3")
  func goldenToWorker() {
    let digest = SHA256Digest(of: "file")
    let artefact: [UInt8] =
      [0x0a, 0x20] + digest.bytes + [0x12, 0x01] + utf8("r") + [0x1a, 0x02] + utf8("f1") + [0x20, 0x07]
    let welcome: [UInt8] =
      [0x0a, 0x01] + utf8("a") + [0x12, 0x01] + utf8("c") + [0x1a, 0x01] + utf8("s")
      + [0x22, UInt8(artefact.count)] + artefact + [0x28, 0x01, 0x30, 0x80, 0x94, 0xeb, 0xdc, 0x03]
    expect(
      .welcome(
        Welcome(
          sweep: "a", coordinatorID: "c", storeID: "s",
          artefacts: [Artefact(digest: digest, role: "r", name: "f1", size: 7)], heartbeatInterval: .nanoseconds(1),
          lostAfter: .seconds(1))),
      [0x0a, UInt8(welcome.count)] + welcome)
    expect(
      .lease([LeasedCell(attempt: AttemptID(1), index: 0, cell: utf8("{}"), artefacts: [0, 3])]),
      [0x12, 0x0c, 0x0a, 0x0a, 0x08, 0x01, 0x1a, 0x02] + utf8("{}") + [0x22, 0x02, 0x00, 0x03])
    expect(.acknowledge([AttemptID(1), AttemptID(300)]), [0x1a, 0x05, 0x0a, 0x03, 0x01, 0xac, 0x02])
    expect(.acknowledge([]), [0x1a, 0x00])
    expect(.revoke([AttemptID(2)]), [0x22, 0x03, 0x0a, 0x01, 0x02])
    expect(.drain, [0x2a, 0x00])
    expect(.refuse(reason: "no"), [0x32, 0x04, 0x0a, 0x02] + utf8("no"))
    expect(
      .artefactChunk(ArtefactChunk(digest: digest, offset: 1, content: [9], receipt: 1 << 63)),
      [0x3a, 0x30, 0x0a, 0x20] + digest.bytes + [0x10, 0x01, 0x1a, 0x01, 0x09, 0x21, 0, 0, 0, 0, 0, 0, 0, 0x80])
    expect(
      .artefactMissing(digest: digest, reason: "no"),
      [0x42, 0x26, 0x0a, 0x20] + digest.bytes + [0x12, 0x02] + utf8("no"))
  }

  @Test("Text for people is sent as one line of bounded length")
  func textIsMadeFit() throws {
    let wild = "first\nsecond\u{1b}[31m\u{2028}" + String(repeating: "é", count: WireProtocol.textBytes)
    let failure = FromWorker.failure(attempt: AttemptID(1), CellFailure(kind: .engineFault, message: wild))
    guard
      case .failure(_, let sent) = try MessageCodec.decodeFromWorker(framed(MessageCodec.encode(failure)))
    else { return #expect(Bool(false), "another kind of message came out") }
    #expect(sent.message.hasPrefix("first second [31m é"))
    #expect(sent.message.hasSuffix("é…"))
    #expect((WireProtocol.textBytes - 3...WireProtocol.textBytes).contains(sent.message.utf8.count))
  }

  @Test("A name is never sent empty")
  func emptyName() throws {
    let welcome = Welcome(
      sweep: "", coordinatorID: "c", storeID: "s", artefacts: [], heartbeatInterval: .seconds(1), lostAfter: .seconds(2)
    )
    let bodies = MessageCodec.encode(.welcome(welcome))
    guard case .welcome(let sent) = try MessageCodec.decodeToWorker(framed(bodies[0])) else {
      return #expect(Bool(false), "another kind of message came out")
    }
    #expect(sent.sweep == "-")
  }

  @Test("Lists longer than a message may hold are sent as several messages, in order")
  func longListsAreCut() throws {
    let attempts = (1...UInt64(2 * WireProtocol.listCount + 1)).map { AttemptID($0) }
    let cells = attempts.map { LeasedCell(attempt: $0, index: Int($0.number), cell: [0x7b, 0x7d], artefacts: []) }
    let decode = { (message: ToWorker) in
      try MessageCodec.encode(message).map { try MessageCodec.decodeToWorker(framed($0)) }
    }
    let acknowledged = try decode(.acknowledge(attempts)).flatMap { message -> [AttemptID] in
      guard case .acknowledge(let part) = message else { return [] }
      return part
    }
    #expect(acknowledged == attempts)
    let revoked = try decode(.revoke(attempts)).flatMap { message -> [AttemptID] in
      guard case .revoke(let part) = message else { return [] }
      return part
    }
    #expect(revoked == attempts)
    let leased = try decode(.lease(cells)).map { message -> [LeasedCell] in
      guard case .lease(let part) = message else { return [] }
      return part
    }
    #expect(leased.map(\.count) == [WireProtocol.listCount, WireProtocol.listCount, 1])
    #expect(leased.flatMap { $0 } == cells)
  }

  @Test("Large cells are cut into messages that the other side accepts")
  func largeCellsAreCut() throws {
    let cell = [UInt8](repeating: 0x20, count: WireProtocol.cellBytes)
    let cells = (1...3).map { LeasedCell(attempt: AttemptID($0), index: 0, cell: cell, artefacts: []) }
    let bodies = MessageCodec.encode(.lease(cells))
    #expect(bodies.allSatisfy { $0.count <= WireProtocol.replyBytes })
    let leased = try bodies.flatMap { body -> [LeasedCell] in
      guard case .lease(let part) = try MessageCodec.decodeToWorker(framed(body)) else { return [] }
      return part
    }
    #expect(leased == cells)
  }

  @Test("The largest result fits into a message")
  func largestResult() throws {
    let result = FromWorker.result(
      AttemptResult(
        attempt: AttemptID(.max), fingerprint: SHA256Digest(of: ""),
        result: [UInt8](repeating: 0x20, count: WireProtocol.cellResultBytes),
        report: [UInt8](repeating: 0x20, count: WireProtocol.reportBytes),
        windows: WindowBytes(
          base: [UInt8](repeating: 1, count: 1 << 20),
          edited: [UInt8](repeating: 1, count: WireProtocol.windowBytes - (1 << 20)))))
    #expect(try MessageCodec.decodeFromWorker(framed(MessageCodec.encode(result))) == result)
  }

  @Test("The longest heartbeat and hello fit into a message")
  func longestLists() throws {
    let attempts = (0..<UInt64(WireProtocol.listCount)).map { AttemptID(.max - $0) }
    let longest = Int(UInt32.max)
    let heartbeat = FromWorker.heartbeat(
      attempts.map { AttemptProgress(attempt: $0, step: longest, steps: longest, loss: 1) })
    #expect(try MessageCodec.decodeFromWorker(framed(MessageCodec.encode(heartbeat))) == heartbeat)
    let name = String(repeating: "n", count: WireProtocol.nameBytes)
    let hello = FromWorker.hello(
      Hello(
        workerID: WorkerID(name), engineVersion: name, engineRevision: longest, host: name,
        processIdentifier: longest, cores: 1 << 20, memoryMiB: 1 << 40, storeID: name, running: attempts,
        slots: WireProtocol.credit, build: name))
    #expect(try MessageCodec.decodeFromWorker(framed(MessageCodec.encode(hello))) == hello)
  }
}

/// The frames of a message with this body.
func framed(_ body: [UInt8]) -> [[UInt8]] {
  [[3], body]
}

func utf8(_ text: String) -> [UInt8] {
  Array(text.utf8)
}

private func expect(
  _ message: FromWorker, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(MessageCodec.encode(message) == bytes, sourceLocation: sourceLocation)
}

private func expect(_ message: ToWorker, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
  #expect(MessageCodec.encode(message) == [bytes], sourceLocation: sourceLocation)
}
