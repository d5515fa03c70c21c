internal import SwiftProtobuf

/// Turns messages into frames and back.
///
/// A message is two frames: the protocol's version, one byte, and the body, the encoding of one `FromWorker` or
/// `ToWorker` of messages.proto. Nothing that a peer sends can make decoding trap, and nothing is allocated for a
/// length before that length is found to be there.
public enum MessageCodec {
  /// The first frame of every message.
  public static let versionFrame = [WireProtocol.version]

  /// The body of a worker's message.
  ///
  /// Traps on numbers and lists beyond ``WireProtocol``'s bounds, which its sender must keep to.
  public static func encode(_ message: FromWorker) -> [UInt8] {
    serialise(ProtoFromWorker(message))
  }

  /// The bodies of a coordinator's message: one, or several where a list is longer than one message may hold.
  ///
  /// Traps on numbers, cells and artefact lists beyond ``WireProtocol``'s bounds, which the sender must keep to.
  public static func encode(_ message: ToWorker) -> [[UInt8]] {
    message.parts.map { serialise(ProtoToWorker($0)) }
  }

  /// Reads a worker's message from its frames.
  ///
  /// - Throws: `WireError` for everything that ``encode(_:)-(FromWorker)`` does not produce.
  public static func decodeFromWorker(_ frames: [[UInt8]]) throws(WireError) -> FromWorker {
    let body = try body(of: frames, atMost: WireProtocol.resultBytes)
    let kind = try soleField(of: body)
    guard (1...7).contains(kind) else { throw .unknownKind(kind) }
    if kind != resultField {
      try check(body.count, within: 0...WireProtocol.requestBytes, "the size of a message that is no result")
    }
    return try FromWorker(parse(body))
  }

  /// Reads a coordinator's message from its frames.
  ///
  /// - Throws: `WireError` for everything that ``encode(_:)-(ToWorker)`` does not produce.
  public static func decodeToWorker(_ frames: [[UInt8]]) throws(WireError) -> ToWorker {
    let body = try body(of: frames, atMost: WireProtocol.replyBytes)
    let kind = try soleField(of: body)
    guard (1...8).contains(kind) else { throw .unknownKind(kind) }
    return try ToWorker(parse(body))
  }

  /// The field number of `FromWorker.result` in messages.proto.
  private static let resultField = 4

  private static func body(of frames: [[UInt8]], atMost limit: Int) throws(WireError) -> [UInt8] {
    guard frames.count == 2 else { throw .frameCount(frames.count) }
    guard frames[0].count == 1 else { throw .versionFrame(length: frames[0].count) }
    guard frames[0] == versionFrame else { throw .unknownVersion(frames[0][0]) }
    try check(frames[1].count, within: 0...limit, "the size of a message")
    return frames[1]
  }

  /// The number of the one length-delimited field that fills the body.
  ///
  /// Protobuf itself would accept several fields and keep the last. To know a message's kind, and with it the bound on
  /// its size, before anything is allocated, the body must be exactly one field.
  private static func soleField(of body: [UInt8]) throws(WireError) -> Int {
    guard let tag = body.first else { throw .malformed("an empty body") }
    // Field numbers 1 to 15 with wire type 2 (length-delimited) take one byte.
    guard tag & 0x87 == 2, tag >> 3 > 0 else { throw .malformed("a body that begins with byte \(tag)") }
    var length = 0
    var index = 1
    while true {
      guard index < body.count, index <= 4 else { throw .malformed("a length that does not end") }
      length |= Int(body[index] & 0x7f) << (7 * (index - 1))
      index += 1
      if body[index - 1] & 0x80 == 0 { break }
    }
    guard length == body.count - index else {
      throw .malformed("a content of \(body.count - index) bytes where \(length) are announced")
    }
    return Int(tag >> 3)
  }

  private static func parse<Message: SwiftProtobuf.Message>(_ body: [UInt8]) throws(WireError) -> Message {
    do {
      return try Message(serializedBytes: body)
    } catch {
      throw .malformed("protobuf that does not parse (\(error))")
    }
  }

  private static func serialise(_ message: some SwiftProtobuf.Message) -> [UInt8] {
    do {
      return try message.serializedBytes()
    } catch {
      preconditionFailure("a proto3 message within bounds cannot fail to encode: \(error)")
    }
  }
}
