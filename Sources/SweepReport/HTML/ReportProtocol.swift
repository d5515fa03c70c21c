internal import Foundation
internal import SweepCore

/// The content of `protocol.json`: what an appendix would say of how the numbers came about. All of it follows from
/// the cells' specifications and results, none of it from where they ran.
struct ReportProtocol: Encodable {
  /// Counts changes that readers of the file would notice.
  var schema = "pdsweep.protocol/1"
  var sweep: String
  /// The revision of the engine that computes the numbers; more than one only where a sweep was carried on.
  var engineRevisions: [Int]
  /// Digests (SHA-256) of the target's files; a file that differs between methods is listed with each digest.
  var target: [String: [String]]
  var vocabularySize: Int
  var uniformGuess: FrontierDocument.Number
  var goal: FrontierDocument.Goal
  var corpora: [CorpusEntry]
  /// What every window begins with.
  var start: [String]
  var evaluation: [Evaluation]
  var methods: [Method]
  /// How the subcomponents were chosen that the sweep file does not name.
  var selections: [SweepSelection]
  /// How choices are made and what words mean, in sentences.
  var rules: [Rule]

  struct CorpusEntry: Encodable {
    var name: String
    var role: String
    var text: String
    /// The digest of its cut; `null` for the standard one.
    var cut: String?
    /// Cross-entropy of the base model, nats; `null` without a measurement.
    var base: FrontierDocument.Splits?
  }

  struct Evaluation: Encodable {
    var tokensPerCorpusAndSplit: Int
    var context: Int
    var windowsPerCorpusAndSplit: Int
  }

  struct Method: Encodable {
    var name: String
    var cells: [String: Int]
    /// Settings that all its cells share.
    var constants: [Setting]
    /// Settings that its grid varies.
    var grid: [Setting]
    /// Tokens of the forget and retain corpora that its finished edits saw, least and most; `null` without a result.
    var forgetTokensSeen: [Int]?
    var retainTokensSeen: [Int]?
  }

  struct Setting: Encodable {
    var name: String
    /// In the order in which cells first name them.
    var values: [String]
  }

  struct Rule: Encodable {
    var name: String
    var text: String
  }
}

extension ReportProtocol {
  init(_ report: ReportedSweep) {
    let specifications = report.records.map(\.cell.specification)
    let analysis = report.analysis
    sweep = report.name
    engineRevisions = Set(specifications.map(\.revision)).sorted()
    target = specifications.reduce(into: [:]) { files, specification in
      let target = specification.target
      var digests = [
        "model.safetensors": target.weights, "model_config.yaml": target.configuration,
        "tokenizer.json": target.tokenizer,
      ]
      digests["decomposition"] = target.decomposition
      for (name, digest) in digests {
        if !files[name, default: []].contains("\(digest)") { files[name, default: []].append("\(digest)") }
      }
    }
    vocabularySize = report.vocabularySize
    uniformGuess = .init(analysis.uniformGuess)
    goal = .init(
      removal: .init(analysis.goal.leastRemoval(uniformGuess: analysis.uniformGuess)),
      retentionCostAtMost: .init(analysis.goal.retentionCostAtMost))
    let measured = analysis.points.first?.evaluation.corpora ?? []
    corpora = report.corpora.map { corpus in
      let base = measured.first { $0.name == corpus.name && $0.role == corpus.role }?.base
      return CorpusEntry(
        name: corpus.name, role: corpus.role.rawValue, text: "\(corpus.text)", cut: corpus.cut.map { "\($0)" },
        base: base.map(FrontierDocument.Splits.init))
    }
    start = Self.distinct(specifications.map(\.start))
    evaluation = Self.distinct(specifications.map(\.evaluation)).map {
      Evaluation(
        tokensPerCorpusAndSplit: $0.tokensPerCorpus, context: $0.context,
        windowsPerCorpusAndSplit: $0.context > 0 ? $0.tokensPerCorpus / $0.context : 0)
    }
    methods = analysis.methods.map { method in
      Method(method, records: report.records.filter { $0.cell.method == method.name })
    }
    selections = report.selections
    rules = Self.rules(report)
  }

  private static func distinct<Value: Hashable>(_ values: [Value]) -> [Value] {
    var seen: Set<Value> = []
    return values.filter { seen.insert($0).inserted }
  }
}

