import Foundation
import TensorKernels
import Testing

@Suite("Root-mean-square norm")
struct RMSNormTests {
  private let epsilon = 1e-6

  private func oracle(_ x: Doubles, _ weight: Doubles) -> (y: Doubles, inverse: Doubles) {
    var y = x
    var inverse = Doubles(rows: x.rows, columns: 1)
    for row in 0..<x.rows {
      let square = (0..<x.columns).reduce(0) { $0 + x[row, $1] * x[row, $1] } / Double(x.columns)
      inverse[row, 0] = 1 / (square + epsilon).squareRoot()
      for column in 0..<x.columns { y[row, column] = weight[0, column] * x[row, column] * inverse[row, 0] }
    }
    return (y, inverse)
  }

  @Test("agrees with the formula in double precision", arguments: [1, 2, 7, 8, 31, 768], [Float(1e-3), 1, 1e4])
  func forward(columns: Int, scale: Float) {
    var numbers = SeededNumbers(seed: UInt64(columns))
    let (x, weight) = (numbers.view(5, columns, scale: scale), numbers.matrix(1, columns))
    let (out, inverse) = (FramedOutput(5, columns), Matrix(rows: 5, columns: 1))
    RMSNorm.forward(x, weight: weight, epsilon: Float(epsilon), into: out.view, inverse: inverse)
    let truth = oracle(Doubles(x), Doubles(weight))
    #expect(truth.y.error(of: out.view) < 1e-6)
    #expect(truth.inverse.error(of: inverse) < 1e-6)
    #expect(out.frameIsIntact)
  }

  @Test("has the gradients of the formula, added to what is there", arguments: [1, 2, 7, 8, 31, 768])
  func backward(columns: Int) {
    var numbers = SeededNumbers(seed: UInt64(columns))
    let (x, weight, dy) = (numbers.view(5, columns), numbers.matrix(1, columns), numbers.view(5, columns))
    let inverse = Matrix(rows: 5, columns: 1)
    RMSNorm.forward(
      x, weight: weight, epsilon: Float(epsilon), into: Matrix(rows: 5, columns: columns), inverse: inverse)
    let (dx, dw) = (FramedOutput(5, columns, filledWith: 0.5), Matrix(rows: 1, columns: columns))
    dw.fill(-2)
    RMSNorm.backward(dy, input: x, weight: weight, inverse: inverse, into: dx.view)
    RMSNorm.weightGradient(dy, input: x, inverse: inverse, into: dw)
    #expect(dx.frameIsIntact)

    // dx_j = s w_j dy_j - s³ x_j / C Σ_i dy_i w_i x_i
    let (x64, w64, dy64) = (Doubles(x), Doubles(weight), Doubles(dy))
    let s = oracle(x64, w64).inverse
    var (dx64, dw64) = (Doubles(rows: 5, columns: columns), Doubles(rows: 1, columns: columns))
    for row in 0..<5 {
      let shared = (0..<columns).reduce(0) { $0 + dy64[row, $1] * w64[0, $1] * x64[row, $1] } / Double(columns)
      for column in 0..<columns {
        dx64[row, column] =
          0.5 + s[row, 0] * w64[0, column] * dy64[row, column]
          - shared * x64[row, column] * s[row, 0] * s[row, 0] * s[row, 0]
        dw64[0, column] += dy64[row, column] * x64[row, column] * s[row, 0]
      }
    }
    dw64.elements = dw64.elements.map { $0 - 2 }
    #expect(dx64.error(of: dx.view) < 2e-6)
    #expect(dw64.error(of: dw) < 2e-6)
  }

  @Test("of a row of zeros is zero, and its gradient finite")
  func zeros() {
    let (x, weight) = (Matrix(rows: 1, columns: 6), Matrix(rows: 1, columns: 6))
    weight.fill(1)
    let (out, inverse, dx) = (Matrix(copying: weight), Matrix(rows: 1, columns: 1), Matrix(rows: 1, columns: 6))
    RMSNorm.forward(x, weight: weight, epsilon: Float(epsilon), into: out, inverse: inverse)
    RMSNorm.backward(weight, input: x, weight: weight, inverse: inverse, into: dx)
    #expect(out.copyOfElements() == [Float](repeating: 0, count: 6) && dx.isFinite)
  }

