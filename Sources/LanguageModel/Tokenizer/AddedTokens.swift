/// Finds added tokens (`<|endoftext|>`) in text before it is split into words.
///
/// At the leftmost place where one begins, the longest is taken; matches do not overlap.
struct AddedTokens: Sendable {
  /// An added token as tokenizer files describe it.
  struct Token: Sendable {
    let id: Int
    let content: String
    /// What is looked for: the content, in its composed form where it is looked for in composed text.
    let pattern: String
    /// Matches only where no word character touches it.
    let singleWord: Bool
    /// Takes the white space before it along.
    let leftStrip: Bool
    /// Takes the white space after it along.
    let rightStrip: Bool
    /// Is looked for in normalized text rather than in the text as it was given.
    let normalized: Bool
    /// May be left out of decoded text.
    let special: Bool
  }

  /// A stretch of text: a token, or text to be tokenized further.
  enum Piece {
    case token(Int)
    case text(ArraySlice<UInt8>)
  }

  /// A node of the tree of all tokens' bytes.
  private struct Node {
    var children: [UInt8: Int] = [:]
    /// The token that ends here.
    var token: Token?
  }

  private var nodes = [Node()]

  /// Of two tokens with one pattern the first counts.
  init(_ tokens: some Sequence<Token>) {
    for token in tokens {
      var node = 0
      for byte in token.pattern.utf8 {
        if let child = nodes[node].children[byte] {
          node = child
        } else {
          nodes[node].children[byte] = nodes.count
          node = nodes.count
          nodes.append(Node())
        }
      }
      if nodes[node].token == nil { nodes[node].token = token }
    }
  }

  /// Cuts valid UTF-8 text into tokens and the text between them; no piece is empty.
  func split(_ text: ArraySlice<UInt8>) -> [Piece] {
    guard !nodes[0].children.isEmpty else { return text.isEmpty ? [] : [.text(text)] }
    var pieces: [Piece] = []
    var start = text.startIndex
    var position = text.startIndex
    while position < text.endIndex {
      guard let (token, end) = longestMatch(in: text, at: position) else {
        position += 1
        continue
      }
      let match = position..<end
      position = end
      if token.singleWord, touchesWord(match, in: text) { continue }
      var (from, to) = (match.lowerBound, match.upperBound)
      if token.leftStrip { from = max(start, endOfSpaceFreePart(of: text, before: from)) }
      if token.rightStrip { to = startOfSpaceFreePart(of: text, from: to) }
      if start < from { pieces.append(.text(text[start..<from])) }
      pieces.append(.token(token.id))
      start = to
    }
    if start < text.endIndex { pieces.append(.text(text[start...])) }
    return pieces
  }

  private func longestMatch(in text: ArraySlice<UInt8>, at start: Int) -> (token: Token, end: Int)? {
    var longest: (token: Token, end: Int)?
    var node = 0
    var position = start
    while position < text.endIndex, let child = nodes[node].children[text[position]] {
      node = child
      position += 1
      if let token = nodes[node].token { longest = (token, position) }
    }
    return longest
  }

  private func touchesWord(_ match: Range<Int>, in text: ArraySlice<UInt8>) -> Bool {
    let before = scalars(text[..<match.lowerBound].suffix(4)).last
    let after = scalars(text[match.upperBound...].prefix(4)).first
    return [before, after].contains { $0?.isWordCharacter ?? false }
  }

  private func endOfSpaceFreePart(of text: ArraySlice<UInt8>, before end: Int) -> Int {
    var position = end
    while position > text.startIndex {
      guard let last = scalars(text[..<position].suffix(4)).last, last.properties.isWhitespace else { break }
      position -= UTF8.width(last)
    }
    return position
  }

  private func startOfSpaceFreePart(of text: ArraySlice<UInt8>, from start: Int) -> Int {
    var position = start
    while position < text.endIndex {
      guard let first = scalars(text[position...].prefix(4)).first, first.properties.isWhitespace else { break }
      position += UTF8.width(first)
    }
    return position
  }

  /// The scalars of a few bytes that may begin or end within one.
  private func scalars(_ bytes: ArraySlice<UInt8>) -> String.UnicodeScalarView {
    String(decoding: bytes, as: UTF8.self).unicodeScalars
  }
}

extension Unicode.Scalar {
  /// `\w`: letters, marks, decimal digits, connectors and joiners (UTS #18, annex C), of Unicode 16 as in
  /// ``WordScanner``.
  fileprivate var isWordCharacter: Bool {
    guard isAssigned(byVersion: 16) else { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    return switch properties.generalCategory {
    case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark: true
    default: false
    }
  }
}
