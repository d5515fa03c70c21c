internal import Foundation
internal import TensorKernels

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) in torch's definition, in place:
///
///     p *= 1 - lr wd
///     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g²
///     p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + ε)
///
/// Moments are kept in double precision, parameters in float32.
struct AdamW {
  struct Settings: Sendable, Hashable {
    var learningRate: Double
    var beta1 = 0.9
    var beta2 = 0.999
    var epsilon = 1e-8
    var weightDecay = 0.0
    /// Gradients are scaled by min(1, clip / (norm + 1e-6)); `nil` = never.
    var clipNorm: Double?
  }

  let settings: Settings
  private var moments: [(first: [Double], second: [Double])]
  private let decays: [Bool]
  private var step = 0

  /// Prepares for `parameters`. Weight decay holds for those that `decays` says it of.
  init(
    settings: Settings, parameters: [TrainableParameter], decays: (TrainableParameter) -> Bool = { _ in true }
  ) {
    self.settings = settings
    self.decays = parameters.map(decays)
    moments = parameters.map {
      let zeros = [Double](repeating: 0, count: $0.value.rows * $0.value.columns)
      return (zeros, zeros)
    }
  }

  /// One update from the parameters' gradients.
  mutating func update(_ parameters: [TrainableParameter]) {
    precondition(parameters.count == moments.count, "the parameters that the optimiser was made for")
    step += 1
    let norm = parameters.reduce(0) { $0 + $1.gradient.sumOfSquares }.squareRoot()
    let clip = settings.clipNorm.map { min(1, $0 / (norm + 1e-6)) } ?? 1
    let correction1 = 1 - pow(settings.beta1, Double(step))
    let correction2 = 1 - pow(settings.beta2, Double(step))
    for (index, parameter) in parameters.enumerated() {
      let keep = decays[index] ? 1 - settings.learningRate * settings.weightDecay : 1
      let columns = parameter.value.columns
      for row in 0..<parameter.value.rows {
        for column in 0..<columns {
          let place = row * columns + column
          let gradient = Double(parameter.gradient[row, column]) * clip
          let first = settings.beta1 * moments[index].first[place] + (1 - settings.beta1) * gradient
          let second = settings.beta2 * moments[index].second[place] + (1 - settings.beta2) * gradient * gradient
          moments[index].first[place] = first
          moments[index].second[place] = second
          let denominator = (second / correction2).squareRoot() + settings.epsilon
          let change = settings.learningRate * (first / correction1) / denominator
          parameter.value[row, column] = Float(Double(parameter.value[row, column]) * keep - change)
        }
      }
    }
  }
}
