public import TensorKernels

/// What is done to the product y = x Wᵀ at a site, for some rows of a packed batch, forward and backward.
public protocol SiteChange {
  /// Turns the base product `output` `[n, d_out]` of `input` `[n, d_in]` into the changed one, in place. Returns what
  /// ``backward`` needs besides the input.
  func apply(input: Matrix, output: Matrix) -> [Matrix]

  /// Whether the base product enters the changed one otherwise than as it is.
  var scalesBase: Bool { get }

  /// Turns the gradient of the changed product `[n, d_out]` into that of the base product, in place.
  func scaleBase(_ gradient: Matrix)

  /// Accumulates the gradients of what is trained, and adds that of the input to `inputGradient` `[n, d_in]`, as far as
  /// it does not come through the base product.
  func backward(input: Matrix, memory: [Matrix], outputGradient: Matrix, inputGradient: Matrix?)
}

/// A change that is added to the matrix of a site: W + ΔW.
public protocol WeightDelta: SiteChange {
  /// W + ΔW for a frozen matrix `[d_out, d_in]`.
  func merged(into weight: ConstantMatrix) -> ConstantMatrix

  /// Frobenius norm of ΔW.
  var norm: Double { get }
}

extension WeightDelta {
  /// The change is added to the base product.
  public var scalesBase: Bool { false }

  /// Leaves the gradient as it is.
  public func scaleBase(_ gradient: Matrix) {}
}

/// The changes that a packed batch is run under, each with the rows that it holds for.
struct EditedRows {
  /// What a site's change left behind for the backward pass, for one run of rows.
  struct Change {
    let change: any SiteChange
    let rows: Range<Int>
    let memory: [Matrix]
  }

  /// The changes by site that the segments of the batch name by their index.
  let changes: [[Site: any SiteChange]]
  let runs: [(edit: Int, rows: Range<Int>)]

  init(changes: [[Site: any SiteChange]], batch: TokenBatch) {
    self.changes = changes
    runs = batch.editedRuns
    precondition(runs.allSatisfy { changes.indices.contains($0.edit) }, "a segment names an edit that is not there")
  }

  init(edits: [any Edit], batch: TokenBatch) {
    self.init(changes: edits.map { $0.deltas }, batch: batch)
  }

  /// The earliest stage at which anything is changed; `nil` if nothing is.
  var lowestStage: Stage? {
    runs.flatMap { changes[$0.edit].keys }.map(\.stage).min()
  }

  /// Changes the product `output` `[N, d_out]` at a site, each run of rows by its own.
  func apply(at site: Site, input: Matrix, output: Matrix) -> [Change] {
    runs.compactMap { run in
      guard let change = changes[run.edit][site] else { return nil }
      let memory = change.apply(input: input.rows(run.rows), output: output.rows(run.rows))
      return Change(change: change, rows: run.rows, memory: memory)
    }
  }

  /// The gradient of the base product at a site from that of the changed one, which stays as it is.
  func baseGradient(_ change: [Change], outputGradient: Matrix) -> Matrix {
    guard change.contains(where: \.change.scalesBase) else { return outputGradient }
    let gradient = Matrix(copying: outputGradient)
    for part in change { part.change.scaleBase(gradient.rows(part.rows)) }
    return gradient
  }

  /// Accumulates the gradients of each change at a site, and adds its part to the gradient of the input.
  func backward(_ change: [Change], input: Matrix, outputGradient: Matrix, inputGradient: Matrix?) {
    for part in change {
      part.change.backward(
        input: input.rows(part.rows), memory: part.memory, outputGradient: outputGradient.rows(part.rows),
        inputGradient: inputGradient?.rows(part.rows))
    }
  }
}
