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
      result += group.split(head.crossEntropies(residual: pass.forward(), targets: group.flatMap(\.targets)))
    }
    return result
  }

  /// Mean cross-entropies, nats: over all predicted tokens, and over those of each window; `nil` if stopped.
  public func meanCrossEntropies(
    of windows: [TokenWindow], edit: (any Edit)? = nil, shouldStop: () -> Bool = { false }
  ) -> (all: Double, windows: [Double])? {
    guard let losses = tokenCrossEntropies(of: windows, edit: edit, shouldStop: shouldStop) else { return nil }
    let sum = losses.reduce(0.0) { $1.reduce($0) { $0 + Double($1) } }
    return (
      all: sum / Double(losses.reduce(0) { $0 + $1.count }),
      windows: losses.map { window in window.reduce(0.0) { $0 + Double($1) } / Double(window.count) }
    )
  }

  /// Mean cross-entropy over all predicted tokens, nats; `nil` if stopped.
  public func meanCrossEntropy(
    of windows: [TokenWindow], edit: (any Edit)? = nil, shouldStop: () -> Bool = { false }
  ) -> Double? {
    meanCrossEntropies(of: windows, edit: edit, shouldStop: shouldStop)?.all
  }

  /// What edits make of text, held against the base model.
  public struct Comparison: Sendable {
    /// Cross-entropy of every predicted token by the base model, nats, window by window.
    public internal(set) var base: [[Float]] = []
    /// One entry an edit, with one a window.
    public internal(set) var edited: [[ComparedLosses]]
  }

  /// Holds edits against the base model on windows; the base runs once for all.
  ///
  /// - Parameter shouldStop: asked before every pass; `true` ends the measurement with `nil`.
  public func compare(
    _ edits: [any Edit], on windows: [TokenWindow], shouldStop: () -> Bool = { false }
  ) -> Comparison? {
    let head = LossHead(model: model)
    var result = Comparison(edited: edits.map { _ in [] })
    for group in TokenWindow.groups(of: windows) {
      guard !shouldStop() else { return nil }
      let targets = group.flatMap(\.targets)
      let residual = PackedPass(
        model: model, batch: TokenBatch(sequences: group.map(\.inputs), edited: false)
      ).forward()
      let losses = head.crossEntropies(residual: residual, targets: targets)
      result.base += group.split(losses)
      let base = BaseDistribution(head: head, residual: residual)
      for (index, edit) in edits.enumerated() {
        guard !shouldStop() else { return nil }
        let pass = PackedPass(
          model: model, batch: TokenBatch(sequences: group.map(\.inputs), edited: true), edits: [edit])
        let losses = head.losses(
          residual: pass.forward(), targets: targets, base: base, weight: 0, gradient: nil)
        result.edited[index] += zip(group.split(losses.divergences), group.split(losses.crossEntropies)).map {
          ComparedLosses(divergences: $0, crossEntropies: $1)
        }
      }
    }
    return result
  }
}

extension ArraySlice<TokenWindow> {
  /// Numbers of all tokens, cut into those of each window.
  fileprivate func split(_ numbers: [Float]) -> [[Float]] {
    var rest = numbers[...]
    return map { window in
      defer { rest = rest.dropFirst(window.targets.count) }
      return Array(rest.prefix(window.targets.count))
    }
  }
}
