import ContentHash
import SweepCore
import TestSupport
import Testing

@testable import SweepCoordinator

/// The quick look at results against the general decoder: it may only say yes where that one would.
@Suite struct DeliveredJSONTests {
  private let corpora = ["german", "english"].map {
    CorpusReference(name: $0, role: .forget, text: SHA256Digest(of: ""), cut: nil)
  }

  @Test("results and reports in the form of our own encoder are taken at once", arguments: 0..<20 as Range<UInt64>)
  func usual(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      let result = CanonicalJSON.encode(Self.result(&random))
      let read = try CanonicalJSON.decode(CellResult.self, from: result)
      #expect(
        DeliveredJSON.measurements(inResult: result, of: corpora) == read.evaluations.count,
        "\(String(decoding: result, as: UTF8.self))")
      let seconds = Double.random(in: 0...1000, using: &random)
      let report = AttemptReport(wallSeconds: seconds, tokensPerSecond: 1e5, host: "node-1", engineVersion: "0.1.0")
      #expect(DeliveredJSON.wallSeconds(ofReport: CanonicalJSON.encode(report)) == seconds)
    }
  }

  @Test("nothing is taken that the general decoder refuses", arguments: 0..<20 as Range<UInt64>)
  func changed(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var taken = 0
    for _ in 0..<300 {
      var result = CanonicalJSON.encode(Self.result(&random))
      var report = CanonicalJSON.encode(
        AttemptReport(wallSeconds: 1.5, tokensPerSecond: 1000, host: "here", engineVersion: "1"))
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        Self.change(&result, &random)
        Self.change(&report, &random)
      }
      if let measurements = DeliveredJSON.measurements(inResult: result, of: corpora) {
        taken += 1
        let read = try CanonicalJSON.decode(CellResult.self, from: result)
        #expect(read.evaluations.count == measurements)
        #expect(read.evaluations.allSatisfy { $0.corpora.map(\.name) == corpora.map(\.name) })
      }
      if let seconds = DeliveredJSON.wallSeconds(ofReport: report) {
        taken += 1
        #expect(try CanonicalJSON.decode(AttemptReport.self, from: report).wallSeconds == seconds)
      }
    }
    #expect(taken > 10, "changes within numbers and names are no harm")
  }

  @Test("what deviates is left to the general decoder")
  func unusual() {
    var random = SeededGenerator(seed: 1)
    let result = CanonicalJSON.encode(Self.result(&random))
    #expect(DeliveredJSON.measurements(inResult: result, of: corpora.reversed()) == nil)
    #expect(DeliveredJSON.measurements(inResult: result, of: Array(corpora.prefix(1))) == nil)
    #expect(DeliveredJSON.measurements(inResult: result + [UInt8(ascii: " ")], of: corpora) == nil)
    #expect(DeliveredJSON.measurements(inResult: Array(result.dropLast()), of: corpora) == nil)
    #expect(DeliveredJSON.measurements(inResult: [], of: corpora) == nil)
    for end in 0..<result.count {
      #expect(DeliveredJSON.measurements(inResult: Array(result[..<end]), of: corpora) == nil)
    }
    let text = String(decoding: result, as: UTF8.self)
    for number in ["01", "1.", ".5", "+1", "1e999", "1e", "-", "NaN", "1e100", "0x1", "\"1\"", "null", ""] {
      let other = text.replacing("\"forgetTokens\":0", with: "\"forgetTokens\":\(number)")
      #expect(other != text)
      #expect(DeliveredJSON.measurements(inResult: Array(other.utf8), of: corpora) == nil, "\(number)")
    }
  }

  /// Replaces, removes or inserts a byte.
  private static func change(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
    let alphabet = Array("0123456789.eE+-\"\\{}[],:abnu \u{1F}é".utf8)
    let place = Int.random(in: 0..<bytes.count, using: &random)
    let byte = alphabet.randomElement(using: &random) ?? 0
    switch Int.random(in: 0..<3, using: &random) {
    case 0: bytes[place] = byte
    case 1: bytes.remove(at: place)
    default: bytes.insert(byte, at: place)
    }
  }

  private static func result(_ random: inout SeededGenerator) -> CellResult {
    func number() -> Double {
      switch Int.random(in: 0..<4, using: &random) {
      case 0: Double(Int.random(in: -3...12, using: &random))
      case 1: 1e-8
      case 2: -0.0
      default: Double.random(in: -20...20, using: &random)
      }
    }
    func losses() -> SplitLosses { SplitLosses(validation: number(), test: number()) }
    let evaluations = (0...Int.random(in: 0...2, using: &random)).map { step in
      EvaluationPoint(
        step: step * 10,
        corpora: ["german", "english"].map {
          CorpusScore(
            name: $0, role: CorpusRole.allCases.randomElement(using: &random) ?? .forget, base: losses(),
            edited: losses())
        })
    }
    let steps = (0..<Int.random(in: 0...3, using: &random)).map { _ in
      StepLosses(
        forget: number(), retain: number(), total: number(), gradientNorm: number(),
        alpha: Bool.random(using: &random) ? number() : nil)
    }
    let norms = [SiteNorm(site: "h.0.mlp.c_fc", norm: number()), SiteNorm(site: "h.1.attn.q_proj", norm: 1)]
    let edits: [EditSummary] = [
      .prefactors(alphas: (0..<Int.random(in: 0...3, using: &random)).map { _ in number() }),
      .lora(deltaNorms: norms), .full(deltaNorms: norms),
    ]
    let edit = edits.randomElement(using: &random) ?? edits[0]
    return CellResult(evaluations: evaluations, steps: steps, edit: edit, forgetTokens: 0, retainTokens: 4096)
  }
}
