import ContentHash
import SweepCore
import SweepReport

/// Cells and results whose numbers are exact in binary, so that expectations can be written by hand.
enum SmallSweep {
  /// The losses of one corpus: validation, test.
  typealias Losses = (Double, Double)

  /// German is removed from 3 / 3.25 nats, English kept at 2 / 2.5, French observed at 1 / 1.
  static func evaluation(step: Int, german: Losses, english: Losses, french: Losses) -> EvaluationPoint {
    func score(_ name: String, _ role: CorpusRole, _ base: Losses, _ edited: Losses) -> CorpusScore {
      CorpusScore(
        name: name, role: role, base: SplitLosses(validation: base.0, test: base.1),
        edited: SplitLosses(validation: edited.0, test: edited.1))
    }
    return EvaluationPoint(
      step: step,
      corpora: [
        score("german", .forget, (3, 3.25), german), score("english", .retain, (2, 2.5), english),
        score("french", .observe, (1, 1), french),
      ])
  }

  static func specification(
    _ edit: EditSpecification, budget: Int? = nil, optimiser: OptimiserSpecification = .solve, seed: UInt64 = 0
  ) -> CellSpecification {
    let digest = SHA256Digest(of: "file")
    let names: [(String, CorpusRole)] = [("german", .forget), ("english", .retain), ("french", .observe)]
    return CellSpecification(
      target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: digest),
      corpora: names.map { CorpusReference(name: $0, role: $1, text: digest, cut: nil) }, start: "\n",
      evaluation: EvaluationSettings(tokensPerCorpus: 256, context: 128), edit: edit,
      training: budget.map { budget in
        TrainingSpecification(
          tokenBudget: budget, retainTokens: 64, forgetLoss: .hinge, retainLoss: .kl, retainWeight: 10,
          optimiser: optimiser)
      }, seed: seed)
  }

  static func cell(_ index: Int, _ method: String, _ specification: CellSpecification) -> Cell {
    Cell(index: index, method: method, specification: specification)
  }

  static func completed(
    _ cell: Cell, _ evaluations: [EvaluationPoint], steps: [StepLosses] = [], _ edit: EditSummary, attempts: Int = 1
  ) -> CellRecord {
    CellRecord(
      cell: cell, state: .completed,
      result: CellResult(evaluations: evaluations, steps: steps, edit: edit, forgetTokens: 4, retainTokens: 64),
      report: AttemptReport(wallSeconds: 1.5, tokensPerSecond: 2000, host: "node,1", engineVersion: "0.1.0"),
      attempts: attempts)
  }

  static let scalar = EditSpecification.prefactors(subcomponents: ["h.1.mlp.c_fc:8"], alphas: .separate)
  static let lora = EditSpecification.lora(rank: 1, sites: .named(["h.0.mlp.c_fc", "h.1.mlp.c_fc"]), scale: 1)
  static let adamW = OptimiserSpecification.adamW(AdamWSettings(learningRate: 0.01, steps: 100))

  /// Two solved scalars, a LoRA with an evaluation half-way, a LoRA that diverged, a scan with a cell to come.
  static let records: [CellRecord] = [
    completed(
      cell(0, "one-scalar", specification(scalar, budget: 4)),
      [evaluation(step: 0, german: (8, 8.5), english: (2.03125, 2.515625), french: (1.5, 1.25))],
      steps: [StepLosses(forget: 0.5, retain: 0.25, total: 3, gradientNorm: 0, alpha: -2)],
      .prefactors(alphas: [6])),
    completed(
      cell(1, "one-scalar", specification(scalar, budget: 4, seed: 1)),
      [evaluation(step: 0, german: (8.25, 8), english: (2.046875, 2.5625), french: (1, 1))],
      .prefactors(alphas: [-5.5]), attempts: 2),
    completed(
      cell(2, "lora", specification(lora, budget: 4, optimiser: adamW)),
      [
        evaluation(step: 50, german: (4, 4.25), english: (2, 2.5), french: (1, 1)),
        evaluation(step: 100, german: (7, 7.25), english: (3, 3), french: (2, 1.5)),
      ],
      .lora(deltaNorms: [SiteNorm(site: "h.0.mlp.c_fc", norm: 3), SiteNorm(site: "h.1.mlp.c_fc", norm: 4)])),
    CellRecord(
      cell: cell(3, "lora", specification(lora, budget: 4, optimiser: adamW, seed: 1)), state: .failed,
      failure: CellFailure(kind: .diverged, message: "step 3: loss is \"nan\", stopped"), attempts: 1),
    completed(
      cell(4, "scan", specification(.prefactors(subcomponents: ["h.1.mlp.c_fc:8"], alphas: .fixed(2)))),
      [evaluation(step: 0, german: (3.5, 3.5), english: (2, 2.5), french: (1, 1))], .prefactors(alphas: [2])),
    CellRecord(
      cell: cell(5, "scan", specification(.prefactors(subcomponents: ["h.1.mlp.c_fc:8"], alphas: .fixed(4)))),
      state: .pending),
  ]

  static func report(
    _ records: [CellRecord] = records, name: String = "small", selections: [SweepSelection] = []
  ) -> ReportedSweep {
    ReportedSweep(
      name: name, vocabularySize: 2048, goal: SweepGoal(), records: records, selections: selections)
  }
}
