internal import TensorKernels

/// Learns an edit.
public struct FineTune {
  /// AdamW's settings; see ``AdamW`` for the formulas.
  public struct AdamWSettings: Sendable, Hashable {
    /// Number of updates.
    public var steps: Int
    /// The learning rate.
    public var learningRate: Double
    /// Decay rates of the moments.
    public var beta1: Double, beta2: Double
    /// Added to the denominator.
    public var epsilon: Double
    /// Decoupled weight decay.
    public var weightDecay: Double
    /// Global L2 norm that gradients are clipped to; `nil` = no clipping.
    public var clipNorm: Double?

    /// Creates settings.
    public init(
      steps: Int, learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
      weightDecay: Double = 0, clipNorm: Double? = nil
    ) {
      self.steps = steps
      self.learningRate = learningRate
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
      self.clipNorm = clipNorm
    }
  }

  /// Losses before an update, or of a trial of ``solve(_:observe:)``.
  public struct Step: Sendable, Hashable {
    /// Updates or trials made before.
    public let index: Int
    /// The losses, nats.
    public let losses: FineTuneProblem.Losses
    /// Global L2 norm of the gradient before clipping; 0 where none is taken.
    public let gradientNorm: Double
    /// The trial's value; `nil` under AdamW.
    public let alpha: Double?
  }

  /// Why a fine-tune ended without an edit.
  public enum Failure: Error, Sendable, Hashable {
    /// A loss or a parameter became infinite or not a number.
    case diverged(step: Int)
    /// The observer asked to stop.
    case cancelled
  }

  private let problem: FineTuneProblem

  /// Prepares a fine-tune.
  public init(_ problem: FineTuneProblem) {
    self.problem = problem
  }

  /// Runs AdamW on an edit.
  ///
  /// - Parameter observe: sees every step before its update, with the edit as it stands; `false` cancels. It is called
  ///   once more than there are updates, the last time with `nil`, when the edit is finished.
  /// - Returns: one record a step.
  /// - Throws: ``Failure``.
  public func adamW(
    _ settings: AdamWSettings, edit: any Edit, observe: (_ updates: Int, Step?) -> Bool
  ) throws(Failure) -> [Step] {
    var optimiser = AdamW(
      settings: AdamW.Settings(
        learningRate: settings.learningRate, beta1: settings.beta1, beta2: settings.beta2,
        epsilon: settings.epsilon, weightDecay: settings.weightDecay, clipNorm: settings.clipNorm),
      parameters: edit.parameters)
    var steps: [Step] = []
    for index in 0..<settings.steps {
      let losses = problem.lossesAndGradient(edit)
      guard losses.total.isFinite, edit.parameters.allSatisfy({ $0.gradient.isFinite }) else {
        throw .diverged(step: index)
      }
      let norm = edit.parameters.reduce(0) { $0 + $1.gradient.sumOfSquares }.squareRoot()
      let step = Step(index: index, losses: losses, gradientNorm: norm, alpha: nil)
      steps.append(step)
      guard observe(index, step) else { throw .cancelled }
      optimiser.update(edit.parameters)
      edit.parametersChanged()
      guard edit.parameters.allSatisfy({ $0.value.isFinite }) else { throw .diverged(step: index + 1) }
    }
    guard observe(settings.steps, nil) else { throw .cancelled }
    return steps
  }

  /// Sets an edit with one number to the alpha of least total loss.
  ///
  /// - Parameter observe: sees every trial; `false` cancels.
  /// - Returns: one record a trial.
  /// - Throws: ``Failure``; ``Failure/diverged(step:)`` if no trial has a finite loss.
  public func solve(_ edit: PrefactorEdit, observe: (Step) -> Bool) throws(Failure) -> [Step] {
    precondition(edit.alphaCount == 1, "the search is for one number")
    var steps: [Step] = []
    let (_, best) = try ScalarSolve.search { (alphas) throws(Failure) in
      let trials = alphas.map { edit.setting($0) }
      let losses = problem.losses(trials)
      for (alpha, losses) in zip(alphas, losses) {
        let step = Step(index: steps.count, losses: losses, gradientNorm: 0, alpha: alpha)
        steps.append(step)
        guard observe(step) else { throw .cancelled }
      }
      return losses
    }
    guard best.losses.total.isFinite else { throw .diverged(step: steps.count) }
    edit.alphas = edit.names.map { _ in best.alpha }
    return steps
  }
}
