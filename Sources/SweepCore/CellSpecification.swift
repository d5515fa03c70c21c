public import ContentHash

/// All that determines the result of a cell, and nothing else.
///
/// A cell's ``fingerprint`` is the SHA-256 of this value's canonical form; names that people give to things (the
/// sweep's, the method's, a file's path) are therefore kept out of it, and files enter by their digest.
public struct CellSpecification: Sendable, Hashable, Codable {
  /// Counts revisions of the engine that change numbers. Results of another revision are never reused.
  public static let engineRevision = 1

  /// The revision of the engine that this cell is to be computed by.
  public var revision: Int = CellSpecification.engineRevision
  /// The frozen model.
  public var target: TargetReference
  /// The corpora, in the order forget, retain, observe, and in the sweep file's order within each role.
  public var corpora: [CorpusReference]
  /// What every window begins with: text that the tokenizer turns into exactly one token.
  public var start: String
  /// How results are measured.
  public var evaluation: EvaluationSettings
  /// What is edited.
  public var edit: EditSpecification
  /// How the edit is learned; `nil` when it is set rather than trained (an alpha scan), or stays as it starts (a token
  /// budget of 0: all alphas 1, B = 0).
  public var training: TrainingSpecification?
  /// Chooses the drawn tokens and the initialisation.
  public var seed: UInt64

  /// Creates a specification.
  public init(
    target: TargetReference, corpora: [CorpusReference], start: String, evaluation: EvaluationSettings,
    edit: EditSpecification, training: TrainingSpecification?, seed: UInt64
  ) {
    self.target = target
    self.corpora = corpora
    self.start = start
    self.evaluation = evaluation
    self.edit = edit
    self.training = training
    self.seed = seed
  }

  /// The SHA-256 of the ``canonicalForm``.
  public var fingerprint: SHA256Digest {
    SHA256Digest(of: canonicalForm)
  }
}

/// The files of a target model, each by its digest.
public struct TargetReference: Sendable, Hashable, Codable {
  /// `model.safetensors`.
  public var weights: SHA256Digest
  /// `model_config.yaml`.
  public var configuration: SHA256Digest
  /// `tokenizer.json`.
  public var tokenizer: SHA256Digest
  /// The decomposition that the edit names subcomponents of; `nil` for an edit that names none.
  public var decomposition: SHA256Digest?

  /// Creates a reference.
  public init(
    weights: SHA256Digest, configuration: SHA256Digest, tokenizer: SHA256Digest, decomposition: SHA256Digest?
  ) {
    self.weights = weights
    self.configuration = configuration
    self.tokenizer = tokenizer
    self.decomposition = decomposition
  }
}

/// What a corpus is for.
public enum CorpusRole: String, Sendable, Hashable, Codable, CaseIterable {
  /// The language to remove.
  case forget
  /// The language to keep: regularised in training.
  case retain
  /// Only measured, never trained on.
  case observe
}

/// A corpus by name, role and digest.
public struct CorpusReference: Sendable, Hashable, Codable {
  /// The name in the sweep file: `german`.
  public var name: String
  /// What it is for.
  public var role: CorpusRole
  /// The digest of its text.
  public var text: SHA256Digest
  /// The digest of its cut file; `nil` where the standard cut is used.
  public var cut: SHA256Digest?

  /// Creates a reference.
  public init(name: String, role: CorpusRole, text: SHA256Digest, cut: SHA256Digest?) {
    self.name = name
    self.role = role
    self.text = text
    self.cut = cut
  }
}

/// How results are measured.
public struct EvaluationSettings: Sendable, Hashable, Codable {
  /// Predicted tokens per corpus and split; a multiple of ``context``.
  public var tokensPerCorpus: Int
  /// Tokens per window; at most the model's context.
  public var context: Int

  /// Creates settings.
  public init(tokensPerCorpus: Int, context: Int) {
    self.tokensPerCorpus = tokensPerCorpus
    self.context = context
  }
}

/// What is edited.
public enum EditSpecification: Sendable, Hashable, Codable {
  /// The prefactors of subcomponents, named `site:index`.
  case prefactors(subcomponents: [String], alphas: PrefactorAlphas)
  /// Low-rank factors added to whole matrices, scaled by `scale / rank`.
  case lora(rank: Int, sites: SiteSelection, scale: Double)
  /// Every number of whole matrices, added to what they are: a full fine-tune.
  case full(sites: SiteSelection)
}

