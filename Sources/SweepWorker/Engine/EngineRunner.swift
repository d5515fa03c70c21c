internal import ContentHash
internal import LanguageModel
public import SweepCore
internal import SweepWire

/// Runs cells on the language-model engine.
///
/// Keeps the target model, the tokenized held-out windows and the base model's cross-entropies from cell to cell; the
/// numbers of a cell do not depend on what ran before it.
public struct EngineRunner: CellRunner {
  private var target: LoadedTarget?
  private var suite: EvaluationSuite?

  /// Creates a runner that has loaded nothing yet.
  public init() {}

  /// Runs a cell; see ``CellRunner/run(_:files:progress:isCancelled:)``.
  public mutating func run(
    _ cell: CellSpecification, files: [LocalArtefact], progress: (CellProgress) -> Void, isCancelled: () -> Bool
  ) throws(CellFailure) -> CellRun {
    do {
      let target = try loadTarget(cell.target, files)
      let suite = try loadSuite(cell, target, files)
      var attempt = CellAttempt(cell: cell, target: target, suite: suite, files: files)
      return try attempt.run(progress: progress, isCancelled: isCancelled)
    } catch let failure as CellFailure {
      throw failure
    } catch let error as InputFileError {
      throw .refused(error.description)
    } catch {
      throw CellFailure(kind: .engineFault, message: "\(error)")
    }
  }

  private mutating func loadTarget(
    _ reference: TargetReference, _ files: [LocalArtefact]
  ) throws -> LoadedTarget {
    let kept = target.flatMap { $0.serves(reference) ? $0 : nil }
    let loaded = try kept ?? LoadedTarget(reference, files)
    target = loaded
    return loaded
  }

  private mutating func loadSuite(
    _ cell: CellSpecification, _ target: LoadedTarget, _ files: [LocalArtefact]
  ) throws -> EvaluationSuite {
    let key = EvaluationSuite.Key(cell)
    if let suite, suite.key == key { return suite }
    let corpora = try LoadedCorpora(cell, tokenizer: target.tokenizer, files: files)
    let loaded = try EvaluationSuite(key, target: target, corpora: corpora)
    suite = loaded
    return loaded
  }
}

/// A target model in memory, with its tokenizer.
final class LoadedTarget {
  let reference: TargetReference
  let model: TargetModel
  let tokenizer: Tokenizer

  init(_ reference: TargetReference, _ files: [LocalArtefact]) throws {
    self.reference = reference
    let configuration = try ModelConfiguration(file: files.required(reference.configuration).path)
    model = try TargetModel(checkpoint: files.required(reference.weights).path, configuration: configuration)
    tokenizer = try Tokenizer(path: files.required(reference.tokenizer).path)
  }

  /// Whether this is the model of a reference; the decomposition is read for each cell.
  func serves(_ other: TargetReference) -> Bool {
    reference.weights == other.weights && reference.configuration == other.configuration
      && reference.tokenizer == other.tokenizer
  }
}

extension [LocalArtefact] {
  /// A file that a cell names: whoever runs the engine has checked that it is there.
  func required(_ digest: SHA256Digest) throws(CellFailure) -> LocalArtefact {
    guard let file = file(digest) else {
      throw CellFailure(kind: .engineFault, message: "no artefact with SHA-256 \(digest) reached the engine")
    }
    return file
  }
}
