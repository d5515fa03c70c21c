internal import Foundation
internal import TensorKernels

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) in torch's definition, in place:
///
///     p *= 1 - lr wd
///     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g²
///     p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + ε)
///
/// Moments are kept in double precision, parameters in float32.
public struct AdamW {
  /// The numbers of the formula.
  public struct Settings: Sendable, Hashable {
    /// The learning rate, which every update may scale.
    public var learningRate: Double
    /// Decay rates of the moments.
    public var beta1: Double, beta2: Double
    /// Added to the denominator.
    public var epsilon: Double
    /// Decoupled weight decay.
    public var weightDecay: Double
    /// Gradients are scaled by min(1, clip / (norm + 1e-6)); `nil` = never.
    public var clipNorm: Double?

    /// Creates settings.
    public init(
      learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
      weightDecay: Double = 0, clipNorm: Double? = nil
    ) {
      self.learningRate = learningRate
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
      self.clipNorm = clipNorm
    }
  }

  /// What the optimiser remembers of one parameter, row by row.
  public struct Moments: Sendable, Hashable {
    /// m.
    public var first: [Double]
    /// v.
    public var second: [Double]

    /// Takes moments.
    public init(first: [Double], second: [Double]) {
      self.first = first
      self.second = second
    }

    fileprivate mutating func update(_ parameter: TrainableParameter, by kernel: AdamWKernel) {
      kernel.update(parameter.value, gradient: parameter.gradient, first: &first, second: &second)
    }
  }

  /// The settings.
  public let settings: Settings
  /// The moments, in the parameters' order.
  public private(set) var moments: [Moments]
  /// Updates made.
  public private(set) var step: Int
  private let decays: [Bool]

  /// Prepares for `parameters`. Weight decay holds for those that `decays` says it of.
  public init(
    settings: Settings, parameters: [TrainableParameter], decays: (TrainableParameter) -> Bool = { _ in true }
  ) {
    let moments = parameters.map { parameter in
      let zeros = [Double](repeating: 0, count: parameter.value.rows * parameter.value.columns)
      return Moments(first: zeros, second: zeros)
    }
    self.init(settings: settings, parameters: parameters, moments: moments, step: 0, decays: decays)
  }

  /// Goes on from what an optimiser of the same settings had come to after `step` updates.
  public init(
    settings: Settings, parameters: [TrainableParameter], moments: [Moments], step: Int,
    decays: (TrainableParameter) -> Bool = { _ in true }
  ) {
    precondition(moments.count == parameters.count, "moments of every parameter")
    self.settings = settings
    self.decays = parameters.map(decays)
    self.moments = moments
    self.step = step
  }

  /// One update from the parameters' gradients, with `rate` times the settings' learning rate.
  ///
  /// - Returns: the global L2 norm of the gradients before clipping.
  @discardableResult
  public mutating func update(_ parameters: [TrainableParameter], rate: Double = 1) -> Double {
    precondition(parameters.count == moments.count, "the parameters that the optimiser was made for")
    step += 1
    let norm = parameters.reduce(0) { $0 + $1.gradient.sumOfSquares }.squareRoot()
    let learningRate = settings.learningRate * rate
    var kernel = AdamWKernel(
      keep: 1, clip: settings.clipNorm.map { min(1, $0 / (norm + 1e-6)) } ?? 1, beta1: settings.beta1,
      beta2: settings.beta2, step: learningRate / (1 - pow(settings.beta1, Double(step))),
      secondScale: 1 / (1 - pow(settings.beta2, Double(step))), epsilon: settings.epsilon)
    for (index, parameter) in parameters.enumerated() {
      kernel.keep = decays[index] ? 1 - learningRate * settings.weightDecay : 1
      moments[index].update(parameter, by: kernel)
    }
    return norm
  }
}
