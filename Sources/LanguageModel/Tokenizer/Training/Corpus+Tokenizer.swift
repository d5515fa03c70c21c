extension TokenizerTrainer {
  /// Looks at a share of a corpus's training lines, evenly spread over them and beginning with the first;
  /// held-out lines are never looked at.
  ///
  /// The lines of a block are joined by newlines, as models see them.
  ///
  /// - Parameter share: Above 0, at most 1.
  public mutating func add(_ corpus: Corpus, share: Double = 1) {
    precondition(share > 0 && share <= 1, "a share of \(share)")
    var seen = 0
    func due() -> Double { (Double(seen) * share).rounded(.up) }
    for block in corpus.blocks(of: .train) {
      let lines = corpus.lines[block].filter { _ in
        let before = due()
        seen += 1
        return due() > before
      }
      if !lines.isEmpty { add(lines.joined(separator: "\n")) }
    }
  }
}

extension Tokenizer {
  /// How many tokens a part of a corpus takes for each of its bytes, with the lines of a block joined by newlines.
  public func tokensPerByte(of corpus: Corpus, _ split: Corpus.Split) -> Double {
    let texts = corpus.blocks(of: split).map { corpus.text(of: $0) }
    let tokens = texts.reduce(0) { $0 + encode($1).count }
    return Double(tokens) / Double(texts.reduce(0) { $0 + $1.utf8.count })
  }
}
