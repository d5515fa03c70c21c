public import SettingsFiles

extension PretrainingRecipe: SettingsContent {
  /// A recipe.
  public static let kind = "recipe"

  /// Reads the tree of a recipe.
  public init(reading root: SettingsNode) throws(SettingsError) {
    self = try PretrainingRecipeReader(root: root).read()
  }
}

/// Reads the tree of a recipe into a ``PretrainingRecipe``.
struct PretrainingRecipeReader {
  let root: SettingsNode

  private static let atLeastOne = "a whole number of at least 1"
  /// Far beyond any model of the family; keeps products of two sizes within an `Int`.
  private static let largestSize = 1 << 24
  /// Keeps the number of tokens within what a settings file can say.
  private static let largestCount = 1_000_000_000

  func read() throws(SettingsError) -> PretrainingRecipe {
    let file = try root.mapping(
      "a mapping that begins with `pretrain: NAME`",
      keys: ["pretrain", "tokenizer", "model", "corpora", "training", "evaluation", "checkpoints"])
    let name = try file.required("pretrain", "the model's name").name("the model's name")
    let tokenizer = try file.required("tokenizer", "a tokenizer.json").text("a tokenizer file")
    let shape = try Self.shape(file.required("model", "the model's sizes"))
    let languages = try RecipeCorpus.list(file.required("corpora", "the languages and their shares"))
    let training = try Self.training(file.required("training", "how the model is trained"), context: shape.context)
    return PretrainingRecipe(
      name: name, tokenizer: tokenizer, shape: shape, languages: languages, training: training,
      evaluation: try Self.evaluation(file["evaluation"], context: shape.context),
      checkpointEvery: try Self.checkpoints(file["checkpoints"]))
  }

  // MARK: The model

  private static func shape(_ node: SettingsNode) throws(SettingsError) -> PretrainingRecipe.Shape {
    let mapping = try node.mapping(
      "a mapping of the model's sizes",
      keys: ["layers", "width", "heads", "key_value_heads", "intermediate", "context", "rotary_base"])
    let layers = try size(mapping.required("layers", "the number of blocks"))
    let widthNode = try mapping.required("width", "the width of the residual stream")
    let width = try size(widthNode)
    let heads = try size(mapping.required("heads", "the number of attention heads"))
    let keyValueHeads = try mapping["key_value_heads"].map { node throws(SettingsError) in try size(node) } ?? heads
    let intermediate = try size(mapping.required("intermediate", "the width inside the MLP"))
    let context = try size(mapping.required("context", "the tokens of a window"))
    let rotaryBase = try mapping["rotary_base"]?.number("a number above 1") { $0 > 1 } ?? 10_000
    guard width.isMultiple(of: heads) else {
      throw widthNode.refusal("expected a multiple of heads (\(heads)), found \(width)")
    }
    guard (width / heads).isMultiple(of: 2) else {
      throw widthNode.refusal("expected an even number of dimensions a head, found \(width) / \(heads)")
    }
    guard heads.isMultiple(of: keyValueHeads) else {
      let node = mapping["key_value_heads"] ?? node
      throw node.refusal("expected a divisor of heads (\(heads)), found \(keyValueHeads)")
    }
    return PretrainingRecipe.Shape(
      layers: layers, width: width, heads: heads, keyValueHeads: keyValueHeads, intermediate: intermediate,
      context: context, rotaryBase: rotaryBase)
  }

  private static func size(_ node: SettingsNode) throws(SettingsError) -> Int {
    try node.wholeNumber("a whole number from 1 to \(largestSize)") { (1...largestSize).contains($0) }
  }

  // MARK: The training

