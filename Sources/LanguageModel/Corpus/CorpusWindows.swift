internal import ContentHash

extension Tokenizer {
  /// The one token that a text stands for: what every window of a sweep begins with.
  public func startToken(_ text: String) throws(InputFileError) -> Int {
    let ids = encode(text)
    guard let id = ids.first, ids.count == 1 else {
      throw InputFileError(
        file: path, place: "start \(quoted(text))", problem: "expected text of exactly one token, found \(ids.count)",
        advice: "choose a start that is one token, such as <|endoftext|> or a newline")
    }
    return id
  }
}

extension Corpus {
  /// Windows that measure a model on a held-out part: `tokens` predicted tokens in windows of `context`.
  ///
  /// The lines of each block are joined by newlines, encoded and cut into whole windows; where there are more than
  /// needed, those taken are evenly spaced over the part. Every window begins with `start`, which is not predicted.
  ///
  /// - Precondition: `tokens` is a positive multiple of `context`.
  /// - Throws: if the part has too few tokens, saying how many there are.
  public func evaluationWindows(
    _ split: Split, tokens: Int, context: Int, tokenizer: Tokenizer, start: Int
  ) throws(InputFileError) -> [TokenWindow] {
    precondition(context > 0 && tokens > 0 && tokens.isMultiple(of: context), "\(tokens) tokens in \(context)s")
    let needed = tokens / context
    let windows = blocks(of: split).flatMap { block in
      let ids = tokenizer.encode(text(of: block))
      return stride(from: 0, through: ids.count - context, by: context).map { first in
        TokenWindow(start: start, predicting: Array(ids[first..<first + context]))
      }
    }
    guard windows.count >= needed else {
      throw InputFileError(
        file: path, place: "\(split)",
        problem: "expected \(needed) windows of \(context) tokens, found \(windows.count)",
        advice: "measure on at most \(windows.count * context) tokens, or bring more text")
    }
    return (0..<needed).map { windows[$0 * windows.count / needed] }
  }

  /// Draws training windows that hold exactly `tokens` predicted tokens.
  ///
  /// Windows begin at training lines in a random order and go on through the following lines of the same block, joined
  /// by newlines, until `context` tokens are reached, or a line that an earlier window has used, or the end of the
  /// block. No line is used twice, so no token is predicted twice. The last window is cut where the budget ends: of
  /// two draws with one seed, the larger begins with all tokens of the smaller.
  ///
  /// - Parameters:
  ///   - seed: Chooses the order.
  ///   - purpose: Draws for different purposes are independent even where their seeds are equal.
  /// - Throws: if the training part has too few tokens, saying how many there are.
  public func draw(
    tokens: Int, seed: UInt64, purpose: String, context: Int, tokenizer: Tokenizer, start: Int
  ) throws(InputFileError) -> [TokenWindow] {
    precondition(context > 0 && tokens >= 0, "\(tokens) tokens in windows of \(context)")
    var generator = SplitMix64(seed: SHA256Digest(of: "\(purpose)/\(seed)").leadingWord)
    var unused = Set<Int>()
    var order: [(line: Int, blockEnd: Int)] = []
    for block in blocks(of: .train) {
      order += block.map { ($0, block.upperBound) }
      unused.formUnion(block)
    }
    var windows: [TokenWindow] = []
    var missing = tokens
    // Fisher and Yates's shuffle, as far as it is needed.
    for index in order.indices where missing > 0 {
      order.swapAt(index, Int.random(in: index..<order.count, using: &generator))
      let (line, blockEnd) = order[index]
      guard unused.contains(line) else { continue }
      let ids = window(from: line, to: blockEnd, context: context, tokenizer: tokenizer, unused: &unused)
      guard !ids.isEmpty else { continue }
      windows.append(TokenWindow(start: start, predicting: Array(ids.prefix(missing))))
      missing -= min(missing, ids.count)
    }
    guard missing == 0 else {
      throw InputFileError(
        file: path, place: "train",
        problem: "expected \(tokens) tokens of training text, found \(tokens - missing) in windows of \(context)",
        advice: "ask for fewer tokens or bring more text")
    }
    return windows
  }

  /// Up to `context` tokens from the beginning of a line on; marks the lines that they come from as used.
  private func window(
    from first: Int, to blockEnd: Int, context: Int, tokenizer: Tokenizer, unused: inout Set<Int>
  ) -> [Int] {
    var end = first
    var ids: [Int] = []
    while ids.count < context, end < blockEnd, unused.remove(end) != nil {
      end += 1
      ids = tokenizer.encode(text(of: first..<end))
    }
    return Array(ids.prefix(context))
  }
}