  /// Otherwise 1 / infinity would turn the row into zeros, and a model that has blown up into a uniform guess.
  @Test("of numbers whose squares overflow is not a number", arguments: [Float(1e20), .infinity, .nan])
  func overflow(value: Float) {
    let (x, weight) = (Matrix(rows: 2, columns: 9), Matrix(rows: 1, columns: 9))
    x.fill(1)
    weight.fill(1)
    x[1, 4] = value
    let (out, inverse) = (Matrix(rows: 2, columns: 9), Matrix(rows: 2, columns: 1))
    RMSNorm.forward(x, weight: weight, epsilon: Float(epsilon), into: out, inverse: inverse)
    #expect(out.rows(0..<1).isFinite)
    #expect(out.copyOfRow(1).allSatisfy { $0.isNaN } && inverse[1, 0].isNaN)
  }
}

@Suite("GELU")
struct GELUTests {
  private func value(_ x: Double) -> Double {
    0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
  }

  @Test("agrees with the tanh form in double precision from -12 to 12, and so does its derivative")
  func accuracy() {
    let columns = 4001
    let grid = (0..<columns).map { Float(-12 + 24 * Double($0) / Double(columns - 1)) }
    let x = Matrix(rows: 1, columns: columns, elements: grid)
    let (out, slope) = (Matrix(rows: 1, columns: columns), Matrix(rows: 1, columns: columns))
    slope.fill(1)
    GELU.forward(x, into: out)
    GELU.backward(input: x, gradient: slope)
    var (valueError, slopeError) = (0.0, 0.0)
    for (index, x) in grid.enumerated() {
      let x = Double(x)
      valueError = max(valueError, abs(Double(out[0, index]) - value(x)) / max(abs(x), 1))
      // By central differences, with truncation and rounding errors near 1e-9.
      let derivative = (value(x + 1e-5) - value(x - 1e-5)) / 2e-5
      slopeError = max(slopeError, abs(Double(slope[0, index]) - derivative))
    }
    #expect(valueError <= 4e-7)
    // Near 5 the slope's small part is 35 times the difference of two numbers near 1.
    #expect(slopeError <= 3e-6)
    print("gelu: largest error \(valueError) of max(1, |x|), of the slope \(slopeError)")
  }

  @Test("keeps to the rows and columns of views, and multiplies the gradient that is there")
  func views() {
    var numbers = SeededNumbers(seed: 1)
    let (x, upstream) = (numbers.view(3, 11), numbers.matrix(3, 11))
    let (out, gradient) = (FramedOutput(3, 11), FramedOutput(3, 11))
    gradient.view.copy(from: upstream)
    GELU.forward(x, into: out.view)
    GELU.backward(input: x, gradient: gradient.view)
    let ones = Matrix(rows: 3, columns: 11)
    ones.fill(1)
    GELU.backward(input: x, gradient: ones)
    #expect(out.frameIsIntact && gradient.frameIsIntact)
    for row in 0..<3 {
      for column in 0..<11 {
        #expect(abs(Double(out.view[row, column]) - value(Double(x[row, column]))) < 1e-6)
        #expect(abs(gradient.view[row, column] - upstream[row, column] * ones[row, column]) < 1e-6)
      }
    }
  }

  @Test("is x far on the right, 0 far on the left, and lets NaN through")
  func ends() {
    let x = Matrix(rows: 1, columns: 6, elements: [30, 1e10, .infinity, -30, -1e10, .nan])
    let (out, slope) = (Matrix(rows: 1, columns: 6), Matrix(rows: 1, columns: 6))
    slope.fill(1)
    GELU.forward(x, into: out)
    GELU.backward(input: x, gradient: slope)
    #expect(out.copyOfRow(0).prefix(5).elementsEqual([30, 1e10, .infinity, 0, 0]) && out[0, 5].isNaN)
    #expect([0, 1, 3, 4].map { slope[0, $0] } == [1, 1, 0, 0] && slope[0, 5].isNaN)
  }
}
