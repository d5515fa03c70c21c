internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import TensorKernels

/// A training in progress: all that the rest of it depends on besides its inputs.
struct PretrainingState {
  let weights: TrainedWeights
  var optimiser: AdamW
  /// Updates made.
  var step: Int { optimiser.step }
  /// Measurements so far.
  var measurements: [PretrainingRecord.Measurement] = []
  /// Training losses since the last measurement, by language.
  var since: [LossSum]

  /// A sum of losses.
  struct LossSum: Codable, Sendable, Hashable {
    var nats = 0.0
    var windows = 0

    /// Nats a token; `nil` of nothing.
    var mean: Double? { windows == 0 ? nil : nats / Double(windows) }
  }

  /// The beginning.
  init(_ inputs: PretrainingInputs) {
    weights = TrainedWeights(configuration: inputs.configuration, seed: inputs.recipe.training.seed)
    optimiser = AdamW(
      settings: inputs.recipe.training.adamW, parameters: weights.parameters, decays: Self.decays)
    since = inputs.languages.map { _ in LossSum() }
  }

  /// Weight decay is for matrices.
  private static func decays(_ parameter: TrainableParameter) -> Bool { !TargetModel.isNorm(parameter.name) }
}

extension PretrainingRecipe.Training {
  /// The optimiser's settings.
  var adamW: AdamW.Settings {
    AdamW.Settings(
      learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
      clipNorm: clipNorm)
  }
}

// MARK: - On disk

/// `checkpoint.safetensors`: weights in F32 under their names, moments in F64 as `first.NAME` and `second.NAME`, and
/// the rest as JSON in the header's `pretraining`.
extension PretrainingState {
  private static let key = "pretraining"
  private static let format = 1

  private struct Stored: Codable {
    let format: Int
    let identity: SHA256Digest
    let step: Int
    let measurements: [PretrainingRecord.Measurement]
    let since: [LossSum]
  }

  /// Writes a checkpoint in place of an older one, atomically and durably.
  func write(to path: String, identity: SHA256Digest) throws(InputFileError) {
    var tensors: [SafetensorsFile.Content] = []
    for (parameter, moments) in zip(weights.parameters, optimiser.moments) {
      let shape = [parameter.value.rows, parameter.value.columns]
      tensors.append(.init(name: parameter.name, shape: shape, elements: parameter.value.copyOfElements()))
      tensors.append(.init(name: "first.\(parameter.name)", shape: shape, stored: .float64(moments.first)))
      tensors.append(.init(name: "second.\(parameter.name)", shape: shape, stored: .float64(moments.second)))
    }
    let stored = Stored(
      format: Self.format, identity: identity, step: step, measurements: measurements, since: since)
    let text = RecordJSON.encode(stored, formatting: [.sortedKeys, .withoutEscapingSlashes])
    try SafetensorsFile.write(tensors, metadata: [Self.key: String(decoding: text, as: UTF8.self)], to: path)
  }

  /// Reads a checkpoint.
  ///
  /// - Throws: for a damaged one, and for one of another recipe or other files.
  init(checkpoint path: String, _ inputs: PretrainingInputs) throws(InputFileError) {
    let file = try SafetensorsFile(path: path)
    func refusal(_ problem: String) -> InputFileError {
      InputFileError(
        file: path, problem: problem,
        advice: "bring back the recipe and the files that it was begun with, or name another --output folder")
    }
    guard let text = file.metadata[Self.key],
      let stored = try? RecordJSON.decode(Stored.self, from: Array(text.utf8)), stored.format == Self.format
    else { throw refusal("expected a checkpoint of version \(Self.format), found another file") }
    guard stored.identity == inputs.identity, stored.since.count == inputs.languages.count else {
      throw refusal("expected a checkpoint of this recipe on these files, found one of another training")
    }
    guard (0...inputs.recipe.training.steps).contains(stored.step) else {
      throw refusal("expected a step from 0 to \(inputs.recipe.training.steps), found \(stored.step)")
    }
    func numbers(_ name: String, _ rows: Int, _ columns: Int) throws(InputFileError) -> SafetensorsFile.Tensor {
      try file.tensor(name, shape: [rows, columns])
    }
    weights = try TrainedWeights(configuration: inputs.configuration) { name, rows, columns throws(InputFileError) in
      let tensor = try numbers(name, rows, columns)
      let elements = try file.floats(tensor)
      guard elements.allSatisfy(\.isFinite) else { throw refusal("expected finite numbers in \(name), found others") }
      return elements
    }
    var moments: [AdamW.Moments] = []
    for parameter in weights.parameters {
      let (rows, columns) = (parameter.value.rows, parameter.value.columns)
      moments.append(
        AdamW.Moments(
          first: try file.doubles(try numbers("first.\(parameter.name)", rows, columns)),
          second: try file.doubles(try numbers("second.\(parameter.name)", rows, columns))))
    }
    optimiser = AdamW(
      settings: inputs.recipe.training.adamW, parameters: weights.parameters, moments: moments, step: stored.step,
      decays: Self.decays)
    measurements = stored.measurements
    since = stored.since
  }
}
