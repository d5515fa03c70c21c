import TensorKernels

@testable import LanguageModel

extension TargetModel {
  /// A model of trained weights, as they stand now, in ``namedWeights``'s order.
  convenience init(configuration: ModelConfiguration, parameters: [TrainableParameter]) {
    self.init(
      configuration: configuration,
      named: Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, ConstantMatrix(copying: $0.value)) }))
  }

  /// The mean over windows of equal length, with its gradients.
  func meanCrossEntropy(of windows: [TokenWindow], accumulatingInto gradients: WeightGradients) -> Double {
    let weights = windows.map { _ in 1 / Double(windows.count) }
    let losses = crossEntropies(of: windows, weights: weights, accumulatingInto: gradients)
    return losses.reduce(0, +) / Double(windows.count)
  }
}
