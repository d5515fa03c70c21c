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

  let key: Key
  let corpora: LoadedCorpora
  /// The held-out windows of each corpus.
  private let windows: [[EvaluationSplit: [TokenWindow]]]
  private let evaluator: Evaluator
  private var base: [SplitLosses]?

  init(_ key: Key, target: LoadedTarget, corpora: LoadedCorpora) throws {
    self.key = key
    self.corpora = corpora
    evaluator = Evaluator(model: target.model)
    let limit = target.model.configuration.context
    guard key.settings.context <= limit else {
      throw CellFailure(
        kind: .refusedInput,
        message: "evaluation.context: expected at most \(limit), the model's context, found \(key.settings.context)")
    }
    windows = try corpora.parts.map { part in
      try Dictionary(
        uniqueKeysWithValues: EvaluationSplit.allCases.map { split in
          (split, try corpora.windows(of: part, split, key.settings))
        })
    }
  }

  /// Tokens of one evaluation of all corpora on both splits.
  var tokens: Int { corpora.parts.count * 2 * key.settings.tokensPerCorpus }

  /// The mean cross-entropies of every corpus, nats, under an edit or of the base model; `nil` if stopped.
  func losses(edit: (any Edit)?, isCancelled: () -> Bool) -> [SplitLosses]? {
    var result: [SplitLosses] = []
    for windows in windows {
      func mean(_ split: EvaluationSplit) -> Double? {
        evaluator.meanCrossEntropy(of: windows[split] ?? [], edit: edit, shouldStop: isCancelled)
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
