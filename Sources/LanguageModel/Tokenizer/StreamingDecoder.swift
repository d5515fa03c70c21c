/// Decodes tokens one at a time: characters come out as soon as all their bytes have arrived.
///
/// The joined outputs, with that of ``finish()`` at the end, equal ``Tokenizer/decode(_:skippingSpecialTokens:)`` of
/// all tokens.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skippingSpecialTokens: Bool
  /// The beginning of a character that may still be completed; at most three bytes.
  private var pending: [UInt8] = []

  /// Creates a decoder at the start of a text.
  public init(_ tokenizer: Tokenizer, skippingSpecialTokens: Bool = false) {
    self.tokenizer = tokenizer
    self.skippingSpecialTokens = skippingSpecialTokens
  }

  /// Takes a token and gives the text that is settled by it; may be empty.
  public mutating func append(_ id: Int) -> String {
    pending += tokenizer.bytes(of: id, skippingSpecialTokens: skippingSpecialTokens)
    let settled = pending.count - Self.unfinishedBytes(at: pending)
    defer { pending.removeFirst(settled) }
    return String(decoding: pending[..<settled], as: UTF8.self)
  }

  /// Ends the text: what is still unfinished becomes U+FFFD.
  public mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end begin a character that further bytes may complete.
  private static func unfinishedBytes(at bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let tail = bytes.suffix(length)
      guard let lead = tail.first, lead & 0xc0 != 0x80 else { continue }
      // A proper prefix of a well-formed sequence decodes to exactly one replacement character.
      let needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
      let isPrefix = needed > length && String(decoding: tail, as: UTF8.self).unicodeScalars.count == 1
      return isPrefix && lead >= 0xc2 && lead <= 0xf4 ? length : 0
    }
    return 0
  }
}
