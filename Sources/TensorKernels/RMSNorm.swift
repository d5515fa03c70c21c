/// Root-mean-square normalisation (Zhang and Sennrich, arXiv 1910.07467): y = w x / sqrt(mean(x²) + ε), row by row.
public enum RMSNorm {
  /// x `[N, C]`, weight `[1, C]`. Overwrites `out` `[N, C]` and `inverse` `[N, 1]` = 1 / sqrt(mean(x²) + ε), which
  /// the backward pass needs again. A row whose mean square is beyond float32 becomes NaN.
  public static func forward(
    _ x: some FloatMatrix, weight: some FloatMatrix, epsilon: Float, into out: Matrix, inverse: Matrix
  ) {
    let n = x.columns
    precondition(weight.rows == 1 && weight.columns == n, "RMSNorm: one weight a column")
    precondition(out.rows == x.rows && out.columns == n && inverse.rows == x.rows && inverse.columns == 1)
    withExtendedLifetime((x, weight)) {
      for row in 0..<x.rows {
        let source = unsafe x.base + row * x.stride
        let meanSquare = unsafe RowKernels.dot(source, source, n) / Float(n)
        // Where the squares overflow, 1 / infinity would make a plain zero of a state that has blown up.
        let scale = meanSquare.isFinite ? 1 / (meanSquare + epsilon).squareRoot() : .nan
        inverse[row, 0] = scale
        unsafe RowKernels.rmsScale(source, weight.base, inverse: scale, out.pointer + row * out.stride, n)
      }
    }
  }

  /// Adds the gradient with respect to x to `inputGradient` `[N, C]`:
  /// dx += s w dy - x s³ / C Σ(dy w x), where s is the row's `inverse`.
  public static func backward(
    _ outputGradient: Matrix, input x: Matrix, weight: some FloatMatrix, inverse: Matrix, into inputGradient: Matrix
  ) {
    let n = x.columns
    precondition(outputGradient.rows == x.rows && outputGradient.columns == n && inverse.rows == x.rows)
    precondition(inputGradient.rows == x.rows && inputGradient.columns == n && weight.columns == n)
    withExtendedLifetime(weight) {
      for row in 0..<x.rows {
        let source = unsafe x.base + row * x.stride
        let gradient = unsafe outputGradient.base + row * outputGradient.stride
        let scale = inverse[row, 0]
        let product = unsafe RowKernels.dot(gradient, weight.base, source, n)
        let shared = product * scale * scale * scale / Float(n)
        unsafe RowKernels.rmsBackward(
          gradient, weight.base, source, inverse: scale, shared: shared,
          inputGradient.pointer + row * inputGradient.stride, n)
      }
    }
  }

  /// Adds the gradient with respect to the weight to `weightGradient` `[1, C]`: dw += Σ_rows dy x s.
  public static func weightGradient(
    _ outputGradient: Matrix, input x: Matrix, inverse: Matrix, into weightGradient: Matrix
  ) {
    precondition(outputGradient.rows == x.rows && outputGradient.columns == x.columns)
    precondition(weightGradient.rows == 1 && weightGradient.columns == x.columns)
    for row in 0..<x.rows {
      let scale = inverse[row, 0]
      let gradient = unsafe outputGradient.base + row * outputGradient.stride
      let source = unsafe x.base + row * x.stride
      for column in 0..<x.columns {
        unsafe weightGradient.pointer[column] += gradient[column] * source[column] * scale
      }
    }
  }
}
