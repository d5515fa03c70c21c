internal import TensorKernels

extension TargetModel {
  /// Mean cross-entropy over all tokens of the windows, nats, with the gradients of every weight accumulated.
  ///
  /// The embedding's gradient is that of both its uses together, as input table and as vocabulary projection.
  public func crossEntropy(of windows: [TokenWindow], accumulatingInto gradients: WeightGradients) -> Double {
    let batch = TokenBatch(sequences: windows.map(\.inputs), edited: false)
    let targets = windows.flatMap(\.targets)
    let pass = PackedPass(model: self, batch: batch)
    let residual = pass.forward(keepsTape: true)
    let gradient = Matrix(uninitializedRows: residual.rows, columns: residual.columns)
    let term = LossTerm(
      rows: 0..<targets.count, targets: targets, kind: .retain(.crossEntropy, base: nil), weight: 1)
    let losses = LossHead(model: self).losses(
      residual: residual, terms: [term], gradient: gradient, weightGradients: gradients)
    pass.backward(gradient, weightGradients: gradients)
    return losses[0]
  }
}
