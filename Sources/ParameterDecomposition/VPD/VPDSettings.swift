internal import Foundation

/// How ``VPD`` is done. Everything but the checkpoints and the threads decides about the result.
public struct VPDSettings: Sendable, Hashable, Codable {
  /// Where the training starts.
  public enum Start: String, Sendable, Hashable, Codable, CaseIterable {
    /// Read directions of ``SparseICA``, and spare ones where there are to be more, random and with U = 0.
    case ica
    /// Random read directions.
    case random
  }

  /// A loss that holds masked models against the base.
  public struct Reconstruction: Sendable, Hashable, Codable {
    /// Its weight.
    public var weight: Double
  }

  /// The loss under the worst masks.
  public struct Adversary: Sendable, Hashable, Codable {
    /// Its weight; at 0 there is no adversary.
    public var weight: Double
    /// The learning rate of its sources.
    public var learningRate: Double
    /// Updates of its sources in a step before the one that goes with the step itself.
    public var warmUp: Int
  }

  /// The loss on importances.
  public struct Minimality: Sendable, Hashable, Codable {
    /// Its weight, from the end of the ramp on.
    public var weight: Double
    /// The part of the steps in which the weight rises from 0.
    public var ramp: Double
    /// p in the first step.
    public var firstPower: Double
    /// p at the end of the annealing.
    public var lastPower: Double
    /// The part of the steps in which p goes from the first to the last.
    public var annealing: Double
    /// The weight of the frequency term, relative to the rest of this loss.
    public var frequency: Double
  }

  /// Updates.
  public var steps: Int
  /// Windows of a step.
  public var batch: Int
  /// Chooses the start, the text and all masks.
  public var seed: Int
  /// Where the training starts.
  public var start: Start
  /// C by the kind of site, as `c_fc`; sites that are not named have as many subcomponents as inputs.
  public var subcomponents: [String: Int]
  /// H, the hidden units of each importance function.
  public var hidden: Int
  /// The learning rate of V and U.
  public var learningRate: Double
  /// The learning rate of the importance functions.
  public var importanceLearningRate: Double
  /// The last learning rates, as a part of the first.
  public var finalLearningRate: Double
  /// AdamW's decay rates of the moments.
  public var beta1: Double, beta2: Double
  /// Global L2 norm that the gradients of V and U are clipped to; `nil` = no clipping.
  public var clipNorm: Double?
  /// The least and the greatest source of a mask.
  public var leastSource: Double, greatestSource: Double
  /// The loss under random masks on random sites.
  public var stochastic: Reconstruction
  /// The loss under the worst masks on all sites.
  public var adversarial: Adversary
  /// The loss on importances.
  public var importance: Minimality
  /// The weight of the mean square of W - (V U)ᵀ.
  public var faithfulness: Double
  /// Steps from one checkpoint to the next.
  public var checkpointEvery: Int

  /// The part of the training that lies before a step, from 0 to below 1.
  private func progress(_ step: Int) -> Double { Double(step) / Double(steps) }

  /// The learning rates at update `step`, counted from 0, as a part of the first: half a cosine.
  func rate(ofStep step: Int) -> Double {
    let progress = steps == 1 ? 0 : Double(step) / Double(steps - 1)
    return finalLearningRate + (1 - finalLearningRate) * (1 + cos(.pi * progress)) / 2
  }

  /// p at update `step`: in a straight line from the first to the last.
  func power(ofStep step: Int) -> Double {
    let part = share(progress(step), importance.annealing)
    return importance.firstPower + (importance.lastPower - importance.firstPower) * part
  }

  /// The weight of the loss on importances at update `step`.
  func importanceWeight(ofStep step: Int) -> Double {
    importance.weight * share(progress(step), importance.ramp)
  }

  private func share(_ progress: Double, _ span: Double) -> Double {
    span > 0 ? min(1, progress / span) : 1
  }
}
