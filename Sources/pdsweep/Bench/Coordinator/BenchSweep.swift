internal import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepStore
internal import SweepWire

/// The sweep of the coordinator's benchmark: cells that ask for nothing, and the result that each of them has.
///
/// Cells and results are of the form that real ones have, and as small as that form allows: a cell names a model and a
/// corpus by their digests, and a result holds one measurement of one corpus.
struct BenchSweep {
  /// The one file that all cells name in every role.
  static let file = Array("pdsweep bench\n".utf8)
  static let fileDigest = SHA256Digest(of: file)

  private static let corpus = "none"

  /// The cells, which differ in their seeds and name a file.
  static func cells(_ count: Int, naming file: SHA256Digest = fileDigest) -> [Cell] {
    (0..<count).map { index in
      Cell(index: index, method: "nothing", specification: specification(seed: UInt64(index), file))
    }
  }

  private static func specification(seed: UInt64, _ file: SHA256Digest = fileDigest) -> CellSpecification {
    CellSpecification(
      target: TargetReference(weights: file, configuration: file, tokenizer: file, decomposition: nil),
      corpora: [CorpusReference(name: corpus, role: .forget, text: file, cut: nil)], start: "",
      evaluation: EvaluationSettings(tokensPerCorpus: 1, context: 1),
      edit: .prefactors(subcomponents: ["h.0.mlp.c_fc:0"], alphas: .fixed(1)), training: nil, seed: seed)
  }

  /// What a store keeps of a sweep with these cells.
  static func description(of cells: [Cell]) -> SweepDescription {
    SweepDescription(
      name: "bench", digest: SHA256Digest(of: "\(cells.count) cells"), file: "", vocabularySize: 2,
      goal: SweepGoal(removal: .uniform, retentionCostAtMost: 1))
  }

  /// The result of every cell.
  static let result: CellResult = {
    let base = SplitLosses(validation: 1.0986122886681098, test: 1.0986122886681098)
    let score = CorpusScore(name: corpus, role: .forget, base: base, edited: base)
    return CellResult(
      evaluations: [EvaluationPoint(step: 0, corpora: [score])], steps: [], edit: .prefactors(alphas: [1]),
      forgetTokens: 0, retainTokens: 0)
  }()

  /// Bytes of the canonical forms: of a cell, of its result, and of the report beside it.
  static let sizes: (cell: Int, result: Int, report: Int) = (
    CanonicalJSON.encode(specification(seed: 100_000)).count, CanonicalJSON.encode(result).count,
    CanonicalJSON.encode(report).count
  )

  /// What is reported beside a result.
  static let report = AttemptReport(
    wallSeconds: 0.5, tokensPerSecond: 2.5, host: "bench", engineVersion: PDSweep.version)
}
