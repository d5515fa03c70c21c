internal import ContentHash
internal import LanguageModel
internal import TensorKernels

/// The weights of a model in training, with their gradients.
///
/// Belongs to the thread of the training; ``model`` is a copy that other threads may read.
struct TrainedWeights {
  let configuration: ModelConfiguration
  /// In ``TargetModel/namedWeights``'s order; their gradients are those of ``gradients``.
  let parameters: [TrainableParameter]
  /// Where the gradients of a step are gathered.
  let gradients: WeightGradients

  /// Draws weights: norms are 1, matrices normal with a deviation of 0.02, those that write into the residual stream
  /// of 0.02 / sqrt(2 layers), so that the stream's variance does not grow with the depth (Radford et al., 2019). Each
  /// weight has a generator of its own.
  init(configuration: ModelConfiguration, seed: Int) {
    let writers = Set(configuration.sites.filter(\.writesToResidual).map(\.weightName))
    let scale = 0.02
    let writerScale = scale / Double(2 * configuration.layers).squareRoot()
    self.init(configuration: configuration) { name, rows, columns in
      guard !TargetModel.isNorm(name) else { return [Float](repeating: 1, count: columns) }
      var generator = SplitMix64(seed: SHA256Digest(of: "initial weights/\(seed)/\(name)").leadingWord)
      var source = GaussianSource()
      let deviation = writers.contains(name) ? writerScale : scale
      return (0..<rows * columns).map { _ in Float(deviation * source.next(using: &generator)) }
    }
  }

  /// Takes the elements of every weight, row by row, from `elements(name, rows, columns)`.
  init<Failure: Error>(
    configuration: ModelConfiguration, elements: (String, Int, Int) throws(Failure) -> [Float]
  ) throws(Failure) {
    self.configuration = configuration
    gradients = WeightGradients(configuration: configuration)
    var parameters: [TrainableParameter] = []
    for (name, gradient) in gradients.named {
      let numbers = try elements(name, gradient.rows, gradient.columns)
      parameters.append(
        TrainableParameter(
          name: name, value: Matrix(rows: gradient.rows, columns: gradient.columns, elements: numbers),
          gradient: gradient))
    }
    self.parameters = parameters
  }

  /// The model of the weights as they stand now, a copy.
  var model: TargetModel {
    TargetModel(
      configuration: configuration,
      named: Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, ConstantMatrix(copying: $0.value)) }))
  }

  /// Number of weights.
  var count: Int { parameters.reduce(0) { $0 + $1.value.rows * $1.value.columns } }
}
