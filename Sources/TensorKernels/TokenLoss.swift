internal import Foundation

/// Losses on rows of logits `[1, V]`, and their gradients in place.
public enum TokenLoss {
  /// What a row of logits says about its target token.
  public struct Score: Sendable, Hashable {
    /// log Σ exp(z).
    public let logSumExp: Float
    /// The target's logit.
    public let targetLogit: Float
    /// Cross-entropy of the target token, nats.
    public var crossEntropy: Float { logSumExp - targetLogit }
  }

  /// Log-sum-exp of a row.
  public static func logSumExp(_ logits: Matrix, row: Int) -> Float {
    precondition(row >= 0 && row < logits.rows, "row outside the logits")
    let z = unsafe logits.base + row * logits.stride
    let top = unsafe RowKernels.max(z, logits.columns)
    return unsafe top + Foundation.log(RowKernels.expSum(z, logits.columns, shift: top))
  }

  /// Scores a row without changing it.
  public static func score(_ logits: Matrix, row: Int, target: Int) -> Score {
    Score(logSumExp: logSumExp(logits, row: row), targetLogit: logits[row, target])
  }

  /// Mean of a row of logits.
  public static func mean(_ logits: Matrix, row: Int) -> Float {
    precondition(row >= 0 && row < logits.rows, "row outside the logits")
    return unsafe RowKernels.sum(logits.base + row * logits.stride, logits.columns) / Float(logits.columns)
  }

  /// Replaces logits by `weight (p - q)`, where p is their softmax and q puts `1 - uniform` on the target and
  /// `uniform / V` on every token: the gradient of `weight` times the cross-entropy against q.
  public static func crossEntropyGradient(
    _ logits: Matrix, row: Int, score: Score, target: Int, uniform: Float, weight: Float
  ) {
    precondition(row >= 0 && row < logits.rows && target >= 0 && target < logits.columns, "outside the logits")
    let z = unsafe logits.pointer + row * logits.stride
    _ = unsafe RowKernels.expInPlace(z, logits.columns, shift: score.logSumExp)
    unsafe RowKernels.scaleOffset(
      z, logits.columns, scale: weight, offset: -weight * uniform / Float(logits.columns))
    unsafe z[target] -= weight * (1 - uniform)
  }

  /// Which way a Kullback-Leibler divergence is taken.
  public enum Direction: Sendable {
    /// KL(base || edited) = Σ p_base (log p_base - log p_edited).
    case baseToEdited
    /// KL(edited || base) = Σ p_edited (log p_edited - log p_base).
    case editedToBase
  }

  /// The divergence between a row of edited logits and a row of base logits, nats. If `weight` is given, the edited
  /// logits become the divergence's gradient times `weight`.
  public static func divergence(
    _ direction: Direction, edited: Matrix, editedLSE: Float, base: Matrix, baseLSE: Float, row: Int, baseRow: Int,
    weight: Float?
  ) -> Float {
    precondition(row >= 0 && row < edited.rows && baseRow >= 0 && baseRow < base.rows, "row outside the logits")
    precondition(edited.columns == base.columns, "two vocabularies")
    let n = edited.columns
    let z = unsafe edited.pointer + row * edited.stride
    let reference = unsafe base.base + baseRow * base.stride
    switch direction {
    case .baseToEdited:
      return unsafe RowKernels.forwardKL(
        z, editedLSE, reference, baseLSE, n, weight: weight ?? 0, gradient: weight == nil ? nil : z)
    case .editedToBase:
      let kl = unsafe RowKernels.reverseKL(z, editedLSE, reference, baseLSE, n)
      if let weight {
        unsafe RowKernels.reverseKLGradient(z, editedLSE, reference, baseLSE, n, weight: weight, kl: kl)
      }
      return kl
    }
  }
}
