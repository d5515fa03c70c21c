internal import LanguageModel
internal import SweepCore
internal import SweepWire

/// The corpora of a sweep, cut and tokenized, with the base model's cross-entropies on their held-out windows.
final class EvaluationSuite {
  /// All that the suite depends on.
  struct Key: Hashable {
    private(set) var target: TargetReference
    let corpora: [CorpusReference]
    let start: String
    let settings: EvaluationSettings

    init(_ cell: CellSpecification) {
      target = cell.target
      target.decomposition = nil
      corpora = cell.corpora
      start = cell.start
      settings = cell.evaluation
    }
  }

  /// A corpus with its held-out windows.
  struct Part {
    let reference: CorpusReference
    let corpus: Corpus
    let windows: [EvaluationSplit: [TokenWindow]]
  }

  let key: Key
  let startToken: Int
  let parts: [Part]
  private let evaluator: Evaluator
  private var base: [SplitLosses]?

  init(_ key: Key, target: LoadedTarget, files: [LocalArtefact]) throws {
    self.key = key
    evaluator = Evaluator(model: target.model)
    startToken = try target.tokenizer.startToken(key.start)
    let limit = target.model.configuration.context
    guard key.settings.context <= limit else {
      throw CellFailure(
        kind: .refusedInput,
        message: "evaluation.context: expected at most \(limit), the model's context, found \(key.settings.context)")
    }
    var parts: [Part] = []
    for reference in key.corpora {
      let text = try files.required(reference.text)
      let cut = try reference.cut.map { digest throws(CellFailure) in try files.required(digest).path }
      let corpus = try Corpus(path: text.path, name: text.artefact.name, cut: cut)
      var windows: [EvaluationSplit: [TokenWindow]] = [:]
      for (split, part) in [(EvaluationSplit.validation, Corpus.Split.validation), (.test, .test)] {
        windows[split] = try corpus.evaluationWindows(
          part, tokens: key.settings.tokensPerCorpus, context: key.settings.context, tokenizer: target.tokenizer,
          start: startToken)
      }
      parts.append(Part(reference: reference, corpus: corpus, windows: windows))
    }
    self.parts = parts
  }

  /// Tokens of one evaluation of all corpora on both splits.
  var tokens: Int { parts.count * 2 * key.settings.tokensPerCorpus }

  /// The mean cross-entropies of every corpus, nats, under an edit or of the base model; `nil` if stopped.
  func losses(edit: (any Edit)?, isCancelled: () -> Bool) -> [SplitLosses]? {
    var result: [SplitLosses] = []
    for part in parts {
      func mean(_ split: EvaluationSplit) -> Double? {
        evaluator.meanCrossEntropy(of: part.windows[split] ?? [], edit: edit, shouldStop: isCancelled)
      }
      guard let validation = mean(.validation), let test = mean(.test) else { return nil }
      result.append(SplitLosses(validation: validation, test: test))
    }
    return result
  }

  /// The base model's cross-entropies, measured once; `nil` if stopped.
  func baseLosses(isCancelled: () -> Bool) -> [SplitLosses]? {
    if let base { return base }
    base = losses(edit: nil, isCancelled: isCancelled)
    return base
  }
}
