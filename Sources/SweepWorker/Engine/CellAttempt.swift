internal import LanguageModel
internal import SweepCore
internal import SweepWire

/// One run of one cell on the engine: learns the edit and measures it.
struct CellAttempt {
  let cell: CellSpecification
  let target: LoadedTarget
  let suite: EvaluationSuite
  let files: [LocalArtefact]
  private var evaluations: [EvaluationPoint] = []
  private var windows = ResultWindows(base: [], edited: [])

  init(cell: CellSpecification, target: LoadedTarget, suite: EvaluationSuite, files: [LocalArtefact]) {
    self.cell = cell
    self.target = target
    self.suite = suite
    self.files = files
  }

  /// Runs the cell.
  mutating func run(progress: (CellProgress) -> Void, isCancelled: () -> Bool) throws -> CellRun {
    let training = EditTraining(cell: cell, target: target, corpora: suite.corpora, files: files)
    let learned = try training.run(
      pausingAt: cell.training?.evaluateAt ?? [],
      visit: { edit, updates in try measure(edit, step: updates, isCancelled) },
      progress: progress, isCancelled: isCancelled)
    try measure(learned.edit, step: learned.losses.count, isCancelled)
    let result = CellResult(
      evaluations: evaluations, steps: learned.steps, edit: learned.summary, forgetTokens: learned.forgetTokens,
      retainTokens: learned.retainTokens, windows: windows)
    return CellRun(result: result, tokens: learned.trainedTokens + evaluations.count * suite.tokens)
  }

  private mutating func measure(_ edit: any Edit, step: Int, _ isCancelled: () -> Bool) throws {
    guard let base = suite.baseReadings(isCancelled: isCancelled),
      let edited = suite.readings(edit: edit, isCancelled: isCancelled)
    else { throw CellFailure.cancelled }
    guard edited.allSatisfy({ $0.losses.validation.isFinite && $0.losses.test.isFinite }) else {
      throw CellFailure(
        kind: .diverged, message: "a held-out cross-entropy was not a finite number after step \(step)")
    }
    let scores = zip(suite.corpora.parts, zip(base, edited)).map { part, readings in
      CorpusScore(
        name: part.reference.name, role: part.reference.role, base: readings.0.losses, edited: readings.1.losses)
    }
    evaluations.append(EvaluationPoint(step: step, corpora: scores))
    windows.base = base.map(\.windows)
    windows.edited.append(edited.map(\.windows))
  }
}
