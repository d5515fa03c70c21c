/// What a cell came to. A pure function of its ``CellSpecification``: two executions of a cell must give equal
/// results, whatever the worker; where and how fast it ran is in ``AttemptReport``.
public struct CellResult: Sendable, Hashable, Codable {
  /// Measurements along the training run, by ascending step; the last is that of the finished edit.
  public var evaluations: [EvaluationPoint]
  /// Losses of every step, each before its update; empty for an edit that is set rather than trained.
  public var steps: [StepLosses]
  /// What was learned.
  public var edit: EditSummary
  /// Forget-corpus tokens seen in a pass.
  public var forgetTokens: Int
  /// Retain-corpus tokens seen in a pass.
  public var retainTokens: Int
  /// What every evaluation window read; `nil` in results of before pdsweep kept it. Not in the canonical form, but
  /// carried beside it as ``WindowBytes``: the form of a result is the same with and without.
  public var windows: ResultWindows?

  private enum CodingKeys: String, CodingKey {
    case evaluations, steps, edit, forgetTokens, retainTokens
  }

  /// Creates a result.
  public init(
    evaluations: [EvaluationPoint], steps: [StepLosses], edit: EditSummary, forgetTokens: Int, retainTokens: Int,
    windows: ResultWindows? = nil
  ) {
    self.evaluations = evaluations
    self.steps = steps
    self.edit = edit
    self.forgetTokens = forgetTokens
    self.retainTokens = retainTokens
    self.windows = windows
  }

  /// The measurement of the finished edit.
  public var final: EvaluationPoint? { evaluations.last }
}

/// The two held-out parts of a corpus.
public enum EvaluationSplit: String, Sendable, Hashable, Codable, CaseIterable {
  /// Choices are made on it.
  case validation
  /// Reported.
  case test
}

/// Cross-entropies of all corpora at one point of a training run.
public struct EvaluationPoint: Sendable, Hashable, Codable {
  /// Updates done before the measurement.
  public var step: Int
  /// One score a corpus, in the specification's order.
  public var corpora: [CorpusScore]

  /// Creates a point.
  public init(step: Int, corpora: [CorpusScore]) {
    self.step = step
    self.corpora = corpora
  }

  /// Removal: the mean cross-entropy on the forget corpora, nats.
  public func removal(_ split: EvaluationSplit) -> Double {
    mean(of: .forget) { $0.edited[split] }
  }

  /// Retention cost: the mean increase of the retain corpora's cross-entropy over the base, nats.
  public func retentionCost(_ split: EvaluationSplit) -> Double {
    mean(of: .retain) { $0.increase(split) }
  }

  /// Off-target cost: the increase of each observed corpus's cross-entropy over the base, nats.
  public func offTargetCosts(_ split: EvaluationSplit) -> [(name: String, nats: Double)] {
    corpora.filter { $0.role == .observe }.map { ($0.name, $0.increase(split)) }
  }

  private func mean(of role: CorpusRole, _ value: (CorpusScore) -> Double) -> Double {
    let scores = corpora.filter { $0.role == role }
    return scores.map(value).reduce(0, +) / Double(scores.count)
  }
}

/// Mean next-token cross-entropies of one corpus, nats.
public struct CorpusScore: Sendable, Hashable, Codable {
  /// The corpus's name.
  public var name: String
  /// Its role.
  public var role: CorpusRole
  /// Of the base model.
  public var base: SplitLosses
  /// Of the edited model.
  public var edited: SplitLosses

  /// Creates a score.
  public init(name: String, role: CorpusRole, base: SplitLosses, edited: SplitLosses) {
    self.name = name
    self.role = role
    self.base = base
    self.edited = edited
  }

  /// Edited minus base, nats.
  public func increase(_ split: EvaluationSplit) -> Double {
    edited[split] - base[split]
  }
}

/// One number for each held-out split, nats.
public struct SplitLosses: Sendable, Hashable, Codable {
  /// On the validation split.
  public var validation: Double
  /// On the test split.
  public var test: Double

  /// Creates a pair.
  public init(validation: Double, test: Double) {
    self.validation = validation
    self.test = test
  }

  /// The number of a split.
  public subscript(split: EvaluationSplit) -> Double {
    switch split {
    case .validation: validation
    case .test: test
    }
  }
}

/// Losses of one step before its update, nats.
public struct StepLosses: Sendable, Hashable, Codable {
  /// The forget loss.
  public var forget: Double
  /// The retain loss, not yet weighted.
  public var retain: Double
  /// forget + retain weight x retain.
  public var total: Double
  /// Global L2 norm of the gradient before clipping; 0 where no gradient is taken.
  public var gradientNorm: Double
  /// The value tried, where the step is a trial of a one-dimensional search.
  public var alpha: Double?

  /// Creates a record.
  public init(forget: Double, retain: Double, total: Double, gradientNorm: Double, alpha: Double? = nil) {
    self.forget = forget
    self.retain = retain
    self.total = total
    self.gradientNorm = gradientNorm
    self.alpha = alpha
  }
}

/// What was learned.
public enum EditSummary: Sendable, Hashable, Codable {
  /// The alphas, in the order of the specification's subcomponents.
  case prefactors(alphas: [Double])
  /// Frobenius norm of (scale / rank) B A for each site, in the model's order.
  case lora(deltaNorms: [SiteNorm])
  /// Frobenius norm of the change of each site's matrix, in the model's order.
  case full(deltaNorms: [SiteNorm])
}

/// The size of a change at a site.
public struct SiteNorm: Sendable, Hashable, Codable {
  /// The site's path.
  public var site: String
  /// Frobenius norm of the change of its matrix.
  public var norm: Double

  /// Creates a norm.
  public init(site: String, norm: Double) {
    self.site = site
    self.norm = norm
  }
}

/// Where and how fast an attempt ran: told beside the result, never part of it.
public struct AttemptReport: Sendable, Hashable, Codable {
  /// Seconds from the start of the cell to its result.
  public var wallSeconds: Double
  /// Tokens (trained and evaluated, each pass counted) a second.
  public var tokensPerSecond: Double
  /// The host's name.
  public var host: String
  /// The version of pdsweep that computed it.
  public var engineVersion: String

  /// Creates a report.
  public init(wallSeconds: Double, tokensPerSecond: Double, host: String, engineVersion: String) {
    self.wallSeconds = wallSeconds
    self.tokensPerSecond = tokensPerSecond
    self.host = host
    self.engineVersion = engineVersion
  }
}