extension ReportProtocol.Method {
  init(_ method: MethodFrontier, records: [CellRecord]) {
    name = method.name
    cells = Dictionary(
      uniqueKeysWithValues: CellRecord.State.allCases.map { ($0.rawValue, method.cells[$0, default: 0]) })
    let specifications = records.map(\.cell.specification)
    var settings: [(name: String, values: [String?])] = [
      ("token_budget", specifications.map { $0.training.map { "\($0.tokenBudget)" } }),
      ("seed", specifications.map { "\($0.seed)" }),
    ]
    let flat = specifications.map(CellSettings.init)
    settings += CellSettings.fields.map { field in (field.name, flat.map(field.text)) }
    settings.append(
      (
        "evaluate_at",
        specifications.map { specification in
          let steps = specification.training?.evaluateAt ?? []
          return steps.isEmpty ? nil : steps.map(String.init).joined(separator: " ")
        }
      ))
    var constants: [ReportProtocol.Setting] = []
    var grid: [ReportProtocol.Setting] = []
    for (name, values) in settings {
      var seen: Set<String?> = []
      let distinct = values.filter { seen.insert($0).inserted }
      let named = distinct.compactMap { $0 }
      guard !named.isEmpty else { continue }
      let setting = ReportProtocol.Setting(name: name, values: distinct.map { $0 ?? "none" })
      if distinct.count == 1 { constants.append(setting) } else { grid.append(setting) }
    }
    self.constants = constants
    self.grid = grid
    let results = records.compactMap(\.result)
    func range(_ values: [Int]) -> [Int]? {
      values.min().flatMap { least in values.max().map { [least, $0] } }
    }
    forgetTokensSeen = range(results.map(\.forgetTokens))
    retainTokensSeen = range(results.map(\.retainTokens))
  }
}

extension ReportProtocol {
  /// What was done, in the words of the program that did it.
  static func rules(_ sweep: ReportedSweep) -> [Rule] {
    let analysis = sweep.analysis
    let trainings = sweep.records.compactMap(\.cell.specification.training)
    var rules = [
      Rule(
        name: "Splits",
        text: "Evaluation uses two disjoint held-out splits. Hyper-parameters, steps, fronts and tokens-to-target are "
          + "chosen on the validation split alone; every reading reported is of the test split, unless it says "
          + "otherwise. Evaluation windows do not overlap; each begins with the start token, which is not predicted."),
      Rule(
        name: "Token budget",
        text: "The number of forget-corpus tokens that a fine-tune may ever see; each is predicted once a pass and "
          + "none is given as free context, since a window begins after the start token. They are drawn by the seed, "
          + "from the part of the corpus that is in neither held-out split. The retain tokens are drawn once in the "
          + "same way and used in every step. 0: nothing is trained."),
      Rule(
        name: "Seed",
        text: "The seed chooses the tokens that are drawn: the same for all methods, and a larger budget begins with "
          + "those of a smaller one. The initialisation of a LoRA follows from the cell's fingerprint, of which the "
          + "seed is a part."),
    ]
    rules += forgetLosses.filter { loss in trainings.contains { $0.forgetLoss == loss.key } }
      .map { Rule(name: "Forget loss \($0.key.rawValue)", text: $0.value) }
    rules += retainLosses.filter { loss in trainings.contains { $0.retainLoss == loss.key } }
      .map { Rule(name: "Retain loss \($0.key.rawValue)", text: $0.value) }
    if !trainings.isEmpty {
      rules.append(
        Rule(
          name: "Total loss",
          text: "forget + retain_weight x retain: two separate batches with their own means over predicted tokens."))
    }
    rules += optimisers(trainings.map(\.optimiser))
    rules += edits(sweep.records.map(\.cell.specification.edit))
    rules += [
      Rule(
        name: "Removal and cost",
        text: "Removal is the mean next-token cross-entropy on the forget corpora, in nats, and counts up to that of a "
          + "uniform guess. A cost is the increase of a corpus's cross-entropy over the base model's."),
      Rule(
        name: "Frontier",
        text: "The edits that no other dominates on validation: lower retention cost, higher removal and, with tokens, "
          + "smaller budget. Equal points do not dominate each other."),
      Rule(
        name: "Tokens to target",
        text: "For every seed the smallest budget at which any setting reaches the goal on validation, and there the "
          + "setting of least retention cost; the median over seeds, where a seed that never reaches the goal counts "
          + "as infinite. Of an even number of seeds the median is the mean of the two in the middle."),
      Rule(
        name: "Attainment surfaces",
        text: "Fonseca, Grunert da Fonseca and Hall's empirical attainment function. Each seed's front at a budget is "
          + "chosen on validation and the same edits are read on test; a k-of-n surface bounds what at least k of n "
          + "seeds attain. Quartiles and median are what more than 1/4, 1/2 and 3/4 of the seeds attain: of an even "
          + "number of seeds the median is the worse of the two in the middle. A seed without results counts and "
          + "attains nothing."),
      Rule(
        name: "Matched removal",
        text: "At a level of removal, for every seed the cheapest edit that reaches it, both on validation; its "
          + "readings on test. Nothing is interpolated between edits."),
      Rule(
        name: "Within noise",
        text: "A difference is within noise where its 95 % paired-bootstrap interval holds zero: evaluation windows "
          + "are drawn anew, the same ones for both edits and the base model, and the seeds with them. Where results "
          + "do not tell what their windows read, where the ranges over seeds overlap."),
    ]
    if !sweep.selections.isEmpty {
      rules.append(
        Rule(
          name: "Selections",
          text: "Subcomponents that the sweep file does not name are chosen by what a harvest of the decomposition "
            + "says of them, before any cell runs: no result enters. Of equals the first site and the lowest number "
            + "comes first."))
    }
    if let reference = analysis.reference {
      rules.append(
        Rule(
          name: "Hypervolume",
          text: "The area that a method's front dominates, of retention cost against removal, up to a reference point "
            + "at a cost of \(svgNumber(reference.retentionCost)) nat and the base model's removal."))
    }
    return rules
  }

