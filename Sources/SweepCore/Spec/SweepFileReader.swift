public import SettingsFiles

extension SweepSpec: SettingsContent {
  /// A sweep file.
  public static let kind = "sweep file"

  /// Reads the tree of a sweep file.
  public init(reading root: SettingsNode) throws(SettingsError) {
    self = try SweepFileReader(root: root).read()
  }
}

/// Reads the tree of a sweep file into a ``SweepSpec``.
struct SweepFileReader {
  let root: SettingsNode

  func read() throws(SettingsError) -> SweepSpec {
    let file = try root.mapping(
      "a mapping that begins with `sweep: NAME`",
      keys: [
        "sweep", "target", "decomposition", "corpora", "evaluation", "training", "grid", "methods", "goal", "audit",
      ])
    let name = try file.required("sweep", "the sweep's name").name("the sweep's name")
    let target = try file.required("target", "a model folder or name").text("a model folder or the name of one")
    let (corpora, start) = try Self.corpora(file.required("corpora", "forget, retain and observe"))
    let evaluation = try Self.evaluation(file.required("evaluation", "tokens_per_corpus and context"))
    let goal = try Self.goal(file["goal"])
    let methods = try MethodReader(sweep: file, corpora: corpora.map(\.name)).read()
    let audit = try file["audit"]?.number("a part of the cells, from 0 to 1") { (0...1).contains($0) }
    return SweepSpec(
      name: name, target: target, corpora: corpora, start: start, evaluation: evaluation, methods: methods,
      goal: goal, auditFraction: audit ?? 0)
  }

  // MARK: Corpora

  private static func corpora(_ node: SettingsNode) throws(SettingsError) -> (corpora: [CorpusSpec], start: String) {
    let roles = CorpusRole.allCases
    let mapping = try node.mapping(
      "a mapping with the keys forget, retain and observe", keys: roles.map(\.rawValue) + ["start"])
    var corpora: [CorpusSpec] = []
    for role in roles {
      let example = "`\(role.rawValue): {NAME: FILE}`"
      let named: SettingsNode
      if role == .observe {
        guard let optional = mapping[role.rawValue] else { continue }
        named = optional
      } else {
        named = try mapping.required(role.rawValue, "as in \(example)")
      }
      let entries = try named.entries("corpora by name, as in \(example)")
      guard !entries.isEmpty || role == .observe else {
        throw named.mismatch(expected: "at least one corpus, as in \(example)")
      }
      for entry in entries {
        try entry.value.checkName(entry.name, "the corpus's name")
        let corpus = CorpusSpec(name: entry.name, role: role, path: try entry.value.text("a text file"))
        if let other = corpora.first(where: { $0.name == corpus.name }) {
          throw entry.value.refusal(
            "expected a name of its own for each corpus, found `\(corpus.name)` also under \(other.role.rawValue)",
            advice: "rename one of them")
        }
        if let other = corpora.first(where: { $0.path == corpus.path }) {
          throw entry.value.refusal(
            "expected a file of its own for each corpus, found that of `\(other.name)`", advice: "use one of them")
        }
        corpora.append(corpus)
      }
    }
    return (corpora, try start(mapping["start"]))
  }

  private static func start(_ node: SettingsNode?) throws(SettingsError) -> String {
    guard let node else { return "<|endoftext|>" }
    let expected = "text that is one token of the tokenizer"
    let start = try node.text(expected)
    if case .scalar(_, isPlain: true) = node.value, start.contains("\\") {
      throw node.mismatch(
        expected: expected,
        advice: "escapes such as \\n are read only within double quotes: \"\(SettingsError.onOneLine(start))\"")
    }
    return start
  }

  // MARK: Evaluation and goal

  private static func evaluation(_ node: SettingsNode) throws(SettingsError) -> EvaluationSettings {
    let mapping = try node.mapping(
      "a mapping with the keys tokens_per_corpus and context", keys: ["tokens_per_corpus", "context"])
    let atLeastOne = "a whole number of at least 1"
    let tokensNode = try mapping.required("tokens_per_corpus", "tokens to predict for each corpus and split")
    let contextNode = try mapping.required("context", "tokens in a window")
    let tokens = try tokensNode.wholeNumber(atLeastOne) { $0 >= 1 }
    let context = try contextNode.wholeNumber(atLeastOne) { $0 >= 1 }
    guard context <= tokens else {
      throw contextNode.refusal("expected at most tokens_per_corpus (\(tokens)), found \(context)")
    }
    guard tokens.isMultiple(of: context) else {
      let below = tokens / context * context
      let (above, overflow) = below.addingReportingOverflow(context)
      throw tokensNode.refusal(
        "expected a multiple of context (\(context)), found \(tokens)",
        advice: overflow ? "use \(below)" : "use \(below) or \(above)")
    }
    return EvaluationSettings(tokensPerCorpus: tokens, context: context)
  }

  private static func goal(_ node: SettingsNode?) throws(SettingsError) -> SweepGoal {
    var goal = SweepGoal()
    guard let node else { return goal }
    let mapping = try node.mapping(
      "a mapping with the keys removal and retention_cost_at_most", keys: ["removal", "retention_cost_at_most"])
    if let removal = mapping["removal"] {
      if case .scalar("uniform", _) = removal.value {
        goal.removal = .uniform
      } else {
        goal.removal = .nats(try removal.number("uniform or a number of nats above 0") { $0 > 0 })
      }
    }
    if let cost = mapping["retention_cost_at_most"] {
      goal.retentionCostAtMost = try cost.number("a number of nats of at least 0") { $0 >= 0 }
    }
    return goal
  }
}
