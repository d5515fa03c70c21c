import Foundation
import SweepCore
import SweepWire
import TestSupport
import Testing

/// What the codec promises of bytes that no encoder of ours wrote: an error or a message within bounds, never a trap.
@Suite struct HostileMessageTests {
  @Test("Every truncation of every message is refused", arguments: 0..<4)
  func truncations(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<40 {
      let request = MessageCodec.encode(random.fromWorker())
      for length in 0..<request.count {
        #expect(throws: WireError.self, "seed \(seed)") {
          try MessageCodec.decodeFromWorker(framed(Array(request.prefix(length))))
        }
      }
      for reply in MessageCodec.encode(random.toWorker()) {
        for length in 0..<reply.count {
          #expect(throws: WireError.self, "seed \(seed)") {
            try MessageCodec.decodeToWorker(framed(Array(reply.prefix(length))))
          }
        }
      }
    }
  }

  @Test("A mutated message is refused, or is one that could have been sent", arguments: 0..<8)
  func mutations(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      let request = random.mutated(MessageCodec.encode(random.fromWorker()))
      if let message = try? MessageCodec.decodeFromWorker(framed(request)) {
        let again = try MessageCodec.decodeFromWorker(framed(MessageCodec.encode(message)))
        #expect(again.isSame(as: message), "seed \(seed)")
      }
      let reply = random.mutated(MessageCodec.encode(random.toWorker())[0])
      if let message = try? MessageCodec.decodeToWorker(framed(reply)) {
        let again = try MessageCodec.decodeToWorker(framed(MessageCodec.encode(message)[0]))
        #expect(again == message, "seed \(seed)")
      }
    }
  }

  @Test("Random bytes are refused, or are a message that could have been sent", arguments: 0..<8)
  func noise(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<3000 {
      var body = random.bytes(0...64)
      // Half of them announce their length rightly, so that what is inside is looked at.
      if Bool.random(using: &random), body.count >= 2 {
        body[0] = UInt8(random.number(1...8)) << 3 | 2
        body[1] = UInt8(body.count - 2)
      }
      if let message = try? MessageCodec.decodeFromWorker(framed(body)) { _ = MessageCodec.encode(message) }
      if let message = try? MessageCodec.decodeToWorker(framed(body)) { _ = MessageCodec.encode(message) }
    }
  }

  @Test("The frames around a message are checked")
  func frames() {
    let body = MessageCodec.encode(.ready(credit: 1))
    let cases: [([[UInt8]], WireError)] = [
      ([], .frameCount(0)),
      ([body], .frameCount(1)),
      ([[3], body, []], .frameCount(3)),
      ([[], body], .versionFrame(length: 0)),
      ([[3, 3], body], .versionFrame(length: 2)),
      ([[2], body], .unknownVersion(2)),
      ([[4], body], .unknownVersion(4)),
      ([[2], []], .unknownVersion(2)),
      ([[3], []], .malformed("an empty body")),
    ]
    for (frames, error) in cases {
      #expect(throws: error) { try MessageCodec.decodeFromWorker(frames) }
      #expect(throws: error) { try MessageCodec.decodeToWorker(frames) }
    }
  }

  @Test("A body is exactly one field of a known kind")
  func envelope() {
    let ready = MessageCodec.encode(.ready(credit: 1))
    #expect(throws: WireError.unknownKind(8)) { try MessageCodec.decodeFromWorker(framed([0x42, 0x00])) }
    #expect(throws: WireError.unknownKind(9)) { try MessageCodec.decodeToWorker(framed([0x4a, 0x00])) }
    // Two fields, a varint field, field number 0, a field number of two bytes, a length without end.
    for body in [
      ready + ready, [0x10, 0x01], [0x02, 0x00], [0x82, 0x01, 0x00], [0x12, 0x80, 0x80, 0x80, 0x80, 0x00],
    ] {
      #expect { try MessageCodec.decodeFromWorker(framed(body)) } throws: { error in
        guard case .malformed = error as? WireError else { return false }
        return true
      }
    }
  }

  @Test("Only a result may be larger than a request, and nothing larger than a result")
  func sizes() {
    let large = [UInt8](repeating: 0x61, count: WireProtocol.requestBytes)
    let goodbye = field(6, field(1, large))
    #expect {
      try MessageCodec.decodeFromWorker(framed(goodbye))
    } throws: {
      isOutOfBounds($0, found: goodbye.count)
    }
    let huge = field(4, field(3, [UInt8](repeating: 0x61, count: WireProtocol.resultBytes)))
    #expect {
      try MessageCodec.decodeFromWorker(framed(huge))
    } throws: {
      isOutOfBounds($0, found: huge.count)
    }
  }

  @Test("What lies beyond the bounds of a field is refused")
  func bounds() {
    let control = utf8("two\nlines")
    let longName = [UInt8](repeating: 0x61, count: WireProtocol.nameBytes + 1)
    let longText = [UInt8](repeating: 0x61, count: WireProtocol.textBytes + 1)
    let manyAttempts = [UInt8](repeating: 1, count: WireProtocol.listCount + 1)
    let digest = [UInt8](repeating: 7, count: 32)
    let result = [0x08, 1] + field(2, digest) + field(3, [1]) + field(4, [1])
    let requests: [[UInt8]] = [
      field(1, field(1, []) + names),  // a worker without a name
      field(1, field(1, longName) + names),
      field(1, field(1, control) + names),
      field(1, field(1, utf8("w")) + names + field(9, manyAttempts)),
      field(1, field(1, utf8("w")) + names + field(9, [0])),  // attempt 0
      field(1, field(1, [0xff, 0xfe]) + names),  // not UTF-8
      field(1, field(1, utf8("w")) + names + [0x50, 0]),  // no slots
      field(2, [0x08, 0x81, 0x08]),  // a credit of 1025
      field(3, (0...WireProtocol.listCount).flatMap { _ in field(1, [0x08, 0x01]) }),
      field(3, field(1, [])),  // progress of attempt 0
      field(4, [0x08, 1] + field(2, Array(digest.dropLast())) + field(3, [1]) + field(4, [1])),
      field(4, [0x08, 1] + field(2, digest) + field(3, [1])),  // no report
      field(4, [0x08, 1] + field(2, digest) + field(4, [1])),  // no result
      field(4, field(2, digest) + field(3, [1]) + field(4, [1])),  // attempt 0
      field(4, result + field(5, field(1, [UInt8](repeating: 0, count: WireProtocol.windowBytes + 1)))),
      field(4, result + field(5, field(1, [0]) + field(2, [UInt8](repeating: 0, count: WireProtocol.windowBytes)))),
      field(4, result + field(5, [0x0a, 0xff, 0xff, 0xff, 0x07, 1])),  // 16 MiB announced, a byte there
      field(5, [0x08, 1]),  // no kind
      field(5, [0x08, 1, 0x10, 9]),  // an unknown kind
      field(5, [0x08, 1, 0x10, 1] + field(3, longText)),
      field(6, field(1, control)),
      field(7, field(1, digest) + [0x18, 0x81, 0x80, 0x40]),  // 1 MiB and a byte
      field(7, field(1, digest) + [0x10] + [UInt8](repeating: 0xff, count: 9) + [1, 0x18, 1]),
      field(7, [0x18, 1]),  // of no artefact
    ]
    for (index, body) in requests.enumerated() {
      #expect(throws: WireError.self, "request \(index)") { try MessageCodec.decodeFromWorker(framed(body)) }
    }
    let welcome = field(1, utf8("a")) + field(2, utf8("c")) + field(3, utf8("s"))
    let artefact = field(1, digest) + field(2, utf8("r"))
    let replies: [[UInt8]] = [
      field(1, welcome),  // no intervals
      field(1, welcome + [0x28, 1]),
      field(1, welcome + [0x28, 1, 0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      field(1, welcome + [0x28, 1, 0x30, 1] + field(4, artefact)),  // no name
      field(1, welcome + [0x28, 1, 0x30, 1] + field(4, artefact + field(3, utf8("a\0b")))),
      field(2, field(1, [0x08, 1])),  // no cell
      field(2, field(1, field(3, utf8("{}")))),  // attempt 0
      field(2, field(1, [0x08, 1, 0x10] + [UInt8](repeating: 0xff, count: 9) + [1] + field(3, utf8("{}")))),
      field(3, field(1, manyAttempts)),
      field(4, field(1, [0])),
      field(6, field(1, control)),
      field(7, field(1, digest) + field(3, [UInt8](repeating: 0, count: WireProtocol.chunkBytes + 1))),
      field(7, field(3, [0])),  // of no artefact
      field(8, field(1, digest) + field(2, control)),
    ]
    for (index, body) in replies.enumerated() {
      #expect(throws: WireError.self, "reply \(index)") { try MessageCodec.decodeToWorker(framed(body)) }
    }
  }

  @Test("The same fields within the bounds are accepted")
  func withinBounds() throws {
    let digest = [UInt8](repeating: 7, count: 32)
    let requests = [
      field(1, field(1, utf8("w")) + names + field(9, [1])),
      field(2, [0x08, 0x80, 0x08]),
      field(3, field(1, [0x08, 0x01])),
      field(4, [0x08, 1] + field(2, digest) + field(3, [1]) + field(4, [1])),
      field(4, [0x08, 1] + field(2, digest) + field(3, [1]) + field(4, [1]) + field(5, field(2, [1]))),
      field(5, [0x08, 1, 0x10, 8]),
      field(7, field(1, digest) + [0x18, 0x80, 0x80, 0x40]),
    ]
    for body in requests { _ = try MessageCodec.decodeFromWorker(framed(body)) }
    let welcome = field(1, utf8("a")) + field(2, utf8("c")) + field(3, utf8("s")) + [0x28, 1, 0x30, 1]
    let artefact = field(1, digest) + field(2, utf8("r")) + field(3, utf8("/a"))
    for body in [field(1, welcome + field(4, artefact)), field(2, field(1, [0x08, 1] + field(3, utf8("{}"))))] {
      _ = try MessageCodec.decodeToWorker(framed(body))
    }
  }

  @Test("Every error is one line that says what was expected and found")
  func errorsAreLines() {
    let errors: [WireError] = [
      .frameCount(3), .versionFrame(length: 9), .unknownVersion(2), .malformed("noise"), .unknownKind(9),
      .outOfBounds(field: "credit", found: 900, allowed: 0...256), .invalid(field: "a name", expected: "a line"),
    ]
    for error in errors {
      #expect(!error.description.contains("\n"))
      #expect(error.description.contains("expected"))
      #expect(error.localizedDescription == error.description)
    }
  }
}

/// Version, host, slots and build of a hello.
private let names = field(2, utf8("1")) + field(4, utf8("h")) + [0x50, 1] + field(11, utf8("b"))

/// A length-delimited protobuf field.
private func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
  var length = content.count
  var prefix = [number << 3 | 2]
  while length >= 0x80 {
    prefix.append(UInt8(length & 0x7f) | 0x80)
    length >>= 7
  }
  return prefix + [UInt8(length)] + content
}

