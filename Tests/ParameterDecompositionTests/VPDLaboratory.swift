import Foundation
import LanguageModel
import TensorKernels

@testable import ParameterDecomposition

/// A small VPD on the laboratory's model.
struct VPDLaboratory {
  let laboratory = try? DecompositionLaboratory()
  let task: DecompositionTask

  static let settings = VPDSettings(
    steps: 8, batch: 6, seed: 3, start: .random, subcomponents: ["c_fc": 20, "down_proj": 30], hidden: 8,
    learningRate: 1e-3, importanceLearningRate: 2e-3, finalLearningRate: 0.1, beta1: 0.9, beta2: 0.99, clipNorm: nil,
    leastSource: 0, greatestSource: 1, stochastic: .init(weight: 0.5),
    adversarial: .init(weight: 0.5, learningRate: 0.05, warmUp: 1),
    importance: .init(weight: 1e-3, ramp: 0, firstPower: 2, lastPower: 0.5, annealing: 1, frequency: 0.2),
    faithfulness: 1e3, checkpointEvery: 3)
  static var ica: SparseICA { SparseICA(tokens: 600, seeds: [0], ridge: 1e-4, iterations: 20) }
  static let sites = [
    Site(layer: 0, kind: .value), Site(layer: 0, kind: .expand), Site(layer: 0, kind: .contract),
  ]

  init(sites: [Site] = Self.sites, context: Int = 12) throws {
    guard let laboratory else { throw CocoaError(.fileNoSuchFile) }
    task = DecompositionTask(
      model: try laboratory.model(), modelPath: "model.safetensors", sites: sites,
      text: TrainingText(
        corpora: [
          .init(name: "a", corpus: try Corpus(path: laboratory.path("a.txt")), share: 1),
          .init(name: "b", corpus: try Corpus(path: laboratory.path("b.txt")), share: 2),
        ], tokenizer: try Tokenizer(path: laboratory.path("target/tokenizer.json")), start: 0, context: context))
  }

  /// What a run gives: all numbers by name, and every step.
  func decompose(
    _ settings: VPDSettings = Self.settings, control: DecompositionControl = DecompositionControl()
  ) throws -> (numbers: [String: [Float]], steps: [VPDStep]) {
    var task = task
    var steps: [VPDStep] = []
    let observe = control.observe
    task.control = control
    task.control.observe = { event in
      if case .stepped(let step, _) = event { steps.append(step) }
      observe(event)
    }
    var numbers: [String: [Float]] = [:]
    try VPD(settings: settings, ica: Self.ica).decompose(task) { part in
      numbers["\(part.site).V"] = part.read.copyOfElements()
      numbers["\(part.site).U"] = part.write.copyOfElements()
      numbers["\(part.site).hidden"] = part.importance?.hidden.copyOfElements()
      numbers["\(part.site).output_bias"] = part.importance?.outputBias.copyOfElements()
    }
    return (numbers, steps)
  }

  /// Windows of some lengths of random tokens.
  func windows(_ lengths: [Int]) -> [TokenWindow] {
    var generator = SplitMix64(seed: 5)
    return lengths.map { length in
      TokenWindow(start: 0, predicting: (0..<length).map { _ in Int.random(in: 0..<257, using: &generator) })
    }
  }
}