/// How the prefactors of an edit are tied together, or what they are set to.
public enum PrefactorAlphas: Sendable, Hashable, Codable {
  /// Each subcomponent has its own trained alpha.
  case separate
  /// One trained alpha for all.
  case shared
  /// Not trained: every alpha is set to this value.
  case fixed(Double)
}

/// Which matrices a LoRA is added to, or a full fine-tune changes.
public enum SiteSelection: Sendable, Hashable, Codable {
  /// Every attention and MLP matrix of the model.
  case all
  /// These paths, such as `h.1.mlp.c_fc`.
  case named([String])
}

/// How an edit is learned.
public struct TrainingSpecification: Sendable, Hashable, Codable {
  /// Number of forget-corpus tokens that the fine-tune may ever see; 0 = no training.
  public var tokenBudget: Int
  /// Number of retain-corpus tokens, drawn once and used in every step.
  public var retainTokens: Int
  /// The loss on the forget batch.
  public var forgetLoss: ForgetLoss
  /// The loss on the retain batch.
  public var retainLoss: RetainLoss
  /// Total = forget + retainWeight x retain.
  public var retainWeight: Double
  /// The search for the minimum.
  public var optimiser: OptimiserSpecification
  /// Steps after which the edit is also evaluated, ascending, each below the optimiser's last.
  public var evaluateAt: [Int]

  /// Creates a specification.
  public init(
    tokenBudget: Int, retainTokens: Int, forgetLoss: ForgetLoss, retainLoss: RetainLoss, retainWeight: Double,
    optimiser: OptimiserSpecification, evaluateAt: [Int] = []
  ) {
    self.tokenBudget = tokenBudget
    self.retainTokens = retainTokens
    self.forgetLoss = forgetLoss
    self.retainLoss = retainLoss
    self.retainWeight = retainWeight
    self.optimiser = optimiser
    self.evaluateAt = evaluateAt
  }
}

/// The loss on the forget batch, in nats.
public enum ForgetLoss: String, Sendable, Hashable, Codable, CaseIterable {
  /// -CE.
  case negativeCrossEntropy = "neg-ce"
  /// -mean min(CE of the token, ln V).
  case cappedAscent = "capped-ascent"
  /// max(0, 1.05 ln V - CE).
  case hinge
  /// KL(uniform || p).
  case uniformKL = "uniform-kl"
}

/// The loss on the retain batch, in nats.
public enum RetainLoss: String, Sendable, Hashable, Codable, CaseIterable {
  /// KL(base || edited).
  case kl
  /// KL(edited || base).
  case reverseKL = "reverse-kl"
  /// Cross-entropy.
  case crossEntropy = "ce"
}

/// The search for the minimum.
public enum OptimiserSpecification: Sendable, Hashable, Codable {
  /// AdamW in torch's definition, full batch.
  case adamW(AdamWSettings)
  /// The two-sided search in one dimension, for edits with one number.
  case solve
}

/// AdamW's settings (Loshchilov and Hutter, arXiv 1711.05101, in torch's form).
public struct AdamWSettings: Sendable, Hashable, Codable {
  /// The learning rate.
  public var learningRate: Double
  /// The number of steps.
  public var steps: Int
  /// Decay rates of the first and second moment.
  public var beta1: Double, beta2: Double
  /// Added to the denominator.
  public var epsilon: Double
  /// Decoupled weight decay; pulls alpha towards 0, not 1.
  public var weightDecay: Double
  /// Gradients are scaled down to this global L2 norm; `nil` = no clipping.
  public var clipNorm: Double?

  /// Creates settings.
  public init(
    learningRate: Double, steps: Int, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, clipNorm: Double? = nil
  ) {
    self.learningRate = learningRate
    self.steps = steps
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.clipNorm = clipNorm
  }
}

extension CellSpecification {
  /// The files that the cell names: what each is, for people, and its digest.
  public var files: [(role: String, digest: SHA256Digest)] {
    var files = [
      ("weights", target.weights), ("configuration", target.configuration), ("tokenizer", target.tokenizer),
    ]
    if let decomposition = target.decomposition { files.append(("decomposition", decomposition)) }
    for corpus in corpora {
      files.append(("corpus:\(corpus.name)", corpus.text))
      if let cut = corpus.cut { files.append(("cut:\(corpus.name)", cut)) }
    }
    return files
  }
}
