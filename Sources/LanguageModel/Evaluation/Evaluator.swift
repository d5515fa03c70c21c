/// Measures cross-entropies of the base or an edited model on token windows.
public struct Evaluator {
  /// Rows of one forward pass, at most (a longer window has a pass of its own).
  public static let rowsPerPass = 1024

  private let model: TargetModel

  /// Creates an evaluator.
  public init(model: TargetModel) {
    self.model = model
  }

  /// Cross-entropy of every predicted token, nats, window by window.
  ///
  /// - Parameter shouldStop: asked before every pass; `true` ends the measurement with `nil`.
  public func tokenCrossEntropies(
    of windows: [TokenWindow], edit: (any Edit)? = nil, shouldStop: () -> Bool = { false }
  ) -> [[Float]]? {
    let head = LossHead(model: model)
    var result: [[Float]] = []
    for group in TokenWindow.groups(of: windows) {
      guard !shouldStop() else { return nil }
      let batch = TokenBatch(sequences: group.map(\.inputs), edited: edit != nil)
      let pass = PackedPass(model: model, batch: batch, edits: edit.map { [$0] } ?? [])
      var losses = head.crossEntropies(residual: pass.forward(), targets: group.flatMap(\.targets))[...]
      for window in group {
        result.append(Array(losses.prefix(window.targets.count)))
        losses = losses.dropFirst(window.targets.count)
      }
    }
    return result
  }

  /// Mean cross-entropy over all predicted tokens, nats; `nil` if stopped.
  public func meanCrossEntropy(
    of windows: [TokenWindow], edit: (any Edit)? = nil, shouldStop: () -> Bool = { false }
  ) -> Double? {
    guard let losses = tokenCrossEntropies(of: windows, edit: edit, shouldStop: shouldStop) else { return nil }
    let sum = losses.reduce(0.0) { $1.reduce($0) { $0 + Double($1) } }
    return sum / Double(losses.reduce(0) { $0 + $1.count })
  }
}
