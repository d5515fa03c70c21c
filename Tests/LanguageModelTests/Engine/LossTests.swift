import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

/// The losses of the vocabulary projection against sums in double precision.
@Suite("Losses")
struct LossTests {
  private let tiny: TinyModel
  private let head: LossHead
  /// More rows than one chunk of logits holds; the terms meet in the first chunk, and the second spans both.
  private let residual: Matrix
  private let baseResidual: Matrix
  private let targets: [Int]
  private let forgetRows = 0..<600
  private let retainRows = 600..<1500

  init() {
    var tiny = TinyModel(seed: 1)
    residual = tiny.matrix(1500, tiny.model.configuration.width)
    baseResidual = tiny.matrix(900, tiny.model.configuration.width)
    head = LossHead(model: tiny.model)
    // Every other token is the likeliest, so that the hinge is open and tokens lie on both sides of ln V.
    let logits = head.logits(normed: head.normalised(residual).normed)
    targets = tiny.tokens(1500).enumerated().map { row, token in
      guard row.isMultiple(of: 2) else { return token }
      let values = logits.copyOfRow(row)
      return values.indices.max { values[$0] < values[$1] } ?? token
    }
    self.tiny = tiny
  }

  private var uniform: Double { tiny.model.uniformCrossEntropy }

  /// log softmax of every row of a residual stream.
  private func logProbabilities(_ residual: Matrix) -> [[Double]] {
    let logits = head.logits(normed: head.normalised(residual).normed)
    return (0..<logits.rows).map { row in
      let z = logits.copyOfRow(row).map(Double.init)
      let whole = log(z.reduce(0) { $0 + exp($1) })
      return z.map { $0 - whole }
    }
  }

  private func mean(_ values: some Collection<Double>) -> Double { values.reduce(0, +) / Double(values.count) }

  private func crossEntropies(_ rows: Range<Int>) -> [Double] {
    let log = logProbabilities(residual)
    return rows.map { -log[$0][targets[$0]] }
  }

  private func term(_ rows: Range<Int>, _ kind: LossTerm.Kind, weight: Double = 1) -> LossTerm {
    LossTerm(rows: rows, targets: Array(targets[rows]), kind: kind, weight: weight)
  }

