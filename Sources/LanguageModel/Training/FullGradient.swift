public import TensorKernels

extension TargetModel {
  /// Mean cross-entropy of each window, nats, with the gradients of their sum, each times its weight, accumulated for
  /// every weight of the model.
  ///
  /// The embedding's gradient is that of both its uses together, as input table and as vocabulary projection. All
  /// windows are one pass: memory grows with their tokens.
  ///
  /// - Parameters:
  ///   - weights: one for each window.
  ///   - visit: is given what looks up the rows that the matrix at a site is multiplied with, `[N, d_in]`, one for every
  ///     token of the windows; not to be changed.
  public func crossEntropies(
    of windows: [TokenWindow], weights: [Double], accumulatingInto gradients: WeightGradients,
    visit: (_ input: (Site) -> Matrix) -> Void = { _ in }
  ) -> [Double] {
    precondition(weights.count == windows.count, "one weight a window")
    let batch = TokenBatch(sequences: windows.map(\.inputs), edited: false)
    let pass = PackedPass(model: self, batch: batch)
    let residual = pass.forward(keepsTape: true)
    visit(pass.input(at:))
    let gradient = Matrix(uninitializedRows: residual.rows, columns: residual.columns)
    let terms = windows.indices.map { index in
      LossTerm(
        rows: batch.segments[index].rows, targets: windows[index].targets, kind: .retain(.crossEntropy, base: nil),
        weight: weights[index])
    }
    let losses = LossHead(model: self).losses(
      residual: residual, terms: terms, gradient: gradient, weightGradients: gradients)
    pass.backward(gradient, weightGradients: gradients)
    return losses
  }
}
