internal import LanguageModel
internal import TensorKernels

/// Held-out windows of every language, to measure a model on.
struct HeldOutText: Sendable {
  /// Windows by language.
  let windows: [[TokenWindow]]

  /// Mean cross-entropy of each language, nats; `nil` if stopped. The same on any number of threads.
  ///
  /// - Parameter shouldStop: asked before every pass, from any of the threads.
  func crossEntropies(of model: TargetModel, threads: Int, shouldStop: @Sendable () -> Bool) -> [Double]? {
    let evaluator = Evaluator(model: model)
    // A pass of the evaluator each.
    let parts = windows.enumerated().flatMap { language, windows in
      TokenWindow.groups(of: windows).map { (language: language, windows: Array($0)) }
    }
    let losses = Parallel.map(parts.count, threads: threads) { part in
      evaluator.tokenCrossEntropies(of: parts[part].windows, shouldStop: shouldStop)
    }
    var sums = windows.map { _ in (nats: 0.0, tokens: 0) }
    for (part, losses) in zip(parts, losses) {
      guard let losses else { return nil }
      for loss in losses.joined() { sums[part.language].nats += Double(loss) }
      sums[part.language].tokens += losses.reduce(0) { $0 + $1.count }
    }
    return sums.map { $0.nats / Double($0.tokens) }
  }
}
