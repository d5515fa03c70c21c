internal import ContentHash
internal import LanguageModel
internal import SweepCore
internal import SweepWire

/// One run of one cell on the engine: makes the edit, learns it, measures it.
struct CellAttempt {
  let cell: CellSpecification
  let target: LoadedTarget
  let suite: EvaluationSuite
  let files: [LocalArtefact]
  private var tokens = 0
  private var evaluations: [EvaluationPoint] = []

  init(cell: CellSpecification, target: LoadedTarget, suite: EvaluationSuite, files: [LocalArtefact]) {
    self.cell = cell
    self.target = target
    self.suite = suite
    self.files = files
  }

  /// Runs the cell.
  mutating func run(progress: (CellProgress) -> Void, isCancelled: () -> Bool) throws -> CellRun {
    let edit = try makeEdit()
    var steps: [FineTune.Step] = []
    var seen = (forget: 0, retain: 0)
    if let training = cell.training, training.tokenBudget > 0 {
      let forget = try draw(.forget, tokens: training.tokenBudget)
      let retain = try draw(.retain, tokens: training.retainTokens)
      seen = (forget.tokenCount, retain.tokenCount)
      steps = try learn(
        edit, training, forget: forget, retain: retain, progress: progress, isCancelled: isCancelled)
    }
    try measure(edit, step: steps.count, isCancelled)
    let result = CellResult(
      evaluations: evaluations,
      // A trial far out may overflow; what is not a number cannot be recorded.
      steps: steps.filter { $0.losses.isFinite && $0.gradientNorm.isFinite }.map {
        StepLosses(
          forget: $0.losses.forget, retain: $0.losses.retain, total: $0.losses.total,
          gradientNorm: $0.gradientNorm, alpha: $0.alpha)
      },
      edit: summary(of: edit), forgetTokens: seen.forget, retainTokens: seen.retain)
    return CellRun(result: result, tokens: tokens)
  }

  // MARK: The edit

  private func makeEdit() throws -> any Edit {
    let configuration = target.model.configuration
    switch cell.edit {
    case .prefactors(let names, let alphas):
      guard let digest = cell.target.decomposition else {
        throw CellFailure.refused("the cell names subcomponents, but no decomposition")
      }
      let decomposition = try Decomposition(
        path: files.required(digest).path, configuration: configuration)
      let subcomponents = try names.map { text in
        guard let name = SubcomponentName(text) else {
          throw CellFailure.refused("expected a subcomponent such as h.2.mlp.down_proj:2359, found \(text)")
        }
        return try decomposition.subcomponent(name)
      }
      let edit = PrefactorEdit(subcomponents, sharing: alphas == .separate ? .separate : .shared)
      if case .fixed(let alpha) = alphas { edit.alphas = names.map { _ in alpha } }
      return edit
    case .lora(let rank, let selection, let scale):
      var generator = SplitMix64(seed: SHA256Digest(of: "initialisation \(cell.fingerprint)").leadingWord)
      return LoRAEdit(
        rank: rank, scale: scale, sites: try sites(selection), configuration: configuration, generator: &generator)
    }
  }

  private func sites(_ selection: SiteSelection) throws -> [Site] {
    let known = target.model.configuration.sites
    switch selection {
    case .all:
      return known
    case .named(let names):
      return try names.map { name in
        guard let site = Site(name), known.contains(site) else {
          throw CellFailure.refused(
            "expected a site of the model, from \(known[0]) to \(known[known.count - 1]), found \(name)")
        }
        return site
      }.sorted()
    }
  }

  private func summary(of edit: any Edit) -> EditSummary {
    switch edit {
    case let prefactors as PrefactorEdit:
      .prefactors(alphas: prefactors.alphas)
    case let lora as LoRAEdit:
      .lora(deltaNorms: lora.deltaNorms.map { SiteNorm(site: $0.site.description, norm: $0.norm) })
    default:
      preconditionFailure("an edit of a kind that no cell asks for")
    }
  }

  // MARK: Training

