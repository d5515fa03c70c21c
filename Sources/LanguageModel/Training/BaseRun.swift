public import TensorKernels

/// Windows of text as the base model runs them: what masked models are held against.
///
/// What lies below the first of the sites is computed once, here. All windows are one pass: memory grows with their
/// tokens, by the inputs of every product and by one chunk of logits (or by all, where they fit into one). Belongs to
/// the thread that made it.
public final class BaseRun {
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
  public func losses(_ masked: [Site: MaskedSite]) -> ComparedLosses {
    let residual = PackedPass(model: model, batch: batch, changes: [masked], start: prefix).forward()
    return head.losses(residual: residual, targets: targets, base: distribution, weight: 0, gradient: nil)
  }

  /// Losses of the model with masks at some of the sites. Accumulates the gradients of `weight` times the sum over all
  /// tokens of the divergences, where the masked sites say; each of them says it.
  public func losses(_ masked: [Site: MaskedSite], weight: Double) -> ComparedLosses {
    let pass = PackedPass(model: model, batch: batch, changes: [masked], start: prefix)
    let residual = pass.forward(keepsTape: true)
    let gradient = Matrix(uninitializedRows: residual.rows, columns: residual.columns)
    let losses = head.losses(
      residual: residual, targets: targets, base: distribution, weight: Float(weight), gradient: gradient)
    pass.backward(gradient)
    return losses
  }
}
