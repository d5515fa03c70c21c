public import TensorKernels

extension Site {
  /// Whether another site's matrix is multiplied with the same rows: queries, keys and values of one layer are.
  public func sharesInput(with other: Site) -> Bool { stage == other.stage }

  /// Whether its product goes back into the residual stream: o and down_proj.
  public var writesToResidual: Bool { stage.side == .outer }
}

extension TargetModel {
  /// What the matrix at a site is multiplied with, `[N, d_in]`: one row for every input token of the windows, in their
  /// order. The model is run as far as the site, ``Evaluator/rowsPerPass`` rows at a time.
  public func inputs(at site: Site, of windows: [TokenWindow]) -> Matrix {
    let columns = configuration.shape(of: site).inputs
    let result = Matrix(
      uninitializedRows: windows.reduce(0) { $0 + $1.inputs.count }, columns: columns)
    var filled = 0
    for group in TokenWindow.groups(of: windows) {
      let batch = TokenBatch(sequences: group.map(\.inputs), edited: false)
      let prefix = PackedPass.Prefix(model: self, batch: batch, upTo: site.stage)
      let rows =
        switch prefix.entry {
        case .inner(_, let normed, _, _): normed
        case .outer(_, let mixed, _): mixed
        case .residual: preconditionFailure("a prefix ends at one side of a block")
        }
      result.rows(filled..<filled + rows.rows).copy(from: rows)
      filled += rows.rows
    }
    return result
  }

  /// The model with other matrices at some sites.
  public func replacing(_ matrices: [Site: ConstantMatrix]) -> TargetModel {
    let norms = (0..<configuration.layers).map { layer in
      (attention: blocks[2 * layer].norm, feedForward: blocks[2 * layer + 1].norm)
    }
    let all = configuration.sites.map { ($0, matrices[$0] ?? weight(at: $0)) }
    return TargetModel(
      configuration: configuration,
      weights: Weights(
        embedding: embedding, finalNorm: finalNorm, norms: norms, matrices: Dictionary(uniqueKeysWithValues: all)))
  }
}
