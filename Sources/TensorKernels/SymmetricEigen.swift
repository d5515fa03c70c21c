internal import CBLAS

/// Eigenvalues and eigenvectors of a symmetric matrix, by LAPACK in double precision.
public struct SymmetricEigen {
  /// Eigenvalues, ascending.
  public let values: [Double]
  /// Row i is the eigenvector of value i, of length 1, `[n, n]`.
  public let vectors: Matrix

  /// Decomposes the symmetric matrix A = vectorsᵀ diag(values) vectors, of which only one triangle is looked at.
  ///
  /// - Precondition: every element is finite.
  public init(_ matrix: Matrix) {
    precondition(matrix.rows == matrix.columns && matrix.rows > 0, "a symmetric matrix is square")
    precondition(matrix.isFinite, "eigenvalues of numbers that are not finite")
    var elements = matrix.copyOfElements().map(Double.init)
    var values = [Double](repeating: 0, count: matrix.rows)
    let size = [Int32(matrix.rows)]
    var status: Int32 = 0
    var length: Int32 = -1
    var integerLength: Int32 = -1
    var work = [0.0]
    var integerWork: [Int32] = [0]
    for _ in 0..<2 {
      // The first call asks how much working memory the second needs.
      unsafe dsyevd_(
        "V", "U", size, &elements, size, &values, &work, [length], &integerWork, [integerLength], &status)
      precondition(status == 0, "LAPACK: dsyevd ended with \(status)")
      guard length < 0 else { break }
      (length, integerLength) = (Int32(work[0]), integerWork[0])
      work = [Double](repeating: 0, count: Int(length))
      integerWork = [Int32](repeating: 0, count: Int(integerLength))
    }
    self.values = values
    // Eigenvectors are columns in column-major order: rows here.
    vectors = Matrix(rows: matrix.rows, columns: matrix.rows, elements: elements.map { Float($0) })
  }

  /// Σ f(value) vector vectorᵀ, the function f of the matrix, `[n, n]`.
  public func function(_ f: (Double) -> Double) -> Matrix {
    let scaled = Matrix(copying: vectors)
    for (row, value) in values.enumerated() { scaled.rows(row..<row + 1).scale(by: Float(f(value))) }
    let result = Matrix(uninitializedRows: vectors.rows, columns: vectors.rows)
    Product.multiply(transposed: vectors, scaled, into: result)
    return result
  }
}
