internal import TensorKernels

/// The end of the model: last norm, vocabulary projection, and losses on its logits, chunk by chunk, so that
/// `[N, V]` logits never exist at once.
struct LossHead {
  let model: TargetModel

  /// Memory that one chunk of logits may take, bytes.
  static let chunkBytes = 64 << 20

  /// Rows of one chunk.
  var chunkRows: Int {
    max(16, min(1024, Self.chunkBytes / (4 * model.configuration.vocabularySize)))
  }

  /// norm(x) `[N, C]` of the residual stream behind the last block, with its `inverse` `[N, 1]`.
  func normalised(_ residual: Matrix) -> (normed: Matrix, inverse: Matrix) {
    let normed = Matrix(uninitializedRows: residual.rows, columns: residual.columns)
    let inverse = Matrix(uninitializedRows: residual.rows, columns: 1)
    RMSNorm.forward(
      residual, weight: model.finalNorm, epsilon: Float(model.configuration.rmsNormEpsilon), into: normed,
      inverse: inverse)
    return (normed, inverse)
  }

  /// Logits `[N, V]` of normed rows.
  func logits(normed: Matrix) -> Matrix {
    let logits = Matrix(uninitializedRows: normed.rows, columns: model.configuration.vocabularySize)
    Product.multiply(normed, transposed: model.embedding, into: logits)
    return logits
  }

  /// Cross-entropy of every row's target, nats, in the rows' order.
  func crossEntropies(residual: Matrix, targets: [Int]) -> [Float] {
    precondition(targets.count == residual.rows, "one target a row")
    let (normed, _) = normalised(residual)
    let buffer = Matrix(
      uninitializedRows: min(chunkRows, residual.rows), columns: model.configuration.vocabularySize)
    var losses: [Float] = []
    losses.reserveCapacity(targets.count)
    for chunk in chunks(of: residual.rows) {
      let logits = buffer.rows(0..<chunk.count)
      Product.multiply(normed.rows(chunk), transposed: model.embedding, into: logits)
      for row in chunk {
        losses.append(
          TokenLoss.score(logits, row: row - chunk.lowerBound, target: targets[row]).crossEntropy)
      }
    }
    return losses
  }

  func chunks(of rows: Int) -> [Range<Int>] {
    stride(from: 0, to: rows, by: chunkRows).map { $0..<min($0 + chunkRows, rows) }
  }
}
