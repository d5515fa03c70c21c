/// The tanh form of the Gaussian error linear unit (Hendrycks and Gimpel, arXiv 1606.08415).
public enum GELU {
  /// Overwrites `out` by GELU(x), element by element; same shapes.
  public static func forward(_ x: Matrix, into out: Matrix) {
    precondition(out.rows == x.rows && out.columns == x.columns, "GELU keeps the shape")
    for row in 0..<x.rows {
      unsafe RowKernels.gelu(x.base + row * x.stride, out.pointer + row * out.stride, x.columns)
    }
  }

  /// Multiplies `gradient` by GELU'(x) in place: the gradient of the output becomes that of the input.
  public static func backward(input x: Matrix, gradient: Matrix) {
    precondition(gradient.rows == x.rows && gradient.columns == x.columns, "GELU keeps the shape")
    for row in 0..<x.rows {
      unsafe RowKernels.geluBackward(x.base + row * x.stride, gradient.pointer + row * gradient.stride, x.columns)
    }
  }
}