private func isOutOfBounds(_ error: any Error, found: Int) -> Bool {
  guard case .outOfBounds(_, Int64(found), _) = error as? WireError else { return false }
  return true
}

extension FromWorker {
  /// Equality that takes losses which are not a number for equal.
  fileprivate func isSame(as other: FromWorker) -> Bool {
    guard case .heartbeat(let mine) = self, case .heartbeat(let theirs) = other else { return self == other }
    return mine.count == theirs.count
      && zip(mine, theirs).allSatisfy { left, right in
        left.loss?.isNaN == true && right.loss?.isNaN == true || left == right
      }
  }
}

extension SeededGenerator {
  /// The bytes after a few random changes: flipped, replaced, inserted, removed, repeated.
  fileprivate mutating func mutated(_ original: [UInt8]) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &self) where !bytes.isEmpty {
      let index = bytes.indices.randomElement(using: &self) ?? 0
      switch Int.random(in: 0..<6, using: &self) {
      case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &self)
      case 1: bytes[index] = UInt8.random(in: 0...255, using: &self)
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &self), at: index)
      case 3: bytes.remove(at: index)
      case 4: bytes += bytes[index...]
      default: bytes[index] = 0xff
      }
    }
    // A wrong length is caught at the door; setting it right lets the change be seen further in.
    if bytes.count > 2, bytes.count < 130, Bool.random(using: &self) { bytes[1] = UInt8(bytes.count - 2) }
    return bytes
  }
}
