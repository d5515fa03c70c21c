internal import ContentHash
internal import LanguageModel
internal import TensorKernels

/// A site in training: its subcomponents and its importance function. Belongs to the thread of the training; others only
/// read it while that one waits for them.
struct TrainedSite {
  let site: Site
  /// Wᵀ `[d_in, d_out]`.
  let weight: Matrix
  /// V `[d_in, C]`.
  let read: Matrix
  /// U `[C, d_out]`.
  let write: Matrix
  let importance: ImportanceFunction
  /// Where the gradients of a step are gathered.
  let gradients: SiteGradients

  init(weight: Matrix, read: Matrix, write: Matrix, importance: ImportanceFunction) {
    site = importance.site
    self.weight = weight
    self.read = read
    self.write = write
    self.importance = importance
    gradients = SiteGradients(read: read, write: write, importance: importance)
  }

  /// C.
  var count: Int { write.rows }

  /// V and U.
  var factors: [TrainableParameter] {
    [parameter("V", read, gradients.read), parameter("U", write, gradients.write)]
  }

  /// The importance function's matrices.
  var importanceParameters: [TrainableParameter] {
    [
      parameter("hidden", importance.hidden, gradients.importance.hidden),
      parameter("hidden_bias", importance.hiddenBias, gradients.importance.hiddenBias),
      parameter("output", importance.output, gradients.importance.output),
      parameter("output_bias", importance.outputBias, gradients.importance.outputBias),
    ]
  }

  private func parameter(_ name: String, _ value: Matrix, _ gradient: Matrix) -> TrainableParameter {
    TrainableParameter(name: "\(site).\(name)", value: value, gradient: gradient)
  }

  /// Mean square of W - (V U)ᵀ times its number of elements; adds the gradient of `weight` times it.
  func addFaithfulness(weight factor: Double) -> Double {
    let error = Matrix(uninitializedRows: weight.rows, columns: weight.columns)
    Product.multiply(read, write, into: error)
    error.add(weight, scale: -1)
    let scale = Float(2 * factor)
    Product.multiply(error, transposed: write, into: gradients.read, accumulate: true, scale: scale)
    Product.multiply(transposed: read, error, into: gradients.write, accumulate: true, scale: scale)
    return error.sumOfSquares
  }
}

/// Gradients of all that is trained at a site.
struct SiteGradients {
  let read: Matrix
  let write: Matrix
  let importance: ImportanceFunction

  init(read: Matrix, write: Matrix, importance: ImportanceFunction) {
    func zeros(_ matrix: Matrix) -> Matrix { Matrix(rows: matrix.rows, columns: matrix.columns) }
    self.read = zeros(read)
    self.write = zeros(write)
    self.importance = ImportanceFunction(
      site: importance.site, hidden: zeros(importance.hidden), hiddenBias: zeros(importance.hiddenBias),
      output: zeros(importance.output), outputBias: zeros(importance.outputBias))
  }

  private var all: [Matrix] {
    [read, write, importance.hidden, importance.hiddenBias, importance.output, importance.outputBias]
  }

  func clear() {
    for matrix in all { matrix.fill(0) }
  }

  func add(_ other: SiteGradients) {
    for (sum, term) in zip(all, other.all) { sum.add(term) }
  }
}

// MARK: - The start

extension TrainedSite {
  /// The bias that importance functions begin with: everything matters.
  private static let outputBias: Float = 1

  /// A site at its start: U = V⁺ Wᵀ, which makes the subcomponents add up to W where V has full row rank. `spare` read
  /// directions come behind those of `read`, with U = 0: they have no part in W yet.
  ///
  /// The importance function starts from random numbers chosen by `seed`: hidden units of variance 2 / d_in, outputs of
  /// 0.1 / H, so that importances are about 1 everywhere.
  ///
  /// - Returns: `nil` if the read directions depend on each other beyond what can be solved.
  init?(site: Site, weight: ConstantMatrix, read taken: Matrix, spare: Matrix, hidden: Int, seed: String) {
    let transposed = Matrix(copying: weight).transposed()
    guard let solution = Self.pseudoinverse(taken, times: transposed) else { return nil }
    let read = Matrix(uninitializedRows: taken.rows, columns: taken.columns + spare.columns)
    read.columns(0..<taken.columns).copy(from: taken)
    read.columns(taken.columns..<read.columns).copy(from: spare)
    let write = Matrix(rows: read.columns, columns: transposed.columns)
    write.rows(0..<solution.rows).copy(from: solution)
    func normal(_ name: String, _ rows: Int, _ columns: Int, variance: Double) -> Matrix {
      Matrix(rows: rows, columns: columns, normalBy: "\(seed)/\(site).\(name)", variance: variance)
    }
    let bias = Matrix(rows: 1, columns: write.rows)
    bias.fill(Self.outputBias)
    self.init(
      weight: transposed, read: read, write: write,
      importance: ImportanceFunction(
        site: site, hidden: normal("hidden", hidden, weight.columns, variance: 2 / Double(weight.columns)),
        hiddenBias: Matrix(rows: 1, columns: hidden),
        output: normal("output", write.rows, hidden, variance: 0.1 / Double(hidden)), outputBias: bias))
  }

  /// V⁺ B for V `[d, C]` of full rank: of all X with V X = B the smallest, or where C < d the one with V X nearest to B.
  private static func pseudoinverse(_ v: Matrix, times b: Matrix) -> Matrix? {
    guard v.isFinite else { return nil }
    if v.rows == v.columns { return LinearSolve.solve(v, b) }
    let isWide = v.columns > v.rows
    let gram = Matrix(rows: min(v.rows, v.columns), columns: min(v.rows, v.columns))
    let result = Matrix(rows: v.columns, columns: b.columns)
    if isWide {
      Product.multiply(v, transposed: v, into: gram)
      guard let solution = LinearSolve.solve(gram, b) else { return nil }
      Product.multiply(transposed: v, solution, into: result)
      return result
    }
    Product.multiply(transposed: v, v, into: gram)
    Product.multiply(transposed: v, b, into: result)
    return LinearSolve.solve(gram, result)
  }
}

extension Matrix {
  /// Normally distributed numbers of mean 0 that a name chooses.
  init(rows: Int, columns: Int, normalBy name: String, variance: Double) {
    var generator = SplitMix64(seed: SHA256Digest(of: name).leadingWord)
    var source = GaussianSource()
    let deviation = variance.squareRoot()
    let elements = (0..<rows * columns).map { _ in Float(deviation * source.next(using: &generator)) }
    self.init(rows: rows, columns: columns, elements: elements)
  }

  /// Scales every column to length 1; columns of zeros stay.
  func normaliseColumns() {
    let sums = Matrix(rows: 1, columns: columns)
    for row in 0..<rows {
      for column in 0..<columns { sums[0, column] += self[row, column] * self[row, column] }
    }
    for column in 0..<columns { sums[0, column] = sums[0, column] > 0 ? 1 / sums[0, column].squareRoot() : 1 }
    scaleColumns(by: sums)
  }
}