  @Test("of tokens agree, over several chunks of logits")
  func values() {
    #expect(head.chunkRows < residual.rows)
    let forget = crossEntropies(forgetRows)
    let (log, base) = (logProbabilities(residual), logProbabilities(baseResidual))
    func divergence(_ p: [Double], _ q: [Double]) -> Double {
      zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
    }
    #expect(mean(forget) < uniform)
    let forgetTruth: [ForgetObjective: Double] = [
      .negativeCrossEntropy: -mean(forget), .cappedAscent: -mean(forget.map { min($0, uniform) }),
      .hinge: max(0, 1.05 * uniform - mean(forget)),
      .uniformKL: mean(forgetRows.map { -uniform - mean(log[$0]) }),
    ]
    let retainTruth: [RetainObjective: Double] = [
      .crossEntropy: mean(crossEntropies(retainRows)),
      .kl: mean(retainRows.map { divergence(base[$0 - retainRows.lowerBound], log[$0]) }),
      .reverseKL: mean(retainRows.map { divergence(log[$0], base[$0 - retainRows.lowerBound]) }),
    ]
    let distribution = BaseDistribution(head: head, residual: baseResidual)
    for forget in ForgetObjective.allCases {
      for retain in RetainObjective.allCases {
        let terms = [
          term(forgetRows, .forget(forget)),
          term(retainRows, .retain(retain, base: retain == .crossEntropy ? nil : distribution), weight: 3),
        ]
        let found = head.losses(residual: residual, terms: terms, gradient: nil)
        let gradient = Matrix(rows: residual.rows, columns: residual.columns)
        #expect(head.losses(residual: residual, terms: terms, gradient: gradient) == found, "weights leave them alone")
        #expect(abs(found[0] - (forgetTruth[forget] ?? .nan)) < 1e-6, "\(forget)")
        #expect(abs(found[1] - (retainTruth[retain] ?? .nan)) < 1e-6, "\(retain)")
      }
    }
    #expect(
      abs(
        mean(head.crossEntropies(residual: residual, targets: targets).map(Double.init))
          - mean(crossEntropies(0..<1500))) < 1e-6)
  }

  /// Gradients of pieces that fit into a chunk are held against differences in ``GradientTests``.
  @Test("over several chunks have the gradients of their pieces", arguments: RetainObjective.allCases)
  func pieces(objective: RetainObjective) {
    let gradient = Matrix(rows: residual.rows, columns: residual.columns)
    let whole = BaseDistribution(head: head, residual: baseResidual)
    let terms = [
      term(forgetRows, .forget(.uniformKL)), term(retainRows, .retain(objective, base: whole), weight: 0.5),
    ]
    _ = head.losses(residual: residual, terms: terms, gradient: gradient)
    for rows in [0..<250, 250..<600, 600..<1000, 1000..<1500] {
      let isForget = rows.upperBound <= 600
      let share = Double(rows.count) / Double(isForget ? 600 : 900)
      let kind: LossTerm.Kind =
        isForget
        ? .forget(.uniformKL)
        : .retain(
          objective,
          base: BaseDistribution(
            head: head, residual: baseResidual.rows(rows.lowerBound - 600..<rows.upperBound - 600)))
      let part = LossTerm(
        rows: 0..<rows.count, targets: Array(targets[rows]), kind: kind, weight: (isForget ? 1 : 0.5) * share)
      let expected = Matrix(rows: rows.count, columns: residual.columns)
      _ = head.losses(residual: residual.rows(rows), terms: [part], gradient: expected)
      #expect(
        largestDifference(gradient.rows(rows).copyOfElements(), expected.copyOfElements()) < 1e-8, "of about 1e-4")
    }
  }

  @Test("capped ascent pulls on tokens below ln V as plain ascent does, and not at all beyond")
  func capped() {
    let rows = 0..<500
    let losses = crossEntropies(rows)
    let (capped, plain) = (Matrix(rows: 500, columns: residual.columns), Matrix(rows: 500, columns: residual.columns))
    let part = residual.rows(rows)
    _ = head.losses(residual: part, terms: [term(rows, .forget(.cappedAscent))], gradient: capped)
    _ = head.losses(residual: part, terms: [term(rows, .forget(.negativeCrossEntropy))], gradient: plain)
    let beyond = rows.filter { losses[$0] > uniform }
    #expect(beyond.count > 100 && beyond.count < 400)
    for row in rows {
      let expected = losses[row] > uniform ? Array(repeating: 0, count: residual.columns) : plain.copyOfRow(row)
      #expect(capped.copyOfRow(row) == expected)
    }
  }

  @Test("capped ascent over tokens that are all beyond ln V is -ln V and trains nothing")
  func saturated() {
    let losses = crossEntropies(0..<1500)
    var tiny = tiny
    let windows = tiny.windows([6, 6])
    let logits = tiny.logits(windows.map(\.inputs))
    let worst = (0..<logits.rows).map { row in
      let values = logits.copyOfRow(row)
      return values.indices.min { values[$0] < values[$1] } ?? 0
    }
    #expect(losses.contains { $0 < uniform }, "not all random tokens are beyond")
    let forget = [
      TokenWindow(inputs: windows[0].inputs, targets: Array(worst[..<6])),
      TokenWindow(inputs: windows[1].inputs, targets: Array(worst[6...])),
    ]
    let sites = tiny.model.configuration.sites
    for objective in [ForgetObjective.cappedAscent, .hinge] {
      let problem = tiny.problem(sites, forget: forget, retain: [], objective, .kl)
      for edit: any Edit in [PrefactorEdit(tiny.subcomponents(sites), sharing: .separate), tiny.lora([sites[3]])] {
        let found = problem.lossesAndGradient(edit)
        let expected = objective == .hinge ? 0 : -uniform
        #expect(abs(found.total - expected) < 1e-6)
        #expect(edit.parameters.allSatisfy { $0.gradient.sumOfSquares == 0 })
      }
    }
  }

  @Test("of a distribution from itself are zero, whether its logits are kept or computed again")
  func itself() {
    for rows in [900, 1500] {
      let part = residual.rows(0..<rows)
      let base = BaseDistribution(head: head, residual: part)
      for objective in [RetainObjective.kl, .reverseKL] {
        let gradient = Matrix(rows: rows, columns: residual.columns)
        let found = head.losses(
          residual: part, terms: [term(0..<rows, .retain(objective, base: base))], gradient: gradient)
        #expect(abs(found[0]) < 1e-7)
        #expect(gradient.copyOfElements().allSatisfy { abs($0) < 1e-8 })
      }
    }
  }

  @Test("are not a number where the model's state is not", arguments: ForgetObjective.allCases)
  func notANumber(objective: ForgetObjective) {
    for retain in RetainObjective.allCases {
      let spoiled = Matrix(copying: residual.rows(0..<20))
      spoiled[3, 2] = .nan
      spoiled[15, 2] = .infinity
      let base = BaseDistribution(head: head, residual: residual.rows(10..<20))
      let found = head.losses(
        residual: spoiled, terms: [term(0..<10, .forget(objective)), term(10..<20, .retain(retain, base: base))],
        gradient: Matrix(rows: 20, columns: residual.columns))
      #expect(found.allSatisfy { $0.isNaN })
    }
  }
}
