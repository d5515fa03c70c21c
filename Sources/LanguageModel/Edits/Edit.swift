public import TensorKernels

/// What a fine-tune learns: named trainable numbers and the changes of weight matrices that they make.
///
/// An edit belongs to the thread of its attempt.
public protocol Edit: AnyObject {
  /// The trained numbers.
  var parameters: [TrainableParameter] { get }

  /// The changes, by site. The matrices inside stay the same objects while the parameters move.
  var deltas: [Site: any WeightDelta] { get }

  /// Brings ``deltas`` up to date after an update of ``parameters``.
  func parametersChanged()

  /// Moves what a backward pass accumulated in ``deltas`` into the gradients of ``parameters``.
  func collectGradients()

  /// Sets every gradient to zero, before a backward pass.
  func clearGradients()

  /// The edit as it stands, apart from what becomes of this one.
  func copy() -> any Edit
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
