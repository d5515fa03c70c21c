internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import TensorKernels

/// A decomposition in training: all that the rest of it depends on besides its inputs.
struct VPDState {
  let sites: [TrainedSite]
  var factors: AdamW
  var importances: AdamW
  var adversary: Adversary

  /// Updates made.
  var step: Int { factors.step }

  /// V and U of all sites.
  var factorParameters: [TrainableParameter] { sites.flatMap(\.factors) }

  /// The importance functions' matrices of all sites.
  var importanceParameters: [TrainableParameter] { sites.flatMap(\.importanceParameters) }

  /// The beginning.
  init(sites: [TrainedSite], settings: VPDSettings, positions: Int) {
    self.sites = sites
    factors = AdamW(settings: settings.factorAdamW, parameters: sites.flatMap(\.factors))
    importances = AdamW(settings: settings.importanceAdamW, parameters: sites.flatMap(\.importanceParameters))
    adversary = Adversary(settings: settings, sites: sites, positions: positions)
  }
}

extension VPDSettings {
  /// The optimiser of V and U.
  var factorAdamW: AdamW.Settings {
    AdamW.Settings(learningRate: learningRate, beta1: beta1, beta2: beta2, clipNorm: clipNorm)
  }

  /// The optimiser of the importance functions.
  var importanceAdamW: AdamW.Settings {
    AdamW.Settings(learningRate: importanceLearningRate, beta1: beta1, beta2: beta2)
  }

  /// That of the adversary's sources, with a short memory: what is worst changes with the rest.
  var adversaryAdamW: AdamW.Settings {
    AdamW.Settings(learningRate: adversarial.learningRate, beta1: 0.5, beta2: 0.99)
  }
}

// MARK: - On disk

/// `NAME.checkpoint.safetensors`, a ``TrainingCheckpoint``.
extension VPDState {
  private struct Record: CheckpointRecord {
    static let key = "vpd"
    static let currentFormat = 1
    static let product = "decomposition"
    static let advice =
      "bring back the recipe and the files that it was begun with, name another --output, or remove it"

    let format: Int
    let identity: SHA256Digest
    let step: Int
    let adversaryStep: Int
  }

  /// Writes a checkpoint in place of an older one, atomically and durably.
  func write(to path: String, identity: SHA256Digest) throws(InputFileError) {
    try TrainingCheckpoint.write(
      [
        (factorParameters, factors.moments), (importanceParameters, importances.moments),
        (adversary.parameters, adversary.optimiser.moments),
      ],
      record: Record(
        format: Record.currentFormat, identity: identity, step: step, adversaryStep: adversary.optimiser.step),
      to: path)
  }

  /// Reads a checkpoint into a training at its beginning, whose numbers are overwritten.
  ///
  /// - Throws: for a damaged one, and for one of another recipe or other files.
  init(
    checkpoint path: String, identity: SHA256Digest, settings: VPDSettings, start: VPDState
  ) throws(InputFileError) {
    let checkpoint = try TrainingCheckpoint<Record>(path: path, identity: identity, steps: settings.steps)
    let record = checkpoint.record
    guard record.adversaryStep >= 0 else {
      throw InputFileError(
        file: path, problem: "expected an adversary's step of at least 0, found \(record.adversaryStep)",
        advice: Record.advice)
    }
    func optimiser(
      _ settings: AdamW.Settings, of parameters: [TrainableParameter]
    ) throws(InputFileError) -> AdamW {
      try checkpoint.restore(parameters)
      return AdamW(
        settings: settings, parameters: parameters, moments: try checkpoint.moments(of: parameters), step: record.step)
    }
    sites = start.sites
    factors = try optimiser(settings.factorAdamW, of: start.factorParameters)
    importances = try optimiser(settings.importanceAdamW, of: start.importanceParameters)
    adversary = start.adversary
    try checkpoint.restore(adversary.parameters)
    adversary.restore(step: record.adversaryStep, moments: try checkpoint.moments(of: adversary.parameters))
  }
}
