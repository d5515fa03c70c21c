internal import Foundation
internal import TensorKernels

/// The loss on the forget batch, nats; V is the vocabulary.
public enum ForgetObjective: String, Sendable, Hashable, CaseIterable {
  /// -CE.
  case negativeCrossEntropy = "neg-ce"
  /// -mean min(CE of the token, ln V): no gain from driving a token beyond the uniform guess.
  case cappedAscent = "capped-ascent"
  /// max(0, 1.05 ln V - CE): no gain once the mean is a little beyond the uniform guess.
  case hinge
  /// KL(uniform || p), mean over tokens.
  case uniformKL = "uniform-kl"

  /// Where ``hinge`` levels off, as a multiple of ln V.
  public static let hingeMargin = 1.05
}

/// The loss on the retain batch, nats, mean over tokens.
public enum RetainObjective: String, Sendable, Hashable, CaseIterable {
  /// KL(base || edited).
  case kl
  /// KL(edited || base).
  case reverseKL = "reverse-kl"
  /// Cross-entropy.
  case crossEntropy = "ce"
}

/// Rows of a packed batch that share a loss: the mean over them of a term per token, times `weight`.
struct LossTerm {
  enum Kind {
    case forget(ForgetObjective)
    case retain(RetainObjective, base: BaseDistribution?)
  }

  let rows: Range<Int>
  let targets: [Int]
  let kind: Kind
  let weight: Double
}

/// What the base model says about the retain rows: needed by the KL losses, constant through a fine-tune.
///
/// Its logits are kept when they fit into one chunk, and computed again chunk by chunk when they do not; the numbers
/// are the same.
final class BaseDistribution {
  private let head: LossHead
  private let normed: Matrix
  private let kept: Matrix?
  private let logSumExps: [Float]

  /// Takes the residual stream of the base model behind its last block `[n, C]`.
  init(head: LossHead, residual: Matrix) {
    self.head = head
    normed = head.normalised(residual).normed
    var logSumExps: [Float] = []
    var kept: Matrix?
    for chunk in head.chunks(of: normed.rows) {
      let logits = head.logits(normed: normed.rows(chunk))
      for row in 0..<chunk.count { logSumExps.append(TokenLoss.logSumExp(logits, row: row)) }
      if chunk.count == normed.rows { kept = logits }
    }
    self.logSumExps = logSumExps
    self.kept = kept
  }

  /// Logits `[rows.count, V]` and log-sum-exps of some of the rows.
  func logits(of rows: Range<Int>) -> (logits: Matrix, logSumExps: ArraySlice<Float>) {
    (kept?.rows(rows) ?? head.logits(normed: normed.rows(rows)), logSumExps[rows])
  }
}

extension LossHead {
  /// The unweighted loss of every term, and, if `gradient` `[N, C]` is given, the gradient of Σ weight x loss with
  /// respect to the residual stream behind the last block, overwriting it. Every row belongs to one term.
  func losses(residual: Matrix, terms: [LossTerm], gradient: Matrix?, weightGradients: WeightGradients? = nil)
    -> [Double]
  {
    let (normed, inverse) = normalised(residual)
    let normedGradient = gradient.map { Matrix(rows: $0.rows, columns: $0.columns) }
    var sums = [Double](repeating: 0, count: terms.count)
    let buffer = Matrix(
      uninitializedRows: min(chunkRows, residual.rows), columns: model.configuration.vocabularySize)
    for chunk in chunks(of: residual.rows) {
      let logits = buffer.rows(0..<chunk.count)
      Product.multiply(normed.rows(chunk), transposed: model.embedding, into: logits)
      var covered = 0
      for (index, term) in terms.enumerated() {
        let rows = term.rows.clamped(to: chunk)
        covered += rows.count
        sums[index] += rowLosses(term, rows: rows, logits: logits, chunk: chunk, differentiate: gradient != nil)
      }
      precondition(covered == chunk.count, "every row belongs to one loss term")
      if let normedGradient {
        Product.multiply(logits, model.embedding, into: normedGradient.rows(chunk))
        if let weightGradients {
          Product.multiply(
            transposed: logits, normed.rows(chunk), into: weightGradients.embedding, accumulate: true)
        }
      }
    }
    var losses: [Double] = []
    for (term, sum) in zip(terms, sums) {
      let mean = sum / Double(term.rows.count)
      if case .forget(.hinge) = term.kind {
        // The rows hold mean CE and its negated gradient; the hinge of the mean is known only now.
        let gap = ForgetObjective.hingeMargin * model.uniformCrossEntropy + mean
        if gap <= 0 { normedGradient?.rows(term.rows).fill(0) }
        losses.append(gap.isNaN ? gap : max(0, gap))
      } else {
        losses.append(mean)
      }
    }
    if let gradient, let normedGradient {
      gradient.fill(0)
      RMSNorm.backward(
        normedGradient, input: residual, weight: model.finalNorm, inverse: inverse, into: gradient)
      if let weightGradients {
        RMSNorm.weightGradient(
          normedGradient, input: residual, inverse: inverse, into: weightGradients.finalNorm)
      }
    }
    return losses
  }

