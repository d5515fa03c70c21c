public import ContentHash
internal import Foundation
internal import LanguageModel
internal import SettingsFiles
internal import TensorKernels

/// A recipe with the files that it names, read and checked: ready to be carried out.
public struct DecompositionRun {
  /// What is known of a site once it is decomposed.
  public struct SiteReport: Sendable, Hashable, Codable {
    /// The site.
    public let site: String
    /// C.
    public let subcomponents: Int
    /// Mean over the elements of the square of (V U)ᵀ - W.
    public let faithfulness: Double
    /// What the method says about how it went, by name.
    public let notes: [String: Double]
  }

  /// The recipe.
  public let recipe: DecompositionRecipe
  /// Where the decomposition is written if nothing else is said: `NAME.safetensors` in the model folder.
  public let defaultOutput: String
  /// The files that the result depends on, by what they are for.
  public let inputs: [String: SHA256Digest]

  private let folder: TargetFolder
  private let texts: [String]
  private let task: DecompositionTask
  private let evaluation: [(corpus: String, windows: [TokenWindow])]

  /// Reads every file.
  ///
  /// - Parameters:
  ///   - recipe: the recipe; what it names is relative to its folder.
  ///   - model: a model folder in place of the recipe's.
  ///   - corpora: a folder in which the texts are found by their file names, in place of the paths in the recipe.
  /// - Throws: `SettingsError` for what the recipe says, `InputFileError` for what a file holds.
  public init(_ recipe: DecompositionRecipe, model: String? = nil, corpora: String? = nil) throws {
    func refusal(_ keyPath: String, _ problem: String, _ advice: String? = nil) -> SettingsError {
      SettingsError(file: recipe.file, position: nil, keyPath: keyPath, problem: problem, advice: advice)
    }
    let folder = URL(fileURLWithPath: recipe.file).deletingLastPathComponent()
    let target = try TargetFolder(path: model ?? URL(fileURLWithPath: recipe.model, relativeTo: folder).path)
    let configuration = target.model.configuration
    let context = recipe.context ?? configuration.blockSize
    guard context <= configuration.context else {
      throw refusal("context", "expected at most the model's context of \(configuration.context), found \(context)")
    }
    var sites = configuration.sites
    if case .listed(let listed) = recipe.sites {
      if let missing = listed.first(where: { $0.layer >= configuration.layers }) {
        throw refusal("sites", "expected sites of a model of \(configuration.layers) layers, found \(missing)")
      }
      sites = listed
    }

    let texts = recipe.corpora.map { corpus in
      let url = URL(fileURLWithPath: corpus.path, relativeTo: folder)
      let place = corpora.map {
        URL(fileURLWithPath: $0, isDirectory: true).appendingPathComponent(url.lastPathComponent)
      }
      return (name: corpus.name, path: (place ?? url).path, share: corpus.share)
    }
    let (text, digests) = try target.text(corpora: texts, start: recipe.start, context: context)
    let tokens = (recipe.evaluationTokens + context - 1) / context * context
    evaluation = try text.corpora.map { part in
      let windows = try part.corpus.evaluationWindows(
        .validation, tokens: tokens, context: context, tokenizer: text.tokenizer, start: text.start)
      return (part.name, windows)
    }
    self.recipe = recipe
    self.folder = target
    self.texts = texts.map(\.path)
    inputs = target.digests.merging(digests) { model, _ in model }
    defaultOutput =
      URL(fileURLWithPath: target.path, isDirectory: true).appendingPathComponent("\(recipe.name).safetensors").path
    task = DecompositionTask(model: target.model, modelPath: target.weights, sites: sites, text: text)
  }

  /// Decomposes, writes the decomposition, measures it on validation text, and writes its provenance beside it.
  /// Takes from seconds to hours, on the thread that calls it.
  ///
  /// - Parameters:
  ///   - output: where the decomposition is written. The importance functions of a method that makes them come beside
  ///     it, and so does a checkpoint while it is at work.
  ///   - program: the program and its version, for the provenance.
  ///   - control: how it is carried out; where its checkpoint lies is said here.
  ///   - onSite: is told of each site when it is done.
  /// - Throws: `InputFileError`, ``VPD/Divergence``, and ``DecompositionControl/Stopped`` if asked to stop.
  public func run(
    to output: String, program: String, control: DecompositionControl = DecompositionControl(),
    onSite: (SiteReport) -> Void
  ) throws -> DecompositionProvenance {
    try run(with: recipe.method.decomposer, to: output, program: program, control: control, onSite: onSite)
  }

