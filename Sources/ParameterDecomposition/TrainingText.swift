public import LanguageModel

/// Corpora as windows of tokens.
public struct TrainingText {
  /// A corpus with its weight in the mixture, relative to the others'.
  public struct Part: Sendable {
    /// Its name.
    public let name: String
    /// The text.
    public let corpus: Corpus
    /// Its weight, above 0.
    public let share: Double
  }

  /// The corpora.
  public let corpora: [Part]
  /// What turns them into tokens.
  public let tokenizer: Tokenizer
  /// The token that every window begins with.
  public let start: Int
  /// The most tokens of a window.
  public let context: Int

  /// Gathers text of at least one corpus.
  public init(corpora: [Part], tokenizer: Tokenizer, start: Int, context: Int) {
    precondition(!corpora.isEmpty && corpora.allSatisfy { $0.share > 0 }, "text of no corpus, or of no share")
    self.corpora = corpora
    self.tokenizer = tokenizer
    self.start = start
    self.context = context
  }

  /// Draws windows of at least so many training tokens, from each corpus by its share.
  public func draw(tokens: Int, seed: UInt64) throws(InputFileError) -> [TokenWindow] {
    let sum = corpora.reduce(0) { $0 + $1.share }
    var windows: [TokenWindow] = []
    for part in corpora {
      windows += try part.corpus.draw(
        tokens: Int((Double(tokens) * part.share / sum).rounded(.up)), seed: seed, purpose: "decompose",
        context: context, tokenizer: tokenizer, start: start)
    }
    return windows
  }
}
