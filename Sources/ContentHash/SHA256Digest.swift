public import Foundation

/// A SHA-256 digest: the name of an artefact and of a cell.
///
/// FIPS 180-4. Its text form is 64 lower-case hexadecimal digits. Held in place, without
/// storage of its own: a sweep has one for every cell.
public struct SHA256Digest: Sendable, Hashable {
  /// The digest as four numbers, each most significant byte first.
  private let words: (UInt64, UInt64, UInt64, UInt64)

  /// The digest of a byte sequence held in memory.
  public init(of data: some Sequence<UInt8>) {
    var hasher = SHA256Hasher()
    hasher.update(Array(data))
    self = hasher.finish()
  }

  /// The digest of the UTF-8 bytes of `text`.
  public init(of text: String) {
    self.init(of: text.utf8)
  }

  /// The digest of a file's content, read in chunks of 1 MiB.
  ///
  /// - Throws: the error of Foundation's `FileHandle` if the file cannot be opened or read.
  public init(ofFile url: URL) throws {
    let handle = try FileHandle(forReadingFrom: url)
    defer { try? handle.close() }
    var hasher = SHA256Hasher()
    while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
      hasher.update(Array(chunk))
    }
    self = hasher.finish()
  }

  /// Takes the 32 bytes of a digest; `nil` for any other number of bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    func word(_ place: Int) -> UInt64 {
      var word: UInt64 = 0
      for index in 8 * place..<8 * place + 8 { word = word << 8 | UInt64(bytes[index]) }
      return word
    }
    words = (word(0), word(1), word(2), word(3))
  }

  /// Takes the eight words of a finished SHA-256 state, each most significant byte first.
  init(state: [UInt32]) {
    precondition(state.count == 8, "a state of SHA-256 has eight words")
    func word(_ place: Int) -> UInt64 { UInt64(state[2 * place]) << 32 | UInt64(state[2 * place + 1]) }
    words = (word(0), word(1), word(2), word(3))
  }

  /// Parses 64 hexadecimal digits; `nil` for anything else.
  public init?(hexadecimal text: String) {
    guard text.utf8.count == 64 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(32)
    var high: UInt8?
    for character in text.utf8 {
      guard let digit = Self.value(ofDigit: character) else { return nil }
      if let first = high {
        bytes.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    self.init(bytes: bytes)
  }

  /// The 32 bytes of the digest.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(32)
    forEachByte { bytes.append($0) }
    return bytes
  }

  /// 64 lower-case hexadecimal digits.
  public var hexadecimal: String {
    var digits: [UInt8] = []
    digits.reserveCapacity(64)
    writeHexadecimal(to: &digits)
    return String(decoding: digits, as: UTF8.self)
  }

  /// Appends the 64 lower-case hexadecimal digits in ASCII.
  public func writeHexadecimal(to text: inout [UInt8]) {
    forEachByte { byte in
      text.append(Self.digit(byte >> 4))
      text.append(Self.digit(byte & 15))
    }
  }

  private func forEachByte(_ body: (UInt8) -> Void) {
    func visit(_ word: UInt64) {
      var shift: UInt64 = 64
      while shift > 0 {
        shift -= 8
        body(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    visit(words.0)
    visit(words.1)
    visit(words.2)
    visit(words.3)
  }

  /// The lower-case hexadecimal digit of a number below 16.
  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
  }

  private static func value(ofDigit character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The first eight bytes as a number, most significant first: a seed that follows from the content.
  public var leadingWord: UInt64 { words.0 }

  /// Whether two digests have the same bytes.
  public static func == (left: SHA256Digest, right: SHA256Digest) -> Bool {
    left.words == right.words
  }

  /// Feeds the digest to a hasher.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
  }
}

extension SHA256Digest: CustomStringConvertible {
  /// 64 lower-case hexadecimal digits.
  public var description: String { hexadecimal }
}

extension SHA256Digest: Codable {
  /// Reads the hexadecimal form.
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let digest = SHA256Digest(hexadecimal: text) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "expected 64 hexadecimal digits, found \"\(text)\""))
    }
    self = digest
  }

  /// Writes the hexadecimal form.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(hexadecimal)
  }
}
