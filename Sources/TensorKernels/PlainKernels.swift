internal import Foundation

/// The row kernels in plain Swift: the oracle that the fast ones are tested against, and what runs on processors
/// without them. Sums are taken in double precision.
enum PlainKernels {
  typealias Row = UnsafeMutablePointer<Float>
  typealias ConstantRow = UnsafePointer<Float>

  static func max(_ x: ConstantRow, _ n: Int) -> Float {
    (0..<n).reduce(-Float.infinity) { unsafe x[$1] > $0 ? x[$1] : $0 }
  }

  static func expSum(_ x: ConstantRow, _ n: Int, shift: Float) -> Float {
    var sum = 0.0
    for i in 0..<n { unsafe sum += Double(Foundation.exp(x[i] - shift)) }
    return Float(sum)
  }

  static func expInPlace(_ x: Row, _ n: Int, shift: Float) -> Float {
    var sum = 0.0
    for i in 0..<n {
      unsafe x[i] = Foundation.exp(x[i] - shift)
      unsafe sum += Double(x[i])
    }
    return Float(sum)
  }

  static func scaleOffset(_ x: Row, _ n: Int, scale: Float, offset: Float) {
    for i in 0..<n { unsafe x[i] = scale * x[i] + offset }
  }

  static func sum(_ x: ConstantRow, _ n: Int) -> Float {
    var sum = 0.0
    for i in 0..<n { unsafe sum += Double(x[i]) }
    return Float(sum)
  }

  static func dot(_ x: ConstantRow, _ y: ConstantRow, _ n: Int) -> Float {
    var sum = 0.0
    for i in 0..<n { unsafe sum += Double(x[i]) * Double(y[i]) }
    return Float(sum)
  }

  static func dot(_ x: ConstantRow, _ y: ConstantRow, _ z: ConstantRow, _ n: Int) -> Float {
    var sum = 0.0
    for i in 0..<n { unsafe sum += Double(x[i]) * Double(y[i]) * Double(z[i]) }
    return Float(sum)
  }

  static func mask(_ x: ConstantRow, _ mask: ConstantRow, shift: Float, _ out: Row, _ n: Int) {
    for i in 0..<n { unsafe out[i] = x[i] * (mask[i] - shift) }
  }

  static func maskBackward(
    _ pulled: Row, _ x: ConstantRow, _ mask: ConstantRow, shift: Float, gradient: Row, _ n: Int
  ) -> Float {
    var sum = 0.0
    for i in 0..<n {
      let product = unsafe pulled[i] * x[i]
      sum += Double(product)
      unsafe gradient[i] += product
      unsafe pulled[i] *= mask[i] - shift
    }
    return Float(sum)
  }

  static func addScaled(_ y: Row, _ x: ConstantRow, _ n: Int, scale: Float) {
    for i in 0..<n { unsafe y[i] += scale * x[i] }
  }

  static func forwardKL(
    _ edited: ConstantRow, _ editedLSE: Float, _ base: ConstantRow, _ baseLSE: Float, _ n: Int, weight: Float,
    gradient: Row?
  ) -> Float {
    var sum = 0.0
    for i in 0..<n {
      let logEdited = unsafe edited[i] - editedLSE
      let logBase = unsafe base[i] - baseLSE
      let pBase = Foundation.exp(logBase)
      sum += Double(pBase) * Double(logBase - logEdited)
      if let gradient = unsafe gradient {
        unsafe gradient[i] = weight * (Foundation.exp(logEdited) - pBase)
      }
    }
    return Float(sum)
  }

  static func reverseKL(
    _ edited: ConstantRow, _ editedLSE: Float, _ base: ConstantRow, _ baseLSE: Float, _ n: Int
  ) -> Float {
    var sum = 0.0
    for i in 0..<n {
      let logEdited = unsafe edited[i] - editedLSE
      let logBase = unsafe base[i] - baseLSE
      sum += Double(Foundation.exp(logEdited)) * Double(logEdited - logBase)
    }
    return Float(sum)
  }

  static func reverseKLGradient(
    _ edited: Row, _ editedLSE: Float, _ base: ConstantRow, _ baseLSE: Float, _ n: Int, weight: Float, kl: Float
  ) {
    for i in 0..<n {
      let logEdited = unsafe edited[i] - editedLSE
      let logBase = unsafe base[i] - baseLSE
      unsafe edited[i] = weight * Foundation.exp(logEdited) * (logEdited - logBase - kl)
    }
  }

  /// sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3); 0.5 (1 + tanh u) is the same number.
  private static func gate(_ x: Float) -> Float {
    let u = 0.797_884_560_802_865_4 * x * (1 + 0.044715 * x * x)
    return 1 / (1 + Foundation.exp(-2 * u))
  }

  static func gelu(_ x: ConstantRow, _ out: Row, _ n: Int) {
    for i in 0..<n { unsafe out[i] = x[i] * gate(x[i]) }
  }

  static func geluBackward(_ x: ConstantRow, _ gradient: Row, _ n: Int) {
    for i in 0..<n {
      let value = unsafe x[i]
      let open = gate(value)
      let slope: Float = 2 * 0.797_884_560_802_865_4 * (1 + 3 * 0.044715 * value * value)
      unsafe gradient[i] *= open + value * slope * open * (1 - open)
    }
  }

  static func rmsScale(_ x: ConstantRow, _ weight: ConstantRow, inverse: Float, _ out: Row, _ n: Int) {
    for i in 0..<n { unsafe out[i] = weight[i] * (x[i] * inverse) }
  }

  static func rmsBackward(
    _ dy: ConstantRow, _ weight: ConstantRow, _ x: ConstantRow, inverse: Float, shared: Float, _ dx: Row, _ n: Int
  ) {
    for i in 0..<n { unsafe dx[i] += inverse * weight[i] * dy[i] - shared * x[i] }
  }

  static func sumOfSquares(_ x: ConstantRow, _ n: Int) -> Double {
    var sum = 0.0
    for i in 0..<n { unsafe sum += Double(x[i]) * Double(x[i]) }
    return sum
  }

  static func adamW(
    _ parameter: Row, _ gradient: ConstantRow, _ first: UnsafeMutablePointer<Double>,
    _ second: UnsafeMutablePointer<Double>, _ n: Int, by coefficients: AdamWKernel
  ) {
    for i in 0..<n {
      let g = unsafe Double(gradient[i]) * coefficients.clip
      unsafe first[i] = coefficients.beta1 * first[i] + (1 - coefficients.beta1) * g
      unsafe second[i] = coefficients.beta2 * second[i] + (1 - coefficients.beta2) * g * g
      let size = unsafe (second[i] * coefficients.secondScale).squareRoot() + coefficients.epsilon
      unsafe parameter[i] = Float(Double(parameter[i]) * coefficients.keep - coefficients.step * first[i] / size)
    }
  }
}
