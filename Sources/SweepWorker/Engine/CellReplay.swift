public import LanguageModel
public import SweepCore

/// Trains the edits of finished cells again: results tell how an edit was learned and what it came to, not its factors.
///
/// A cell is a pure function of its specification, so the edit comes out the same, and every replay proves it: the
/// recorded losses of each step, the alphas or the norms of the changes must be equal to the last bit. Belongs to the
/// thread that made it, which should have a stack of 16 MiB and a BLAS of one thread, as engines have.
public struct CellReplay {
  /// The model that is edited.
  public let model: TargetModel
  /// Its tokenizer.
  public let tokenizer: Tokenizer
  private let target: LoadedTarget
  private let corpora: LoadedCorpora
  private let files: [LocalArtefact]

  /// Reads the target and the corpora.
  ///
  /// - Parameters:
  ///   - cell: a cell of the sweep: all cells to be replayed have its target and its corpora.
  ///   - files: the files that the cells name, each found to have the digest that they name it by.
  /// - Throws: `CellFailure` or `InputFileError` for files that cannot be used.
  public init(_ cell: CellSpecification, files: [LocalArtefact]) throws {
    target = try LoadedTarget(cell.target, files)
    corpora = try LoadedCorpora(cell, tokenizer: target.tokenizer, files: files)
    model = target.model
    tokenizer = target.tokenizer
    self.files = files
  }

  /// Trains the edit of a cell again. Blocks.
  ///
  /// - Parameters:
  ///   - result: what is recorded of the cell.
  ///   - step: the updates behind which the edit is wanted: that of one of the recorded evaluations. The training goes
  ///     on to its end all the same, for the proof.
  ///   - progress: called after every step; cheap.
  ///   - isCancelled: asked every step.
  /// - Throws: ``ReplayDifference`` if it is not the recorded edit; `CellFailure`, of kind `preempted` after a
  ///   cancellation; `InputFileError`.
  public func edit(
    of cell: CellSpecification, recorded result: CellResult, step: Int, progress: (CellProgress) -> Void,
    isCancelled: () -> Bool
  ) throws -> any Edit {
    precondition(target.serves(cell.target) && corpora.references == cell.corpora && corpora.start == cell.start)
    var kept: (any Edit)?
    let learned = try EditTraining(cell: cell, target: target, corpora: corpora, files: files).run(
      pausingAt: result.final?.step == step ? [] : [step], visit: { edit, _ in kept = edit.copy() },
      progress: progress, isCancelled: isCancelled)
    if let difference = ReplayDifference(between: result, and: learned) { throw difference }
    return kept ?? learned.edit
  }

  /// Windows of the test split of a corpus: those that the cell was measured on.
  public func testWindows(
    of corpus: CorpusReference, _ settings: EvaluationSettings
  ) throws(InputFileError) -> [TokenWindow] {
    try corpora.windows(of: part(corpus), .test, settings)
  }

  /// Lines of the test split of a corpus, block by block.
  public func testLines(of corpus: CorpusReference) -> [ArraySlice<String>] {
    let text = part(corpus).corpus
    return text.blocks(of: .test).map { text.lines[$0] }
  }

  /// The token that windows begin with.
  public var startToken: Int { corpora.startToken }

  private func part(_ corpus: CorpusReference) -> LoadedCorpora.Part {
    guard let part = corpora.parts.first(where: { $0.reference == corpus }) else {
      preconditionFailure("the sweep has no corpus \(corpus.name)")
    }
    return part
  }
}

/// What a cell's edit came to when it was trained again is not what is recorded.
public struct ReplayDifference: Error, Sendable, Hashable, CustomStringConvertible {
  /// What differs first, with what is recorded and what was found.
  public let description: String

  /// Compares; `nil` where all is equal.
  init?(between recorded: CellResult, and learned: LearnedEdit) {
    guard let difference = Self.difference(recorded, learned) else { return nil }
    description = difference
  }

  private static func difference(_ recorded: CellResult, _ learned: LearnedEdit) -> String? {
    let pairs = [
      ("forget tokens", recorded.forgetTokens, learned.forgetTokens),
      ("retain tokens", recorded.retainTokens, learned.retainTokens),
      ("number of steps", recorded.steps.count, learned.steps.count),
    ]
    if let (what, expected, found) = pairs.first(where: { $0.1 != $0.2 }) {
      return "\(what): recorded \(expected), trained again \(found)"
    }
    for (index, (expected, found)) in zip(recorded.steps, learned.steps).enumerated() where expected != found {
      return difference(expected, found).map { "\($0) of step \(index): recorded \($1), trained again \($2)" }
    }
    return difference(recorded.edit, learned.summary)
  }

  private static func difference(_ recorded: StepLosses, _ learned: StepLosses) -> (String, String, String)? {
    func text(_ number: Double?) -> String { number.map { "\($0)" } ?? "none" }
    let pairs = [
      ("alpha", recorded.alpha, learned.alpha), ("forget loss", recorded.forget, learned.forget),
      ("retain loss", recorded.retain, learned.retain), ("total loss", recorded.total, learned.total),
      ("gradient norm", recorded.gradientNorm, learned.gradientNorm),
    ]
    return pairs.first { $0.1 != $0.2 }.map { ($0, text($1), text($2)) }
  }

  private static func difference(_ recorded: EditSummary, _ learned: EditSummary) -> String? {
    guard recorded != learned else { return nil }
    switch (recorded, learned) {
    case (.prefactors(let expected), .prefactors(let found)):
      return "alphas: recorded \(expected), trained again \(found)"
    case (.lora(let expected), .lora(let found)), (.full(let expected), .full(let found)):
      guard let (expected, found) = zip(expected, found).first(where: { $0 != $1 }) else {
        return "sites: recorded \(expected.count), trained again \(found.count)"
      }
      return "norm of the change at \(expected.site): recorded \(expected.norm), trained again \(found.norm) "
        + "at \(found.site)"
    case (.prefactors, _), (.lora, _), (.full, _):
      return "the kind of the edit"
    }
  }
}
