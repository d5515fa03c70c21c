internal import LanguageModel
internal import SettingsFiles

/// Reads the section `vpd` of a recipe.
struct VPDSettingsReader {
  /// Where every run needs the same, it is the reference configuration's of the VPD report (2026); what is said of small
  /// models there and in the recipe of the built-in target differs.
  static func read(_ node: SettingsNode) throws(SettingsError) -> VPDSettings {
    let mapping = try node.mapping(
      "a mapping of the settings of vpd",
      keys: [
        "steps", "batch", "seed", "start", "subcomponents", "hidden", "learning_rate", "importance_learning_rate",
        "final_learning_rate", "betas", "clip_norm", "sources", "stochastic", "adversarial", "importance",
        "faithfulness", "checkpoints",
      ])
    let learningRate = try mapping.required("learning_rate", "that of V and U").number(positive) { $0 > 0 }
    let betas = try mapping["betas"].map { node throws(SettingsError) in
      try pair(node, "two numbers of at least 0 and below 1, as in [0.9, 0.99]") { 0 <= $0 && $0 < 1 }
    }
    let sources = try mapping["sources"].map { node throws(SettingsError) in try self.sources(node) } ?? (0, 1)
    let settings = VPDSettings(
      steps: try mapping.required("steps", "how long to train").wholeNumber(count) { range.contains($0) },
      batch: try mapping["batch"]?.wholeNumber(count) { range.contains($0) } ?? 8,
      seed: try mapping["seed"]?.wholeNumber("a whole number of at least 0") { $0 >= 0 } ?? 0,
      start: try mapping["start"]?.choice(of: VPDSettings.Start.self) ?? .ica,
      subcomponents: try mapping["subcomponents"].map { node throws(SettingsError) in try subcomponents(node) } ?? [:],
      hidden: try mapping["hidden"]?.wholeNumber(count) { range.contains($0) } ?? 64, learningRate: learningRate,
      importanceLearningRate: try mapping["importance_learning_rate"]?.number(positive) { $0 > 0 } ?? learningRate,
      finalLearningRate: try part(mapping["final_learning_rate"], "a part of learning_rate, from 0 to 1") ?? 0.1,
      beta1: betas?.0 ?? 0.9, beta2: betas?.1 ?? 0.99, clipNorm: try clipNorm(mapping["clip_norm"]),
      leastSource: sources.0, greatestSource: sources.1, stochastic: try stochastic(mapping["stochastic"]),
      adversarial: try adversarial(mapping["adversarial"]),
      importance: try importance(mapping.required("importance", "the weight of the loss on importances")),
      faithfulness: try mapping["faithfulness"]?.number(weight) { $0 >= 0 } ?? 1e5,
      checkpointEvery: try checkpoints(mapping["checkpoints"]))
    guard settings.stochastic.weight + settings.adversarial.weight > 0 else {
      throw mapping.node.refusal(
        "expected a weight above 0 for the stochastic or the adversarial loss, found 0 for both",
        advice: "nothing else says what a subcomponent matters to")
    }
    return settings
  }

  private static let range = 1...1_000_000_000
  private static let count = "a whole number from 1 to \(range.upperBound)"
  private static let positive = "a number above 0"
  private static let weight = "a number of at least 0"

  private static func part(_ node: SettingsNode?, _ expected: String) throws(SettingsError) -> Double? {
    try node?.number(expected) { (0...1).contains($0) }
  }

  private static func pair(
    _ node: SettingsNode, _ expected: String, where isValid: (Double) -> Bool
  ) throws(SettingsError) -> (Double, Double) {
    let elements = try node.list(expected)
    guard elements.count == 2 else { throw node.refusal("expected \(expected), found \(elements.count) elements") }
    return (try elements[0].number(expected, where: isValid), try elements[1].number(expected, where: isValid))
  }

  private static func sources(_ node: SettingsNode) throws(SettingsError) -> (Double, Double) {
    let expected = "the least and the greatest source of a mask, as in [0, 1] or [-1, 2]"
    let (least, greatest) = try pair(node, expected) { abs($0) <= 100 }
    guard least < greatest else { throw node.refusal("expected \(expected), found [\(least), \(greatest)]") }
    return (least, greatest)
  }

  private static func clipNorm(_ node: SettingsNode?) throws(SettingsError) -> Double? {
    guard let node else { return nil }
    if case .scalar("none", _) = node.value { return nil }
    return try node.number("none or a number above 0") { $0 > 0 }
  }

  /// One number for all sites, or `{c_fc: 256, down_proj: 512}`.
  private static func subcomponents(_ node: SettingsNode) throws(SettingsError) -> [String: Int] {
    let kinds = Site.Kind.allCases.map(\.shortName)
    guard case .mapping = node.value else {
      let count = try node.wholeNumber("\(count), or numbers by kind as in {c_fc: 256}") { range.contains($0) }
      return Dictionary(uniqueKeysWithValues: kinds.map { ($0, count) })
    }
    let mapping = try node.mapping("numbers by kind, as in {c_fc: 256}", keys: kinds)
    var counts: [String: Int] = [:]
    for entry in mapping.entries {
      counts[entry.name] = try entry.value.wholeNumber(count) { range.contains($0) }
    }
    return counts
  }

  private static func stochastic(_ node: SettingsNode?) throws(SettingsError) -> VPDSettings.Reconstruction {
    let mapping = try node?.mapping("a mapping with the key weight", keys: ["weight"])
    return VPDSettings.Reconstruction(weight: try mapping?["weight"]?.number(weight) { $0 >= 0 } ?? 0.5)
  }

  private static func adversarial(_ node: SettingsNode?) throws(SettingsError) -> VPDSettings.Adversary {
    let mapping = try node?.mapping(
      "a mapping of the adversary's settings", keys: ["weight", "learning_rate", "warm_up"])
    return VPDSettings.Adversary(
      weight: try mapping?["weight"]?.number(weight) { $0 >= 0 } ?? 0.5,
      learningRate: try mapping?["learning_rate"]?.number(positive) { $0 > 0 } ?? 0.01,
      warmUp: try mapping?["warm_up"]?.wholeNumber("a whole number from 0 to 100") { (0...100).contains($0) } ?? 0)
  }

  private static func importance(_ node: SettingsNode) throws(SettingsError) -> VPDSettings.Minimality {
    let mapping = try node.mapping(
      "a mapping of the settings of the loss on importances",
      keys: ["weight", "ramp", "powers", "annealing", "frequency"])
    let powers = try mapping["powers"].map { node throws(SettingsError) in
      try pair(node, "the first and the last power, above 0 and at most 10, as in [2, 0.4]") { 0 < $0 && $0 <= 10 }
    }
    return VPDSettings.Minimality(
      weight: try mapping.required("weight", "its weight").number(weight) { $0 >= 0 },
      ramp: try part(mapping["ramp"], "a part of the steps, from 0 to 1") ?? 0,
      firstPower: powers?.0 ?? 2, lastPower: powers?.1 ?? 0.4,
      annealing: try part(mapping["annealing"], "a part of the steps, from 0 to 1") ?? 1,
      frequency: try mapping["frequency"]?.number(weight) { $0 >= 0 } ?? 0.2)
  }

  private static func checkpoints(_ node: SettingsNode?) throws(SettingsError) -> Int {
    let mapping = try node?.mapping("a mapping with the key every", keys: ["every"])
    return try mapping?["every"]?.wholeNumber(count) { range.contains($0) } ?? 500
  }
}

extension Site.Kind {
  /// The name without that of its part of the block: `c_fc`.
  var shortName: String { String(path.split(separator: ".").last ?? "") }
}
