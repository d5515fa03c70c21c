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
  private var base: [Reading]?

  /// What a corpus reads, nats.
  struct Reading {
    /// The mean over all tokens of each split.
    let losses: SplitLosses
    /// The mean of each window, rounded to single precision.
    let windows: WindowLosses
  }

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

  /// What every corpus reads under an edit or with the base model; `nil` if stopped.
  func readings(edit: (any Edit)?, isCancelled: () -> Bool) -> [Reading]? {
    var result: [Reading] = []
    for windows in windows {
      func means(_ split: EvaluationSplit) -> (all: Double, windows: [Double])? {
        evaluator.meanCrossEntropies(of: windows[split] ?? [], edit: edit, shouldStop: isCancelled)
      }
      guard let validation = means(.validation), let test = means(.test) else { return nil }
      result.append(
        Reading(
          losses: SplitLosses(validation: validation.all, test: test.all),
          windows: WindowLosses(
            validation: validation.windows.map { Float($0) }, test: test.windows.map { Float($0) })))
    }
    return result
  }

  /// What every corpus reads with the base model, measured once; `nil` if stopped.
  func baseReadings(isCancelled: () -> Bool) -> [Reading]? {
    if let base { return base }
    base = readings(edit: nil, isCancelled: isCancelled)
    return base
  }
}
