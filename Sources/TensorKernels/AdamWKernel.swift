/// One update of AdamW, in place: what is the same for all numbers of a matrix.
///
///     g = clip gradient
///     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g²
///     p = keep p - step m / (sqrt(secondScale v) + ε)
public struct AdamWKernel: Sendable, Hashable {
  /// 1 - learning rate x weight decay.
  public var keep: Double
  /// What gradients are multiplied by.
  public var clip: Double
  /// Decay rates of the moments.
  public var beta1: Double, beta2: Double
  /// Learning rate / (1 - b1^t).
  public var step: Double
  /// 1 / (1 - b2^t).
  public var secondScale: Double
  /// ε.
  public var epsilon: Double

  /// Gathers the coefficients.
  public init(
    keep: Double, clip: Double, beta1: Double, beta2: Double, step: Double, secondScale: Double, epsilon: Double
  ) {
    self.keep = keep
    self.clip = clip
    self.beta1 = beta1
    self.beta2 = beta2
    self.step = step
    self.secondScale = secondScale
    self.epsilon = epsilon
  }

  /// Updates a parameter and its moments, which are given row by row, from a gradient of the parameter's shape.
  public func update(_ parameter: Matrix, gradient: Matrix, first: inout [Double], second: inout [Double]) {
    let (rows, columns) = (parameter.rows, parameter.columns)
    precondition(gradient.rows == rows && gradient.columns == columns, "a gradient of the parameter's shape")
    precondition(first.count == rows * columns && second.count == rows * columns, "a pair of moments an element")
    unsafe first.withUnsafeMutableBufferPointer { first in
      unsafe second.withUnsafeMutableBufferPointer { second in
        guard let first = first.baseAddress, let second = second.baseAddress else { return }
        for row in 0..<rows {
          unsafe RowKernels.adamW(
            parameter.pointer + row * parameter.stride, gradient.base + row * gradient.stride, first + row * columns,
            second + row * columns, columns, by: self)
        }
      }
    }
  }
}