  private static let forgetLosses: KeyValuePairs<ForgetLoss, String> = [
    .negativeCrossEntropy: "-CE: the mean over tokens of the negative cross-entropy.",
    .cappedAscent: "-mean of min(CE of the token, ln V): nothing is gained beyond a uniform guess.",
    .hinge: "max(0, 1.05 ln V - CE) of the mean cross-entropy: nothing is gained beyond a margin.",
    .uniformKL: "KL(uniform || p): the mean over tokens.",
  ]

  private static let retainLosses: KeyValuePairs<RetainLoss, String> = [
    .kl: "KL(base || edited): the mean over tokens.", .reverseKL: "KL(edited || base): the mean over tokens.",
    .crossEntropy: "The cross-entropy of the edited model.",
  ]

  private static func optimisers(_ optimisers: [OptimiserSpecification]) -> [Rule] {
    var rules: [Rule] = []
    if optimisers.contains(where: { if case .adamW = $0 { true } else { false } }) {
      rules.append(
        Rule(
          name: "AdamW",
          text: "As torch defines it, full batch: every step sees all drawn tokens. Gradients are scaled down to a "
            + "global L2 norm where clip_norm is set. Weight decay pulls alphas towards 0, not 1."))
    }
    if optimisers.contains(.solve) {
      rules.append(
        Rule(
          name: "Solve",
          text: "For an edit of one number: a search in one dimension on both sides of alpha = 1, where the forget "
            + "loss is flat and a gradient method from 1 alone stalls."))
    }
    return rules
  }

  private static func edits(_ edits: [EditSpecification]) -> [Rule] {
    var rules: [Rule] = []
    if edits.contains(where: { if case .prefactors = $0 { true } else { false } }) {
      rules.append(
        Rule(
          name: "Prefactors",
          text: "W(alpha) = W + sum over c of (alpha_c - 1) U[c] (x) V[:, c]; training starts from alpha = 1, the base "
            + "model."))
    }
    if edits.contains(where: { if case .lora = $0 { true } else { false } }) {
      rules.append(
        Rule(
          name: "LoRA",
          text: "W + (scale / rank) B A, with A drawn from N(0, 0.01^2) by the seed and B = 0 to begin with. Its norm "
            + "is the Frobenius norm of the change of all sites together."))
    }
    if edits.contains(where: { if case .full = $0 { true } else { false } }) {
      rules.append(
        Rule(
          name: "Full fine-tune",
          text: "W + D at each site, with every number of D trained and D = 0 to begin with; weight decay acts on D. "
            + "Its norm is the Frobenius norm of D of all sites together."))
    }
    return rules
  }
}

extension ReportedSweep {
  /// `protocol.json`: what an appendix would say of how the numbers came about. The same for the same results.
  public func protocolJSON() -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(ReportProtocol(self)), as: UTF8.self) + "\n"
    } catch {
      preconditionFailure("a protocol holds nothing that JSON does not: \(error)")
    }
  }
}
