internal import TensorKernels

/// One residual block: x + W_out mix(W_in norm(x)), forward and backward.
///
/// Attention and the feed-forward part differ in their ``Mixer`` alone. Edits and masks change the products; the block's
/// own matrices are frozen.
struct ResidualBlock: Sendable {
  /// A product with a frozen matrix, y = x Wᵀ, at a site that edits may change.
  struct SiteProduct: Sendable {
    let site: Site
    let weight: ConstantMatrix
  }

  let norm: ConstantMatrix
  let epsilon: Float
  let inner: [SiteProduct]
  let outer: SiteProduct
  let mixer: any Mixer & Sendable

  /// Where a forward pass through the block starts, and with what. Everything in it was computed by the base model
  /// alone, so it serves every step and every edit that changes nothing earlier.
  enum Entry {
    /// At the residual stream x `[N, C]`.
    case residual(Matrix)
    /// At the inner products: x, norm(x) with its `inverse` `[N, 1]`, and the base products.
    case inner(residual: Matrix, normed: Matrix, inverse: Matrix, products: [Matrix])
    /// At the outer product: x, the mixed value, and the base product.
    case outer(residual: Matrix, mixed: Matrix, product: Matrix)

    /// The entry of a batch in which the rows stand `count` times, one copy behind the other.
    func repeated(_ count: Int) -> Entry {
      switch self {
      case .residual(let residual):
        .residual(residual.repeated(count))
      case .inner(let residual, let normed, let inverse, let products):
        .inner(
          residual: residual.repeated(count), normed: normed.repeated(count), inverse: inverse.repeated(count),
          products: products.map { $0.repeated(count) })
      case .outer(let residual, let mixed, let product):
        .outer(
          residual: residual.repeated(count), mixed: mixed.repeated(count), product: product.repeated(count))
      }
    }
  }

  /// What the backward pass needs of the forward pass.
  struct Tape {
    let residual: Matrix
    /// Absent where the forward pass started behind it.
    var innerSide: InnerSide?
    let mixed: Matrix
    let outerChange: [EditedRows.Change]

    struct InnerSide {
      let normed: Matrix
      let inverse: Matrix
      let products: [Matrix]
      let changes: [[EditedRows.Change]]
      let memory: [Matrix]
    }
  }

  /// Runs the base model alone up to a side of this block, to be entered there many times.
  func entry(at side: Stage.Side, residual: Matrix, segments: [Range<Int>]) -> Entry {
    let (normed, inverse) = normalised(residual)
    let products = inner.map { product($0, normed) }
    switch side {
    case .inner:
      return .inner(residual: residual, normed: normed, inverse: inverse, products: products)
    case .outer:
      let (mixed, _) = mixer.forward(products, segments: segments, keepsMemory: false)
      return .outer(residual: residual, mixed: mixed, product: product(outer, mixed))
    }
  }

  /// The residual stream behind the block `[N, C]`, and the tape if one is kept. Generation brings a mixer of its own,
  /// which remembers earlier rows.
  func forward(
    from entry: Entry, edits: EditedRows, segments: [Range<Int>], keepsTape: Bool, mixer: (any Mixer)? = nil
  ) -> (Matrix, Tape?) {
    let mixer = mixer ?? self.mixer
    switch entry {
    case .residual(let residual):
      let (normed, inverse) = normalised(residual)
      let products = inner.map { product($0, normed) }
      return finish(
        residual: residual, normed: normed, inverse: inverse, products: products, edits: edits, segments: segments,
        keepsTape: keepsTape, mixer: mixer)
    case .inner(let residual, let normed, let inverse, let products):
      return finish(
        residual: residual, normed: normed, inverse: inverse, products: products.map { Matrix(copying: $0) },
        edits: edits, segments: segments, keepsTape: keepsTape, mixer: mixer)
    case .outer(let residual, let mixed, let product):
      return finish(
        residual: residual, innerSide: nil, mixed: mixed, product: Matrix(copying: product), edits: edits,
        keepsTape: keepsTape)
    }
  }

