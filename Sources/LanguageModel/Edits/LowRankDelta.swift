public import TensorKernels

/// A change of rank r at a site: y += ((x readᵀ) ∘ scales) write, which is W + writeᵀ diag(scales) read.
///
/// Subcomponents and LoRAs are both of this form; they differ in which of the three are trained.
public struct LowRankDelta: WeightDelta {
  /// The change's read directions `[r, d_in]`.
  public let read: Matrix
  /// Its write directions `[r, d_out]`.
  public let write: Matrix
  /// The factor of each direction `[1, r]`.
  public let scales: Matrix
  /// Where gradients go; those of frozen parts are absent.
  let gradients: Gradients

  struct Gradients {
    var read: Matrix?
    var write: Matrix?
    var scales: Matrix?
  }

  init(read: Matrix, write: Matrix, scales: Matrix, gradients: Gradients) {
    precondition(read.rows == write.rows && scales.columns == read.rows && scales.rows == 1, "one rank")
    self.read = read
    self.write = write
    self.scales = scales
    self.gradients = gradients
  }

  /// The rank r.
  public var rank: Int { read.rows }

  /// Adds the change to `output` `[n, d_out]`. Returns x readᵀ `[n, r]`, which ``backward`` needs.
  public func apply(input: Matrix, output: Matrix) -> [Matrix] {
    let coefficients = Matrix(uninitializedRows: input.rows, columns: rank)
    Product.multiply(input, transposed: read, into: coefficients)
    Product.multiply(scaled(coefficients), write, into: output, accumulate: true)
    return [coefficients]
  }

  /// Accumulates the gradients of the trained parts, and adds that of the input to `inputGradient` `[n, d_in]`.
  public func backward(input: Matrix, memory: [Matrix], outputGradient: Matrix, inputGradient: Matrix?) {
    let coefficients = memory[0]
    let pulled = Matrix(uninitializedRows: input.rows, columns: rank)
    Product.multiply(outputGradient, transposed: write, into: pulled)
    if let target = gradients.scales {
      for column in 0..<rank {
        var sum = 0.0
        for row in 0..<input.rows { sum += Double(pulled[row, column]) * Double(coefficients[row, column]) }
        target[0, column] += Float(sum)
      }
    }
    if let target = gradients.write {
      Product.multiply(transposed: scaled(coefficients), outputGradient, into: target, accumulate: true)
    }
    guard gradients.read != nil || inputGradient != nil else { return }
    let coefficientGradient = scaled(pulled)
    if let target = gradients.read {
      Product.multiply(transposed: coefficientGradient, input, into: target, accumulate: true)
    }
    if let inputGradient {
      Product.multiply(coefficientGradient, read, into: inputGradient, accumulate: true)
    }
  }

  private func scaled(_ coefficients: Matrix) -> Matrix {
    let result = Matrix(copying: coefficients)
    result.scaleColumns(by: scales)
    return result
  }

  /// W + writeᵀ diag(scales) read for a frozen matrix `[d_out, d_in]`.
  public func merged(into weight: ConstantMatrix) -> ConstantMatrix {
    let result = Matrix(copying: weight)
    let scaledRead = Matrix(copying: read)
    for row in 0..<rank { scaledRead.rows(row..<row + 1).scale(by: scales[0, row]) }
    Product.multiply(transposed: write, scaledRead, into: result, accumulate: true)
    return ConstantMatrix(copying: result)
  }

  /// Frobenius norm of writeᵀ diag(scales) read, from the two Gram matrices of size r x r.
  public var norm: Double {
    var total = 0.0
    for i in 0..<rank {
      for j in 0..<rank {
        total += Double(scales[0, i]) * Double(scales[0, j]) * gram(read, i, j) * gram(write, i, j)
      }
    }
    return max(total, 0).squareRoot()
  }

  private func gram(_ matrix: Matrix, _ i: Int, _ j: Int) -> Double {
    zip(matrix.copyOfRow(i), matrix.copyOfRow(j)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
}
