internal import TensorKernels

/// A forward pass over a packed batch, and the backward pass through it.
///
/// Only edits (and, in pretraining, weights) have gradients: the backward pass stops at the lowest edited stage, and
/// what lies below that stage can be computed once and entered again and again (``Prefix``).
final class PackedPass {
  let model: TargetModel
  let batch: TokenBatch
  private let edits: EditedRows
  private let start: Prefix
  private var tapes: [ResidualBlock.Tape] = []

  /// The base model's state at a stage, for one packed batch.
  struct Prefix {
    let block: Int
    let entry: ResidualBlock.Entry

    /// Runs the base model up to `stage`.
    init(model: TargetModel, batch: TokenBatch, upTo stage: Stage) {
      var residual = Self.embed(model: model, batch: batch)
      let nobody = EditedRows(edits: [], batch: TokenBatch())
      for block in model.blocks[..<stage.block] {
        (residual, _) = block.forward(
          from: .residual(residual), edits: nobody, segments: batch.segmentRows, keepsTape: false)
      }
      block = stage.block
      entry = model.blocks[stage.block].entry(at: stage.side, residual: residual, segments: batch.segmentRows)
    }

    /// The beginning: embedded tokens.
    init(model: TargetModel, batch: TokenBatch) {
      block = 0
      entry = .residual(Self.embed(model: model, batch: batch))
    }

    /// Where an edited model goes on from here.
    var stage: Stage {
      if case .outer = entry { Stage(block: block, side: .outer) } else { Stage(block: block, side: .inner) }
    }

    /// The prefix of a batch in which the rows stand `count` times, one copy behind the other.
    func repeated(_ count: Int) -> Prefix {
      Prefix(block: block, entry: entry.repeated(count))
    }

    private init(block: Int, entry: ResidualBlock.Entry) {
      self.block = block
      self.entry = entry
    }

    private static func embed(model: TargetModel, batch: TokenBatch) -> Matrix {
      precondition(
        batch.segments.allSatisfy { $0.rows.count <= model.configuration.context }, "a sequence beyond the context")
      let embedded = Matrix(uninitializedRows: batch.rows, columns: model.configuration.width)
      embedded.gather(batch.inputs, from: model.embedding)
      return embedded
    }
  }

  /// Prepares a pass under edits; `start` must belong to the same batch and lie at or below the lowest edited stage.
  convenience init(model: TargetModel, batch: TokenBatch, edits: [any Edit] = [], start: Prefix? = nil) {
    self.init(model: model, batch: batch, changes: edits.map { $0.deltas }, start: start)
  }

  /// Prepares a pass under any changes of the sites' products; the batch's segments name them by their index.
  init(model: TargetModel, batch: TokenBatch, changes: [[Site: any SiteChange]], start: Prefix? = nil) {
    self.model = model
    self.batch = batch
    edits = EditedRows(changes: changes, batch: batch)
    self.start = start ?? Prefix(model: model, batch: batch)
    if let lowest = self.edits.lowestStage {
      precondition(self.start.stage <= lowest, "an edit changes what the prefix holds already")
    }
  }

  /// The residual stream behind the last block, `[N, C]`. `observe` sees it behind every block.
  func forward(keepsTape: Bool = false, observe: ((Int, Matrix) -> Void)? = nil) -> Matrix {
    tapes = []
    var entry = start.entry
    for index in start.block..<model.blocks.count {
      let (residual, tape) = model.blocks[index].forward(
        from: entry, edits: edits, segments: batch.segmentRows, keepsTape: keepsTape)
      if let tape { tapes.append(tape) }
      observe?(index, residual)
      entry = .residual(residual)
    }
    guard case .residual(let residual) = entry else { preconditionFailure("a model has at least one block") }
    return residual
  }

  /// What the matrix at a site was multiplied with in the last forward pass, which kept its tape, `[N, d_in]`; the pass
  /// did not start behind the site.
  func input(at site: Site) -> Matrix {
    precondition(site.blockIndex >= start.block && !tapes.isEmpty, "the pass has no tape of the site")
    let tape = tapes[site.blockIndex - start.block]
    guard site.stage.side == .inner else { return tape.mixed }
    guard let inner = tape.innerSide else { preconditionFailure("the pass starts behind the site") }
    return inner.normed
  }

  /// Accumulates the gradients of the edits from `gradient` `[N, C]`, that of ``forward``'s value, which is used up.
  ///
  /// With `weightGradients` the pass goes down to the embedding and accumulates every weight's gradient too.
  func backward(_ gradient: Matrix, weightGradients: WeightGradients? = nil) {
    let lowest = edits.lowestStage
    guard weightGradients != nil || lowest != nil else { return }
    precondition(tapes.count == model.blocks.count - start.block, "a backward pass needs the tape of a forward pass")
    let floor = weightGradients == nil ? lowest?.block ?? 0 : 0
    for index in stride(from: model.blocks.count - 1, through: max(floor, start.block), by: -1) {
      let side = weightGradients == nil && lowest?.block == index ? lowest?.side : nil
      model.blocks[index].backward(
        gradient, tape: tapes[index - start.block], edits: edits, segments: batch.segmentRows, lowest: side,
        weightGradients: weightGradients)
    }
    weightGradients?.accumulateEmbedding(batch.inputs, gradient: gradient)
    tapes = []
  }
}