  /// Draws training windows from the corpora of a role, in equal parts. The draw depends on the corpus and the seed
  /// alone, so that methods are compared on the same tokens, and a larger budget begins with those of a smaller one.
  private func draw(_ role: CorpusRole, tokens: Int) throws -> [TokenWindow] {
    let parts = suite.parts.filter { $0.reference.role == role }
    return try parts.enumerated().flatMap { index, part in
      let share = tokens / parts.count + (index < tokens % parts.count ? 1 : 0)
      return try part.corpus.draw(
        tokens: share, seed: cell.seed, purpose: "\(role.rawValue) \(part.reference.text)",
        context: target.model.configuration.context, tokenizer: target.tokenizer, start: suite.startToken)
    }
  }

  private mutating func learn(
    _ edit: any Edit, _ training: TrainingSpecification, forget: [TokenWindow], retain: [TokenWindow],
    progress: (CellProgress) -> Void, isCancelled: () -> Bool
  ) throws -> [FineTune.Step] {
    let problem = FineTuneProblem(
      model: target.model, editedSites: edit.deltas.keys, forget: forget, retain: retain,
      settings: .init(
        forgetLoss: training.forgetLoss.objective, retainLoss: training.retainLoss.objective,
        retainWeight: training.retainWeight))
    let fineTune = FineTune(problem)
    var evaluationFailure: (any Error)?
    do {
      switch training.optimiser {
      case .adamW(let settings):
        return try fineTune.adamW(settings.engineSettings, edit: edit) { updates, step in
          guard let step else { return true }
          tokens += problem.rows
          progress(CellProgress(step: updates, steps: settings.steps, loss: step.losses.total))
          if training.evaluateAt.contains(updates) {
            do {
              try measure(edit, step: updates, isCancelled)
            } catch {
              evaluationFailure = error
            }
          }
          return evaluationFailure == nil && !isCancelled()
        }
      case .solve:
        guard let edit = edit as? PrefactorEdit, edit.alphaCount == 1 else {
          throw CellFailure.refused("optimiser: solve needs an edit with one number")
        }
        return try fineTune.solve(edit) { step in
          tokens += problem.rows
          progress(
            CellProgress(step: step.index + 1, steps: max(step.index + 1, 40), loss: step.losses.total))
          return !isCancelled()
        }
      }
    } catch let failure as FineTune.Failure {
      switch failure {
      case .diverged(let step):
        throw CellFailure(
          kind: .diverged,
          message: "the loss was not a finite number at step \(step); "
            + "try a smaller learning rate, retain weight or scale")
      case .cancelled:
        throw evaluationFailure ?? CellFailure.cancelled
      }
    }
  }

  // MARK: Evaluation

  private mutating func measure(_ edit: any Edit, step: Int, _ isCancelled: () -> Bool) throws {
    guard let base = suite.baseLosses(isCancelled: isCancelled),
      let edited = suite.losses(edit: edit, isCancelled: isCancelled)
    else { throw CellFailure.cancelled }
    tokens += suite.tokens
    guard edited.allSatisfy({ $0.validation.isFinite && $0.test.isFinite }) else {
      throw CellFailure(
        kind: .diverged, message: "a held-out cross-entropy was not a finite number after step \(step)")
    }
    let scores = zip(suite.parts, zip(base, edited)).map { part, losses in
      CorpusScore(name: part.reference.name, role: part.reference.role, base: losses.0, edited: losses.1)
    }
    evaluations.append(EvaluationPoint(step: step, corpora: scores))
  }
}

extension [TokenWindow] {
  fileprivate var tokenCount: Int { reduce(0) { $0 + $1.targets.count } }
}

extension CellFailure {
  /// What a cancelled run ends with.
  fileprivate static let cancelled = CellFailure(kind: .preempted, message: "the run was cancelled")
}

extension ForgetLoss {
  /// The engine's name for it.
  fileprivate var objective: ForgetObjective {
    switch self {
    case .negativeCrossEntropy: .negativeCrossEntropy
    case .cappedAscent: .cappedAscent
    case .hinge: .hinge
    case .uniformKL: .uniformKL
    }
  }
}

extension RetainLoss {
  /// The engine's name for it.
  fileprivate var objective: RetainObjective {
    switch self {
    case .kl: .kl
    case .reverseKL: .reverseKL
    case .crossEntropy: .crossEntropy
    }
  }
}

extension AdamWSettings {
  /// The engine's form of it.
  fileprivate var engineSettings: FineTune.AdamWSettings {
    FineTune.AdamWSettings(
      steps: steps, learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
      weightDecay: weightDecay, clipNorm: clipNorm)
  }
}
