import LanguageModel
import TensorKernels
import Testing

@testable import ParameterDecomposition

@Suite("Gradient of a batch")
struct BatchGradientTests {
  private static let configuration = ModelConfiguration(
    blockSize: 300, context: 300, vocabularySize: 50, layers: 2, heads: 2, keyValueHeads: 1, width: 8, intermediate: 12)

  private func windows(_ lengths: [Int]) -> [TokenWindow] {
    var generator = SplitMix64(seed: 3)
    return lengths.map { length in
      TokenWindow(start: 0, predicting: (0..<length).map { _ in Int.random(in: 0..<50, using: &generator) })
    }
  }

  private func gradient(
    of windows: [TokenWindow], threads: Int
  ) -> (losses: [Double], gradients: [(name: String, elements: [Float])]) {
    let weights = TrainedWeights(configuration: Self.configuration, seed: 1)
    let batch = BatchGradient(
      configuration: Self.configuration, batch: windows.count, threads: threads, into: weights.gradients)
    // What a step leaves behind does not count in the next.
    _ = batch.losses(of: windows.reversed(), model: weights.model)
    let losses = batch.losses(of: windows, model: weights.model)
    return (losses, weights.gradients.named.map { ($0.name, $0.gradient.copyOfElements()) })
  }

  @Test("is the same bit for bit on any number of threads", arguments: [2, 3, 8, 20])
  func threads(count: Int) {
    // Parts of several passes: 8 parts of 3 windows or so of 300 rows.
    let windows = windows([Int](repeating: 300, count: 26))
    let (one, many) = (gradient(of: windows, threads: 1), gradient(of: windows, threads: count))
    #expect(one.losses == many.losses)
    for (left, right) in zip(one.gradients, many.gradients) { #expect(left == right, "\(left.name)") }
  }

  @Test("is that of the mean over all windows", arguments: [1, 2, 7, 9])
  func mean(count: Int) {
    let windows = windows([Int](repeating: 20, count: count))
    let weights = TrainedWeights(configuration: Self.configuration, seed: 1)
    let whole = WeightGradients(configuration: Self.configuration)
    let losses = weights.model.crossEntropies(
      of: windows, weights: Array(repeating: 1 / Double(count), count: count), accumulatingInto: whole)
    let parts = gradient(of: windows, threads: 2)
    #expect(zip(losses, parts.losses).allSatisfy { abs($0 - $1) < 1e-5 })
    for ((name, expected), (_, found)) in zip(whole.named, parts.gradients) {
      let scale = expected.sumOfSquares.squareRoot()
      let difference = zip(expected.copyOfElements(), found).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      #expect(scale > 0 && difference.squareRoot() < 1e-4 * scale, "\(name)")
    }
  }

  @Test("initial weights have the deviations of their kinds, and depend on the seed")
  func initialWeights() {
    let configuration = ModelConfiguration(
      blockSize: 8, context: 8, vocabularySize: 300, layers: 2, heads: 2, keyValueHeads: 2, width: 64,
      intermediate: 256)
    let (weights, other) = (
      TrainedWeights(configuration: configuration, seed: 1), TrainedWeights(configuration: configuration, seed: 2)
    )
    for (parameter, different) in zip(weights.parameters, other.parameters) {
      let count = Double(parameter.value.rows * parameter.value.columns)
      if TargetModel.isNorm(parameter.name) {
        #expect(parameter.value.copyOfElements().allSatisfy { $0 == 1 })
      } else {
        let writes = parameter.name.hasSuffix("o_proj.weight") || parameter.name.hasSuffix("down_proj.weight")
        let deviation = (parameter.value.sumOfSquares / count).squareRoot()
        #expect(abs(deviation / (writes ? 0.01 : 0.02) - 1) < 0.05, "\(parameter.name): \(deviation)")
        #expect(parameter.value.copyOfElements() != different.value.copyOfElements())
      }
    }
  }
}
