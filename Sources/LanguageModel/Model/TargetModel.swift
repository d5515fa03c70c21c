internal import Foundation
public import TensorKernels

/// The frozen base model of the `LlamaSimpleMLP` family.
///
/// Names used throughout: N rows (tokens of a packed batch), C width, V vocabulary. A model is a token embedding, a
/// row of residual blocks x + W_out mix(W_in norm(x)), attention and feed-forward in turn, a last norm, and the
/// transposed embedding as vocabulary projection. Immutable, hence shared between threads.
public final class TargetModel: Sendable {
  /// The shape.
  public let configuration: ModelConfiguration
  /// Token embedding and vocabulary projection `[V, C]`, tied.
  public let embedding: ConstantMatrix
  /// Weight of the last norm `[1, C]`.
  public let finalNorm: ConstantMatrix
  /// Attention and feed-forward blocks in turn: layer l has blocks 2l and 2l + 1.
  let blocks: [ResidualBlock]

  /// The matrices of a model by their meaning, as a checkpoint or a trainer holds them.
  public struct Weights: Sendable {
    /// Token embedding `[V, C]`.
    public var embedding: ConstantMatrix
    /// Weight of the last norm `[1, C]`.
    public var finalNorm: ConstantMatrix
    /// Weights of the norms `[1, C]` before attention and before the feed-forward part, by layer.
    public var norms: [(attention: ConstantMatrix, feedForward: ConstantMatrix)]
    /// The decomposable matrices `[d_out, d_in]`.
    public var matrices: [Site: ConstantMatrix]

    /// Gathers weights.
    public init(
      embedding: ConstantMatrix, finalNorm: ConstantMatrix,
      norms: [(attention: ConstantMatrix, feedForward: ConstantMatrix)], matrices: [Site: ConstantMatrix]
    ) {
      self.embedding = embedding
      self.finalNorm = finalNorm
      self.norms = norms
      self.matrices = matrices
    }
  }

  /// Assembles a model. Traps if a matrix is missing or has another shape than the configuration says: readers of
  /// files check that first.
  public init(configuration: ModelConfiguration, weights: Weights) {
    self.configuration = configuration
    embedding = weights.embedding
    finalNorm = weights.finalNorm
    precondition(embedding.rows == configuration.vocabularySize && embedding.columns == configuration.width)
    precondition(weights.norms.count == configuration.layers, "one pair of norms a layer")
    let epsilon = Float(configuration.rmsNormEpsilon)
    let attention = AttentionMixer(configuration: configuration)
    blocks = (0..<configuration.layers).flatMap { layer in
      func product(_ kind: Site.Kind) -> ResidualBlock.SiteProduct {
        let site = Site(layer: layer, kind: kind)
        guard let matrix = weights.matrices[site] else { preconditionFailure("no matrix for \(site)") }
        let shape = configuration.shape(of: site)
        precondition(matrix.rows == shape.outputs && matrix.columns == shape.inputs, "shape of \(site)")
        return ResidualBlock.SiteProduct(site: site, weight: matrix)
      }
      return [
        ResidualBlock(
          norm: weights.norms[layer].attention, epsilon: epsilon,
          inner: [product(.query), product(.key), product(.value)], outer: product(.output), mixer: attention),
        ResidualBlock(
          norm: weights.norms[layer].feedForward, epsilon: epsilon, inner: [product(.expand)],
          outer: product(.contract), mixer: FeedForwardMixer()),
      ]
    }
  }

  /// Assembles a model of weights under the names of ``namedWeights``. Traps where one is missing or mis-shaped.
  public convenience init(configuration: ModelConfiguration, named weights: [String: ConstantMatrix]) {
    func named(_ name: String) -> ConstantMatrix {
      guard let weight = weights[name] else { preconditionFailure("no weight \(name)") }
      return weight
    }
    self.init(
      configuration: configuration,
      weights: Weights(
        embedding: named("wte.weight"), finalNorm: named("ln_f.weight"),
        norms: (0..<configuration.layers).map { (named("h.\($0).rms_1.weight"), named("h.\($0).rms_2.weight")) },
        matrices: Dictionary(uniqueKeysWithValues: configuration.sites.map { ($0, named($0.weightName)) })))
  }

  /// The frozen matrix at a site, `[d_out, d_in]`. Traps on a layer that the model does not have.
  public func weight(at site: Site) -> ConstantMatrix {
    let block = blocks[site.blockIndex]
    guard let product = (block.inner + [block.outer]).first(where: { $0.site == site }) else {
      preconditionFailure("block \(site.blockIndex) holds no \(site)")
    }
    return product.weight
  }

  /// All weights under the names that checkpoints give them: the embedding, the norms layer by layer, the matrices
  /// site by site, the last norm.
  public var namedWeights: [(name: String, weight: ConstantMatrix)] {
    var result = [("wte.weight", embedding)]
    for (index, block) in blocks.enumerated() {
      result.append(("h.\(index / 2).rms_\(index % 2 + 1).weight", block.norm))
    }
    for site in configuration.sites { result.append((site.weightName, weight(at: site))) }
    result.append(("ln_f.weight", finalNorm))
    return result
  }

  /// Whether a name of ``namedWeights`` is that of a norm, a vector; all others are matrices.
  public static func isNorm(_ name: String) -> Bool {
    name == "ln_f.weight" || name.contains(".rms_")
  }

  /// ln V: the cross-entropy of a uniform guess, nats.
  public var uniformCrossEntropy: Double {
    Foundation.log(Double(configuration.vocabularySize))
  }
}

extension Site {
  /// The residual block that the site belongs to.
  var blockIndex: Int {
    switch kind {
    case .query, .key, .value, .output: 2 * layer
    case .expand, .contract: 2 * layer + 1
    }
  }

  /// The stage of the forward pass at which the site's product is taken.
  var stage: Stage {
    switch kind {
    case .query, .key, .value, .expand: Stage(block: blockIndex, side: .inner)
    case .output, .contract: Stage(block: blockIndex, side: .outer)
    }
  }
}

/// A place in the forward pass: one side of one residual block.
struct Stage: Hashable, Comparable {
  enum Side: Int {
    /// The products of the normed residual stream: q, k, v or c_fc.
    case inner
    /// The product that goes back into the residual stream: o or down_proj.
    case outer
  }

  let block: Int
  let side: Side

  static func < (left: Stage, right: Stage) -> Bool {
    (left.block, left.side.rawValue) < (right.block, right.side.rawValue)
  }
}
