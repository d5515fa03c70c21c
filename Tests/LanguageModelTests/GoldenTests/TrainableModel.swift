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
    let weight = 1 / Double(windows.count)
    return crossEntropies(of: windows, weight: weight, accumulatingInto: gradients).reduce(0, +) * weight
  }
}