  /// From the inner base products on; they are changed in place.
  private func finish(
    residual: Matrix, normed: Matrix, inverse: Matrix, products: [Matrix], edits: EditedRows, segments: [Range<Int>],
    keepsTape: Bool, mixer: any Mixer
  ) -> (Matrix, Tape?) {
    let changes = zip(inner, products).map { edits.apply(at: $0.site, input: normed, output: $1) }
    let (mixed, memory) = mixer.forward(products, segments: segments, keepsMemory: keepsTape)
    return finish(
      residual: residual,
      innerSide: Tape.InnerSide(
        normed: normed, inverse: inverse, products: products, changes: changes, memory: memory),
      mixed: mixed, product: product(outer, mixed), edits: edits, keepsTape: keepsTape)
  }

  /// From the outer base product on, which becomes the new residual stream.
  private func finish(
    residual: Matrix, innerSide: Tape.InnerSide?, mixed: Matrix, product: Matrix, edits: EditedRows, keepsTape: Bool
  ) -> (Matrix, Tape?) {
    let change = edits.apply(at: outer.site, input: mixed, output: product)
    product.add(residual)
    guard keepsTape else { return (product, nil) }
    return (product, Tape(residual: residual, innerSide: innerSide, mixed: mixed, outerChange: change))
  }

  /// Turns `gradient` `[N, C]`, that of the residual stream behind the block, into that before it, in place, and
  /// accumulates the gradients of the edits (and of the block's weights where `weightGradients` takes them).
  ///
  /// Stops at `lowest`, the earliest changed side: what lies before it has no trained parameter. There is none where
  /// `weightGradients` are asked for.
  func backward(
    _ gradient: Matrix, tape: Tape, edits: EditedRows, segments: [Range<Int>], lowest: Stage.Side?,
    weightGradients: WeightGradients?
  ) {
    let stopsAtOuter = lowest == .outer
    let mixedGradient =
      stopsAtOuter ? nil : Matrix(uninitializedRows: gradient.rows, columns: outer.weight.columns)
    if let mixedGradient {
      let base = edits.baseGradient(tape.outerChange, outputGradient: gradient)
      weightGradients?.accumulate(outer.site, input: tape.mixed, outputGradient: base)
      Product.multiply(base, outer.weight, into: mixedGradient)
    }
    edits.backward(tape.outerChange, input: tape.mixed, outputGradient: gradient, inputGradient: mixedGradient)
    guard let mixedGradient else { return }

    guard let side = tape.innerSide else { preconditionFailure("the tape starts behind the lowest edited side") }
    let innerGradients = mixer.backward(
      mixedGradient, inner: side.products, memory: side.memory, segments: segments)
    let normedGradient =
      lowest == .inner ? nil : Matrix(uninitializedRows: gradient.rows, columns: gradient.columns)
    if let normedGradient {
      for (index, (product, innerGradient)) in zip(inner, innerGradients).enumerated() {
        let base = edits.baseGradient(side.changes[index], outputGradient: innerGradient)
        weightGradients?.accumulate(product.site, input: side.normed, outputGradient: base)
        Product.multiply(base, product.weight, into: normedGradient, accumulate: index > 0)
      }
    }
    for (change, innerGradient) in zip(side.changes, innerGradients) {
      edits.backward(change, input: side.normed, outputGradient: innerGradient, inputGradient: normedGradient)
    }
    guard let normedGradient else { return }
    weightGradients?.accumulateNorm(
      of: outer.site, outputGradient: normedGradient, input: tape.residual, inverse: side.inverse)
    RMSNorm.backward(normedGradient, input: tape.residual, weight: norm, inverse: side.inverse, into: gradient)
  }

  private func normalised(_ residual: Matrix) -> (normed: Matrix, inverse: Matrix) {
    let normed = Matrix(uninitializedRows: residual.rows, columns: residual.columns)
    let inverse = Matrix(uninitializedRows: residual.rows, columns: 1)
    RMSNorm.forward(residual, weight: norm, epsilon: epsilon, into: normed, inverse: inverse)
    return (normed, inverse)
  }

  private func product(_ product: SiteProduct, _ input: Matrix) -> Matrix {
    let output = Matrix(uninitializedRows: input.rows, columns: product.weight.rows)
    Product.multiply(input, transposed: product.weight, into: output)
    return output
  }
}
