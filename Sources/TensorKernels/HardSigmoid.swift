internal import Foundation

/// The two hard sigmoids of causal importances (Bushnaq, Braun and Sharkey, arXiv 2506.20790), on logits z `[N, C]`.
///
/// Masks are made of the lower-leaky one, the penalty of the upper-leaky one. Both are z between 0 and 1. Without the
/// leaks a subcomponent that is off everywhere could not come back, nor one that is fully on be taken back.
public enum HardSigmoid {
  /// The slope of the leaks.
  public static let leak: Float = 0.01

  /// Turns the gradient of g = clip(z, 0, 1) into that of z, in place.
  ///
  /// Above 1 it is 0. Below 0 a part of it passes, where it would raise z.
  public static func lowerBackward(_ gradient: Matrix, logits: Matrix) {
    precondition(gradient.rows == logits.rows && gradient.columns == logits.columns, "one gradient a logit")
    for row in 0..<logits.rows {
      let z = unsafe logits.base + row * logits.stride
      let dz = unsafe gradient.pointer + row * gradient.stride
      for column in 0..<logits.columns {
        let (value, slope) = unsafe (z[column], dz[column])
        unsafe dz[column] = value <= 0 ? leak * min(slope, 0) : value <= 1 ? slope : 0
      }
    }
  }

  /// Below this, where the power has no finite slope, an upper-leaky sigmoid counts as this in its slope.
  private static let least: Float = 1e-12

  /// The upper-leaky sigmoid: 0 below 0, and beyond 1 by a part of what z is.
  private static func upper(_ z: Float) -> Float { z > 1 ? 1 + leak * (z - 1) : z }

  /// Σ over the rows of u(z)^p for every column, where u is the upper-leaky sigmoid.
  public static func upperPowerSums(_ logits: Matrix, p: Float) -> [Double] {
    var sums = [Double](repeating: 0, count: logits.columns)
    for row in 0..<logits.rows {
      let z = unsafe logits.base + row * logits.stride
      for column in 0..<logits.columns {
        let value = unsafe z[column]
        // Written so that a NaN stays one.
        if value <= 0 { continue }
        sums[column] += Double(pow(upper(value), p))
      }
    }
    return sums
  }

  /// Adds the gradient of Σ_c `weights[c]` Σ over the rows of u(z)^p with respect to z to `gradient`.
  public static func addUpperPowerGradient(_ logits: Matrix, p: Float, weights: [Float], to gradient: Matrix) {
    precondition(gradient.rows == logits.rows && gradient.columns == logits.columns, "one gradient a logit")
    precondition(weights.count == logits.columns, "one weight a column")
    for row in 0..<logits.rows {
      let z = unsafe logits.base + row * logits.stride
      let dz = unsafe gradient.pointer + row * gradient.stride
      for column in 0..<logits.columns {
        let value = unsafe z[column]
        if value <= 0 { continue }
        let slope = p * pow(max(upper(value), least), p - 1)
        unsafe dz[column] += weights[column] * (value > 1 ? leak * slope : slope)
      }
    }
  }

  /// How many logits are above a threshold.
  public static func count(_ logits: Matrix, above threshold: Float) -> Int {
    var count = 0
    for row in 0..<logits.rows {
      let z = unsafe logits.base + row * logits.stride
      for column in 0..<logits.columns where unsafe z[column] > threshold { count += 1 }
    }
    return count
  }
}