  /// Where the checkpoint of a decomposition stands: `NAME.checkpoint.safetensors` beside `NAME.safetensors`.
  static func checkpoint(beside output: String) -> String {
    URL(fileURLWithPath: output).deletingPathExtension().path + ".checkpoint.safetensors"
  }

  /// The digest of all that the result depends on: two runs of one identity give the same decomposition.
  private var identity: SHA256Digest {
    struct Identity: Encodable {
      let settings: DecompositionProvenance.Settings
      let sites: [String]
      let inputs: [String: SHA256Digest]
    }
    var recipe = recipe
    if case .vpd(var settings, let ica) = recipe.method {
      settings.checkpointEvery = 0
      recipe.method = .vpd(settings, ica)
    }
    return SHA256Digest(
      of: RecordJSON.encode(
        Identity(
          settings: DecompositionProvenance.Settings(recipe), sites: task.sites.map(\.description), inputs: inputs),
        formatting: [.sortedKeys, .withoutEscapingSlashes]))
  }

  /// ``run(to:program:control:onSite:)`` by any method.
  func run(
    with method: any DecompositionMethod, to output: String, program: String,
    control: DecompositionControl = DecompositionControl(), onSite: (SiteReport) -> Void
  ) throws -> DecompositionProvenance {
    let checkpoint = DecompositionControl.Checkpoint(path: Self.checkpoint(beside: output), identity: identity)
    for path in [output, checkpoint.path] { try folder.refuse(output: path, over: texts) }
    var task = task
    task.control = control
    task.control.checkpoint = checkpoint
    var importances: [ImportanceFunction] = []
    var tensors: [SafetensorsFile.Content] = []
    var sites: [SiteReport] = []
    try method.decompose(task) { part in
      for (suffix, matrix) in [("V", part.read), ("U", part.write)] {
        tensors.append(
          .init(
            name: "\(part.site).\(suffix)", shape: [matrix.rows, matrix.columns], elements: matrix.copyOfElements()))
      }
      if let importance = part.importance { importances.append(importance) }
      let report = SiteReport(
        site: "\(part.site)", subcomponents: part.count,
        faithfulness: part.meanSquareError(from: task.model.weight(at: part.site)), notes: part.notes)
      sites.append(report)
      onSite(report)
    }
    try SafetensorsFile.write(tensors, metadata: ["method": recipe.method.name.rawValue], to: output)
    if importances.isEmpty {
      // What lies there belongs to the decomposition that was just replaced.
      try? FileManager.default.removeItem(atPath: ImportanceFile.path(beside: output))
    } else {
      try ImportanceFile.write(importances, beside: output)
    }
    let provenance = DecompositionProvenance(
      program: program, recipe: recipe, inputs: inputs,
      output: try SHA256Digest(ofFile: URL(fileURLWithPath: output)), sites: sites,
      evaluation: try evaluate(output, control))
    try provenance.write(beside: output)
    // It is of no more use, and harmless where it cannot be removed.
    try? FileManager.default.removeItem(atPath: checkpoint.path)
    return provenance
  }

  /// Measures what was written.
  private func evaluate(_ output: String, _ control: DecompositionControl) throws -> DecompositionEvaluation {
    let written = try Decomposition(path: output, configuration: task.model.configuration)
    let evaluator = try DecompositionEvaluator(
      model: task.model, decomposition: written, importance: try ImportanceFile.read(beside: written))
    guard
      let found = try evaluator.evaluate(
        evaluation, threads: control.threads, shouldStop: { recipe.method.steps != nil && control.shouldStop() })
    else {
      let steps = recipe.method.steps ?? 0
      throw DecompositionControl.Stopped(step: steps, steps: steps)
    }
    return found
  }
}
