/// A recipe, parsed: which model to train from scratch, on what text, and how.
///
/// Defaults are filled in. What the files that it names hold is not looked at yet.
public struct PretrainingRecipe: Sendable, Hashable {
  /// The sizes of the model, as far as the tokenizer does not say them.
  public struct Shape: Sendable, Hashable, Codable {
    /// Number of blocks.
    public var layers: Int
    /// Width of the residual stream.
    public var width: Int
    /// Number of query heads.
    public var heads: Int
    /// Number of key and value heads.
    public var keyValueHeads: Int
    /// Width inside the MLP.
    public var intermediate: Int
    /// Tokens of a window: the longest sequence that the model sees.
    public var context: Int
    /// Base of the rotary frequencies.
    public var rotaryBase: Double
  }

  /// How the learning rate goes down after the warm-up.
  public enum Schedule: String, Sendable, Hashable, Codable, CaseIterable {
    /// In a straight line.
    case linear
    /// In half a cosine.
    case cosine
  }

  /// How the model is trained.
  public struct Training: Sendable, Hashable, Codable {
    /// Chooses the initial weights and the order of the text.
    public var seed: Int
    /// Updates.
    public var steps: Int
    /// Windows of a step.
    public var batch: Int
    /// The learning rate at the end of the warm-up.
    public var learningRate: Double
    /// Steps over which the learning rate rises.
    public var warmUp: Int
    /// How it goes down afterwards.
    public var schedule: Schedule
    /// Its last value, as a part of ``learningRate``.
    public var finalLearningRate: Double
    /// AdamW's decay rates of the moments.
    public var beta1: Double, beta2: Double
    /// AdamW's ε.
    public var epsilon: Double
    /// AdamW's decoupled weight decay, on matrices only.
    public var weightDecay: Double
    /// Global L2 norm that gradients are clipped to; `nil` = no clipping.
    public var clipNorm: Double?
  }

  /// When the model is measured on held-out text, and on how much.
  public struct Evaluation: Sendable, Hashable, Codable {
    /// Steps from one measurement to the next.
    public var every: Int
    /// Tokens to predict for each language; a multiple of the context.
    public var tokensPerCorpus: Int
  }

  /// The name of the model.
  public var name: String
  /// The tokenizer file, as the recipe names it.
  public var tokenizer: String
  /// The model's sizes.
  public var shape: Shape
  /// The languages, in the recipe's order.
  public var languages: [RecipeCorpus]
  /// How it is trained.
  public var training: Training
  /// How it is measured.
  public var evaluation: Evaluation
  /// Steps from one checkpoint to the next. Changes no result.
  public var checkpointEvery: Int

  /// Tokens predicted in a step.
  public var tokensPerStep: Int { training.batch * shape.context }
}
