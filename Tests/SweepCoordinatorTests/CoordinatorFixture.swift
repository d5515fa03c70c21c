import ContentHash
import Foundation
import SweepCore
import SweepWire

@testable import SweepCoordinator
@testable import SweepStore

/// Values that tests put into sweeps.
enum Fixture {
  static let anna = WorkerID("anna")
  static let bert = WorkerID("bert")
  static let artefact = Artefact(
    digest: SHA256Digest(of: "a file"), role: "weights", name: "model.safetensors", size: 6)

  /// Cells of two methods, alternating.
  static func cells(_ count: Int) -> [Cell] {
    (0..<count).map { index in
      let digest = SHA256Digest(of: "a file")
      return Cell(
        index: index, method: index % 2 == 0 ? "scan" : "other",
        specification: CellSpecification(
          target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: digest),
          corpora: [CorpusReference(name: "german", role: .forget, text: digest, cut: nil)], start: "<|endoftext|>",
          evaluation: EvaluationSettings(tokensPerCorpus: 512, context: 128),
          edit: .prefactors(subcomponents: ["h.0.mlp.c_fc:1"], alphas: .fixed(0.5)), training: nil,
          seed: UInt64(index)))
    }
  }

  static func sweep(_ cells: [Cell]) -> SweepDescription {
    SweepDescription(
      name: "trial", digest: SHA256Digest(of: cells.map(\.fingerprint.hexadecimal).joined()), file: "sweep: trial\n",
      vocabularySize: 1000, goal: SweepGoal())
  }

  static func configuration(_ store: some SweepKeeper) -> CoordinatorSession.Configuration {
    CoordinatorSession.Configuration(
      coordinatorID: "coordinator", storeID: store.storeID, engineVersion: "1", build: "build", artefacts: [artefact])
  }

  /// What any engine makes of a cell.
  static func result(_ cell: CellSpecification, alpha: Double = 0.5) -> CellResult {
    let losses = SplitLosses(validation: 4.25, test: Double(cell.seed) / 8)
    return CellResult(
      evaluations: [
        EvaluationPoint(
          step: 0, corpora: [CorpusScore(name: "german", role: .forget, base: losses, edited: losses)])
      ], steps: [], edit: .prefactors(alphas: [alpha]), forgetTokens: 0, retainTokens: 0)
  }

  /// Windows of a result: one measurement of one corpus of 512 tokens in windows of 128.
  static let windows: WindowBytes = {
    let corpus = WindowLosses(validation: [4, 4.5, 4, 4.5], test: [0, 1, 0, 1])
    return WindowBytes(ResultWindows(base: [corpus], edited: [[corpus]]))
  }()

  static func delivery(
    _ attempt: UInt64, _ cell: CellSpecification, alpha: Double = 0.5, seconds: Double = 1
  ) -> AttemptResult {
    AttemptResult(
      attempt: AttemptID(attempt), fingerprint: cell.fingerprint,
      result: CanonicalJSON.encode(result(cell, alpha: alpha)),
      report: CanonicalJSON.encode(
        AttemptReport(wallSeconds: seconds, tokensPerSecond: 1000, host: "here", engineVersion: "1")))
  }

  static func hello(
    _ worker: WorkerID, storeID: String? = nil, running: [UInt64] = [],
    revision: Int = CellSpecification.engineRevision
  ) -> FromWorker {
    .hello(
      Hello(
        workerID: worker, engineVersion: "1", engineRevision: revision, host: "here", processIdentifier: 7, cores: 1,
        memoryMiB: 1024, storeID: storeID, running: running.map { AttemptID($0) }, slots: 1,
        build: "build"))
  }
}

extension AttemptProgress {
  init(_ attempt: UInt64, step: Int = 1, loss: Double? = nil) {
    self.init(attempt: AttemptID(attempt), step: step, steps: 10, loss: loss)
  }
}
