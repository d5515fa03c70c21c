internal import CBLAS

/// The singular value decomposition of a matrix, by LAPACK in double precision: A = left diag(values) right, with
/// k = min(m, n) values.
public struct SingularValues {
  /// Left singular vectors: the columns, `[m, k]`.
  public let left: Matrix
  /// Singular values, descending.
  public let values: [Double]
  /// Right singular vectors: the rows, `[k, n]`.
  public let right: Matrix

  /// Decomposes a matrix `[m, n]`. The largest number of each right vector is positive, so that equal matrices give
  /// equal signs wherever LAPACK was built.
  ///
  /// - Precondition: every element is finite.
  public init(_ matrix: some FloatMatrix) {
    let copy = Matrix(copying: matrix)
    precondition(copy.rows > 0 && copy.columns > 0, "singular values of an empty matrix")
    precondition(copy.isFinite, "singular values of numbers that are not finite")
    let count = min(copy.rows, copy.columns)
    // Row-major elements are those of the transpose in column-major order, whose left vectors are our right ones.
    var elements = copy.copyOfElements().map(Double.init)
    let (rows, columns, smaller) = ([Int32(copy.columns)], [Int32(copy.rows)], [Int32(count)])
    var values = [Double](repeating: 0, count: count)
    var right = [Double](repeating: 0, count: count * copy.columns)
    var left = [Double](repeating: 0, count: copy.rows * count)
    var integerWork = [Int32](repeating: 0, count: 8 * count)
    var status: Int32 = 0
    var length: Int32 = -1
    var work = [0.0]
    for _ in 0..<2 {
      // The first call asks how much working memory the second needs.
      unsafe dgesdd_(
        "S", rows, columns, &elements, rows, &values, &right, rows, &left, smaller, &work, [length], &integerWork,
        &status)
      precondition(status == 0, "LAPACK: dgesdd ended with \(status)")
      guard length < 0 else { break }
      length = Int32(work[0])
      work = [Double](repeating: 0, count: Int(length))
    }
    self.values = values
    self.left = Matrix(rows: copy.rows, columns: count, elements: left.map { Float($0) })
    self.right = Matrix(rows: count, columns: copy.columns, elements: right.map { Float($0) })
    orient()
  }

  private func orient() {
    let signs = Matrix(uninitializedRows: 1, columns: values.count)
    for index in values.indices {
      let row = right.copyOfRow(index)
      let largest = row.max { abs($0) < abs($1) } ?? 0
      signs[0, index] = largest < 0 ? -1 : 1
      right.rows(index..<index + 1).scale(by: signs[0, index])
    }
    left.scaleColumns(by: signs)
  }
}
