internal import ContentHash
internal import LanguageModel
internal import TensorKernels

/// `vpd`: subcomponents of which few at a time matter, wherever the model is run, all sites trained together.
///
/// Stochastic parameter decomposition (Bushnaq, Braun and Sharkey, arXiv 2506.20790) with the adversary, the subset
/// routing and the frequency term of "Interpreting Language Model Parameters" (2026). Every site has V and U, and an
/// importance function that says of each input how much each subcomponent matters to the output, g from 0 to 1. The
/// model is run with subcomponents scaled by masks m = g + (1 - g) r: what matters is left alone, all else is scaled by
/// a source r, and what the subcomponents leave of the matrix, W - (V U)ᵀ, by a mask of its own from 0 to 1. The loss is
/// a weighted sum of
///
/// - KL(base || masked) under random sources, on a random subset of the sites in every token;
/// - KL(base || masked) under the sources of an ``Adversary``, on all sites;
/// - Σ_c u(z_c)^p a token, with p annealed, and a term that makes what matters often dearer than what seldom does;
/// - the mean square of W - (V U)ᵀ.
///
/// No label enters anywhere. The result depends on the recipe and its files alone: not on the number of threads, nor on
/// how often the training was interrupted and carried on.
public struct VPD: DecompositionMethod {
  /// The settings.
  public var settings: VPDSettings
  /// The settings of the start, where that is ``SparseICA``.
  public var ica: SparseICA

  /// Creates the method.
  public init(settings: VPDSettings, ica: SparseICA) {
    self.settings = settings
    self.ica = ica
  }

  /// The training blew up: a loss became infinite or not a number.
  public struct Divergence: Error, CustomStringConvertible {
    /// The update that could not be made, counted from 1.
    public let step: Int

    /// One line for people.
    public var description: String {
      "the decomposition diverged at step \(step): a loss is not a finite number; lower vpd.learning_rate or "
        + "vpd.clip_norm, and name another --output or remove the checkpoint"
    }
  }

  /// Trains all sites together, from a checkpoint if there is one, and hands them over at the end. Process-wide effect:
  /// the BLAS uses one thread a product.
  ///
  /// - Throws: `InputFileError` for text or a checkpoint that does not suffice, ``Divergence``, and
  ///   ``DecompositionControl/Stopped`` if asked to stop, with a checkpoint written.
  public func decompose(_ task: DecompositionTask, handOver: (SiteDecomposition) -> Void) throws {
    Product.setThreads(1)
    var mixture = try mixture(of: task.text)
    let start = VPDState(sites: try start(task), settings: settings, positions: task.text.context)
    let control = task.control
    var state = start
    if let checkpoint = control.checkpoint, checkpoint.exists {
      state = try VPDState(
        checkpoint: checkpoint.path, identity: checkpoint.identity, settings: settings, start: start)
      control.observe(.resumed(step: state.step, of: settings.steps))
    }
    mixture.skip(state.step * settings.batch)
    let training = VPDTraining(model: task.model, settings: settings, state: state, threads: control.threads)
    var saved = state.step
    func save(_ state: VPDState) throws(InputFileError) {
      guard let checkpoint = control.checkpoint, saved != state.step || !checkpoint.exists else { return }
      try state.write(to: checkpoint.path, identity: checkpoint.identity)
      saved = state.step
    }
    while state.step < settings.steps {
      if control.shouldStop() {
        try save(state)
        throw DecompositionControl.Stopped(step: state.step, steps: settings.steps)
      }
      if state.step > 0, state.step.isMultiple(of: settings.checkpointEvery) { try save(state) }
      let windows = (0..<settings.batch).map { _ in mixture.next().window }
      let step = training.step(&state, windows: windows)
      guard step.isFinite else { throw Divergence(step: step.step) }
      control.observe(.stepped(step, of: settings.steps))
    }
    try save(state)
    for site in state.sites {
      handOver(
        SiteDecomposition(site: site.site, read: site.read, write: site.write, importance: site.importance))
    }
  }

  /// The text of the training, in the corpora's shares.
  private func mixture(of text: TrainingText) throws(InputFileError) -> TextMixture {
    var streams: [LanguageStream] = []
    for part in text.corpora {
      let tokens = LanguageStream.tokens(of: part.corpus, tokenizer: text.tokenizer, start: text.start)
      guard tokens.count >= text.context else {
        throw InputFileError(
          file: part.corpus.path,
          problem: "expected training text of at least one window of \(text.context) tokens, found \(tokens.count)",
          advice: "bring more text, or choose a shorter context")
      }
      streams.append(
        LanguageStream(
          tokens: tokens, context: text.context, start: text.start, seed: "vpd/\(settings.seed)/text/\(part.name)"))
    }
    return TextMixture(streams: streams, shares: text.corpora.map(\.share))
  }

  /// All sites at their start.
  private func start(_ task: DecompositionTask) throws -> [TrainedSite] {
    var directions: [Site: Matrix] = [:]
    if settings.start == .ica {
      try ica.decompose(task) { directions[$0.site] = $0.read }
    }
    return try task.sites.map { site throws(InputFileError) in
      let weight = task.model.weight(at: site)
      let count = settings.subcomponents[site.kind.shortName] ?? weight.columns
      func refusal(_ problem: String, _ advice: String) -> InputFileError {
        InputFileError(file: task.modelPath, place: "\(site)", problem: problem, advice: advice)
      }
      let found = directions[site]
      guard found == nil || count >= weight.columns else {
        throw refusal(
          "expected at least as many subcomponents as inputs (\(weight.columns)) for a start from ica, found \(count)",
          "raise vpd.subcomponents, or use `start: random`")
      }
      let random = Matrix(
        rows: weight.columns, columns: count - (found?.columns ?? 0),
        normalBy: "vpd/\(settings.seed)/start/\(site)", variance: 1)
      random.normaliseColumns()
      // Random directions beside those of ica would take over a part of what these do.
      let (read, spare) = found.map { (Matrix(copying: $0), random) } ?? (random, Matrix(rows: random.rows, columns: 0))
      read.normaliseColumns()
      guard
        let site = TrainedSite(
          site: site, weight: weight, read: read, spare: spare, hidden: settings.hidden,
          seed: "vpd/\(settings.seed)/importance")
      else {
        throw refusal(
          "expected read directions that can be solved for, found some that depend on others",
          "choose another seed, or another number of subcomponents")
      }
      return site
    }
  }
}
