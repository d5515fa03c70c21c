public import LanguageModel

/// Corpora as windows of tokens.
public struct TrainingText {
  /// The corpora, by name.
  public let corpora: [(name: String, corpus: Corpus)]
  /// What turns them into tokens.
  public let tokenizer: Tokenizer
  /// The token that every window begins with.
  public let start: Int
  /// The most tokens of a window.
  public let context: Int

  /// Gathers text of at least one corpus.
  public init(corpora: [(name: String, corpus: Corpus)], tokenizer: Tokenizer, start: Int, context: Int) {
    precondition(!corpora.isEmpty, "text of no corpus")
    self.corpora = corpora
    self.tokenizer = tokenizer
    self.start = start
    self.context = context
  }

  /// Draws windows of at least so many training tokens, equally many from each corpus.
  public func draw(tokens: Int, seed: UInt64) throws(InputFileError) -> [TokenWindow] {
    let each = (tokens + corpora.count - 1) / corpora.count
    var windows: [TokenWindow] = []
    for (_, corpus) in corpora {
      windows += try corpus.draw(
        tokens: each, seed: seed, purpose: "decompose", context: context, tokenizer: tokenizer, start: start)
    }
    return windows
  }
}
