internal import Foundation
internal import TensorKernels

/// Continues a token sequence, with keys and values of earlier positions kept.
///
/// It belongs to one thread.
public final class Generator {
  /// How the next token is chosen.
  public enum Sampling: Sendable, Hashable {
    /// The largest logit; the lowest id among equals.
    case greedy
    /// Drawn from softmax(logits / temperature), restricted to the smallest set of likeliest tokens whose probability
    /// reaches `topP` (Holtzman et al., arXiv 1904.09751); 1 = no restriction.
    case random(temperature: Double, topP: Double)
  }

  private let model: TargetModel
  private let edits: [any Edit]
  private let head: LossHead
  private var caches: [KeyValueCache]
  /// Tokens seen so far.
  public private(set) var length = 0

  /// Creates a generator under an edit, or the base model's.
  public init(model: TargetModel, edit: (any Edit)? = nil) {
    self.model = model
    edits = edit.map { [$0] } ?? []
    head = LossHead(model: model)
    caches = (0..<model.configuration.layers).map { _ in KeyValueCache(configuration: model.configuration) }
  }

  /// Appends tokens and returns the logits `[V]` behind the last of them.
  ///
  /// Traps if the sequence outgrows the model's context, or on no tokens.
  public func append(_ tokens: [Int]) -> [Float] {
    precondition(!tokens.isEmpty && length + tokens.count <= model.configuration.context, "beyond the context")
    let batch = TokenBatch(sequences: [tokens], edited: !edits.isEmpty)
    let rows = EditedRows(edits: edits, batch: batch)
    var residual = Matrix(uninitializedRows: tokens.count, columns: model.configuration.width)
    residual.gather(tokens, from: model.embedding)
    for (index, block) in model.blocks.enumerated() {
      let cache = index.isMultiple(of: 2) ? caches[index / 2] : nil
      (residual, _) = block.forward(
        from: .residual(residual), edits: rows, segments: batch.segmentRows, keepsTape: false, mixer: cache)
    }
    length += tokens.count
    let last = residual.rows(tokens.count - 1..<tokens.count)
    return head.logits(normed: head.normalised(last).normed).copyOfRow(0)
  }

  /// Continues a prompt by up to `count` tokens, ending earlier at the context's end or behind `stop`.
  ///
  /// - Parameter observe: sees every chosen token with the logits that chose it.
  public func generate(
    prompt: [Int], count: Int, sampling: Sampling, using generator: inout some RandomNumberGenerator,
    stop: Int? = nil, observe: (_ token: Int, _ logits: [Float]) -> Void = { _, _ in }
  ) -> [Int] {
    var tokens: [Int] = []
    var next = prompt
    while tokens.count < count, length + next.count <= model.configuration.context {
      let logits = append(next)
      let token = Self.choose(logits, sampling: sampling, using: &generator)
      observe(token, logits)
      tokens.append(token)
      if token == stop { break }
      next = [token]
    }
    return tokens
  }

  /// Chooses the next token.
  static func choose(
    _ logits: [Float], sampling: Sampling, using generator: inout some RandomNumberGenerator
  ) -> Int {
    switch sampling {
    case .greedy:
      return logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
    case .random(let temperature, let topP):
      precondition(temperature > 0 && topP > 0 && topP <= 1, "temperature > 0, 0 < topP <= 1")
      let top = Double(logits.max() ?? 0)
      let weights = logits.map { exp((Double($0) - top) / temperature) }
      let total = weights.reduce(0, +)
      let order = logits.indices.sorted { (weights[$0], $1) > (weights[$1], $0) }
      var kept: [Int] = []
      var mass = 0.0
      for token in order {
        kept.append(token)
        mass += weights[token]
        if mass >= topP * total { break }
      }
      var draw = Double.random(in: 0..<1, using: &generator) * mass
      for token in kept {
        draw -= weights[token]
        if draw < 0 { return token }
      }
      return kept[kept.count - 1]
    }
  }
}

/// Attention that remembers the keys and values of earlier rows of its layer.
final class KeyValueCache: Mixer {
  private let mixer: AttentionMixer
  private let keys: Matrix
  private let values: Matrix
  private var length = 0

  init(configuration: ModelConfiguration) {
    mixer = AttentionMixer(configuration: configuration)
    keys = Matrix(rows: configuration.context, columns: configuration.keyValueWidth)
    values = Matrix(rows: configuration.context, columns: configuration.keyValueWidth)
  }

  func forward(_ inner: [Matrix], segments: [Range<Int>], keepsMemory: Bool) -> (mixed: Matrix, memory: [Matrix]) {
    precondition(segments.count == 1 && !keepsMemory, "a cache continues one sequence, forward only")
    let (query, key, value) = (inner[0], inner[1], inner[2])
    mixer.rotary.rotate(query, start: length)
    mixer.rotary.rotate(key, start: length)
    let end = length + query.rows
    keys.rows(length..<end).copy(from: key)
    values.rows(length..<end).copy(from: value)
    length = end
    let mixed = Matrix(uninitializedRows: query.rows, columns: query.columns)
    mixer.attention.forward(
      query: query, key: keys.rows(0..<end), value: values.rows(0..<end), into: mixed, probabilities: nil,
      scratch: Matrix(uninitializedRows: 64, columns: end))
    return (mixed, [])
  }

  func backward(_ mixedGradient: Matrix, inner: [Matrix], memory: [Matrix], segments: [Range<Int>]) -> [Matrix] {
    preconditionFailure("generation has no backward pass")
  }
}
