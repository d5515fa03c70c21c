public import LanguageModel
public import TensorKernels

/// A way to take weight matrices apart into rank-1 subcomponents.
///
/// A method is given all sites at once: some take each apart by itself, others train all of them together. It runs on
/// the thread that calls it, for as long as it takes.
public protocol DecompositionMethod {
  /// Decomposes the task's sites and hands each over once, when it is final.
  ///
  /// - Throws: where the model or the text do not suffice for the method, where it comes to no result, and
  ///   ``DecompositionControl/Stopped`` if it was asked to stop.
  func decompose(_ task: DecompositionTask, handOver: (SiteDecomposition) -> Void) throws
}

/// What is to be decomposed, and the text that says what it does.
public struct DecompositionTask {
  /// The model.
  public let model: TargetModel
  /// The model's weight file, for messages.
  public let modelPath: String
  /// The matrices to decompose, in the model's order, each once.
  public let sites: [Site]
  /// The text.
  public let text: TrainingText
  /// How it is carried out.
  public var control = DecompositionControl()

  /// Gathers a task.
  public init(model: TargetModel, modelPath: String, sites: [Site], text: TrainingText) {
    precondition(!sites.isEmpty && Set(sites).count == sites.count, "a task of different sites")
    self.model = model
    self.modelPath = modelPath
    self.sites = sites.sorted()
    self.text = text
  }
}

/// The subcomponents of one site.
public struct SiteDecomposition {
  /// The site.
  public let site: Site
  /// V `[d_in, C]`: column c is the read direction of subcomponent c.
  public let read: Matrix
  /// U `[C, d_out]`: row c is the write direction of subcomponent c.
  public let write: Matrix
  /// What the method says about how it went, by name.
  public let notes: [String: Double]
  /// Says of inputs how much each subcomponent matters; `nil` where the method makes none.
  public let importance: ImportanceFunction?

  /// Gathers the subcomponents of a site.
  public init(
    site: Site, read: Matrix, write: Matrix, notes: [String: Double] = [:], importance: ImportanceFunction? = nil
  ) {
    precondition(read.columns == write.rows, "as many read directions as write directions")
    self.site = site
    self.read = read
    self.write = write
    self.notes = notes
    self.importance = importance
  }

  /// C.
  public var count: Int { write.rows }

  /// The sum of all subcomponents, (V U)ᵀ `[d_out, d_in]`.
  public func product() -> Matrix {
    let product = Matrix(uninitializedRows: write.columns, columns: read.rows)
    Product.multiply(transposed: write, read.transposed(), into: product)
    return product
  }

  /// Mean over the elements of the square of (V U)ᵀ - W.
  public func meanSquareError(from weight: ConstantMatrix) -> Double {
    let difference = product()
    difference.add(weight, scale: -1)
    return difference.sumOfSquares / Double(weight.rows * weight.columns)
  }
}
