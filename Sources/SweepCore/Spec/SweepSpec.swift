/// A sweep file, parsed: what a researcher asks for.
///
/// Defaults are filled in, settings of the file's `training` and `grid` are handed down to every method, and nothing
/// in it is impossible; what depends on files (does the subcomponent exist? is the corpus long enough?) is not yet
/// known. Made by ``init(yaml:file:)``; two files that differ only in the order of their keys (other than methods and
/// corpora, whose order counts) give equal values.
public struct SweepSpec: Sendable, Hashable {
  /// The sweep's name: letters, digits, `-`, `_` and `.`.
  public var name: String
  /// The target model: a folder, or a name to look up.
  public var target: String
  /// The corpora by role (forget, retain, observe), and in the file's order within a role.
  public var corpora: [CorpusSpec]
  /// What every window begins with.
  public var start: String
  /// How results are measured.
  public var evaluation: EvaluationSettings
  /// The methods, in the file's order.
  public var methods: [MethodSpec]
  /// What counts as success.
  public var goal: SweepGoal
  /// The part of the cells, from 0 to 1, that is run twice on different workers and compared.
  public var auditFraction: Double
}

/// A corpus of a sweep file.
public struct CorpusSpec: Sendable, Hashable {
  /// Its name.
  public var name: String
  /// What it is for.
  public var role: CorpusRole
  /// Its file, relative to the sweep file's folder.
  public var path: String
}

/// What counts as success, for tokens-to-target.
public struct SweepGoal: Sendable, Hashable {
  /// How far the forget corpus's cross-entropy is to rise.
  public enum Removal: Sendable, Hashable {
    /// To that of a uniform guess, ln V.
    case uniform
    /// To this many nats.
    case nats(Double)
  }

  /// How far the forget corpus's cross-entropy is to rise.
  public var removal: Removal
  /// The retention cost that is still acceptable, nats.
  public var retentionCostAtMost: Double

  /// Creates a goal.
  public init(removal: Removal = .uniform, retentionCostAtMost: Double = 0.05) {
    self.removal = removal
    self.retentionCostAtMost = retentionCostAtMost
  }
}

/// A method of a sweep file: a kind of edit, and the grid of settings under which it is tried.
public struct MethodSpec: Sendable, Hashable {
  /// Its name.
  public var name: String
  /// What is edited.
  public var edit: MethodEdit
  /// How it is learned; `nil` for a scan, whose alphas are set.
  public var training: MethodTraining?
}

/// What a method edits.
public enum MethodEdit: Sendable, Hashable {
  /// Trained prefactors of subcomponents of a decomposition file.
  case prefactors(subcomponents: SubcomponentChoice, alphas: AlphaTying, decomposition: String)
  /// Prefactors that are set to each of these alphas in turn, all subcomponents to the same.
  case scan(subcomponents: SubcomponentChoice, alphas: [Double], decomposition: String)
  /// Low-rank factors of each of these ranks in turn. The change is `scale / rank` x B A; `nil` means a scale equal
  /// to the rank, so that the factor is 1.
  case lora(ranks: [Int], sites: MethodSites, scale: Double?)
  /// Every number of whole matrices: the most that training could change, for comparison.
  case full(sites: MethodSites)
}

/// Which matrices a method adds low-rank factors to, or trains as a whole.
public enum MethodSites: Sendable, Hashable {
  /// Every attention and MLP matrix of the model.
  case all
  /// These paths, such as `h.1.mlp.c_fc`, in the model's order.
  case named([String])
  /// The sites of the subcomponents that a rule finds.
  case ofSelected(SubcomponentSelection)
}

/// Whether trained prefactors of several subcomponents are one number or many.
public enum AlphaTying: String, Sendable, Hashable, CaseIterable {
  /// One alpha each.
  case separate
  /// One alpha for all.
  case shared
}

/// How a method's edits are learned: every combination of the lists is a grid point.
public struct MethodTraining: Sendable, Hashable {
  /// Forget-corpus tokens that the fine-tune may see; 0 = no training, a single point.
  public var tokenBudgets: [Int]
  /// Seeds of the drawn tokens and the initialisation.
  public var seeds: [Int]
  /// Weights of the retain loss.
  public var retainWeights: [Double]
  /// What does not vary within the method.
  public var settings: TrainingSettings
  /// The search for the minimum.
  public var optimiser: MethodOptimiser
}

/// Settings of training that do not vary within a method.
public struct TrainingSettings: Sendable, Hashable {
  /// The loss on the forget batch.
  public var forgetLoss = ForgetLoss.cappedAscent
  /// The loss on the retain batch.
  public var retainLoss = RetainLoss.kl
  /// Retain-corpus tokens, drawn once and used in every step.
  public var retainTokens = 4096
}

/// The search for the minimum that a method uses.
public enum MethodOptimiser: Sendable, Hashable {
  /// AdamW at each learning rate and number of steps.
  case adamW(AdamWGrid)
  /// The two-sided search in one dimension.
  case solve
}

/// AdamW's settings within a method.
public struct AdamWGrid: Sendable, Hashable {
  /// Learning rates.
  public var learningRates: [Double]
  /// Numbers of steps.
  public var steps: [Int]
  /// Steps after which the edit is also evaluated, ascending; a cell uses those below its own number of steps.
  public var evaluateAt: [Int] = []
  /// Decay rates of the first and second moment.
  public var beta1 = 0.9, beta2 = 0.999
  /// Added to the denominator.
  public var epsilon = 1e-8
  /// Decoupled weight decay.
  public var weightDecay = 0.0
  /// Gradients are scaled down to this global L2 norm; `nil` = no clipping.
  public var clipNorm: Double?
}
