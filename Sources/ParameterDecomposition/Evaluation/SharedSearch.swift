internal import LanguageModel
internal import TensorKernels

/// The search for the sources that hurt a corpus most when all its windows share them.
struct SharedSearch {
  private let evaluator: DecompositionEvaluator
  private let passes: [[TokenWindow]]
  private let noise: String
  /// Where it stands, `[T, C]` and `[T, 1]` by site, for windows of T tokens at most.
  private let sources: [MaskedPass.Masks]

  /// Begins at the random sources of the first window.
  init(_ evaluator: DecompositionEvaluator, corpus: String, windows: [TokenWindow]) {
    let positions = windows.reduce(0) { max($0, $1.inputs.count) }
    let noise = DecompositionEvaluator.noise(seed: evaluator.settings.seed, corpus: corpus, pass: 0)
    self.evaluator = evaluator
    self.noise = noise
    passes = TokenWindow.groups(of: windows).map(Array.init)
    sources = evaluator.sites.map { MaskedPass.Masks.random(tokens: positions, of: $0, noise: noise) }
  }

  /// The highest losses that were found, summed over tokens; `nil` if it was to stop.
  func ascend(threads: Int, shouldStop: () -> Bool) -> MaskedPass.Losses? {
    let (steps, size) = (evaluator.settings.adversarySteps, Float(evaluator.settings.adversaryStepSize))
    let gradients = zeros()
    var worst: MaskedPass.Losses?
    for step in 0...steps {
      let isLast = step == steps
      guard let losses = losses(gradients: isLast ? nil : gradients, threads: threads, shouldStop: shouldStop) else {
        return nil
      }
      if worst.map({ losses.divergence > $0.divergence }) ?? true { worst = losses }
      guard !isLast else { continue }
      for (source, gradient) in zip(sources, gradients) { source.move(along: gradient, by: size) }
    }
    return worst
  }

  /// The losses where it stands. What the passes find is added up in their order, on any number of threads.
  private func losses(
    gradients: [MaskedPass.Masks]?, threads: Int, shouldStop: () -> Bool
  ) -> MaskedPass.Losses? {
    var losses: [MaskedPass.Losses] = []
    while losses.count < passes.count {
      guard !shouldStop() else { return nil }
      let next = passes[losses.count...].prefix(threads)
      let found = next.map { _ in gradients.map { _ in zeros() } }
      losses += Parallel.map(next.count, threads: threads) { index in
        MaskedPass(
          model: evaluator.model, sites: evaluator.sites, windows: next[next.startIndex + index], noise: noise
        ).losses(shared: sources, gradients: found[index])
      }
      guard let gradients else { continue }
      for part in found.compactMap(\.self) {
        for (sum, gradient) in zip(gradients, part) { sum.add(gradient) }
      }
    }
    return MaskedPass.Losses.total(losses)
  }

  private func zeros() -> [MaskedPass.Masks] {
    sources.map { MaskedPass.Masks(tokens: $0.subcomponents.rows, count: $0.subcomponents.columns) }
  }
}
