/// The contrast of Gauss for independent component analysis: G(u) = -exp(-u²/2), whose derivatives are
/// g(u) = u exp(-u²/2) and g'(u) = (1 - u²) exp(-u²/2) (Hyvärinen, IEEE Transactions on Neural Networks 10, 1999).
public enum GaussContrast {
  /// E[exp(-u²/2)] of a normally distributed u of mean 0 and variance 1: √½.
  public static let ofNormal = 0.5.squareRoot()

  /// Overwrites projections `[N, n]` by g of them, and adds the sums over the rows: of g' to `slopes` `[1, n]`, of
  /// exp(-u²/2) to `heights` `[1, n]`.
  public static func differentiate(_ projections: Matrix, slopes: Matrix, heights: Matrix) {
    let count = projections.columns
    precondition(slopes.rows == 1 && slopes.columns == count, "one slope a column")
    precondition(heights.rows == 1 && heights.columns == count, "one height a column")
    let bells = Matrix(uninitializedRows: 1, columns: count)
    for row in 0..<projections.rows {
      let u = unsafe projections.pointer + row * projections.stride
      let bell = unsafe bells.pointer
      for column in 0..<count { unsafe bell[column] = -0.5 * u[column] * u[column] }
      _ = unsafe RowKernels.expInPlace(bell, count, shift: 0)
      for column in 0..<count {
        let (value, height) = unsafe (u[column], bell[column])
        unsafe slopes.pointer[column] += (1 - value * value) * height
        unsafe heights.pointer[column] += height
        unsafe u[column] = value * height
      }
    }
  }
}
