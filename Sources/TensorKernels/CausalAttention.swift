internal import Foundation

/// Causal softmax attention with grouped queries (Ainslie et al., arXiv 2305.13245) over one sequence.
///
/// Query head i reads key/value head i / (heads / keyValueHeads). Scores are scaled by 1 / sqrt(d). Query rows are
/// worked off in blocks, each against the keys up to its end, so that about half of the square is never computed.
public struct CausalAttention: Sendable {
  /// Number of query heads.
  public let heads: Int
  /// Number of key/value heads; divides ``heads``.
  public let keyValueHeads: Int
  /// Components of a head.
  public let headDimension: Int

  private static let block = 64

  /// Creates the shape of an attention.
  public init(heads: Int, keyValueHeads: Int, headDimension: Int) {
    precondition(heads > 0 && keyValueHeads > 0 && heads.isMultiple(of: keyValueHeads), "groups of equal size")
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headDimension = headDimension
  }

  private var scale: Float { 1 / Float(headDimension).squareRoot() }

  private func columns(ofHead head: Int) -> Range<Int> {
    head * headDimension..<(head + 1) * headDimension
  }

  private func columns(ofKeyHead head: Int) -> Range<Int> {
    columns(ofHead: head / (heads / keyValueHeads))
  }

  /// Rows of one query block, and how many keys they may see at most.
  private func blocks(queries: Int, keys: Int) -> [(rows: Range<Int>, keys: Int)] {
    Swift.stride(from: 0, to: queries, by: Self.block).map { start in
      let end = min(start + Self.block, queries)
      return (start..<end, keys - queries + end)
    }
  }

  /// Overwrites `out` `[T, heads x d]` by softmax(q kᵀ / sqrt(d)) v.
  ///
  /// q is `[T, heads x d]`, k and v are `[S, keyValueHeads x d]` with S ≥ T; the last T keys stand at the queries'
  /// positions (S > T when a cache holds earlier ones). `probabilities` `[heads x T, S]` receives the softmax if the
  /// backward pass will need it; otherwise one block of `scratch` `[≥ 64, ≥ S]` is reused.
  public func forward(
    query q: Matrix, key k: Matrix, value v: Matrix, into out: Matrix, probabilities: Matrix?, scratch: Matrix
  ) {
    let (length, keys) = (q.rows, k.rows)
    precondition(q.columns == heads * headDimension && k.columns == keyValueHeads * headDimension)
    precondition(v.rows == keys && v.columns == k.columns && keys >= length && out.rows == length)
    for head in 0..<heads {
      let query = q.columns(columns(ofHead: head))
      let key = k.columns(columns(ofKeyHead: head))
      let value = v.columns(columns(ofKeyHead: head))
      for block in blocks(queries: length, keys: keys) {
        let weights =
          probabilities?.rows(head * length + block.rows.lowerBound..<head * length + block.rows.upperBound)
          .columns(0..<block.keys)
          ?? scratch.rows(0..<block.rows.count).columns(0..<block.keys)
        Product.multiply(query.rows(block.rows), transposed: key.rows(0..<block.keys), into: weights, scale: scale)
        for row in block.rows {
          softmax(weights, row: row - block.rows.lowerBound, visible: keys - length + row + 1)
        }
        Product.multiply(
          weights, value.rows(0..<block.keys), into: out.rows(block.rows).columns(columns(ofHead: head)))
      }
    }
  }

  /// Overwrites the gradients of q, k and v (shapes as theirs) from that of the output and the `probabilities` of the
  /// forward pass; all T positions of the sequence, without a cache. `scratch` is `[≥ 64, ≥ T]`.
  public func backward(
    outputGradient: Matrix, query q: Matrix, key k: Matrix, value v: Matrix, probabilities: Matrix,
    queryGradient: Matrix, keyGradient: Matrix, valueGradient: Matrix, scratch: Matrix
  ) {
    let length = q.rows
    precondition(k.rows == length && v.rows == length && probabilities.rows == heads * length)
    keyGradient.fill(0)
    valueGradient.fill(0)
    for head in 0..<heads {
      let (own, group) = (columns(ofHead: head), columns(ofKeyHead: head))
      for block in blocks(queries: length, keys: length) {
        let weights = probabilities.rows(
          head * length + block.rows.lowerBound..<head * length + block.rows.upperBound
        ).columns(0..<block.keys)
        let outer = outputGradient.rows(block.rows).columns(own)
        let slope = scratch.rows(0..<block.rows.count).columns(0..<block.keys)
        let seen = 0..<block.keys
        // dV += Pᵀ dO, dP = dO Vᵀ, dS = P (dP - Σ dP P), dQ = dS K / sqrt(d), dK += dSᵀ Q / sqrt(d)
        Product.multiply(
          transposed: weights, outer, into: valueGradient.rows(seen).columns(group), accumulate: true)
        Product.multiply(outer, transposed: v.rows(seen).columns(group), into: slope)
        for row in 0..<block.rows.count {
          softmaxBackward(weights, slope, row: row)
        }
        Product.multiply(
          slope, k.rows(seen).columns(group), into: queryGradient.rows(block.rows).columns(own), scale: scale)
        Product.multiply(
          transposed: slope, q.rows(block.rows).columns(own), into: keyGradient.rows(seen).columns(group),
          accumulate: true, scale: scale)
      }
    }
  }

  /// Softmax over the first `visible` columns of a row; the rest becomes 0.
  private func softmax(_ scores: Matrix, row: Int, visible: Int) {
    let values = unsafe scores.pointer + row * scores.stride
    let top = unsafe RowKernels.max(values, visible)
    let sum = unsafe RowKernels.expInPlace(values, visible, shift: top)
    unsafe RowKernels.scaleOffset(values, visible, scale: 1 / sum, offset: 0)
    unsafe (values + visible).update(repeating: 0, count: scores.columns - visible)
  }

  /// Turns a row of dP into dS = P (dP - Σ dP P).
  private func softmaxBackward(_ weights: Matrix, _ slope: Matrix, row: Int) {
    let p = unsafe weights.base + row * weights.stride
    let d = unsafe slope.pointer + row * slope.stride
    let mean = unsafe RowKernels.dot(p, UnsafePointer(d), weights.columns)
    for column in 0..<weights.columns {
      unsafe d[column] = p[column] * (d[column] - mean)
    }
  }
}
