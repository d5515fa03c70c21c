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

/// `checkpoint.safetensors`, a ``TrainingCheckpoint``.
extension PretrainingState {
  private struct Record: CheckpointRecord {
    static let key = "pretraining"
    static let currentFormat = 1
    static let product = "training"
    static let advice = "bring back the recipe and the files that it was begun with, or name another --output folder"

    let format: Int
    let identity: SHA256Digest
    let step: Int
    let measurements: [PretrainingRecord.Measurement]
    let since: [LossSum]
  }

  /// Writes a checkpoint in place of an older one, atomically and durably.
  func write(to path: String, identity: SHA256Digest) throws(InputFileError) {
    try TrainingCheckpoint.write(
      [(weights.parameters, optimiser.moments)],
      record: Record(
        format: Record.currentFormat, identity: identity, step: step, measurements: measurements, since: since),
      to: path)
  }

  /// Reads a checkpoint.
  ///
  /// - Throws: for a damaged one, and for one of another recipe or other files.
  init(checkpoint path: String, _ inputs: PretrainingInputs) throws(InputFileError) {
    let checkpoint = try TrainingCheckpoint<Record>(
      path: path, identity: inputs.identity, steps: inputs.recipe.training.steps)
    guard checkpoint.record.since.count == inputs.languages.count else {
      throw InputFileError(
        file: path,
        problem: "expected losses of \(inputs.languages.count) languages, found \(checkpoint.record.since.count)",
        advice: Record.advice)
    }
    weights = try TrainedWeights(configuration: inputs.configuration) { name, rows, columns throws(InputFileError) in
      try checkpoint.values(name, rows: rows, columns: columns)
    }
    optimiser = AdamW(
      settings: inputs.recipe.training.adamW, parameters: weights.parameters,
      moments: try checkpoint.moments(of: weights.parameters), step: checkpoint.record.step, decays: Self.decays)
    measurements = checkpoint.record.measurements
    since = checkpoint.record.since
  }
}
