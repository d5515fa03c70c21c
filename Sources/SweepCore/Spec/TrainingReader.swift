internal import SettingsFiles

/// Reads how methods are trained: settings and axes of their own, and those of the file's `training` and `grid`.
///
/// A method's own setting or axis replaces the file's. Axes of the file's `grid` that a method has no use for (a
/// learning rate for `solve`, any for a scan) do not apply to it.
struct TrainingReader {
  /// The axes that may stand in the file's `grid`.
  static let sharedAxes = ["token_budget", "seed", "learning_rate", "retain_weight", "steps"]
  /// The settings that may stand under `training` and in a trained method.
  static let settingKeys = lossKeys + adamWKeys
  private static let lossKeys = ["forget_loss", "retain_loss", "retain_tokens"]
  private static let adamWKeys = ["weight_decay", "clip_norm", "betas", "epsilon", "evaluate_at"]
  private static let adamWAxes = ["learning_rate", "steps"]

  private let training: SettingsMapping?
  private let grid: SettingsMapping?

  /// Reads the file's `training` and `grid`. Every value is checked, whether or not a method comes to use it.
  init(training: SettingsNode?, grid: SettingsNode?) throws(SettingsError) {
    var settings: SettingsMapping?
    if let training {
      settings = try training.mapping("a mapping of training settings", keys: Self.settingKeys) { key in
        Self.sharedAxes.contains(key) ? "`\(key)` is an axis: write it under `grid`, as a list" : nil
      }
    }
    self.training = settings

    var axes: SettingsMapping?
    if let grid {
      axes = try grid.mapping("a mapping of axes", keys: Self.sharedAxes) { key in
        switch key {
        case "rank": "write `rank` in the methods with edit: lora"
        case "alpha": "write `scan: {alpha: [...]}` in a method with edit: prefactors"
        default: Self.settingKeys.contains(key) ? "`\(key)` is no axis: write it under `training`" : nil
        }
      }
    }
    self.grid = axes

    if let settings { _ = try self.settings(of: settings) }
    var unused = AdamWGrid(learningRates: [], steps: [])
    if let settings { try Self.read(settings, into: &unused) }
    if let axes {
      if let node = axes["token_budget"] { _ = try Self.tokenBudgets(node) }
      if let node = axes["seed"] { _ = try Self.seeds(node) }
      if let node = axes["retain_weight"] { _ = try Self.retainWeights(node) }
      if let node = axes["learning_rate"] { _ = try Self.learningRates(node) }
      if let node = axes["steps"] { _ = try Self.steps(node) }
    }
  }

  // MARK: A method's training

  /// How a method is trained by AdamW. `ownAxes` are axes of its grid that are read elsewhere.
  func adamW(for method: SettingsMapping, ownAxes: [String] = []) throws(SettingsError) -> MethodTraining {
    let own = try Self.ownGrid(of: method, axes: ownAxes)
    var adamW = AdamWGrid(
      learningRates: try Self.learningRates(axis("learning_rate", own, method)),
      steps: try Self.steps(axis("steps", own, method)))
    if let training { try Self.read(training, into: &adamW) }
    try Self.read(method, into: &adamW)
    if let node = method["evaluate_at"], let longest = adamW.steps.max() {
      try Self.check(node, evaluateAt: adamW.evaluateAt, below: longest)
    }
    return try common(method, own, .adamW(adamW))
  }

  /// How a method is trained by the search in one dimension.
  func solve(for method: SettingsMapping) throws(SettingsError) -> MethodTraining {
    let own = try Self.ownGrid(of: method, axes: [])
    let advice = "`optimiser: solve` takes none: remove it"
    try own?.refuse(Self.adamWAxes, advice: advice)
    try method.refuse(Self.adamWKeys, advice: advice)
    return try common(method, own, .solve)
  }

  /// A method's own `grid`, which may hold the shared axes and `axes`.
  static func ownGrid(of method: SettingsMapping, axes: [String]) throws(SettingsError) -> SettingsMapping? {
    guard let node = method["grid"] else { return nil }
    return try node.mapping("a mapping of axes", keys: axes + sharedAxes) { key in
      switch key {
      case "rank": "`rank` has a meaning for edit: lora only"
      case "alpha": "write `scan: {alpha: [...]}` in a method with edit: prefactors"
      default: settingKeys.contains(key) ? "`\(key)` is no axis: write it in the method" : nil
      }
    }
  }

  /// Refuses steps of the file's `evaluate_at` that no method reaches.
  func checkSharedEvaluationSteps(against methods: [MethodSpec]) throws(SettingsError) {
    guard let node = training?["evaluate_at"] else { return }
    let longest = methods.compactMap { method -> Int? in
      guard case .adamW(let grid) = method.training?.optimiser else { return nil }
      return grid.steps.max()
    }.max()
    guard let longest else { return }
    var adamW = AdamWGrid(learningRates: [], steps: [])
    if let training { try Self.read(training, into: &adamW) }
    try Self.check(node, evaluateAt: adamW.evaluateAt, below: longest)
  }

