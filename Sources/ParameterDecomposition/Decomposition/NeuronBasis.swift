public import LanguageModel
internal import TensorKernels

/// `neurons`: the rows or the columns of the matrix as they are.
///
/// Where the matrix reads the residual stream (q, k, v, c_fc), a subcomponent is one of its outputs: row i of W is the
/// read direction, the i-th unit vector the write direction. Where it writes to the residual stream (o, down_proj), a
/// subcomponent is one of its inputs: the i-th unit vector and column i of W. Either way it is a neuron of the MLP, or
/// a dimension of an attention head.
public struct NeuronBasis: DecompositionMethod {
  /// Creates the method.
  public init() {}

  /// Decomposes each site by itself, from its weights alone.
  public func decompose(
    _ task: DecompositionTask, handOver: (SiteDecomposition) -> Void
  ) throws(InputFileError) {
    for site in task.sites {
      let transposed = Matrix(copying: task.model.weight(at: site)).transposed()
      let neurons = Matrix(rows: site.writesToResidual ? transposed.rows : transposed.columns)
      handOver(
        site.writesToResidual
          ? SiteDecomposition(site: site, read: neurons, write: transposed)
          : SiteDecomposition(site: site, read: transposed, write: neurons))
    }
  }
}

extension Matrix {
  /// The unit matrix `[n, n]`.
  fileprivate init(rows count: Int) {
    self.init(rows: count, columns: count)
    for index in 0..<count { self[index, index] = 1 }
  }
}