  /// The sum of a term's token losses over `rows` (absolute), which lie in the chunk. With `differentiate`, their
  /// logits become gradients.
  private func rowLosses(
    _ term: LossTerm, rows: Range<Int>, logits: Matrix, chunk: Range<Int>, differentiate: Bool
  ) -> Double {
    guard !rows.isEmpty else { return 0 }
    let weight = Float(term.weight / Double(term.rows.count))
    let own = rows.lowerBound - term.rows.lowerBound..<rows.upperBound - term.rows.lowerBound
    let base: (logits: Matrix, logSumExps: ArraySlice<Float>)? =
      if case .retain(_, let base?) = term.kind { base.logits(of: own) } else { nil }
    var sum = 0.0
    for position in own {
      let row = term.rows.lowerBound + position - chunk.lowerBound
      let target = term.targets[position]
      let score = TokenLoss.score(logits, row: row, target: target)
      let loss: Float
      switch term.kind {
      case .forget(let objective):
        loss = forgetLoss(objective, logits: logits, row: row, score: score)
        if differentiate {
          forgetGradient(objective, logits: logits, row: row, score: score, target: target, weight: weight)
        }
      case .retain(.crossEntropy, _):
        loss = score.crossEntropy
        if differentiate {
          TokenLoss.crossEntropyGradient(
            logits, row: row, score: score, target: target, uniform: 0, weight: weight)
        }
      case .retain(let objective, _):
        guard let base else { preconditionFailure("a KL loss needs the base model's distribution") }
        let baseRow = position - own.lowerBound
        loss = TokenLoss.divergence(
          objective == .kl ? .baseToEdited : .editedToBase, edited: logits, editedLSE: score.logSumExp,
          base: base.logits, baseLSE: base.logSumExps[position], row: row, baseRow: baseRow,
          weight: differentiate ? weight : nil)
      }
      sum += Double(loss)
    }
    return sum
  }

  private func forgetLoss(_ objective: ForgetObjective, logits: Matrix, row: Int, score: TokenLoss.Score) -> Float {
    let uniform = Float(model.uniformCrossEntropy)
    switch objective {
    case .negativeCrossEntropy, .hinge:
      return -score.crossEntropy
    case .cappedAscent:
      // Written so that a NaN stays one.
      return score.crossEntropy > uniform ? -uniform : -score.crossEntropy
    case .uniformKL:
      return score.logSumExp - TokenLoss.mean(logits, row: row) - uniform
    }
  }

  private func forgetGradient(
    _ objective: ForgetObjective, logits: Matrix, row: Int, score: TokenLoss.Score, target: Int, weight: Float
  ) {
    switch objective {
    case .negativeCrossEntropy, .hinge:
      TokenLoss.crossEntropyGradient(
        logits, row: row, score: score, target: target, uniform: 0, weight: -weight)
    case .cappedAscent:
      if score.crossEntropy > Float(model.uniformCrossEntropy) {
        logits.rows(row..<row + 1).fill(0)
      } else {
        TokenLoss.crossEntropyGradient(
          logits, row: row, score: score, target: target, uniform: 0, weight: -weight)
      }
    case .uniformKL:
      TokenLoss.crossEntropyGradient(
        logits, row: row, score: score, target: target, uniform: 1, weight: weight)
    }
  }
}
