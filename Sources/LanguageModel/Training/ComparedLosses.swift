internal import TensorKernels

/// Losses of a changed model held against the base, token by token in the order of the windows' tokens, nats.
public struct ComparedLosses: Sendable, Hashable {
  /// KL(base || changed).
  public let divergences: [Float]
  /// Cross-entropy of the changed model.
  public let crossEntropies: [Float]

  /// The mean divergence.
  public var meanDivergence: Double { divergences.reduce(0) { $0 + Double($1) } / Double(divergences.count) }
}

extension LossHead {
  /// Losses of every row against the base model and, if `gradient` `[N, C]` is given, the gradient of `weight` times the
  /// sum of the divergences with respect to the residual stream behind the last block, overwriting it.
  func losses(
    residual: Matrix, targets: [Int], base: BaseDistribution, weight: Float, gradient: Matrix?
  ) -> ComparedLosses {
    let (normed, inverse) = normalised(residual)
    let normedGradient = gradient.map { Matrix(uninitializedRows: $0.rows, columns: $0.columns) }
    let buffer = Matrix(
      uninitializedRows: min(chunkRows, residual.rows), columns: model.configuration.vocabularySize)
    var divergences: [Float] = []
    var crossEntropies: [Float] = []
    for chunk in chunks(of: residual.rows) {
      let logits = buffer.rows(0..<chunk.count)
      Product.multiply(normed.rows(chunk), transposed: model.embedding, into: logits)
      let (baseLogits, logSumExps) = base.logits(of: chunk)
      for row in chunk {
        let score = TokenLoss.score(logits, row: row - chunk.lowerBound, target: targets[row])
        crossEntropies.append(score.crossEntropy)
        divergences.append(
          TokenLoss.divergence(
            .baseToEdited, edited: logits, editedLSE: score.logSumExp, base: baseLogits, baseLSE: logSumExps[row],
            row: row - chunk.lowerBound, baseRow: row - chunk.lowerBound, weight: gradient == nil ? nil : weight))
      }
      if let normedGradient { Product.multiply(logits, model.embedding, into: normedGradient.rows(chunk)) }
    }
    if let gradient, let normedGradient {
      gradient.fill(0)
      RMSNorm.backward(
        normedGradient, input: residual, weight: model.finalNorm, inverse: inverse, into: gradient)
    }
    return ComparedLosses(divergences: divergences, crossEntropies: crossEntropies)
  }
}
