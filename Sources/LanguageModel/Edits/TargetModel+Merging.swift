internal import TensorKernels

extension TargetModel {
  /// The model whose weights hold an edit: W + ΔW at each of its sites. What it computes is the edited model's up to
  /// rounding.
  ///
  /// Traps on a site that the model does not have.
  public func merging(_ edit: any Edit) -> TargetModel {
    var weights = Dictionary(uniqueKeysWithValues: namedWeights.map { ($0.name, $0.weight) })
    for (site, delta) in edit.deltas {
      weights[site.weightName] = delta.merged(into: weight(at: site))
    }
    return TargetModel(configuration: configuration, named: weights)
  }

  /// The first matrix of the model, in its order, that holds a number that is not finite; `nil` if none does.
  public var firstNonFiniteSite: Site? {
    configuration.sites.first { weight(at: $0).firstNonFinite != nil }
  }
}
