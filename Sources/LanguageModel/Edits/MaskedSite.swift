public import TensorKernels

/// A site run through its masked subcomponents: y = s W x + ((x V) ∘ (m - s)) U, row by row.
///
/// That is the sum of all subcomponents, each scaled by its mask m, and of the rest W - (V U)ᵀ, scaled by s. Where all
/// masks are 1, it is W x to the last bit, however well or badly the subcomponents add up to W.
public struct MaskedSite: SiteChange {
  /// V `[d_in, C]`.
  public let read: Matrix
  /// U `[C, d_out]`.
  public let write: Matrix
  /// The rows of the batch that are masked, ascending; all others are run by the base matrix. `nil` = all.
  public let rows: [Int]?
  /// The mask m of each subcomponent, in each of ``rows``, `[n, C]`.
  public let masks: Matrix
  /// The mask s of the rest, in each of ``rows``, `[n, 1]`.
  public let restMasks: Matrix
  /// Where gradients go; `nil` where none are wanted.
  public let gradients: Gradients?

  /// Where the gradients of a masked site are accumulated, in the shapes of what they belong to.
  public struct Gradients {
    /// Those of V and U; `nil` if they are not trained.
    public let factors: (read: Matrix, write: Matrix)?
    /// That of the subcomponents' masks.
    public let masks: Matrix
    /// That of the rest's masks.
    public let restMasks: Matrix

    /// Names places.
    public init(factors: (read: Matrix, write: Matrix)?, masks: Matrix, restMasks: Matrix) {
      self.factors = factors
      self.masks = masks
      self.restMasks = restMasks
    }
  }

  /// Masks a site.
  public init(
    read: Matrix, write: Matrix, rows: [Int]? = nil, masks: Matrix, restMasks: Matrix, gradients: Gradients? = nil
  ) {
    precondition(read.columns == write.rows && masks.columns == write.rows, "a mask a subcomponent")
    precondition(restMasks.rows == masks.rows && restMasks.columns == 1, "a mask of the rest a row")
    precondition(rows.map { $0.count == masks.rows } ?? true, "masks for each of the rows")
    self.read = read
    self.write = write
    self.rows = rows
    self.masks = masks
    self.restMasks = restMasks
    self.gradients = gradients
  }

  private func selected(_ matrix: Matrix) -> Matrix {
    guard let rows else { return matrix }
    let result = Matrix(uninitializedRows: rows.count, columns: matrix.columns)
    result.gather(rows, from: matrix)
    return result
  }

  /// Returns x V and, if gradients are wanted, the base product, both of the masked rows.
  public func apply(input: Matrix, output: Matrix) -> [Matrix] {
    guard masks.rows > 0 else { return [] }
    let activations = Matrix(uninitializedRows: masks.rows, columns: masks.columns)
    Product.multiply(selected(input), read, into: activations)
    let base = gradients == nil ? [] : [rows == nil ? Matrix(copying: output) : selected(output)]
    SubcomponentMask.scale(output, rows: rows, by: restMasks)
    let scaled = Matrix(uninitializedRows: masks.rows, columns: masks.columns)
    SubcomponentMask.forward(activations, masks: masks, rest: restMasks, into: scaled)
    if let rows {
      let change = Matrix(uninitializedRows: masks.rows, columns: output.columns)
      Product.multiply(scaled, write, into: change)
      change.scatterAdd(rows, into: output)
    } else {
      Product.multiply(scaled, write, into: output, accumulate: true)
    }
    return [activations] + base
  }

  /// The base product is scaled by s.
  public var scalesBase: Bool { true }

  /// Scales the masked rows by s.
  public func scaleBase(_ gradient: Matrix) {
    SubcomponentMask.scale(gradient, rows: rows, by: restMasks)
  }

  /// Accumulates the gradients that are wanted, and adds that of the input to `inputGradient`.
  public func backward(input: Matrix, memory: [Matrix], outputGradient: Matrix, inputGradient: Matrix?) {
    guard masks.rows > 0 else { return }
    guard let gradients else { preconditionFailure("a backward pass needs places for its gradients") }
    let (activations, base, gradient) = (memory[0], memory[1], selected(outputGradient))
    let pulled = Matrix(uninitializedRows: masks.rows, columns: masks.columns)
    if let factors = gradients.factors {
      SubcomponentMask.forward(activations, masks: masks, rest: restMasks, into: pulled)
      Product.multiply(transposed: pulled, gradient, into: factors.write, accumulate: true)
    }
    Product.multiply(gradient, transposed: write, into: pulled)
    SubcomponentMask.backward(
      pulled, activations: activations, masks: masks, rest: restMasks, maskGradient: gradients.masks,
      restGradient: gradients.restMasks)
    SubcomponentMask.addRowDots(gradient, base, to: gradients.restMasks)
    if let factors = gradients.factors {
      Product.multiply(transposed: selected(input), pulled, into: factors.read, accumulate: true)
    }
    guard let inputGradient else { return }
    if let rows {
      let change = Matrix(uninitializedRows: masks.rows, columns: inputGradient.columns)
      Product.multiply(pulled, transposed: read, into: change)
      change.scatterAdd(rows, into: inputGradient)
    } else {
      Product.multiply(pulled, transposed: read, into: inputGradient, accumulate: true)
    }
  }
}
