public import Foundation

/// Why a message of a peer could not be read. Such messages are counted, explained and dropped; none is ever fatal.
public enum WireError: Error, Sendable, Hashable {
  /// The number of frames is not two.
  case frameCount(Int)
  /// The first frame is not one byte long; its length is given.
  case versionFrame(length: Int)
  /// The peer speaks another version of the protocol.
  case unknownVersion(UInt8)
  /// The second frame is not the encoding of one message; the reason is given.
  case malformed(String)
  /// The message is of a kind that this version does not know; the field number is given.
  case unknownKind(Int)
  /// A message, string, list or number is beyond what may be sent.
  case outOfBounds(field: String, found: Int64, allowed: ClosedRange<Int64>)
  /// A field holds a value that has no meaning.
  case invalid(field: String, expected: String)
}

extension WireError: CustomStringConvertible, LocalizedError {
  /// One line: what was expected, what was found, what to do.
  public var description: String {
    switch self {
    case .frameCount(let count):
      "message refused: expected 2 frames (version, body), found \(count); the peer is not a pdsweep"
    case .versionFrame(let length):
      "message refused: expected a version frame of 1 byte, found \(length) bytes; the peer is not a pdsweep"
    case .unknownVersion(let version):
      "message refused: expected protocol version \(WireProtocol.version), found \(version): the peer is "
        + "\(version > WireProtocol.version ? "newer" : "older"); run the same pdsweep on both sides"
    case .malformed(let reason):
      "message refused: expected one encoded message, found \(reason)"
    case .unknownKind(let number):
      "message refused: expected a kind of message of protocol version \(WireProtocol.version), found number \(number)"
    case .outOfBounds(let field, let found, let allowed):
      "message refused: expected \(field) from \(allowed.lowerBound) to \(allowed.upperBound), found \(found)"
    case .invalid(let field, let expected):
      "message refused: expected \(field) to be \(expected), found something else"
    }
  }

  /// The same line.
  public var errorDescription: String? { description }
}