  private static func training(
    _ node: SettingsNode, context: Int
  ) throws(SettingsError) -> PretrainingRecipe.Training {
    let mapping = try node.mapping(
      "a mapping of training settings",
      keys: [
        "seed", "tokens", "steps", "batch", "learning_rate", "warm_up", "schedule", "final_learning_rate", "betas",
        "epsilon", "weight_decay", "clip_norm",
      ])
    let batch = try size(mapping.required("batch", "the windows of a step"))
    let steps = try steps(mapping, tokensPerStep: batch * context)
    let betas = try mapping["betas"].map { node throws(SettingsError) in try self.betas(node) } ?? (0.9, 0.95)
    let warmUpNode = mapping["warm_up"]
    let warmUp = try warmUpNode?.wholeNumber("a whole number of at least 0") { $0 >= 0 } ?? 0
    if let warmUpNode, warmUp >= steps {
      throw warmUpNode.refusal("expected fewer than the \(steps) steps of the training, found \(warmUp)")
    }
    return PretrainingRecipe.Training(
      seed: try mapping["seed"]?.wholeNumber("a whole number of at least 0") { $0 >= 0 } ?? 0, steps: steps,
      batch: batch,
      learningRate: try mapping.required("learning_rate", "its greatest value").number("a number above 0") { $0 > 0 },
      warmUp: warmUp, schedule: try mapping["schedule"]?.choice(of: PretrainingRecipe.Schedule.self) ?? .cosine,
      finalLearningRate: try mapping["final_learning_rate"]?
        .number("a part of learning_rate, from 0 to 1") { (0...1).contains($0) } ?? 0.1,
      beta1: betas.0, beta2: betas.1,
      epsilon: try mapping["epsilon"]?.number("a number above 0") { $0 > 0 } ?? 1e-8,
      weightDecay: try mapping["weight_decay"]?.number("a number of at least 0") { $0 >= 0 } ?? 0.1,
      clipNorm: try clipNorm(mapping["clip_norm"]))
  }

  /// `steps: 1000`, or as many as it takes to see `tokens: 10000000`.
  private static func steps(_ mapping: SettingsMapping, tokensPerStep: Int) throws(SettingsError) -> Int {
    let expected = "a whole number from 1 to \(largestCount)"
    switch (mapping["tokens"], mapping["steps"]) {
    case (nil, let node?):
      return try node.wholeNumber(expected) { (1...largestCount).contains($0) }
    case (let node?, nil):
      let tokens = try node.wholeNumber(atLeastOne) { $0 >= 1 }
      let steps = (tokens + tokensPerStep - 1) / tokensPerStep
      guard steps <= largestCount else {
        throw node.refusal("expected tokens for at most \(largestCount) steps, found \(steps)")
      }
      return steps
    case (nil, nil):
      throw mapping.node.refusal(
        "expected the key `tokens` or `steps` (how long to train), found none", advice: "add one")
    case (let node?, _?):
      throw node.refusal("expected `tokens` or `steps`, found both", advice: "keep one of them")
    }
  }

  private static func betas(_ node: SettingsNode) throws(SettingsError) -> (Double, Double) {
    let expected = "two numbers of at least 0 and below 1, as in [0.9, 0.95]"
    let betas = try node.list(expected)
    guard betas.count == 2 else { throw node.refusal("expected \(expected), found \(betas.count) elements") }
    func beta(_ node: SettingsNode) throws(SettingsError) -> Double {
      try node.number("a number of at least 0 and below 1") { 0 <= $0 && $0 < 1 }
    }
    return (try beta(betas[0]), try beta(betas[1]))
  }

  private static func clipNorm(_ node: SettingsNode?) throws(SettingsError) -> Double? {
    guard let node else { return 1 }
    if case .scalar("none", _) = node.value { return nil }
    return try node.number("none or a number above 0") { $0 > 0 }
  }

  // MARK: Measurements and checkpoints

  private static func evaluation(
    _ node: SettingsNode?, context: Int
  ) throws(SettingsError) -> PretrainingRecipe.Evaluation {
    let mapping = try node?.mapping(
      "a mapping with the keys every and tokens_per_corpus", keys: ["every", "tokens_per_corpus"])
    let every = try mapping?["every"].map { node throws(SettingsError) in try interval(node) } ?? 500
    guard let node = mapping?["tokens_per_corpus"] else {
      let fewest = 16_384
      return PretrainingRecipe.Evaluation(
        every: every, tokensPerCorpus: (fewest + context - 1) / context * context)
    }
    let tokens = try node.wholeNumber(atLeastOne) { $0 >= 1 }
    guard tokens.isMultiple(of: context) else {
      throw node.refusal(
        "expected a multiple of the model's context (\(context)), found \(tokens)",
        advice: "use \((tokens + context - 1) / context * context)")
    }
    return PretrainingRecipe.Evaluation(every: every, tokensPerCorpus: tokens)
  }

  private static func checkpoints(_ node: SettingsNode?) throws(SettingsError) -> Int {
    let mapping = try node?.mapping("a mapping with the key every", keys: ["every"])
    return try mapping?["every"].map { node throws(SettingsError) in try interval(node) } ?? 500
  }

  private static func interval(_ node: SettingsNode) throws(SettingsError) -> Int {
    try node.wholeNumber("a number of steps of at least 1") { $0 >= 1 }
  }
}
