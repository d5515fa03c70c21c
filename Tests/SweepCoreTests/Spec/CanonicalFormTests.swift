import ContentHash
import Foundation
import SweepCore
import TestSupport
import Testing

/// ``CellSpecification/canonicalForm`` and those of results against ``CanonicalJSON``, which knows nothing of the fields.
@Suite("The canonical form of a cell and its result")
struct CanonicalFormTests {
  @Test("is that of the general encoder for the cells of a sweep")
  func sweep() throws {
    for cell in try SpecFixture.resolved().cells {
      #expect(cell.specification.canonicalForm == CanonicalJSON.encode(cell.specification))
    }
  }

  @Test("is that of the general encoder for any values", arguments: 0..<20 as Range<UInt64>)
  func random(seed: UInt64) {
    var random = RandomSpecifications(seed: seed)
    for _ in 0..<100 {
      let specification = random.next()
      let form = specification.canonicalForm
      #expect(form == CanonicalJSON.encode(specification), "\(specification)")
    }
  }

  @Test("is that of the general encoder for any results and reports", arguments: 0..<20 as Range<UInt64>)
  func results(seed: UInt64) {
    var random = RandomSpecifications(seed: seed)
    for _ in 0..<100 {
      let (result, report) = (random.result(), random.report())
      #expect(result.canonicalForm == CanonicalJSON.encode(result), "\(result)")
      #expect(report.canonicalForm == CanonicalJSON.encode(report), "\(report)")
    }
  }
}

/// Specifications and results that nobody would ask for, but that the types allow.
private struct RandomSpecifications {
  private var random: SeededGenerator

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
  }

  mutating func next() -> CellSpecification {
    var specification = CellSpecification(
      target: TargetReference(
        weights: digest(), configuration: digest(), tokenizer: digest(), decomposition: maybe { $0.digest() }),
      corpora: list { $0.corpus() }, start: text(),
      evaluation: EvaluationSettings(tokensPerCorpus: whole(), context: whole()), edit: edit(),
      training: maybe { $0.training() }, seed: UInt64.random(in: 0...UInt64.max, using: &random))
    specification.revision = whole()
    return specification
  }

  mutating func result() -> CellResult {
    CellResult(
      evaluations: list { random in
        EvaluationPoint(
          step: random.whole(),
          corpora: random.list { random in
            CorpusScore(
              name: random.text(), role: random.role(),
              base: SplitLosses(validation: random.number(), test: random.number()),
              edited: SplitLosses(validation: random.number(), test: random.number()))
          })
      },
      steps: list { random in
        StepLosses(
          forget: random.number(), retain: random.number(), total: random.number(), gradientNorm: random.number(),
          alpha: random.maybe { $0.number() })
      },
      edit: summary(),
      forgetTokens: whole(), retainTokens: whole())
  }

  private mutating func summary() -> EditSummary {
    switch Int.random(in: 0..<3, using: &random) {
    case 0: .prefactors(alphas: list { $0.number() })
    case 1: .lora(deltaNorms: list { SiteNorm(site: $0.text(), norm: $0.number()) })
    default: .full(deltaNorms: list { SiteNorm(site: $0.text(), norm: $0.number()) })
    }
  }

  mutating func report() -> AttemptReport {
    AttemptReport(wallSeconds: number(), tokensPerSecond: number(), host: text(), engineVersion: text())
  }

  private mutating func role() -> CorpusRole { CorpusRole.allCases.randomElement(using: &random) ?? .forget }

  private mutating func corpus() -> CorpusReference {
    CorpusReference(
      name: text(), role: role(), text: digest(),
      cut: maybe { $0.digest() })
  }

  private mutating func edit() -> EditSpecification {
    switch Int.random(in: 0..<7, using: &random) {
    case 0: .prefactors(subcomponents: list { $0.text() }, alphas: .separate)
    case 1: .prefactors(subcomponents: list { $0.text() }, alphas: .shared)
    case 2: .prefactors(subcomponents: list { $0.text() }, alphas: .fixed(number()))
    case 3: .lora(rank: whole(), sites: .all, scale: number())
    case 4: .full(sites: .all)
    case 5: .full(sites: .named(list { $0.text() }))
    default: .lora(rank: whole(), sites: .named(list { $0.text() }), scale: number())
    }
  }

  private mutating func training() -> TrainingSpecification {
    let optimiser: OptimiserSpecification =
      Bool.random(using: &random)
      ? .solve
      : .adamW(
        AdamWSettings(
          learningRate: number(), steps: whole(), beta1: number(), beta2: number(), epsilon: number(),
          weightDecay: number(), clipNorm: maybe { $0.number() }))
    return TrainingSpecification(
      tokenBudget: whole(), retainTokens: whole(),
      forgetLoss: ForgetLoss.allCases.randomElement(using: &random) ?? .hinge,
      retainLoss: RetainLoss.allCases.randomElement(using: &random) ?? .kl, retainWeight: number(),
      optimiser: optimiser, evaluateAt: list { $0.whole() })
  }

  private mutating func number() -> Double {
    let usual: [Double] = [0, -0.0, 1, -3, 0.1, 1e-8, 1e16, 123456789012345680, .greatestFiniteMagnitude, .ulpOfOne]
    if Bool.random(using: &random) { return usual.randomElement(using: &random) ?? 0 }
    let any = Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random))
    return any.isFinite ? any : 0.5
  }

  private mutating func whole() -> Int {
    [0, 1, -1, Int.max, Int.min, Int.random(in: 0...100_000, using: &random)].randomElement(using: &random) ?? 0
  }

  private mutating func text() -> String {
    let parts = ["h.1.mlp.c_fc:8", "<|endoftext|>", "\n", "\"", "\\", "/", "\u{1}", "\u{7F}", "é", "日本", "😀", ""]
    return (0..<Int.random(in: 0...3, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }.joined()
  }

  private mutating func digest() -> SHA256Digest {
    SHA256Digest(of: "\(UInt64.random(in: 0...UInt64.max, using: &random))")
  }

  private mutating func list<Element>(_ element: (inout Self) -> Element) -> [Element] {
    (0..<Int.random(in: 0...3, using: &random)).map { _ in element(&self) }
  }

  private mutating func maybe<Value>(_ value: (inout Self) -> Value) -> Value? {
    Bool.random(using: &random) ? value(&self) : nil
  }
}
