public import TensorKernels

/// A full fine-tune of chosen matrices: W + ΔW with every number of ΔW trained, from 0 on.
///
/// What can be removed with the most parameters, and so what smaller edits are held against. Weight decay pulls ΔW
/// towards 0, and the matrix towards the base.
public final class FullEdit: Edit {
  /// ΔW `[d_out, d_in]` of each site, in the sites' order.
  public let parameters: [TrainableParameter]
  /// One change a site.
  public let deltas: [Site: any WeightDelta]
  /// The sites, in the order in which they were given.
  public let sites: [Site]

  /// Creates an edit that changes nothing.
  public convenience init(sites: [Site], configuration: ModelConfiguration) {
    self.init(
      sites.map { site in
        let shape = configuration.shape(of: site)
        return (site, Matrix(rows: shape.outputs, columns: shape.inputs))
      })
  }

  /// Creates an edit from given changes, which are copied.
  public init(_ changes: [(site: Site, change: Matrix)]) {
    precondition(
      !changes.isEmpty && Set(changes.map(\.site)).count == changes.count, "one change a site, of some sites")
    sites = changes.map(\.site)
    var parameters: [TrainableParameter] = []
    var deltas: [Site: any WeightDelta] = [:]
    for (site, change) in changes {
      let parameter = TrainableParameter(name: "\(site).delta", value: Matrix(copying: change))
      parameters.append(parameter)
      deltas[site] = DenseDelta(change: parameter.value, gradient: parameter.gradient)
    }
    self.parameters = parameters
    self.deltas = deltas
  }

  /// Frobenius norm of each site's change.
  public var deltaNorms: [(site: Site, norm: Double)] {
    sites.map { ($0, deltas[$0]?.norm ?? 0) }
  }

  /// The changes read the parameters themselves: nothing to do.
  public func parametersChanged() {}

  /// Backward passes accumulate into the parameters' gradients themselves: nothing to do.
  public func collectGradients() {}

  /// Sets every gradient to zero.
  public func clearGradients() {
    for parameter in parameters { parameter.gradient.fill(0) }
  }

  /// The edit as it stands, apart from what becomes of this one.
  public func copy() -> any Edit { FullEdit(changes) }

  /// The change of each site, which moves with the edit.
  public var changes: [(site: Site, change: Matrix)] {
    zip(sites, parameters).map { ($0, $1.value) }
  }
}

/// A change of any rank at a site: y += x ΔWᵀ.
struct DenseDelta: WeightDelta {
  /// ΔW `[d_out, d_in]`.
  let change: Matrix
  /// Where its gradient goes.
  let gradient: Matrix

  /// Adds the change to `output` `[n, d_out]`.
  func apply(input: Matrix, output: Matrix) -> [Matrix] {
    Product.multiply(input, transposed: change, into: output, accumulate: true)
    return []
  }

  /// dΔW += dYᵀ X, dX += dY ΔW.
  func backward(input: Matrix, memory: [Matrix], outputGradient: Matrix, inputGradient: Matrix?) {
    Product.multiply(transposed: outputGradient, input, into: gradient, accumulate: true)
    guard let inputGradient else { return }
    Product.multiply(outputGradient, change, into: inputGradient, accumulate: true)
  }

  func merged(into weight: ConstantMatrix) -> ConstantMatrix {
    let result = Matrix(copying: weight)
    result.add(change)
    return ConstantMatrix(copying: result)
  }

  var norm: Double { change.sumOfSquares.squareRoot() }
}
