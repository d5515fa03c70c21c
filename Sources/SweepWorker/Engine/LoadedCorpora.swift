internal import LanguageModel
internal import SweepCore
internal import SweepWire

/// The corpora of a sweep, read and cut, with the token that their windows begin with.
final class LoadedCorpora {
  /// A corpus and what it is for.
  struct Part {
    let reference: CorpusReference
    let corpus: Corpus
  }

  let references: [CorpusReference]
  let start: String
  let startToken: Int
  let parts: [Part]
  private let tokenizer: Tokenizer

  init(_ cell: CellSpecification, tokenizer: Tokenizer, files: [LocalArtefact]) throws {
    references = cell.corpora
    start = cell.start
    self.tokenizer = tokenizer
    startToken = try tokenizer.startToken(cell.start)
    parts = try cell.corpora.map { reference in
      let text = try files.required(reference.text)
      let cut = try reference.cut.map { digest throws(CellFailure) in try files.required(digest).path }
      return Part(reference: reference, corpus: try Corpus(path: text.path, name: text.artefact.name, cut: cut))
    }
  }

  /// Windows of a corpus's held-out part.
  func windows(
    of part: Part, _ split: EvaluationSplit, _ settings: EvaluationSettings
  ) throws(InputFileError) -> [TokenWindow] {
    let lines: Corpus.Split =
      switch split {
      case .validation: .validation
      case .test: .test
      }
    return try part.corpus.evaluationWindows(
      lines, tokens: settings.tokensPerCorpus, context: settings.context, tokenizer: tokenizer, start: startToken)
  }

  /// Draws training windows from the corpora of a role, in equal parts. The draw depends on the corpus and the seed
  /// alone, so that methods are compared on the same tokens, and a larger budget begins with those of a smaller one.
  func draw(_ role: CorpusRole, tokens: Int, seed: UInt64, context: Int) throws -> [TokenWindow] {
    let parts = parts.filter { $0.reference.role == role }
    return try parts.enumerated().flatMap { index, part in
      let share = tokens / parts.count + (index < tokens % parts.count ? 1 : 0)
      return try part.corpus.draw(
        tokens: share, seed: seed, purpose: "\(role.rawValue) \(part.reference.text)", context: context,
        tokenizer: tokenizer, start: startToken)
    }
  }
}
