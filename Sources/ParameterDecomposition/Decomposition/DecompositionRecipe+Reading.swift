internal import LanguageModel
public import SettingsFiles

extension DecompositionRecipe: SettingsContent {
  /// A recipe.
  public static let kind = "recipe"

  /// Reads the tree of a recipe.
  public init(reading root: SettingsNode) throws(SettingsError) {
    self = try DecompositionRecipeReader(root: root).read()
  }
}

/// Reads the tree of a recipe into a ``DecompositionRecipe``.
struct DecompositionRecipeReader {
  let root: SettingsNode

  private static let atLeastOne = "a whole number of at least 1"

  func read() throws(SettingsError) -> DecompositionRecipe {
    let settings = [DecompositionRecipe.MethodName.ica, .vpd].map(\.rawValue)
    let file = try root.mapping(
      "a mapping that begins with `decompose: NAME`",
      keys: ["decompose", "model", "sites", "method"] + settings + ["corpora", "start", "context", "evaluation"])
    let name = try file.required("decompose", "the decomposition's name").name("the decomposition's name")
    let method = try Self.method(file)
    return DecompositionRecipe(
      file: root.file, name: name, model: try file.required("model", "a model folder").text("a model folder"),
      sites: try Self.sites(file.required("sites", "all, or a list of sites")), method: method,
      corpora: try RecipeCorpus.list(file.required("corpora", "texts by name")),
      start: try file["start"]?.text("text that is one token of the tokenizer") ?? "<|endoftext|>",
      context: try file["context"]?.wholeNumber(Self.atLeastOne) { $0 >= 1 },
      evaluationTokens: try Self.evaluationTokens(file["evaluation"]))
  }

  private static func sites(_ node: SettingsNode) throws(SettingsError) -> DecompositionRecipe.Sites {
    if case .scalar("all", _) = node.value { return .all }
    let sites = try node.distinct("all, or sites as in [h.1.mlp.c_fc]") { node throws(SettingsError) in
      guard let site = Site(try node.text("a site such as h.1.mlp.c_fc")) else {
        let kinds = Site.Kind.allCases.map { "h.N.\($0.path)" }
        throw node.mismatch(expected: "a site, one of " + SettingsNode.alternatives(kinds))
      }
      return site
    }
    return .listed(sites.sorted())
  }

  private static func method(_ file: SettingsMapping) throws(SettingsError) -> DecompositionRecipe.Method {
    let node = try file.required("method", "ica, svd, neurons or vpd")
    let name = try node.choice(of: DecompositionRecipe.MethodName.self)
    let (icaKey, vpdKey) = (DecompositionRecipe.MethodName.ica.rawValue, DecompositionRecipe.MethodName.vpd.rawValue)
    if name != .vpd {
      try file.refuse([vpdKey], advice: "remove it, or use `method: vpd`")
    }
    switch name {
    case .ica:
      return .ica(try ica(file[icaKey]))
    case .svd, .neurons:
      try file.refuse([icaKey], advice: "remove it: \(name.rawValue) has no settings")
      return name == .svd ? .svd : .neurons
    case .vpd:
      let settings = try VPDSettingsReader.read(file.required(vpdKey, "the settings of vpd"))
      if settings.start != .ica {
        try file.refuse([icaKey], advice: "remove it, or use `start: ica` in vpd")
      }
      return .vpd(settings, try ica(file[icaKey]))
    }
  }

  /// The settings of ica, or those of the start of vpd.
  private static func ica(_ node: SettingsNode?) throws(SettingsError) -> DecompositionRecipe.ICA {
    let mapping = try node?.mapping(
      "a mapping of the settings of ica", keys: ["tokens", "seeds", "ridge", "iterations"])
    return DecompositionRecipe.ICA(
      tokens: try mapping?["tokens"]?.wholeNumber(atLeastOne) { $0 >= 1 } ?? 16_384,
      seeds: try mapping?["seeds"]?.distinct("seeds, as in [0, 1, 2]") { node throws(SettingsError) in
        try node.wholeNumber("a whole number of at least 0") { $0 >= 0 }
      } ?? [0, 1, 2],
      ridge: try mapping?["ridge"]?.number("a number from 1e-9 to 1") { (1e-9...1).contains($0) } ?? 1e-4,
      iterations: try mapping?["iterations"]?.wholeNumber(atLeastOne) { $0 >= 1 } ?? 200)
  }

  private static func evaluationTokens(_ node: SettingsNode?) throws(SettingsError) -> Int {
    let mapping = try node?.mapping("a mapping with the key tokens_per_corpus", keys: ["tokens_per_corpus"])
    return try mapping?["tokens_per_corpus"]?.wholeNumber(atLeastOne) { $0 >= 1 } ?? 4096
  }
}
