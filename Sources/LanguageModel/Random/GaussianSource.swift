internal import Foundation

/// Normally distributed numbers of mean 0 and variance 1 by the method of Box and Muller (1958), two at a time.
public struct GaussianSource: Sendable {
  private var spare: Double?

  /// Creates a source that has drawn nothing yet.
  public init() {}

  /// The next number.
  public mutating func next(using generator: inout some RandomNumberGenerator) -> Double {
    if let spare {
      self.spare = nil
      return spare
    }
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &generator))).squareRoot()
    let angle = 2 * Double.pi * Double.random(in: 0..<1, using: &generator)
    spare = radius * sin(angle)
    return radius * cos(angle)
  }
}
