public import LanguageModel
internal import TensorKernels

/// `ica`: read directions along which a site's inputs are as far from normally distributed as can be.
///
/// The inputs of the site on training text are whitened without taking their mean away: V makes the mean square of
/// every activation about 1 and that of different ones independent of each other to second order. A ridge is added to
/// the second moments first, so that directions which the inputs hardly ever take are not blown up. Of all rotations
/// of the whitened inputs ``FastICA`` then finds one whose components are least normal, from several random starts; of
/// these the one of the highest mean contrast is kept. No label enters anywhere.
///
/// V `[d_in, d_in]` is whitening and rotation together, and U = V⁻¹ Wᵀ, so the decomposition is exact. Subcomponents
/// are ordered by their contrast, highest first, and signed so that their mean activation is positive.
public struct SparseICA: DecompositionMethod {
  /// Training tokens that the inputs are taken from, over all corpora.
  public var tokens: Int
  /// One random start each. The first also chooses the text.
  public var seeds: [UInt64]
  /// Added to every eigenvalue of the second moments, as a part of their mean.
  public var ridge: Double
  /// The most iterations of a start.
  public var iterations: Int

  /// Creates the method.
  public init(tokens: Int, seeds: [UInt64], ridge: Double, iterations: Int) {
    precondition(tokens > 0 && !seeds.isEmpty && ridge > 0 && iterations > 0, "settings of an ICA")
    self.tokens = tokens
    self.seeds = seeds
    self.ridge = ridge
    self.iterations = iterations
  }

  /// Decomposes site after site; sites with the same inputs share V.
  public func decompose(
    _ task: DecompositionTask, handOver: (SiteDecomposition) -> Void
  ) throws(InputFileError) {
    let windows = try task.text.draw(tokens: tokens, seed: seeds[0])
    var sites = task.sites[...]
    while let first = sites.first {
      let group = sites.prefix { $0.sharesInput(with: first) }
      sites = sites.dropFirst(group.count)
      let inputs = task.model.inputs(at: first, of: windows)
      let (read, notes) = try readDirections(of: inputs, at: first, task)
      for site in group {
        let transposed = Matrix(copying: task.model.weight(at: site)).transposed()
        guard let write = LinearSolve.solve(read, transposed) else {
          throw Self.refusal(site, task, "expected inputs of full rank, found some that depend on others")
        }
        handOver(SiteDecomposition(site: site, read: read, write: write, notes: notes))
      }
    }
  }

  private func readDirections(
    of inputs: Matrix, at site: Site, _ task: DecompositionTask
  ) throws(InputFileError) -> (read: Matrix, notes: [String: Double]) {
    guard inputs.rows >= 2 * inputs.columns else {
      throw Self.refusal(
        site, task, "expected at least \(2 * inputs.columns) tokens, two for each dimension, found \(inputs.rows)")
    }
    guard let whitening = Self.whitening(of: inputs, ridge: ridge) else {
      throw Self.refusal(site, task, "expected inputs that are finite and not all zero, found others")
    }
    let whitened = Matrix(uninitializedRows: inputs.rows, columns: inputs.columns)
    Product.multiply(inputs, whitening, into: whitened)
    var best: FastICA?
    for seed in seeds {
      let start = FastICA(whitened, seed: seed, iterations: iterations)
      if start.meanContrast > best?.meanContrast ?? -1 { best = start }
    }
    guard let best else { preconditionFailure("no start") }
    let rotation = best.ordered(by: whitened)
    let read = Matrix(uninitializedRows: inputs.columns, columns: inputs.columns)
    Product.multiply(whitening, transposed: rotation, into: read)
    return (
      read,
      [
        "contrast": best.meanContrast, "seed": Double(best.seed), "iterations": Double(best.iterations),
        "last_change": best.lastChange,
      ]
    )
  }

  /// (M + λ)^-½ of the second moments M = E[x xᵀ], symmetric, `[d, d]`, with λ = `ridge` times the mean eigenvalue;
  /// `nil` if M is zero or not finite.
  static func whitening(of inputs: Matrix, ridge: Double) -> Matrix? {
    let moments = Matrix(uninitializedRows: inputs.columns, columns: inputs.columns)
    Product.multiply(transposed: inputs, inputs, into: moments, scale: 1 / Float(inputs.rows))
    guard moments.isFinite else { return nil }
    let mean = (0..<moments.rows).reduce(0.0) { $0 + Double(moments[$1, $1]) } / Double(moments.rows)
    guard mean > 0 else { return nil }
    // Rounding may leave eigenvalues a little below zero.
    return SymmetricEigen(moments).function { 1 / (max(0, $0) + ridge * mean).squareRoot() }
  }

  private static func refusal(_ site: Site, _ task: DecompositionTask, _ problem: String) -> InputFileError {
    InputFileError(
      file: task.modelPath, place: "inputs of \(site)", problem: problem, advice: "bring more tokens or other text")
  }
}
