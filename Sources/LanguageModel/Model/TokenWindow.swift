/// A sequence of tokens to predict: row i sees `inputs[0...i]` and predicts `targets[i]`.
public struct TokenWindow: Sendable, Hashable {
  /// What the model sees, beginning with the start token.
  public let inputs: [Int]
  /// What it is to predict, one token a row.
  public let targets: [Int]

  /// Pairs inputs and targets of equal number, at least one.
  public init(inputs: [Int], targets: [Int]) {
    precondition(inputs.count == targets.count && !inputs.isEmpty, "one target an input")
    self.inputs = inputs
    self.targets = targets
  }

  /// The window that predicts `tokens` behind a start token: inputs are the start token and all tokens but the last.
  public init(start: Int, predicting tokens: [Int]) {
    self.init(inputs: [start] + tokens.dropLast(), targets: tokens)
  }
}
