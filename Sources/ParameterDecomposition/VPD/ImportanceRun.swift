internal import TensorKernels

/// An importance function on one batch of inputs, with what its backward pass needs.
struct ImportanceRun {
  private let function: ImportanceFunction
  private let normalised: Matrix
  private let sums: Matrix
  private let units: Matrix
  /// What is clipped to importances, `[N, C]`.
  let logits: Matrix
  /// g `[N, C]`.
  let importances: Matrix
  /// Where the gradient of g is gathered, `[N, C]`.
  let gradient: Matrix

  init(_ function: ImportanceFunction, inputs: Matrix) {
    self.function = function
    normalised = ImportanceFunction.normalised(inputs)
    sums = function.hiddenSums(of: normalised)
    units = Matrix(uninitializedRows: sums.rows, columns: sums.columns)
    GELU.forward(sums, into: units)
    logits = Matrix(uninitializedRows: inputs.rows, columns: function.count)
    Product.multiply(units, transposed: function.output, into: logits)
    logits.addToRows(function.outputBias)
    importances = Matrix(copying: logits)
    importances.clip(to: 0...1)
    gradient = Matrix(rows: logits.rows, columns: logits.columns)
  }

  /// Accumulates the gradients of the function's matrices in `gradients`: those of what was gathered in ``gradient``,
  /// through the lower-leaky sigmoid, and those of the penalty Σ_c `penalty[c]` Σ u(z)^p. Uses ``gradient`` up.
  func backward(p: Float, penalty: [Float], into gradients: ImportanceFunction) {
    HardSigmoid.lowerBackward(gradient, logits: logits)
    HardSigmoid.addUpperPowerGradient(logits, p: p, weights: penalty, to: gradient)
    let ones = Matrix(rows: 1, columns: logits.rows)
    ones.fill(1)
    Product.multiply(transposed: gradient, units, into: gradients.output, accumulate: true)
    Product.multiply(ones, gradient, into: gradients.outputBias, accumulate: true)
    let pulled = Matrix(uninitializedRows: units.rows, columns: units.columns)
    Product.multiply(gradient, function.output, into: pulled)
    GELU.backward(input: sums, gradient: pulled)
    Product.multiply(transposed: pulled, normalised, into: gradients.hidden, accumulate: true)
    Product.multiply(ones, pulled, into: gradients.hiddenBias, accumulate: true)
  }
}
