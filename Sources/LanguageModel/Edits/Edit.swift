public import TensorKernels

/// What a fine-tune learns: named trainable numbers and the low-rank changes that they make.
///
/// An edit belongs to the thread of its attempt.
public protocol Edit: AnyObject {
  /// The trained numbers.
  var parameters: [TrainableParameter] { get }

  /// The changes, by site. The matrices inside stay the same objects while the parameters move.
  var deltas: [Site: LowRankDelta] { get }

  /// Brings ``deltas`` up to date after an update of ``parameters``.
  func parametersChanged()

  /// Moves what a backward pass accumulated in ``deltas`` into the gradients of ``parameters``.
  func collectGradients()

  /// Sets every gradient to zero, before a backward pass.
  func clearGradients()
}

/// A trained array of numbers with its gradient, of the same shape.
public struct TrainableParameter {
  /// The name: `h.1.mlp.c_fc.lora_A`, `alpha`.
  public let name: String
  /// The numbers.
  public let value: Matrix
  /// Their gradient.
  public let gradient: Matrix

  /// Takes numbers to be trained; their gradient is zero.
  public init(name: String, value: Matrix) {
    self.init(name: name, value: value, gradient: Matrix(rows: value.rows, columns: value.columns))
  }

  /// Takes numbers to be trained and where their gradient is gathered, of the same shape.
  public init(name: String, value: Matrix, gradient: Matrix) {
    precondition(gradient.rows == value.rows && gradient.columns == value.columns, "a gradient of the value's shape")
    self.name = name
    self.value = value
    self.gradient = gradient
  }
}

/// The edits of a packed batch, each with the rows that it holds for.
struct EditedRows {
  /// What a site's change left behind for the backward pass: the coefficients of one run of rows.
  struct Change {
    let edit: Int
    let rows: Range<Int>
    let coefficients: Matrix
  }

  let edits: [any Edit]
  let runs: [(edit: Int, rows: Range<Int>)]

  init(edits: [any Edit], batch: TokenBatch) {
    self.edits = edits
    runs = batch.editedRuns
    precondition(runs.allSatisfy { edits.indices.contains($0.edit) }, "a segment names an edit that is not there")
  }

  /// The earliest stage that any of the edits changes; `nil` if none changes anything.
  var lowestStage: Stage? {
    runs.flatMap { edits[$0.edit].deltas.keys }.map(\.stage).min()
  }

  /// Adds each edit's change at a site to its rows of the product `output` `[N, d_out]`.
  func apply(at site: Site, input: Matrix, output: Matrix) -> [Change] {
    runs.compactMap { run in
      guard let delta = edits[run.edit].deltas[site] else { return nil }
      let coefficients = delta.apply(input: input.rows(run.rows), output: output.rows(run.rows))
      return Change(edit: run.edit, rows: run.rows, coefficients: coefficients)
    }
  }

  /// Accumulates each edit's gradients at a site, and adds its part to the gradient of the input.
  func backward(at site: Site, input: Matrix, change: [Change], outputGradient: Matrix, inputGradient: Matrix?) {
    for part in change {
      edits[part.edit].deltas[site]?.backward(
        input: input.rows(part.rows), coefficients: part.coefficients,
        outputGradient: outputGradient.rows(part.rows), inputGradient: inputGradient?.rows(part.rows))
    }
  }
}
