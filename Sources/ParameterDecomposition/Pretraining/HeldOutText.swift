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
    let parts = windows.indices.flatMap { language in
      let perPass = max(1, Evaluator.rowsPerPass / (windows[language].first?.inputs.count ?? 1))
      return stride(from: 0, to: windows[language].count, by: perPass).map { start in
        (language: language, windows: start..<min(start + perPass, windows[language].count))
      }
    }
    let losses = Parallel.map(parts.count, threads: threads) { part in
      evaluator.tokenCrossEntropies(
        of: Array(windows[parts[part].language][parts[part].windows]), shouldStop: shouldStop)
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
