internal import LanguageModel
internal import SettingsFiles
internal import SweepCore

/// Holds a sweep against the files that it names before anything runs, so that what would fail every cell is told at
/// once: a damaged model, a subcomponent that does not exist, windows longer than the model's context, a corpus that is
/// too short.
struct SweepCheck {
  private let sweep: ResolvedSweep
  private let file: String

  /// - Parameter file: the sweep file, as the user named it.
  init(_ sweep: ResolvedSweep, file: String) {
    self.sweep = sweep
    self.file = file
  }

  /// - Throws: the first contradiction: `InputFileError` within a file, `SettingsError` between files.
  func run() throws {
    let configuration = try ModelConfiguration(file: sweep.files.configuration.path)
    try checkContext(configuration)
    _ = try TargetModel(checkpoint: sweep.files.weights.path, configuration: configuration)
    let tokenizer = try checkedTokenizer(configuration)
    let decompositions = try sweep.files.decompositions.mapValues { file in
      try Decomposition(path: file.path, configuration: configuration)
    }
    for method in sweep.spec.methods {
      switch method.edit {
      case .prefactors(let subcomponents, _, let name), .scan(let subcomponents, _, let name):
        guard let decomposition = decompositions[name] else { continue }
        try check(sweep.subcomponents(subcomponents), in: decomposition, method: method.name)
      case .lora(let ranks, let sites, _):
        try check(sweep.sites(sites), ranks: ranks, configuration, method: method.name)
      case .full(let sites):
        try check(sweep.sites(sites), ranks: [], configuration, method: method.name)
      }
    }
    for corpus in sweep.spec.corpora { try check(corpus, tokenizer, configuration) }
  }

  private func checkContext(_ configuration: ModelConfiguration) throws(SettingsError) {
    let context = sweep.spec.evaluation.context
    guard context <= configuration.context else {
      throw refusal(
        "evaluation.context", "expected at most the model's context of \(configuration.context), found \(context)",
        "use \(configuration.context) or less")
    }
  }

  private func checkedTokenizer(_ configuration: ModelConfiguration) throws -> Tokenizer {
    let path = sweep.files.tokenizer.path
    let tokenizer = try Tokenizer(path: path)
    guard tokenizer.idLimit <= configuration.vocabularySize else {
      throw InputFileError(
        file: path,
        problem: "expected ids below the model's vocabulary of \(configuration.vocabularySize), "
          + "found \(tokenizer.idLimit - 1)",
        advice: "check that the tokenizer and the model belong together")
    }
    let start = tokenizer.encode(sweep.spec.start)
    guard start.count == 1 else {
      throw refusal(
        "corpora.start", "expected text that is one token of the tokenizer, found \(start.count) tokens",
        "use a token of \(path), such as \"\\n\"")
    }
    return tokenizer
  }

  /// Whether a corpus has the text that the sweep asks of it. Where one line more or less decides, a cell may still
  /// find too little: which lines are drawn for training depends on the seed, and with it how many tokens they hold.
  private func check(_ corpus: CorpusSpec, _ tokenizer: Tokenizer, _ configuration: ModelConfiguration) throws {
    guard let path = sweep.files.corpora[corpus.name]?.text.path else { return }
    let text = try Corpus(path: path)
    let start = try tokenizer.startToken(sweep.spec.start)
    let evaluation = sweep.spec.evaluation
    for split in [Corpus.Split.validation, .test] {
      _ = try text.evaluationWindows(
        split, tokens: evaluation.tokensPerCorpus, context: evaluation.context, tokenizer: tokenizer, start: start)
    }
    _ = try text.draw(
      tokens: trainingTokens(of: corpus), seed: 0, purpose: "check", context: configuration.context,
      tokenizer: tokenizer, start: start)
  }

  /// The most tokens that a cell trains on from a corpus: corpora of one role share evenly.
  private func trainingTokens(of corpus: CorpusSpec) -> Int {
    let most = sweep.cells.lazy.compactMap(\.specification.training).map { training in
      switch corpus.role {
      case .forget: training.tokenBudget
      case .retain: training.retainTokens
      case .observe: 0
      }
    }.max()
    let sharers = sweep.spec.corpora.count { $0.role == corpus.role }
    return ((most ?? 0) + sharers - 1) / sharers
  }

  private func check(_ subcomponents: [SubcomponentPath], in decomposition: Decomposition, method: String) throws {
    for (position, subcomponent) in subcomponents.enumerated() {
      let keyPath = "methods.\(method).subcomponents[\(position)]"
      guard let site = Site("\(subcomponent.site)"), let factors = decomposition[site] else {
        let known = decomposition.sites.map { "\($0.site)" }.joined(separator: ", ")
        throw refusal(
          keyPath, "expected a site that \(decomposition.path) decomposes, found \(subcomponent)",
          "decomposed there: \(known)")
      }
      guard subcomponent.index < factors.count else {
        throw refusal(
          keyPath, "expected one of the \(factors.count) subcomponents of \(site), found \(subcomponent)",
          "choose an index from 0 to \(factors.count - 1)")
      }
      // Its numbers are looked at as well.
      _ = try decomposition.directions(of: SubcomponentName(site: site, index: subcomponent.index))
    }
  }

  private func check(
    _ sites: SiteSelection, ranks: [Int], _ configuration: ModelConfiguration, method: String
  ) throws(SettingsError) {
    var chosen = configuration.sites
    if case .named(let paths) = sites {
      chosen = []
      for path in paths {
        guard let site = Site(path), site.layer < configuration.layers else {
          throw refusal(
            "methods.\(method).sites",
            "expected a site of the model, which has \(configuration.layers) layers, found \(path)",
            "use a layer from 0 to \(configuration.layers - 1)")
        }
        chosen.append(site)
      }
    }
    let limit = chosen.map { min(configuration.shape(of: $0).outputs, configuration.shape(of: $0).inputs) }.min()
    guard let limit, let rank = ranks.first(where: { $0 > limit }) else { return }
    throw refusal(
      "methods.\(method).rank", "expected a rank of at most \(limit), the narrowest of its matrices, found \(rank)",
      "lower the rank")
  }

  private func refusal(_ keyPath: String, _ problem: String, _ advice: String) -> SettingsError {
    SettingsError(file: file, position: nil, keyPath: keyPath, problem: problem, advice: advice)
  }
}
