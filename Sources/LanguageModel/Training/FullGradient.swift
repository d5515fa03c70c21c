internal import TensorKernels

extension TargetModel {
  /// Mean cross-entropy of each window, nats, with the gradients of `weight` times their sum accumulated for every
  /// weight.
  ///
  /// The embedding's gradient is that of both its uses together, as input table and as vocabulary projection. All
  /// windows are one pass: memory grows with their tokens.
  public func crossEntropies(
    of windows: [TokenWindow], weight: Double, accumulatingInto gradients: WeightGradients
  ) -> [Double] {
    let batch = TokenBatch(sequences: windows.map(\.inputs), edited: false)
    let pass = PackedPass(model: self, batch: batch)
    let residual = pass.forward(keepsTape: true)
    let gradient = Matrix(uninitializedRows: residual.rows, columns: residual.columns)
    let terms = zip(windows, batch.segmentRows).map { window, rows in
      LossTerm(rows: rows, targets: window.targets, kind: .retain(.crossEntropy, base: nil), weight: weight)
    }
    let losses = LossHead(model: self).losses(
      residual: residual, terms: terms, gradient: gradient, weightGradients: gradients)
    pass.backward(gradient, weightGradients: gradients)
    return losses
  }
}