  private func common(
    _ method: SettingsMapping, _ own: SettingsMapping?, _ optimiser: MethodOptimiser
  ) throws(SettingsError) -> MethodTraining {
    MethodTraining(
      tokenBudgets: try Self.tokenBudgets(axis("token_budget", own, method)),
      seeds: try (own?["seed"] ?? grid?["seed"]).map { node throws(SettingsError) in try Self.seeds(node) } ?? [0],
      retainWeights: try Self.retainWeights(axis("retain_weight", own, method)),
      settings: try settings(of: method), optimiser: optimiser)
  }

  private func axis(
    _ name: String, _ own: SettingsMapping?, _ method: SettingsMapping
  ) throws(SettingsError) -> SettingsNode {
    guard let node = own?[name] ?? grid?[name] else {
      throw method.node.refusal(
        "expected the axis `\(name)` in its grid or in the file's, found none", advice: "add `grid: {\(name): [...]}`")
    }
    return node
  }

  // MARK: Axes

  private static func tokenBudgets(_ node: SettingsNode) throws(SettingsError) -> [Int] {
    try node.distinct("a list of token budgets") { element throws(SettingsError) in
      try element.wholeNumber("a whole number of at least 0") { $0 >= 0 }
    }
  }

  private static func seeds(_ node: SettingsNode) throws(SettingsError) -> [Int] {
    try node.distinct("a list of seeds") { element throws(SettingsError) in
      try element.wholeNumber("a whole number of at least 0") { $0 >= 0 }
    }
  }

  private static func retainWeights(_ node: SettingsNode) throws(SettingsError) -> [Double] {
    try node.distinct("a list of retain weights") { element throws(SettingsError) in
      try element.number("a number of at least 0") { $0 >= 0 }
    }
  }

  private static func learningRates(_ node: SettingsNode) throws(SettingsError) -> [Double] {
    try node.distinct("a list of learning rates") { element throws(SettingsError) in
      try element.number("a number above 0") { $0 > 0 }
    }
  }

  private static func steps(_ node: SettingsNode) throws(SettingsError) -> [Int] {
    // The losses of every step travel and are stored with the result, which has to fit into one message.
    try node.distinct("a list of numbers of steps") { element throws(SettingsError) in
      try element.wholeNumber("a whole number from 1 to \(largestSteps)") { (1...largestSteps).contains($0) }
    }
  }

  private static let largestSteps = 30_000

  // MARK: Settings

  /// The losses of a mapping, over those of the file, over the defaults.
  private func settings(of method: SettingsMapping) throws(SettingsError) -> TrainingSettings {
    var settings = TrainingSettings()
    for mapping in [training, method].compactMap(\.self) {
      if let node = mapping["forget_loss"] { settings.forgetLoss = try node.choice(of: ForgetLoss.self) }
      if let node = mapping["retain_loss"] { settings.retainLoss = try node.choice(of: RetainLoss.self) }
      if let node = mapping["retain_tokens"] {
        settings.retainTokens = try node.wholeNumber("a whole number of at least 1") { $0 >= 1 }
      }
    }
    return settings
  }

  /// Puts AdamW's settings of a mapping over those that are there.
  private static func read(_ mapping: SettingsMapping, into adamW: inout AdamWGrid) throws(SettingsError) {
    if let node = mapping["weight_decay"] {
      adamW.weightDecay = try node.number("a number of at least 0") { $0 >= 0 }
    }
    if let node = mapping["clip_norm"] {
      if case .scalar("none", _) = node.value {
        adamW.clipNorm = nil
      } else {
        adamW.clipNorm = try node.number("none or a number above 0") { $0 > 0 }
      }
    }
    if let node = mapping["betas"] {
      let expected = "two numbers of at least 0 and below 1, as in [0.9, 0.999]"
      let betas = try node.list(expected)
      guard betas.count == 2 else {
        throw node.refusal("expected \(expected), found \(betas.count) elements")
      }
      adamW.beta1 = try betas[0].number("a number of at least 0 and below 1") { 0 <= $0 && $0 < 1 }
      adamW.beta2 = try betas[1].number("a number of at least 0 and below 1") { 0 <= $0 && $0 < 1 }
    }
    if let node = mapping["epsilon"] { adamW.epsilon = try node.number("a number above 0") { $0 > 0 } }
    if let node = mapping["evaluate_at"] {
      adamW.evaluateAt = try node.distinct("a list of steps") { element throws(SettingsError) in
        try element.wholeNumber("a whole number of at least 1") { $0 >= 1 }
      }.sorted()
    }
  }

  private static func check(
    _ node: SettingsNode, evaluateAt: [Int], below longest: Int
  ) throws(SettingsError) {
    guard let late = evaluateAt.first(where: { $0 >= longest }) else { return }
    throw node.refusal(
      "expected steps below the longest run's \(longest), found \(late)",
      advice: "the finished edit is evaluated in any case: remove it")
  }
}
