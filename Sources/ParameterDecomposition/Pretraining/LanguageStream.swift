internal import ContentHash
internal import LanguageModel

/// The training text of one language as an endless row of windows.
///
/// The tokens form a circle: before every stretch of lines that no held-out line interrupts stands the start token,
/// and behind the last stretch the first follows again. Each pass over the text begins at a random token, cuts the
/// circle into windows of `context` tokens and takes them in a random order, so that every pass sees every token once
/// (but for a rest that is shorter than a window), cut elsewhere. Window k depends on the seed and on k alone.
struct LanguageStream {
  private let tokens: [Int32]
  private let context: Int
  private let start: Int
  private let seed: String
  /// The pass whose order is held.
  private var pass: (number: Int, offset: Int, order: [Int32])

  /// Windows of one pass.
  let windowsPerPass: Int

  /// Tokens of the text, start tokens included.
  var tokenCount: Int { tokens.count }

  /// Prepares the stream.
  ///
  /// - Parameters:
  ///   - tokens: the text; at least `context` tokens.
  ///   - start: what every window begins with, before the tokens that it predicts.
  ///   - seed: a text that tells this stream from others.
  init(tokens: [Int32], context: Int, start: Int, seed: String) {
    precondition(tokens.count >= context && context > 0, "a stream of at least one window")
    self.tokens = tokens
    self.context = context
    self.start = start
    self.seed = seed
    windowsPerPass = tokens.count / context
    pass = (0, 0, [])
    self.pass = drawPass(0)
  }

  /// The tokens of a corpus's training lines.
  static func tokens(of corpus: Corpus, tokenizer: Tokenizer, start: Int) -> [Int32] {
    corpus.blocks(of: .train).flatMap { block in
      [Int32(start)] + tokenizer.encode(corpus.text(of: block)).map { Int32($0) }
    }
  }

  /// The window of a number, counted from 0. Windows of one pass after the other are cheap.
  mutating func window(_ number: Int) -> TokenWindow {
    let (wanted, place) = number.quotientAndRemainder(dividingBy: windowsPerPass)
    if wanted != pass.number { pass = drawPass(wanted) }
    let first = pass.offset + Int(pass.order[place]) * context
    return TokenWindow(
      start: start, predicting: (first..<first + context).map { Int(tokens[$0 % tokens.count]) })
  }

  private func drawPass(_ number: Int) -> (number: Int, offset: Int, order: [Int32]) {
    var generator = SplitMix64(seed: SHA256Digest(of: "\(seed)/pass/\(number)").leadingWord)
    let offset = Int.random(in: 0..<tokens.count, using: &generator)
    var order = (0..<Int32(windowsPerPass)).map { $0 }
    // Fisher and Yates's shuffle.
    for place in order.indices {
      order.swapAt(place, Int.random(in: place..<order.count, using: &generator))
    }
    return (number, offset, order)
  }
}
