internal import LanguageModel
internal import SweepCore
internal import SweepReport
internal import SweepWorker

/// Measures what edits do to text, token by token, and continues prompts. On one thread.
struct RolloutRun {
  /// What is continued and measured.
  struct Settings: Sendable {
    /// Prompts of each corpus, or none where the user gives them.
    let promptsPerCorpus: Int
    /// Tokens of each of those prompts.
    let promptTokens: Int
    /// Prompts of the user's.
    let prompts: [String]
    /// Windows of each corpus that are told token by token.
    let windowsPerCorpus: Int
    /// Tokens of each of those windows at most.
    let windowTokens: Int
    let sampling: RolloutDocument.Sampling
  }

  private let sweep: ReportedSweep
  private let engine: CellReplay
  private let settings: Settings
  private let isCancelled: () -> Bool
  private let continuation: Continuation

  init(_ sweep: ReportedSweep, on engine: CellReplay, _ settings: Settings, isCancelled: @escaping () -> Bool) {
    self.sweep = sweep
    self.engine = engine
    self.settings = settings
    self.isCancelled = isCancelled
    continuation = Continuation(
      model: engine.model, tokenizer: engine.tokenizer, start: engine.startToken, tokens: settings.sampling.tokens,
      temperature: settings.sampling.temperature, seed: settings.sampling.seed)
  }

  /// Measures edits of cells that share corpora and evaluation settings, at least one.
  ///
  /// - Parameter tell: hears what is begun, and how many of all parts of the work are done.
  func document(
    _ edits: [SweepReplay.Replayed], tell: (_ what: String, _ done: Int, _ all: Int) -> Void
  ) throws -> RolloutDocument {
    let cell = edits[0].cell
    var document = RolloutDocument(
      sweep: sweep.name, sampling: settings.sampling,
      corpora: cell.corpora.map { .init(name: $0.name, role: $0.role) }, prompts: [], windows: [],
      edits: edits.map { .init(edit: $0.record, continuations: [], windows: [], divergences: []) })
    let prompts = prompts(cell.corpora)
    let inputs = try prompts.map { try continuation.input($0.text) }
    let parts = cell.corpora.count + prompts.count
    for (number, corpus) in cell.corpora.enumerated() {
      tell("measuring on \(corpus.name)", number, parts)
      try measure(corpus, cell.evaluation, edits.map(\.edit), into: &document)
    }
    for (number, (prompt, input)) in zip(prompts, inputs).enumerated() {
      tell("continuing prompt \(number + 1)", cell.corpora.count + number, parts)
      document.prompts.append(
        .init(corpus: prompt.corpus, text: prompt.text, base: try continued(input, number, edit: nil)))
      for (place, edit) in edits.enumerated() {
        document.edits[place].continuations.append(try continued(input, number, edit: edit.edit))
      }
    }
    return document
  }

  private func continued(_ input: [Int], _ number: Int, edit: (any Edit)?) throws -> String {
    guard !isCancelled() else { throw CellFailure(kind: .preempted, message: "stopped") }
    return continuation.run(input, number: number, edit: edit)
  }

  // MARK: - Prompts

  private func prompts(_ corpora: [CorpusReference]) -> [(corpus: String?, text: String)] {
    guard settings.prompts.isEmpty else { return settings.prompts.map { (nil, $0) } }
    return corpora.flatMap { corpus in beginnings(of: corpus).map { (corpus.name, $0) } }
  }

  /// The beginnings of lines that are long enough, evenly spaced over the test split.
  private func beginnings(of corpus: CorpusReference) -> [String] {
    // A prompt with the text behind it: what a continuation can be held against.
    let lines = engine.testLines(of: corpus).flatMap { $0 }.lazy.compactMap { line -> String? in
      let tokens = engine.tokenizer.encode(line)
      guard tokens.count >= 2 * settings.promptTokens else { return nil }
      // A prompt must not end within a character.
      var decoder = StreamingDecoder(engine.tokenizer)
      return tokens.prefix(settings.promptTokens).map { decoder.append($0) }.joined()
    }
    let found = Array(lines)
    let count = min(settings.promptsPerCorpus, found.count)
    return (0..<count).map { found[(2 * $0 + 1) * found.count / (2 * count)] }
  }

  // MARK: - Losses

  private func measure(
    _ corpus: CorpusReference, _ evaluation: EvaluationSettings, _ edits: [any Edit],
    into document: inout RolloutDocument
  ) throws {
    let windows = try engine.testWindows(of: corpus, evaluation)
    guard let compared = Evaluator(model: engine.model).compare(edits, on: windows, shouldStop: isCancelled) else {
      throw CellFailure(kind: .preempted, message: "stopped")
    }
    for (place, losses) in compared.edited.enumerated() {
      document.edits[place].divergences.append(
        .init(losses.flatMap(\.divergences), edges: RolloutDocument.divergenceEdges))
    }
    let count = min(settings.windowsPerCorpus, windows.count)
    for chosen in (0..<count).map({ (2 * $0 + 1) * windows.count / (2 * count) }) {
      let tokens = windows[chosen].targets.prefix(settings.windowTokens)
      document.windows.append(
        .init(
          corpus: corpus.name, tokens: texts(tokens), base: rounded(compared.base[chosen].prefix(tokens.count))))
      for (place, losses) in compared.edited.enumerated() {
        document.edits[place].windows.append(
          .init(
            crossEntropies: rounded(losses[chosen].crossEntropies.prefix(tokens.count)),
            divergences: rounded(losses[chosen].divergences.prefix(tokens.count))))
      }
    }
  }

  private func rounded(_ numbers: ArraySlice<Float>) -> [Double] {
    numbers.map { RolloutDocument.rounded(Double($0)) }
  }

  /// The text that each token settles; what the last leaves unfinished belongs to it.
  private func texts(_ tokens: ArraySlice<Int>) -> [String] {
    var decoder = StreamingDecoder(engine.tokenizer)
    var texts = tokens.map { decoder.append($0) }
    let rest = decoder.finish()
    if let last = texts.indices.last { texts[last] += rest }
    return texts
  }
}
