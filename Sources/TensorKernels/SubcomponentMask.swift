/// Masks on the activations of subcomponents, row by row: h = a ∘ (m - s), where a `[n, C]` are activations, m `[n, C]`
/// the masks of the subcomponents and s `[n, 1]` that of what they leave of the matrix.
public enum SubcomponentMask {
  /// Overwrites `out` `[n, C]` by a ∘ (m - s).
  public static func forward(_ activations: Matrix, masks: Matrix, rest: Matrix, into out: Matrix) {
    check(activations, masks, rest, out)
    for row in 0..<activations.rows {
      unsafe RowKernels.mask(
        activations.base + row * activations.stride, masks.base + row * masks.stride, shift: rest[row, 0],
        out.pointer + row * out.stride, activations.columns)
    }
  }

  /// Turns the gradient of h `[n, C]` into that of a, in place, and adds those of m and s to `maskGradient` `[n, C]` and
  /// `restGradient` `[n, 1]`.
  public static func backward(
    _ gradient: Matrix, activations: Matrix, masks: Matrix, rest: Matrix, maskGradient: Matrix, restGradient: Matrix
  ) {
    check(activations, masks, rest, gradient)
    check(activations, masks, restGradient, maskGradient)
    for row in 0..<activations.rows {
      let sum = unsafe RowKernels.maskBackward(
        gradient.pointer + row * gradient.stride, activations.base + row * activations.stride,
        masks.base + row * masks.stride, shift: rest[row, 0],
        gradient: maskGradient.pointer + row * maskGradient.stride, activations.columns)
      restGradient[row, 0] -= sum
    }
  }

  private static func check(_ activations: Matrix, _ masks: Matrix, _ rest: Matrix, _ other: Matrix) {
    let (rows, columns) = (activations.rows, activations.columns)
    precondition(masks.rows == rows && masks.columns == columns, "a mask an activation")
    precondition(other.rows == rows && other.columns == columns, "an element an activation")
    precondition(rest.rows == rows && rest.columns == 1, "a mask of the rest a row")
  }

  /// Multiplies each of the given rows of `matrix` (all if `nil`) by its factor, `factors[i, 0]` for the i-th of them.
  public static func scale(_ matrix: Matrix, rows: [Int]?, by factors: Matrix) {
    precondition(factors.rows == rows?.count ?? matrix.rows && factors.columns == 1, "a factor a row")
    for index in 0..<factors.rows {
      let row = rows?[index] ?? index
      precondition(row >= 0 && row < matrix.rows, "row outside the matrix")
      unsafe RowKernels.scaleOffset(
        matrix.pointer + row * matrix.stride, matrix.columns, scale: factors[index, 0], offset: 0)
    }
  }

  /// Adds Σ x ∘ y of each row to `sums` `[n, 1]`.
  public static func addRowDots(_ x: Matrix, _ y: Matrix, to sums: Matrix) {
    precondition(x.rows == y.rows && x.columns == y.columns && sums.rows == x.rows && sums.columns == 1, "one shape")
    for row in 0..<x.rows {
      unsafe sums[row, 0] += RowKernels.dot(x.base + row * x.stride, y.base + row * y.stride, x.columns)
    }
  }
}
