/// How good a decomposition is: how few subcomponents matter at a time, and what is left of the model when those that
/// do not matter are taken away, all sites at once.
public struct DecompositionEvaluation: Sendable, Hashable, Codable {
  /// How a decomposition is measured.
  public struct Settings: Sendable, Hashable, Codable {
    /// Steps of the adversary.
    public var adversarySteps: Int
    /// What a step moves each source by.
    public var adversaryStepSize: Double
    /// Chooses the random sources.
    public var seed: Int

    /// Takes settings.
    public init(adversarySteps: Int = 20, adversaryStepSize: Double = 0.1, seed: Int = 0) {
      precondition(adversarySteps >= 0 && adversaryStepSize > 0, "an adversary that moves")
      self.adversarySteps = adversarySteps
      self.adversaryStepSize = adversaryStepSize
      self.seed = seed
    }

    enum CodingKeys: String, CodingKey {
      case adversarySteps = "adversary_steps"
      case adversaryStepSize = "adversary_step_size"
      case seed
    }
  }

  /// A site.
  public struct SiteReport: Sendable, Hashable, Codable {
    /// The site.
    public let site: String
    /// C.
    public let subcomponents: Int
    /// Mean over the elements of the square of (V U)ᵀ - W.
    public let faithfulness: Double
    /// Mean number of subcomponents a token whose importance is above 0; C where there is no importance function.
    public let nonzero: Double
    /// Mean number of subcomponents a token whose importance is above 0.5; C where there is no importance function.
    public let active: Double
  }

  /// What a changed model says, against the base model.
  public struct Losses: Sendable, Hashable, Codable {
    /// Mean cross-entropy, nats.
    public let crossEntropy: Double
    /// Mean of KL(base || changed), nats.
    public let divergence: Double

    enum CodingKeys: String, CodingKey {
      case crossEntropy = "cross_entropy"
      case divergence
    }
  }

  /// The model under masks m = g + (1 - g) r of the subcomponents, where g are their importances.
  public struct Masked: Sendable, Hashable, Codable {
    /// r = 0: nothing but what is important.
    public let importance: Losses
    /// r at random from 0 to 1.
    public let stochastic: Losses
    /// r chosen against the model on all windows of the corpus at once, the same in each; see
    /// ``DecompositionEvaluator``.
    public let shared: Losses
    /// r chosen against the model for each token; see ``DecompositionEvaluator``.
    public let adversarial: Losses
  }

  /// A corpus.
  public struct CorpusReport: Sendable, Hashable, Codable {
    /// The corpus.
    public let corpus: String
    /// Tokens predicted.
    public let tokens: Int
    /// Mean cross-entropy of the base model, nats.
    public let base: Double
    /// The model of all subcomponents, (V U)ᵀ in place of its matrices.
    public let decomposed: Losses
    /// `nil` where there is no importance function.
    public let masked: Masked?
  }

  /// How it was measured.
  public let settings: Settings
  /// The sites, in the model's order.
  public let sites: [SiteReport]
  /// The corpora, in the order in which they were given.
  public let corpora: [CorpusReport]

  /// Whether every figure is a finite number.
  var isFinite: Bool {
    let losses = corpora.flatMap { corpus in
      [
        corpus.decomposed, corpus.masked?.importance, corpus.masked?.stochastic, corpus.masked?.shared,
        corpus.masked?.adversarial,
      ].compactMap(\.self)
    }
    return sites.allSatisfy { $0.faithfulness.isFinite } && corpora.allSatisfy { $0.base.isFinite }
      && losses.allSatisfy { $0.crossEntropy.isFinite && $0.divergence.isFinite }
  }
}
