public import TensorKernels

/// Windows of text as the base model runs them: what masked models are held against.
///
/// What lies below the first of the sites is computed once, here. All windows are one pass: memory grows with their
/// tokens, by the inputs of every product and by one chunk of logits (or by all, where they fit into one). Belongs to
/// the thread that made it.
public final class BaseRun {
  /// Losses of a masked model, token by token in the order of the windows' tokens, nats.
  public struct MaskedLosses: Sendable, Hashable {
    /// KL(base || masked).
    public let divergences: [Float]
    /// Cross-entropy of the masked model.
    public let crossEntropies: [Float]

    /// The mean divergence.
    public var meanDivergence: Double { divergences.reduce(0) { $0 + Double($1) } / Double(divergences.count) }
  }

  /// The windows.
  public let windows: [TokenWindow]
  /// The rows of each window.
  public let windowRows: [Range<Int>]
  private let model: TargetModel
  private let head: LossHead
  private let batch: TokenBatch
  private let targets: [Int]
  private let prefix: PackedPass.Prefix
  private let pass: PackedPass
  private let residual: Matrix
  private let distribution: BaseDistribution

  /// Runs the base model on windows, for masks at some of the given sites.
  public init(model: TargetModel, windows: [TokenWindow], sites: some Sequence<Site>) {
    precondition(!windows.isEmpty, "a run of at least one window")
    guard let stage = sites.map(\.stage).min() else { preconditionFailure("a run for no site") }
    self.model = model
    self.windows = windows
    head = LossHead(model: model)
    let unedited = TokenBatch(sequences: windows.map(\.inputs), edited: false)
    batch = TokenBatch(sequences: windows.map(\.inputs), edited: true)
    windowRows = batch.segmentRows
    targets = windows.flatMap(\.targets)
    prefix = PackedPass.Prefix(model: model, batch: unedited, upTo: stage)
    pass = PackedPass(model: model, batch: unedited, start: prefix)
    residual = pass.forward(keepsTape: true)
    distribution = BaseDistribution(head: head, residual: residual)
  }

  /// Tokens predicted.
  public var rows: Int { batch.rows }

  /// What the matrix at one of the sites is multiplied with, `[N, d_in]`; not to be changed.
  public func input(at site: Site) -> Matrix { pass.input(at: site) }

  /// Cross-entropy of every token by the base model, nats.
  public func crossEntropies() -> [Float] {
    head.crossEntropies(residual: residual, targets: targets)
  }

  /// Losses of the model with masks at some of the sites.
  public func losses(_ masked: [Site: MaskedSite]) -> MaskedLosses {
    let residual = PackedPass(model: model, batch: batch, changes: [masked], start: prefix).forward()
    return head.losses(residual: residual, targets: targets, base: distribution, weight: 0, gradient: nil)
  }

  /// Losses of the model with masks at some of the sites. Accumulates the gradients of `weight` times the sum over all
  /// tokens of the divergences, where the masked sites say; each of them says it.
  public func losses(_ masked: [Site: MaskedSite], weight: Double) -> MaskedLosses {
    let pass = PackedPass(model: model, batch: batch, changes: [masked], start: prefix)
    let residual = pass.forward(keepsTape: true)
    let gradient = Matrix(uninitializedRows: residual.rows, columns: residual.columns)
    let losses = head.losses(
      residual: residual, targets: targets, base: distribution, weight: Float(weight), gradient: gradient)
    pass.backward(gradient)
    return losses
  }
}

extension LossHead {
  /// Losses of every row against the base model and, if `gradient` `[N, C]` is given, the gradient of `weight` times the
  /// sum of the divergences with respect to the residual stream behind the last block, overwriting it.
  fileprivate func losses(
    residual: Matrix, targets: [Int], base: BaseDistribution, weight: Float, gradient: Matrix?
  ) -> BaseRun.MaskedLosses {
    let (normed, inverse) = normalised(residual)
    let normedGradient = gradient.map { Matrix(uninitializedRows: $0.rows, columns: $0.columns) }
    let buffer = Matrix(
      uninitializedRows: min(chunkRows, residual.rows), columns: model.configuration.vocabularySize)
    var divergences: [Float] = []
    var crossEntropies: [Float] = []
    for chunk in chunks(of: residual.rows) {
      let logits = buffer.rows(0..<chunk.count)
      Product.multiply(normed.rows(chunk), transposed: model.embedding, into: logits)
      let (baseLogits, logSumExps) = base.logits(of: chunk)
      for row in chunk {
        let score = TokenLoss.score(logits, row: row - chunk.lowerBound, target: targets[row])
        crossEntropies.append(score.crossEntropy)
        divergences.append(
          TokenLoss.divergence(
            .baseToEdited, edited: logits, editedLSE: score.logSumExp, base: baseLogits, baseLSE: logSumExps[row],
            row: row - chunk.lowerBound, baseRow: row - chunk.lowerBound, weight: gradient == nil ? nil : weight))
      }
      if let normedGradient { Product.multiply(logits, model.embedding, into: normedGradient.rows(chunk)) }
    }
    if let gradient, let normedGradient {
      gradient.fill(0)
      RMSNorm.backward(
        normedGradient, input: residual, weight: model.finalNorm, inverse: inverse, into: gradient)
    }
    return BaseRun.MaskedLosses(divergences: divergences, crossEntropies: crossEntropies)
  }
}
