internal import TensorKernels

/// What happens between the inner and the outer products of a residual block.
protocol Mixer {
  /// Mixes the inner products (`[N, …]` each; may be changed in place) into the input of the outer product.
  ///
  /// `segments` are the row ranges of the sequences. `memory` is what ``backward`` needs besides `inner`; it is empty
  /// unless `keepsMemory`.
  func forward(_ inner: [Matrix], segments: [Range<Int>], keepsMemory: Bool) -> (mixed: Matrix, memory: [Matrix])

  /// The gradients of the inner products from that of the mixed value (which may be overwritten).
  func backward(_ mixedGradient: Matrix, inner: [Matrix], memory: [Matrix], segments: [Range<Int>]) -> [Matrix]
}

/// GELU between c_fc and down_proj.
struct FeedForwardMixer: Mixer, Sendable {
  func forward(_ inner: [Matrix], segments: [Range<Int>], keepsMemory: Bool) -> (mixed: Matrix, memory: [Matrix]) {
    let mixed = Matrix(uninitializedRows: inner[0].rows, columns: inner[0].columns)
    GELU.forward(inner[0], into: mixed)
    return (mixed, [])
  }

  func backward(_ mixedGradient: Matrix, inner: [Matrix], memory: [Matrix], segments: [Range<Int>]) -> [Matrix] {
    GELU.backward(input: inner[0], gradient: mixedGradient)
    return [mixedGradient]
  }
}

/// Rotary positions and causal attention between q, k, v and o. Positions start at 0 in every segment.
struct AttentionMixer: Mixer, Sendable {
  let attention: CausalAttention
  let rotary: RotaryEmbedding

  init(configuration: ModelConfiguration) {
    attention = CausalAttention(
      heads: configuration.heads, keyValueHeads: configuration.keyValueHeads,
      headDimension: configuration.headDimension)
    rotary = RotaryEmbedding(
      headDimension: configuration.headDimension, positions: configuration.context, base: configuration.rotaryBase,
      layout: configuration.rotaryAdjacentPairs ? .adjacent : .halves)
  }

  /// Rotates q and k in place. `memory` holds the softmax of each segment, `[heads x T, T]`.
  func forward(_ inner: [Matrix], segments: [Range<Int>], keepsMemory: Bool) -> (mixed: Matrix, memory: [Matrix]) {
    let mixed = Matrix(uninitializedRows: inner[0].rows, columns: inner[0].columns)
    let scratch = Matrix(uninitializedRows: 64, columns: segments.map(\.count).max() ?? 0)
    var memory: [Matrix] = []
    for rows in segments {
      let (query, key, value) = (inner[0].rows(rows), inner[1].rows(rows), inner[2].rows(rows))
      rotary.rotate(query)
      rotary.rotate(key)
      let probabilities =
        keepsMemory ? Matrix(uninitializedRows: attention.heads * rows.count, columns: rows.count) : nil
      attention.forward(
        query: query, key: key, value: value, into: mixed.rows(rows), probabilities: probabilities, scratch: scratch)
      if let probabilities { memory.append(probabilities) }
    }
    return (mixed, memory)
  }

  func backward(_ mixedGradient: Matrix, inner: [Matrix], memory: [Matrix], segments: [Range<Int>]) -> [Matrix] {
    let gradients = inner.map { Matrix(uninitializedRows: $0.rows, columns: $0.columns) }
    let scratch = Matrix(uninitializedRows: 64, columns: segments.map(\.count).max() ?? 0)
    for (rows, probabilities) in zip(segments, memory) {
      attention.backward(
        outputGradient: mixedGradient.rows(rows), query: inner[0].rows(rows), key: inner[1].rows(rows),
        value: inner[2].rows(rows), probabilities: probabilities, queryGradient: gradients[0].rows(rows),
        keyGradient: gradients[1].rows(rows), valueGradient: gradients[2].rows(rows), scratch: scratch)
      rotary.rotate(gradients[0].rows(rows), inverse: true)
      rotary.rotate(gradients[1].rows(rows), inverse: true)
    }
    return gradients
  }
}
