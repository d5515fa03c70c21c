internal import ContentHash
internal import Foundation
internal import SweepCore

/// Measures what keeping the fronts of a running sweep takes, beside analysing all its results once.
struct FrontierBenchmark {
  /// What `pdsweep bench frontier` prints, as one line of JSON.
  struct Report: Encodable {
    var results: Int
    var methods: Int
    var budgets: Int
    /// Edits on the front of all methods, with the token budget as third axis.
    var front: Int
    /// Processor time to take in one result, its hypervolumes summed, microseconds.
    var microsecondsPerResult: Double
    /// The same while the fronts are young: over the first thousand results.
    var microsecondsPerEarlyResult: Double
    /// Processor time to analyse all results at once, seconds.
    var analysisSeconds: Double

    enum CodingKeys: String, CodingKey {
      case results
      case methods
      case budgets
      case front
      case microsecondsPerResult = "us_per_result"
      case microsecondsPerEarlyResult = "us_per_early_result"
      case analysisSeconds = "analysis_s"
    }
  }

  let results: Int

  private static let methods = 8
  private static let budgets = [1, 4, 16, 64, 256, 1024, 4096]
  private static let vocabulary = 50_277

  func run() throws -> Report {
    let records = records()
    var frontier = GrowingFrontier(vocabularySize: Self.vocabulary, largestBudget: Self.budgets.max() ?? 0)
    func take(_ records: ArraySlice<CellRecord>) -> Double {
      let start = Self.processorSeconds()
      for record in records {
        if let result = record.result { frontier.insert(result, of: record.cell) }
      }
      return Self.processorSeconds() - start
    }
    let early = take(records.prefix(1000))
    let late = take(records.dropFirst(1000))
    let start = Self.processorSeconds()
    let analysis = FrontierAnalysis(records: records, vocabularySize: Self.vocabulary, goal: SweepGoal())
    let seconds = Self.processorSeconds() - start
    precondition(analysis.space.count == frontier.fronts.space.count, "the kept front differs from the analysed one")
    return Report(
      results: results, methods: Self.methods, budgets: Self.budgets.count, front: analysis.space.count,
      microsecondsPerResult: (early + late) / Double(results) * 1e6,
      microsecondsPerEarlyResult: early / Double(min(results, 1000)) * 1e6, analysisSeconds: seconds)
  }

  /// Results of cells that differ in method, budget and seed: the more tokens an edit saw and the more it costs, the
  /// more it removes, give or take.
  private func records() -> [CellRecord] {
    let digest = SHA256Digest(of: "bench")
    let (base, uniform) = (3.0, log(Double(Self.vocabulary)))
    var state: UInt64 = 1
    func number() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) / Double(1 << 53)
    }
    return (0..<results).map { index in
      let budget = Self.budgets[index / Self.methods % Self.budgets.count]
      let specification = CellSpecification(
        target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: nil),
        corpora: [], start: "\n", evaluation: EvaluationSettings(tokensPerCorpus: 128, context: 128),
        edit: .lora(rank: 1, sites: .all, scale: 1),
        training: TrainingSpecification(
          tokenBudget: budget, retainTokens: 64, forgetLoss: .hinge, retainLoss: .kl,
          retainWeight: Double(index / 280), optimiser: .solve), seed: UInt64(index / 56 % 5))
      let cost = pow(10, 4 * number() - 3)
      let part = min(1, cost.squareRoot() * log2(1 + Double(budget)) / 6 * (0.5 + number()))
      func losses(_ value: Double) -> SplitLosses {
        SplitLosses(validation: value + 0.01 * number(), test: value + 0.01 * number())
      }
      let evaluation = EvaluationPoint(
        step: 100,
        corpora: [
          CorpusScore(
            name: "german", role: .forget, base: SplitLosses(validation: base, test: base),
            edited: losses(base + part * (uniform - base))),
          CorpusScore(
            name: "english", role: .retain, base: SplitLosses(validation: 0, test: 0), edited: losses(cost)),
        ])
      return CellRecord(
        cell: Cell(index: index, method: "method-\(index % Self.methods)", specification: specification),
        state: .completed,
        result: CellResult(
          evaluations: [evaluation], steps: [], edit: .lora(deltaNorms: []), forgetTokens: budget, retainTokens: 64))
    }
  }

  private static func processorSeconds() -> Double {
    Double(clock()) / Double(CLOCKS_PER_SEC)
  }
}
