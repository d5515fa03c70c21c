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

/// `NAME.checkpoint.safetensors`: what is trained in F32 under its names, moments in F64 as `first.NAME` and
/// `second.NAME`, and the rest as JSON in the header's `vpd`.
extension VPDState {
  private static let key = "vpd"
  private static let format = 1

  private struct Stored: Codable {
    let format: Int
    let identity: SHA256Digest
    let step: Int
    let adversaryStep: Int
  }

  /// Writes a checkpoint in place of an older one, atomically and durably.
  func write(to path: String, identity: SHA256Digest) throws(InputFileError) {
    var tensors: [SafetensorsFile.Content] = []
    let groups = [
      (factorParameters, factors.moments), (importanceParameters, importances.moments),
      (adversary.parameters, adversary.optimiser.moments),
    ]
    for (parameters, moments) in groups {
      for (parameter, moments) in zip(parameters, moments) {
        let shape = [parameter.value.rows, parameter.value.columns]
        tensors.append(.init(name: parameter.name, shape: shape, elements: parameter.value.copyOfElements()))
        tensors.append(.init(name: "first.\(parameter.name)", shape: shape, stored: .float64(moments.first)))
        tensors.append(.init(name: "second.\(parameter.name)", shape: shape, stored: .float64(moments.second)))
      }
    }
    let stored = Stored(
      format: Self.format, identity: identity, step: step, adversaryStep: adversary.optimiser.step)
    let text = RecordJSON.encode(stored, formatting: [.sortedKeys, .withoutEscapingSlashes])
    try SafetensorsFile.write(tensors, metadata: [Self.key: String(decoding: text, as: UTF8.self)], to: path)
  }

  /// Reads a checkpoint into a training at its beginning, whose numbers are overwritten.
  ///
  /// - Throws: for a damaged one, and for one of another recipe or other files.
  init(
    checkpoint path: String, identity: SHA256Digest, settings: VPDSettings, start: VPDState
  ) throws(InputFileError) {
    let file = try SafetensorsFile(path: path)
    func refusal(_ problem: String) -> InputFileError {
      InputFileError(
        file: path, problem: problem,
        advice: "bring back the recipe and the files that it was begun with, name another --output, or remove it")
    }
    guard let text = file.metadata[Self.key],
      let stored = try? RecordJSON.decode(Stored.self, from: Array(text.utf8)), stored.format == Self.format
    else { throw refusal("expected a checkpoint of version \(Self.format), found another file") }
    guard stored.identity == identity else {
      throw refusal("expected a checkpoint of this recipe on these files, found one of another decomposition")
    }
    guard (0...settings.steps).contains(stored.step), stored.adversaryStep >= 0 else {
      throw refusal("expected a step from 0 to \(settings.steps), found \(stored.step)")
    }
    func restore(_ parameters: [TrainableParameter]) throws(InputFileError) -> [AdamW.Moments] {
      var moments: [AdamW.Moments] = []
      for parameter in parameters {
        let shape = [parameter.value.rows, parameter.value.columns]
        let elements = try file.floats(try file.tensor(parameter.name, shape: shape))
        guard elements.allSatisfy(\.isFinite) else {
          throw refusal("expected finite numbers in \(parameter.name), found others")
        }
        parameter.value.copy(from: Matrix(rows: shape[0], columns: shape[1], elements: elements))
        moments.append(
          AdamW.Moments(
            first: try file.doubles(try file.tensor("first.\(parameter.name)", shape: shape)),
            second: try file.doubles(try file.tensor("second.\(parameter.name)", shape: shape))))
      }
      return moments
    }
    sites = start.sites
    let (factorParameters, importanceParameters) = (start.factorParameters, start.importanceParameters)
    factors = AdamW(
      settings: settings.factorAdamW, parameters: factorParameters, moments: try restore(factorParameters),
      step: stored.step)
    importances = AdamW(
      settings: settings.importanceAdamW, parameters: importanceParameters,
      moments: try restore(importanceParameters), step: stored.step)
    adversary = start.adversary
    adversary.restore(step: stored.adversaryStep, moments: try restore(adversary.parameters))
  }
}
