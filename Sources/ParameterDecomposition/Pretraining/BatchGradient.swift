internal import LanguageModel
internal import TensorKernels

/// The gradient of a batch, by several threads.
///
/// The batch is cut into a fixed number of parts. Each part has gradients of its own, which are added up in the parts'
/// order, so the sum is the same bit for bit on any number of threads.
final class BatchGradient {
  /// The most parts, and so the most threads that are of use. Each takes the memory of one copy of the weights.
  static let mostParts = 8

  private let threads: Int
  /// The sum, under which the first part is gathered.
  private let sum: WeightGradients
  /// Those of the other parts.
  private let others: [WeightGradients]

  /// Prepares for batches of `batch` windows.
  init(configuration: ModelConfiguration, batch: Int, threads: Int, into sum: WeightGradients) {
    self.threads = threads
    self.sum = sum
    others = (1..<Self.parts(ofBatch: batch)).map { _ in WeightGradients(configuration: configuration) }
  }

  /// Parts of a batch.
  static func parts(ofBatch batch: Int) -> Int { min(batch, mostParts) }

  /// Overwrites the sum by the gradient of the mean over all windows; returns the mean cross-entropy of each, nats.
  func losses(of windows: [TokenWindow], model: TargetModel) -> [Double] {
    let parts = [sum] + others
    let weight = 1 / Double(windows.count)
    let losses = Parallel.map(parts.count, threads: threads) { part in
      parts[part].clear()
      let own = windows[windows.count * part / parts.count..<windows.count * (part + 1) / parts.count]
      return TokenWindow.groups(of: Array(own)).flatMap {
        model.crossEntropies(
          of: Array($0), weights: Array(repeating: weight, count: $0.count), accumulatingInto: parts[part])
      }
    }
    let sums = sum.named.map(\.gradient)
    let terms = others.map { $0.named.map(\.gradient) }
    _ = Parallel.map(sums.count, threads: threads) { index in
      for term in terms { sums[index].add(term[index]) }
    }
    return losses.flatMap(\.self)
  }
}
