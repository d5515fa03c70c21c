public import TensorKernels

/// Gradients of every weight of a model, for pretraining: accumulated by backward passes.
public final class WeightGradients {
  /// Of the token embedding, as input table and as vocabulary projection together, `[V, C]`.
  public let embedding: Matrix
  /// Of the last norm, `[1, C]`.
  public let finalNorm: Matrix
  /// Of the norms before attention and the feed-forward part, by layer, `[1, C]`.
  public let norms: [(attention: Matrix, feedForward: Matrix)]
  /// Of the matrices, `[d_out, d_in]`.
  public let matrices: [Site: Matrix]

  /// Creates zeros of a model's shapes.
  public init(configuration: ModelConfiguration) {
    func norm() -> Matrix { Matrix(rows: 1, columns: configuration.width) }
    embedding = Matrix(rows: configuration.vocabularySize, columns: configuration.width)
    finalNorm = norm()
    norms = (0..<configuration.layers).map { _ in (norm(), norm()) }
    var matrices: [Site: Matrix] = [:]
    for site in configuration.sites {
      let shape = configuration.shape(of: site)
      matrices[site] = Matrix(rows: shape.outputs, columns: shape.inputs)
    }
    self.matrices = matrices
  }

  /// All gradients under the names that checkpoints give their weights, in ``TargetModel/namedWeights``'s order.
  public var named: [(name: String, gradient: Matrix)] {
    var result = [("wte.weight", embedding)]
    for (layer, pair) in norms.enumerated() {
      result.append(("h.\(layer).rms_1.weight", pair.attention))
      result.append(("h.\(layer).rms_2.weight", pair.feedForward))
    }
    for (site, matrix) in matrices.sorted(by: { $0.key < $1.key }) { result.append((site.weightName, matrix)) }
    result.append(("ln_f.weight", finalNorm))
    return result
  }

  /// Sets every gradient to zero.
  public func clear() {
    for (_, gradient) in named { gradient.fill(0) }
  }

  /// dW += dYᵀ X.
  func accumulate(_ site: Site, input: Matrix, outputGradient: Matrix) {
    guard let matrix = matrices[site] else { preconditionFailure("no gradient for \(site)") }
    Product.multiply(transposed: outputGradient, input, into: matrix, accumulate: true)
  }

  /// The norm of the block that ends in `outerSite`.
  func accumulateNorm(of outerSite: Site, outputGradient: Matrix, input: Matrix, inverse: Matrix) {
    let pair = norms[outerSite.layer]
    let weight = outerSite.kind == .output ? pair.attention : pair.feedForward
    RMSNorm.weightGradient(outputGradient, input: input, inverse: inverse, into: weight)
  }

  /// Adds the gradient of the embedded tokens `[N, C]` to their rows.
  func accumulateEmbedding(_ tokens: [Int], gradient: Matrix) {
    gradient.scatterAdd(tokens, into: embedding)
  }
}
