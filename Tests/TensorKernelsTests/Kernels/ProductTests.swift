import TensorKernels
import Testing

/// The three products against loops in double precision, through views, into memory that holds NaN.
@Suite("Products")
struct ProductTests {
  struct Shape: CustomStringConvertible, Sendable {
    let m: Int
    let k: Int
    let n: Int
    var description: String { "\(m) x \(k) x \(n)" }
  }

  /// Ones first: they have paths of their own.
  static let shapes: [Shape] = [
    Shape(m: 1, k: 1, n: 1), Shape(m: 1, k: 5, n: 1), Shape(m: 1, k: 1, n: 6), Shape(m: 4, k: 1, n: 1),
    Shape(m: 1, k: 7, n: 3), Shape(m: 3, k: 7, n: 1), Shape(m: 3, k: 1, n: 5), Shape(m: 2, k: 2, n: 2),
    Shape(m: 5, k: 3, n: 4), Shape(m: 17, k: 33, n: 9), Shape(m: 64, k: 48, n: 65), Shape(m: 130, k: 16, n: 31),
    Shape(m: 3, k: 300, n: 2), Shape(m: 2, k: 0, n: 3), Shape(m: 1, k: 0, n: 3), Shape(m: 3, k: 0, n: 1),
    Shape(m: 0, k: 3, n: 2), Shape(m: 2, k: 3, n: 0),
  ]

  /// Expects `scale Σ_k a(i, k) b(k, j) (+ before)`.
  private func check(
    _ shape: Shape, accumulate: Bool, scale: Float, _ found: FramedOutput, before: [Float],
    a: (Int, Int) -> Float, b: (Int, Int) -> Float
  ) {
    #expect(found.frameIsIntact)
    // Rounding of a float32 sum, as a share of the sum of the sizes of its terms.
    let allowed = 2e-6
    let elements = found.view.copyOfElements()
    for i in 0..<shape.m {
      for j in 0..<shape.n {
        let start = accumulate ? Double(before[i * shape.n + j]) : 0
        var (value, size) = (start, abs(start))
        for k in 0..<shape.k {
          let term = Double(scale) * Double(a(i, k)) * Double(b(k, j))
          value += term
          size += abs(term)
        }
        let element = Double(elements[i * shape.n + j])
        guard abs(element - value) <= allowed * size else {
          Issue.record("(\(i), \(j)): \(element) instead of \(value)")
          return
        }
      }
    }
  }

  private func output(_ shape: Shape, accumulate: Bool, _ numbers: inout SeededNumbers) -> (FramedOutput, [Float]) {
    let out = FramedOutput(shape.m, shape.n)
    guard accumulate else { return (out, []) }
    let before = numbers.row(shape.m * shape.n)
    out.view.copy(from: Matrix(rows: shape.m, columns: shape.n, elements: before))
    return (out, before)
  }

  @Test("a bᵀ", arguments: shapes, [false, true])
  func secondTransposed(shape: Shape, accumulate: Bool) {
    var numbers = SeededNumbers(seed: 1)
    for scale: Float in [1, -0.37] {
      let (a, b) = (numbers.view(shape.m, shape.k), numbers.view(shape.n, shape.k))
      let (out, before) = output(shape, accumulate: accumulate, &numbers)
      Product.multiply(a, transposed: b, into: out.view, accumulate: accumulate, scale: scale)
      check(shape, accumulate: accumulate, scale: scale, out, before: before) {
        a[$0, $1]
      } b: {
        b[$1, $0]
      }
    }
  }

  @Test("a b", arguments: shapes, [false, true])
  func plain(shape: Shape, accumulate: Bool) {
    var numbers = SeededNumbers(seed: 2)
    for scale: Float in [1, -0.37] {
      let (a, b) = (numbers.view(shape.m, shape.k), numbers.view(shape.k, shape.n))
      let (out, before) = output(shape, accumulate: accumulate, &numbers)
      Product.multiply(a, b, into: out.view, accumulate: accumulate, scale: scale)
      check(shape, accumulate: accumulate, scale: scale, out, before: before) {
        a[$0, $1]
      } b: {
        b[$0, $1]
      }
    }
  }

  @Test("aᵀ b", arguments: shapes, [false, true])
  func firstTransposed(shape: Shape, accumulate: Bool) {
    var numbers = SeededNumbers(seed: 3)
    for scale: Float in [1, -0.37] {
      let (a, b) = (numbers.view(shape.k, shape.m), numbers.view(shape.k, shape.n))
      let (out, before) = output(shape, accumulate: accumulate, &numbers)
      Product.multiply(transposed: a, b, into: out.view, accumulate: accumulate, scale: scale)
      check(shape, accumulate: accumulate, scale: scale, out, before: before) {
        a[$1, $0]
      } b: {
        b[$0, $1]
      }
    }
  }

  @Test("frozen matrices enter the same products")
  func frozen() {
    var numbers = SeededNumbers(seed: 4)
    let (a, b) = (numbers.matrix(3, 5), numbers.matrix(4, 5))
    let (left, right) = (Matrix(rows: 3, columns: 4), Matrix(rows: 3, columns: 4))
    Product.multiply(a, transposed: b, into: left)
    Product.multiply(ConstantMatrix(copying: a), transposed: ConstantMatrix(copying: b), into: right)
    #expect(left.copyOfElements() == right.copyOfElements())
  }

  @Test("a NaN in an operand comes through")
  func notANumber() {
    var numbers = SeededNumbers(seed: 5)
    for shape in Self.shapes where shape.m > 0 && shape.k > 0 && shape.n > 0 {
      let (a, b) = (numbers.matrix(shape.m, shape.k), numbers.matrix(shape.n, shape.k))
      a[shape.m - 1, shape.k - 1] = .nan
      let out = Matrix(rows: shape.m, columns: shape.n)
      Product.multiply(a, transposed: b, into: out)
      #expect(out.copyOfRow(shape.m - 1).allSatisfy { $0.isNaN }, "\(shape)")
    }
  }

  @Test("of shapes that do not fit trap")
  func misfits() async {
    await #expect(processExitsWith: .failure) {
      Product.multiply(
        Matrix(rows: 2, columns: 3), transposed: Matrix(rows: 2, columns: 4), into: Matrix(rows: 2, columns: 2))
    }
    await #expect(processExitsWith: .failure) {
      Product.multiply(
        transposed: Matrix(rows: 3, columns: 2), Matrix(rows: 3, columns: 4), into: Matrix(rows: 2, columns: 3))
    }
  }
}
