import Foundation
import TensorKernels

/// Repeatable numbers for tests: a linear congruential generator with Knuth's constants for MMIX, its upper bits.
struct SeededNumbers {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
    for _ in 0..<4 { _ = uniform() }
  }

  /// From 0 up to, not including, 1.
  mutating func uniform() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) * 0x1p-53
  }

  /// Nearly normally distributed, mean 0, variance 1, below 6 in size: a sum of twelve uniform numbers.
  mutating func normal() -> Float {
    Float((0..<12).reduce(-6.0) { sum, _ in sum + uniform() })
  }

  mutating func row(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in scale * normal() }
  }

  mutating func matrix(_ rows: Int, _ columns: Int, scale: Float = 1) -> Matrix {
    Matrix(rows: rows, columns: columns, elements: row(rows * columns, scale: scale))
  }

  /// A matrix of random numbers as a view into a larger one, which holds NaN elsewhere: a kernel that looks beside
  /// the view gives itself away.
  mutating func view(_ rows: Int, _ columns: Int, scale: Float = 1) -> Matrix {
    let frame = Matrix(rows: rows + 2, columns: columns + 3)
    frame.fill(.nan)
    let view = frame.rows(1..<rows + 1).columns(2..<columns + 2)
    view.copy(from: matrix(rows, columns, scale: scale))
    return view
  }
}

/// A matrix to be written to, as a view into a larger one whose other elements must keep their value.
struct FramedOutput {
  private let frame: Matrix
  let view: Matrix

  init(_ rows: Int, _ columns: Int, filledWith value: Float = .nan) {
    frame = Matrix(rows: rows + 2, columns: columns + 3)
    frame.fill(-77)
    view = frame.rows(1..<rows + 1).columns(2..<columns + 2)
    view.fill(value)
  }

  /// Whether nothing was written beside the view.
  var frameIsIntact: Bool {
    (0..<frame.rows).allSatisfy { row in
      (0..<frame.columns).allSatisfy { column in
        (1..<view.rows + 1).contains(row) && (2..<view.columns + 2).contains(column) || frame[row, column] == -77
      }
    }
  }
}

/// A matrix in double precision, for oracles.
struct Doubles {
  let rows: Int
  let columns: Int
  var elements: [Double]

  init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    elements = Array(repeating: 0, count: rows * columns)
  }

  init(_ matrix: some FloatMatrix) {
    self.init(rows: matrix.rows, columns: matrix.columns)
    elements = matrix.copyOfElements().map(Double.init)
  }

  subscript(row: Int, column: Int) -> Double {
    get { elements[row * columns + column] }
    set { elements[row * columns + column] = newValue }
  }

  /// max |x - x*| / max |x*|; infinite where a number is missing.
  func error(of found: some FloatMatrix) -> Double {
    precondition(found.rows == rows && found.columns == columns, "as many numbers as the oracle has")
    let scale = elements.map(abs).max() ?? 0
    let worst = zip(found.copyOfElements(), elements).reduce(0.0) { worst, pair in
      let error = abs(Double(pair.0) - pair.1)
      return error.isNaN ? .infinity : max(worst, error)
    }
    return worst / (scale > 0 ? scale : 1)
  }
}
