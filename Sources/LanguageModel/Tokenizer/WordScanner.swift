/// Splits UTF-8 text into the words that a byte-level tokenizer never merges across.
///
/// This is GPT-2's expression, whose alternatives are tried in order at every place:
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// Every character belongs to some match, so the words are exactly the text.
struct WordScanner {
  /// The expression as tokenizer files spell it.
  static let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// What the expression tells apart.
  enum Class: UInt8 {
    /// `\p{L}`.
    case letter
    /// `\p{N}`.
    case number
    /// `\s`.
    case space
    /// Everything else, unassigned code points included.
    case other
  }

  private let text: ArraySlice<UInt8>
  private var position: Int

  /// Starts at the beginning of text that must be valid UTF-8.
  init(_ text: ArraySlice<UInt8>) {
    self.text = text
    position = text.startIndex
  }

  /// The next word; `nil` at the end.
  mutating func next() -> ArraySlice<UInt8>? {
    guard position < text.endIndex else { return nil }
    let start = position
    position = contraction(at: start) ?? run(from: start)
    return text[start..<position]
  }

  /// The end of an English contraction that begins here.
  private func contraction(at start: Int) -> Int? {
    guard text[start] == UInt8(ascii: "'"), start + 1 < text.endIndex else { return nil }
    let second: UInt8
    switch text[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"): second = UInt8(ascii: "e")
    case UInt8(ascii: "l"): second = UInt8(ascii: "l")
    default: return nil
    }
    return start + 2 < text.endIndex && text[start + 2] == second ? start + 3 : nil
  }

  /// The end of a run of one class, with the one U+0020 that may stand before it, or of a run of white space.
  private func run(from start: Int) -> Int {
    var (kind, end) = classify(at: start)
    if kind == .space, text[start] == 0x20, end < text.endIndex {
      let (following, after) = classify(at: end)
      if following != .space { (kind, end) = (following, after) }
    }
    var last = start
    while end < text.endIndex {
      let (following, after) = classify(at: end)
      guard following == kind else {
        // `\s+(?!\S)`: the last space of several is left to what follows.
        return kind == .space && last > start ? last : end
      }
      (last, end) = (end, after)
    }
    return end
  }

  /// The class of the scalar at a place and the place after it.
  private func classify(at start: Int) -> (Class, Int) {
    let first = text[start]
    if first < 0x80 { return (Self.ascii[Int(first)], start + 1) }
    let length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    var value = UInt32(first) & (0x7f >> UInt32(length))
    for byte in text[start + 1..<start + length] { value = value << 6 | UInt32(byte & 0x3f) }
    return (Unicode.Scalar(value).map(Self.classify) ?? .other, start + length)
  }

  private static let ascii: [Class] = (UInt8.min..<0x80).map { classify(Unicode.Scalar($0)) }

  /// The class of a scalar in Unicode 16, the version the reference implementation's expressions know: what was
  /// assigned later is not yet a letter or a number there.
  static func classify(_ scalar: Unicode.Scalar) -> Class {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return scalar.isAssigned(byVersion: 16) ? .letter : .other
    case .decimalNumber, .letterNumber, .otherNumber:
      return scalar.isAssigned(byVersion: 16) ? .number : .other
    default:
      return properties.isWhitespace ? .space : .other
    }
  }
}

extension Unicode.Scalar {
  /// Whether this code point was assigned in a version of Unicode.
  func isAssigned(byVersion major: Int) -> Bool {
    properties.age.map { $0.major <= major } ?? false
  }
}
