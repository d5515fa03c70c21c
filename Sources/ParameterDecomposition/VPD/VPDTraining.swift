internal import Foundation
public import LanguageModel
internal import TensorKernels

/// The losses of a step of VPD, and how many subcomponents matter.
public struct VPDStep: Sendable, Hashable {
  /// Updates made, this one included.
  public let step: Int
  /// KL(base || masked) under random masks on random sites, nats; `nil` where its weight is 0.
  public let stochastic: Double?
  /// KL(base || masked) under the adversary's masks, nats; `nil` where its weight is 0.
  public let adversarial: Double?
  /// The loss on importances, not weighted.
  public let importance: Double
  /// Mean square of W - (V U)ᵀ over the elements of all sites.
  public let faithfulness: Double
  /// L0 by site: the mean number of subcomponents a token whose importance is above 0.5.
  public let active: [Site: Double]

  /// Whether all losses are numbers.
  var isFinite: Bool {
    [stochastic ?? 0, adversarial ?? 0, importance, faithfulness].allSatisfy(\.isFinite)
  }
}

/// Takes the steps of VPD.
///
/// A batch is cut into a fixed number of parts, whose sums are added up in the parts' order: the numbers are the same bit
/// for bit on any number of threads.
struct VPDTraining {
  /// A subcomponent counts as active where its importance is above this.
  static let activeThreshold: Float = 0.5
  /// The most parts of a batch, and so the most threads that are of use. Each takes the memory of one copy of all
  /// gradients.
  private static let mostParts = 4

  private let settings: VPDSettings
  private let threads: Int
  private let parts: [VPDPart]
  private let weightCount: Double

  init(model: TargetModel, settings: VPDSettings, state: VPDState, threads: Int) {
    self.settings = settings
    self.threads = threads
    // The first part gathers in the place of the sum.
    parts = (0..<min(settings.batch, Self.mostParts)).map { part in
      let gradients = state.sites.map { site in
        part == 0
          ? site.gradients : SiteGradients(read: site.read, write: site.write, importance: site.importance)
      }
      return VPDPart(
        model: model, sites: state.sites, settings: settings, gradients: gradients, adversary: state.adversary)
    }
    weightCount = state.sites.reduce(0) { $0 + Double($1.weight.rows * $1.weight.columns) }
  }

  /// One update of everything, on the windows of a batch, as many as the settings say.
  func step(_ state: inout VPDState, windows: [TokenWindow]) -> VPDStep {
    precondition(windows.count == settings.batch, "a whole batch")
    let number = state.step
    let power = settings.power(ofStep: number)
    let rows = windows.reduce(0) { $0 + $1.inputs.count }
    let tallies = forEachPart { part, index in
      part.begin(
        Array(windows[windows.count * index / parts.count..<windows.count * (index + 1) / parts.count]),
        ofRows: rows, power: power)
    }
    let importance = importanceLoss(tallies, rows: rows, step: number)

    let hasAdversary = settings.adversarial.weight > 0
    if hasAdversary {
      for _ in 0..<settings.adversarial.warmUp {
        let adversary = state.adversary
        _ = forEachPart { part, _ in part.adversarial(adversary, training: false) }
        state.adversary.ascend(parts.map(\.sourceGradients))
      }
    }
    let (adversary, hasStochastic) = (state.adversary, settings.stochastic.weight > 0)
    let losses = forEachPart { part, index -> (stochastic: Double, adversarial: Double) in
      var random = RandomMasks(seed: settings.seed, step: number, part: index)
      let stochastic = hasStochastic ? part.stochastic(&random) : 0
      let adversarial = hasAdversary ? part.adversarial(adversary, training: true) : 0
      part.finish(power: power, penalties: importance.penalties)
      return (stochastic, adversarial)
    }
    let squares = Parallel.map(state.sites.count, threads: threads) { index in
      let site = state.sites[index]
      for part in parts.dropFirst() { site.gradients.add(part.gradients[index]) }
      return site.addFaithfulness(weight: settings.faithfulness / weightCount)
    }
    if hasAdversary { state.adversary.ascend(parts.map(\.sourceGradients)) }
    let rate = settings.rate(ofStep: number)
    state.factors.update(state.factorParameters, rate: rate)
    state.importances.update(state.importanceParameters, rate: rate)

    var active: [Site: Double] = [:]
    for (index, site) in state.sites.enumerated() {
      active[site.site] = Double(tallies.reduce(0) { $0 + $1[index].active }) / Double(rows)
    }
    return VPDStep(
      step: number + 1, stochastic: hasStochastic ? losses.reduce(0) { $0 + $1.stochastic } : nil,
      adversarial: hasAdversary ? losses.reduce(0) { $0 + $1.adversarial } : nil, importance: importance.loss,
      faithfulness: squares.reduce(0, +) / weightCount, active: active)
  }

  private func forEachPart<Value: Sendable>(_ work: (VPDPart, Int) -> Value) -> [Value] {
    Parallel.map(parts.count, threads: threads) { work(parts[$0], $0) }
  }

  /// The loss on importances: with S_c = Σ over the batch's N tokens of u(z_c)^p, where u is the upper-leaky sigmoid,
  ///
  ///     Σ_c S_c / N (1 + frequency log2(1 + S_c)).
  ///
  /// - Returns: the loss, and its slope in every S_c times its weight at the step.
  private func importanceLoss(
    _ tallies: [[VPDPart.Tally]], rows: Int, step: Int
  ) -> (loss: Double, penalties: [[Float]]) {
    let (weight, frequency) = (settings.importanceWeight(ofStep: step), settings.importance.frequency)
    var loss = 0.0
    let penalties = tallies[0].indices.map { site in
      tallies[0][site].powerSums.indices.map { component in
        let sum = tallies.reduce(0) { $0 + $1[site].powerSums[component] }
        let bits = log2(1 + sum)
        loss += sum / Double(rows) * (1 + frequency * bits)
        let slope = 1 + frequency * (bits + sum / ((1 + sum) * log(2)))
        return Float(weight / Double(rows) * slope)
      }
    }
    return (loss, penalties)
  }
}
