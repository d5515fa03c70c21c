internal import CBLAS

/// Systems of linear equations, by LAPACK in double precision.
public enum LinearSolve {
  /// The solution X `[n, m]` of A X = B with a square A `[n, n]` and B `[n, m]`; `nil` if A is singular.
  ///
  /// - Precondition: every element of A is finite.
  public static func solve(_ a: Matrix, _ b: Matrix) -> Matrix? {
    precondition(a.rows == a.columns && b.rows == a.rows && a.rows > 0, "A X = B: shapes differ")
    precondition(a.isFinite, "equations with numbers that are not finite")
    // Column-major order: the transposes of row-major elements.
    var coefficients = a.transposed().copyOfElements().map(Double.init)
    var solution = b.transposed().copyOfElements().map(Double.init)
    let size = [Int32(b.rows)]
    var pivots = [Int32](repeating: 0, count: b.rows)
    var status: Int32 = 0
    unsafe dgesv_(size, [Int32(b.columns)], &coefficients, size, &pivots, &solution, size, &status)
    precondition(status >= 0, "LAPACK: dgesv ended with \(status)")
    guard status == 0 else { return nil }
    return Matrix(rows: b.columns, columns: b.rows, elements: solution.map { Float($0) }).transposed()
  }
}
