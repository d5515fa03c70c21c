import ContentHash
import SweepCore
import SweepReport
import Testing

/// Why results serve cells, or do not.
@Suite struct ReuseReportTests {
  private let base = Self.specification()

  private static func specification(
    german: String = "german", decomposition: String? = "decomposition", context: Int = 128, rank: Int? = nil,
    alpha: Double? = nil, learningRate: Double = 0.1, budget: Int = 16, seed: UInt64 = 0, steps: Int = 100
  ) -> CellSpecification {
    let edit: EditSpecification =
      if let rank { .lora(rank: rank, sites: .all, scale: Double(rank)) } else {
        .prefactors(subcomponents: ["h.0.mlp.c_fc:1"], alphas: alpha.map { .fixed($0) } ?? .separate)
      }
    let training = TrainingSpecification(
      tokenBudget: budget, retainTokens: 64, forgetLoss: .cappedAscent, retainLoss: .kl, retainWeight: 1,
      optimiser: .adamW(AdamWSettings(learningRate: learningRate, steps: steps)))
    return CellSpecification(
      target: TargetReference(
        weights: SHA256Digest(of: "weights"), configuration: SHA256Digest(of: "configuration"),
        tokenizer: SHA256Digest(of: "tokenizer"), decomposition: decomposition.map { SHA256Digest(of: $0) }),
      corpora: [
        CorpusReference(name: "german", role: .forget, text: SHA256Digest(of: german), cut: nil),
        CorpusReference(name: "english", role: .retain, text: SHA256Digest(of: "english"), cut: nil),
      ], start: "<|endoftext|>", evaluation: EvaluationSettings(tokensPerCorpus: 512, context: context), edit: edit,
      training: alpha == nil ? training : nil, seed: seed)
  }

  private func known(
    _ specification: CellSpecification, _ standing: KnownSpecification.Standing = .completed(sweep: "first")
  ) -> KnownSpecification {
    KnownSpecification(specification, fingerprint: specification.fingerprint, standing: standing)
  }

  private func reasons(_ wanted: [CellSpecification], _ known: [KnownSpecification]) -> [String] {
    let cells = wanted.enumerated().map { Cell(index: $0, method: "m", specification: $1) }
    return ReuseReport(cells, known: known).groups.map { group in
      "\(group.cells): \(group.cachedFrom.map { "cached from \($0)" } ?? group.reason)"
    }
  }

  @Test("a result serves the equal cell, and says whose it is")
  func cached() {
    #expect(reasons([base], [known(base)]) == ["[0]: cached from first"])
  }

  @Test("what ended otherwise, or not yet, is said")
  func unfinished() {
    #expect(reasons([base], [known(base, .failed(.diverged))]) == ["[0]: failed before: diverged"])
    #expect(reasons([base], [known(base, .cancelled)]) == ["[0]: was cancelled before"])
    #expect(reasons([base], [known(base, .unended)]) == ["[0]: is in the store and has not ended"])
    #expect(reasons([base], []) == ["[0]: never run"])
    #expect(reasons([base], [known(Self.specification(learningRate: 0.5), .unended)]) == ["[0]: never run"])
  }

  @Test("a file that changed is named, and not its digest")
  func files() {
    let old = known(Self.specification(german: "old german"))
    #expect(reasons([base], [old]) == ["[0]: corpora.forget.german changed"])
    #expect(reasons([base], [known(Self.specification(decomposition: "old"))]) == ["[0]: decomposition changed"])
    let both = known(Self.specification(german: "old", context: 64))
    #expect(reasons([base], [both]) == ["[0]: corpora.forget.german changed; evaluation.context: no result with 128"])
  }

  @Test("values that no result has are told together")
  func values() {
    let wanted = [0.2, 0.1, 0.3].map { Self.specification(learningRate: $0) }
    #expect(
      reasons(wanted, [known(base)]) == [
        "[0, 2]: training.learning_rate: no result with 0.2, 0.3", "[1]: cached from first",
      ])
    let seeds = (1...8).map { Self.specification(seed: $0) }
    #expect(
      reasons(seeds, [known(base)]) == [
        "[0, 1, 2, 3, 4, 5, 6, 7]: seed: no result with 1, 2, 3, 4, 5 and 3 more values"
      ])
  }

  @Test("a result of the same grid point is nearer than one of another, whatever the number of results")
  func nearest() {
    let others = (0..<500).map { known(Self.specification(budget: 1000 + $0, seed: 9)) }
    let same = known(Self.specification(german: "old", decomposition: "old"))
    #expect(
      reasons([base], others + [same]) == ["[0]: decomposition changed; corpora.forget.german changed"])
    #expect(
      reasons([Self.specification(budget: 4, seed: 3)], others)
        == ["[0]: token_budget: no result with 4; seed: no result with 3"])
  }

  @Test("results of another kind of edit say nothing of a cell")
  func kinds() {
    #expect(reasons([base], [known(Self.specification(rank: 1))]) == ["[0]: never run"])
    #expect(
      reasons([Self.specification(rank: 4)], [known(Self.specification(rank: 1))])
        == ["[0]: rank: no result with 4; scale: no result with 4.0"])
    #expect(
      reasons([Self.specification(alpha: 2)], [known(Self.specification(alpha: 3))]) == [
        "[0]: alpha: no result with 2.0"
      ])
  }

  @Test("methods are told apart")
  func methods() {
    let cells = [
      Cell(index: 0, method: "a", specification: base), Cell(index: 1, method: "b", specification: base),
    ]
    #expect(ReuseReport(cells, known: [known(base)]).groups.map(\.method) == ["a", "b"])
  }
}
