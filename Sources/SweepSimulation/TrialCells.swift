internal import ContentHash
internal import SweepCore
internal import SweepWire

/// Cells for simulated sweeps, and what every sound engine makes of them. Computed once: histories are many.
enum TrialCells {
  struct Known: Sendable {
    let cell: Cell
    let result: [UInt8]
    let report: [UInt8]
    let windows: WindowBytes
  }

  /// The one file that the cells need.
  static let file = Array("a file".utf8)
  static let artefact = Artefact(
    digest: SHA256Digest(of: file), role: "weights", name: "weights", size: file.count)

  /// Cells of two methods, alternating; all different.
  static let all: [Known] = (0..<24).map { index in
    let digest = artefact.digest
    let specification = CellSpecification(
      target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: digest),
      corpora: [CorpusReference(name: "german", role: .forget, text: digest, cut: nil)], start: "<|endoftext|>",
      evaluation: EvaluationSettings(tokensPerCorpus: 512, context: 128),
      edit: .prefactors(subcomponents: ["h.0.mlp.c_fc:1"], alphas: .fixed(0.5)), training: nil, seed: UInt64(index))
    let losses = SplitLosses(validation: 4.25, test: Double(index) / 8)
    let result = CellResult(
      evaluations: [
        EvaluationPoint(
          step: 0, corpora: [CorpusScore(name: "german", role: .forget, base: losses, edited: losses)])
      ], steps: [], edit: .prefactors(alphas: [0.5]), forgetTokens: 0, retainTokens: 0)
    // Four windows on each split.
    let base = WindowLosses(validation: [4, 4.5, 4, 4.5], test: (0..<4).map { Float(index + $0) / 8 })
    let report = AttemptReport(wallSeconds: 1, tokensPerSecond: 1000, host: "here", engineVersion: "1")
    return Known(
      cell: Cell(index: index, method: index % 2 == 0 ? "scan" : "other", specification: specification),
      result: CanonicalJSON.encode(result), report: CanonicalJSON.encode(report),
      windows: WindowBytes(ResultWindows(base: [base], edited: [[base]])))
  }
}
