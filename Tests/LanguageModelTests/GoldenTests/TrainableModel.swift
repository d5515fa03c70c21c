import TensorKernels

@testable import LanguageModel

extension TargetModel {
  /// A model of trained weights, as they stand now, in ``namedWeights``'s order.
  convenience init(configuration: ModelConfiguration, parameters: [TrainableParameter]) {
    let weights = Dictionary(
      uniqueKeysWithValues: parameters.map { ($0.name, ConstantMatrix(copying: $0.value)) })
    func named(_ name: String) -> ConstantMatrix {
      guard let weight = weights[name] else { preconditionFailure("no parameter \(name)") }
      return weight
    }
    self.init(
      configuration: configuration,
      weights: Weights(
        embedding: named("wte.weight"), finalNorm: named("ln_f.weight"),
        norms: (0..<configuration.layers).map {
          (named("h.\($0).rms_1.weight"), named("h.\($0).rms_2.weight"))
        },
        matrices: Dictionary(uniqueKeysWithValues: configuration.sites.map { ($0, named($0.weightName)) })))
  }
}
