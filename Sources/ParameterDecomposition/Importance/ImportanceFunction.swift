public import LanguageModel
public import TensorKernels

/// Says of an input to a site how much each subcomponent matters to what the model makes of it: g(x), from 0, where it
/// may be taken away, to 1.
///
/// A layer of H hidden units on the normalised input: with x̂ = x / sqrt(mean(x²) + ε),
///
///     g(x) = clip(output GELU(hidden x̂ + hiddenBias) + outputBias, 0, 1).
///
/// Names: N rows, H hidden units, C subcomponents. The matrices are working memory, which may be in training: a function
/// belongs to one thread.
public struct ImportanceFunction {
  /// ε of the normalisation.
  static let epsilon: Float = 1e-6

  /// The site.
  public let site: Site
  /// `[H, d_in]`.
  public let hidden: Matrix
  /// `[1, H]`.
  public let hiddenBias: Matrix
  /// `[C, H]`.
  public let output: Matrix
  /// `[1, C]`.
  public let outputBias: Matrix

  /// Puts a function together; the matrices are shared, not copied.
  public init(site: Site, hidden: Matrix, hiddenBias: Matrix, output: Matrix, outputBias: Matrix) {
    precondition(hiddenBias.rows == 1 && hiddenBias.columns == hidden.rows, "one bias a hidden unit")
    precondition(output.columns == hidden.rows, "outputs of the hidden units")
    precondition(outputBias.rows == 1 && outputBias.columns == output.rows, "one bias a subcomponent")
    self.site = site
    self.hidden = hidden
    self.hiddenBias = hiddenBias
    self.output = output
    self.outputBias = outputBias
  }

  /// C.
  public var count: Int { output.rows }

  /// The importances g of inputs `[N, d_in]`, `[N, C]`, each from 0 to 1.
  public func values(_ inputs: Matrix) -> Matrix {
    let values = logits(inputs)
    values.clip(to: 0...1)
    return values
  }

  /// What ``values(_:)`` clips, `[N, C]`.
  public func logits(_ inputs: Matrix) -> Matrix {
    let units = hiddenSums(of: Self.normalised(inputs))
    GELU.forward(units, into: units)
    let logits = Matrix(uninitializedRows: inputs.rows, columns: output.rows)
    Product.multiply(units, transposed: output, into: logits)
    logits.addToRows(outputBias)
    return logits
  }

  /// What the hidden units take the GELU of, `[N, H]`, for normalised inputs `[N, d_in]`.
  func hiddenSums(of normalised: Matrix) -> Matrix {
    let sums = Matrix(uninitializedRows: normalised.rows, columns: hidden.rows)
    Product.multiply(normalised, transposed: hidden, into: sums)
    sums.addToRows(hiddenBias)
    return sums
  }

  /// x̂ of inputs x `[N, d_in]`.
  static func normalised(_ inputs: Matrix) -> Matrix {
    let normalised = Matrix(uninitializedRows: inputs.rows, columns: inputs.columns)
    let ones = [Float](repeating: 1, count: inputs.columns)
    RMSNorm.forward(
      inputs, weight: Matrix(rows: 1, columns: inputs.columns, elements: ones), epsilon: epsilon, into: normalised,
      inverse: Matrix(uninitializedRows: inputs.rows, columns: 1))
    return normalised
  }
}
