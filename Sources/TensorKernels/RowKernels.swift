internal import CTensorKernels
internal import Foundation

/// Kernels on contiguous rows of floats: the C version where the processor has it, else the plain one.
///
/// Pointers come in from functions of this target that have checked their extents.
enum RowKernels {
  /// Whether the C kernels are used. The environment variable `PDSWEEP_KERNELS=plain` turns them off.
  static let vectorised: Bool = {
    pdsweep_has_avx2() && ProcessInfo.processInfo.environment["PDSWEEP_KERNELS"] != "plain"
  }()

  typealias Row = UnsafeMutablePointer<Float>
  typealias ConstantRow = UnsafePointer<Float>

  /// max over the row.
  static func max(_ x: ConstantRow, _ n: Int) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_max(x, n) }
    #endif
    return unsafe PlainKernels.max(x, n)
  }

  /// sum of exp(x - shift).
  static func expSum(_ x: ConstantRow, _ n: Int, shift: Float) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_exp_sum(x, n, shift) }
    #endif
    return unsafe PlainKernels.expSum(x, n, shift: shift)
  }

  /// x = exp(x - shift), returns the sum.
  static func expInPlace(_ x: Row, _ n: Int, shift: Float) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_exp_in_place(x, n, shift) }
    #endif
    return unsafe PlainKernels.expInPlace(x, n, shift: shift)
  }

  /// x = scale x + offset.
  static func scaleOffset(_ x: Row, _ n: Int, scale: Float, offset: Float) {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_scale_offset(x, n, scale, offset) }
    #endif
    unsafe PlainKernels.scaleOffset(x, n, scale: scale, offset: offset)
  }

  /// sum of the row.
  static func sum(_ x: ConstantRow, _ n: Int) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_sum(x, n) }
    #endif
    return unsafe PlainKernels.sum(x, n)
  }

  /// sum of x y.
  static func dot(_ x: ConstantRow, _ y: ConstantRow, _ n: Int) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_dot(x, y, n) }
    #endif
    return unsafe PlainKernels.dot(x, y, n)
  }

  /// sum of x y z.
  static func dot(_ x: ConstantRow, _ y: ConstantRow, _ z: ConstantRow, _ n: Int) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_dot3(x, y, z, n) }
    #endif
    return unsafe PlainKernels.dot(x, y, z, n)
  }

  /// y += scale x.
  static func addScaled(_ y: Row, _ x: ConstantRow, _ n: Int, scale: Float) {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_add_scaled(y, x, n, scale) }
    #endif
    unsafe PlainKernels.addScaled(y, x, n, scale: scale)
  }

  /// out = x (mask - shift).
  static func mask(_ x: ConstantRow, _ mask: ConstantRow, shift: Float, _ out: Row, _ n: Int) {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_mask(x, mask, shift, out, n) }
    #endif
    unsafe PlainKernels.mask(x, mask, shift: shift, out, n)
  }

  /// gradient += pulled x, then pulled *= mask - shift; returns the sum of pulled x.
  static func maskBackward(
    _ pulled: Row, _ x: ConstantRow, _ mask: ConstantRow, shift: Float, gradient: Row, _ n: Int
  ) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_mask_backward(pulled, x, mask, shift, gradient, n) }
    #endif
    return unsafe PlainKernels.maskBackward(pulled, x, mask, shift: shift, gradient: gradient, n)
  }

  /// KL(base || edited); writes weight (p_edited - p_base) to `gradient` if there is one.
  static func forwardKL(
    _ edited: ConstantRow, _ editedLSE: Float, _ base: ConstantRow, _ baseLSE: Float, _ n: Int, weight: Float,
    gradient: Row?
  ) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_forward_kl(edited, editedLSE, base, baseLSE, n, weight, gradient) }
    #endif
    return unsafe PlainKernels.forwardKL(edited, editedLSE, base, baseLSE, n, weight: weight, gradient: gradient)
  }

  /// KL(edited || base).
  static func reverseKL(
    _ edited: ConstantRow, _ editedLSE: Float, _ base: ConstantRow, _ baseLSE: Float, _ n: Int
  ) -> Float {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_reverse_kl(edited, editedLSE, base, baseLSE, n) }
    #endif
    return unsafe PlainKernels.reverseKL(edited, editedLSE, base, baseLSE, n)
  }

  /// edited = weight p_edited ((log p_edited - log p_base) - kl).
  static func reverseKLGradient(
    _ edited: Row, _ editedLSE: Float, _ base: ConstantRow, _ baseLSE: Float, _ n: Int, weight: Float, kl: Float
  ) {
    #if arch(x86_64)
      if vectorised {
        return unsafe pdsweep_reverse_kl_gradient(edited, editedLSE, base, baseLSE, n, weight, kl)
      }
    #endif
    unsafe PlainKernels.reverseKLGradient(edited, editedLSE, base, baseLSE, n, weight: weight, kl: kl)
  }

  /// out = GELU(x).
  static func gelu(_ x: ConstantRow, _ out: Row, _ n: Int) {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_gelu(x, out, n) }
    #endif
    unsafe PlainKernels.gelu(x, out, n)
  }

  /// gradient *= GELU'(x).
  static func geluBackward(_ x: ConstantRow, _ gradient: Row, _ n: Int) {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_gelu_backward(x, gradient, n) }
    #endif
    unsafe PlainKernels.geluBackward(x, gradient, n)
  }

  /// out = weight x inverse.
  static func rmsScale(_ x: ConstantRow, _ weight: ConstantRow, inverse: Float, _ out: Row, _ n: Int) {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_rms_scale(x, weight, inverse, out, n) }
    #endif
    unsafe PlainKernels.rmsScale(x, weight, inverse: inverse, out, n)
  }

  /// dx += inverse weight dy - shared x.
  static func rmsBackward(
    _ dy: ConstantRow, _ weight: ConstantRow, _ x: ConstantRow, inverse: Float, shared: Float, _ dx: Row, _ n: Int
  ) {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_rms_backward(dy, weight, x, inverse, shared, dx, n) }
    #endif
    unsafe PlainKernels.rmsBackward(dy, weight, x, inverse: inverse, shared: shared, dx, n)
  }

  /// sum of the squares, in double precision.
  static func sumOfSquares(_ x: ConstantRow, _ n: Int) -> Double {
    #if arch(x86_64)
      if vectorised { return unsafe pdsweep_sum_of_squares(x, n) }
    #endif
    return unsafe PlainKernels.sumOfSquares(x, n)
  }

  /// One update of a row by AdamW; see ``AdamWKernel``.
  static func adamW(
    _ parameter: Row, _ gradient: ConstantRow, _ first: UnsafeMutablePointer<Double>,
    _ second: UnsafeMutablePointer<Double>, _ n: Int, by coefficients: AdamWKernel
  ) {
    #if arch(x86_64)
      if vectorised {
        return unsafe pdsweep_adamw(
          parameter, gradient, first, second, n,
          .init(
            keep: coefficients.keep, clip: coefficients.clip, beta1: coefficients.beta1, beta2: coefficients.beta2,
            step: coefficients.step, second_scale: coefficients.secondScale, epsilon: coefficients.epsilon))
      }
    #endif
    unsafe PlainKernels.adamW(parameter, gradient, first, second, n, by: coefficients)
  }
}
