internal import ContentHash
internal import LanguageModel
internal import SweepCore

/// Makes the edit of a cell and learns it; measures nothing on held-out text.
struct EditTraining {
  let cell: CellSpecification
  let target: LoadedTarget
  let corpora: LoadedCorpora
  let files: [LocalArtefact]

  /// Trains the edit to its end.
  ///
  /// - Parameters:
  ///   - pauses: steps before whose update `visit` sees the edit as it stands.
  ///   - visit: gets the edit, and how many updates were made. Where it throws, the training ends with that.
  /// - Throws: ``CellFailure``; `InputFileError` for what does not fit the files; what `visit` throws.
  func run(
    pausingAt pauses: some Collection<Int>, visit: (any Edit, Int) throws -> Void,
    progress: (CellProgress) -> Void, isCancelled: () -> Bool
  ) throws -> LearnedEdit {
    var learned = LearnedEdit(edit: try makeEdit())
    guard let training = cell.training, training.tokenBudget > 0 else { return learned }
    let context = target.model.configuration.context
    let forget = try corpora.draw(.forget, tokens: training.tokenBudget, seed: cell.seed, context: context)
    let retain = try corpora.draw(.retain, tokens: training.retainTokens, seed: cell.seed, context: context)
    learned.forgetTokens = forget.tokenCount
    learned.retainTokens = retain.tokenCount
    let problem = FineTuneProblem(
      model: target.model, editedSites: learned.edit.deltas.keys, forget: forget, retain: retain,
      settings: .init(
        forgetLoss: training.forgetLoss.objective, retainLoss: training.retainLoss.objective,
        retainWeight: training.retainWeight))
    learned.losses = try learn(
      learned.edit, problem, training.optimiser, pausingAt: pauses, visit: visit, progress: progress,
      isCancelled: isCancelled)
    learned.trainedTokens = learned.losses.count * problem.rows
    return learned
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
    case .full(let selection):
      return FullEdit(sites: try sites(selection), configuration: configuration)
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

  // MARK: Learning

  private func learn(
    _ edit: any Edit, _ problem: FineTuneProblem, _ optimiser: OptimiserSpecification,
    pausingAt pauses: some Collection<Int>, visit: (any Edit, Int) throws -> Void, progress: (CellProgress) -> Void,
    isCancelled: () -> Bool
  ) throws -> [FineTune.Step] {
    let fineTune = FineTune(problem)
    var visitFailure: (any Error)?
    do {
      switch optimiser {
      case .adamW(let settings):
        return try fineTune.adamW(settings.engineSettings, edit: edit) { updates, step in
          guard let step else { return true }
          progress(CellProgress(step: updates, steps: settings.steps, loss: step.losses.total))
          if pauses.contains(updates) {
            do {
              try visit(edit, updates)
            } catch {
              visitFailure = error
            }
          }
          return visitFailure == nil && !isCancelled()
        }
      case .solve:
        guard let edit = edit as? PrefactorEdit, edit.alphaCount == 1 else {
          throw CellFailure.refused("optimiser: solve needs an edit with one number")
        }
        return try fineTune.solve(edit) { step in
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
        throw visitFailure ?? CellFailure.cancelled
      }
    }
  }
}

/// An edit and how it was learned.
struct LearnedEdit {
  let edit: any Edit
  /// One record a step; none for an edit that is set, or stays as it starts.
  var losses: [FineTune.Step] = []
  /// Tokens of each corpus role seen in a pass.
  var forgetTokens = 0
  var retainTokens = 0
  /// Tokens trained on, each pass counted.
  var trainedTokens = 0

  init(edit: any Edit) {
    self.edit = edit
  }

  /// The losses as results record them: a trial far out may overflow, and what is not a number cannot be recorded.
  var steps: [StepLosses] {
    losses.filter { $0.losses.isFinite && $0.gradientNorm.isFinite }.map {
      StepLosses(
        forget: $0.losses.forget, retain: $0.losses.retain, total: $0.losses.total, gradientNorm: $0.gradientNorm,
        alpha: $0.alpha)
    }
  }

  /// What results record of the edit itself.
  var summary: EditSummary {
    switch edit {
    case let prefactors as PrefactorEdit:
      .prefactors(alphas: prefactors.alphas)
    case let lora as LoRAEdit:
      .lora(deltaNorms: lora.deltaNorms.map { SiteNorm(site: $0.site.description, norm: $0.norm) })
    case let full as FullEdit:
      .full(deltaNorms: full.deltaNorms.map { SiteNorm(site: $0.site.description, norm: $0.norm) })
    default:
      preconditionFailure("an edit of a kind that no cell asks for")
    }
  }
}

extension [TokenWindow] {
  fileprivate var tokenCount: Int { reduce(0) { $0 + $1.targets.count } }
}

extension CellFailure {
  /// What a cancelled run ends with.
  static let cancelled = CellFailure(kind: .preempted, message: "the run was cancelled")
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
