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

extension TokenWindow {
  /// Windows in groups that fit into one forward pass; a longer window has a group of its own.
  public static func groups(of windows: [TokenWindow]) -> [ArraySlice<TokenWindow>] {
    var groups: [ArraySlice<TokenWindow>] = []
    var start = 0
    while start < windows.count {
      var end = start + 1
      var rows = windows[start].inputs.count
      while end < windows.count, rows + windows[end].inputs.count <= Evaluator.rowsPerPass {
        rows += windows[end].inputs.count
        end += 1
      }
      groups.append(windows[start..<end])
      start = end
    }
    return groups
  }
}
