public import LanguageModel
internal import TensorKernels

/// `svd`: the singular vectors of the matrix, largest first. V has columns of length 1; U carries the singular values.
public struct SingularVectors: DecompositionMethod {
  /// Creates the method.
  public init() {}

  /// Decomposes each site by itself, from its weights alone.
  public func decompose(
    _ task: DecompositionTask, handOver: (SiteDecomposition) -> Void
  ) throws(InputFileError) {
    for site in task.sites {
      let parts = SingularValues(task.model.weight(at: site))
      let write = parts.left.transposed()
      for (index, value) in parts.values.enumerated() { write.rows(index..<index + 1).scale(by: Float(value)) }
      handOver(SiteDecomposition(site: site, read: parts.right.transposed(), write: write))
    }
  }
}
