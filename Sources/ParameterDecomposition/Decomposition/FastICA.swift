internal import LanguageModel
internal import TensorKernels

/// The rotation of whitened data whose components are as far from normally distributed as can be, from one random
/// start: symmetric FastICA with the contrast of Gauss (Hyvärinen, IEEE Transactions on Neural Networks 10, 1999).
///
/// A component's contrast is (E[exp(-s²/2)] - √½)²: zero for a normal one, high for one that is mostly near zero and
/// seldom large.
struct FastICA {
  /// A start is done when no component turns by more in one iteration: 1 - |cos| of the angle.
  static let tolerance = 1e-4
  /// Rows of the data that are projected at once.
  private static let chunk = 2048

  /// Chose the start.
  let seed: UInt64
  /// Row i is the direction of component i; orthogonal, `[d, d]`.
  let rotation: Matrix
  /// The contrast of each component.
  let contrasts: [Double]
  /// Iterations taken.
  let iterations: Int
  /// The largest turn of a component in the last of them.
  let lastChange: Double

  /// What is compared between starts.
  var meanContrast: Double { contrasts.reduce(0, +) / Double(contrasts.count) }

  /// Rotates from a random start until nothing turns any more, or as many iterations are done.
  init(_ data: Matrix, seed: UInt64, iterations limit: Int) {
    var generator = SplitMix64(seed: seed)
    let count = data.columns
    let random = (0..<count * count).map { _ in Float.random(in: -1...1, using: &generator) }
    var rotation = Self.orthogonal(Matrix(rows: count, columns: count, elements: random))
    var (iterations, change) = (0, Double.infinity)
    var next = rotation
    var heights: [Double] = []
    repeat {
      rotation = next
      (next, heights) = Self.step(data, rotation)
      change = Self.largestTurn(from: rotation, to: next)
      iterations += 1
    } while change > Self.tolerance && iterations < limit
    self.seed = seed
    self.rotation = rotation
    self.iterations = iterations
    lastChange = change
    contrasts = heights.map { ($0 - GaussContrast.ofNormal) * ($0 - GaussContrast.ofNormal) }
  }

  /// The rotation with its components ordered by contrast, highest first, each with the sign that makes its mean over
  /// the data positive.
  func ordered(by data: Matrix) -> Matrix {
    let ones = Matrix(rows: 1, columns: data.rows, elements: Array(repeating: 1, count: data.rows))
    let sums = Matrix(uninitializedRows: 1, columns: data.columns)
    Product.multiply(ones, data, into: sums)
    let means = Matrix(uninitializedRows: 1, columns: data.columns)
    Product.multiply(sums, transposed: rotation, into: means)
    let order = contrasts.indices.sorted { (contrasts[$1], $0) < (contrasts[$0], $1) }
    let result = Matrix(uninitializedRows: rotation.rows, columns: rotation.columns)
    result.gather(order, from: rotation)
    for (row, component) in order.enumerated() where means[0, component] < 0 {
      result.rows(row..<row + 1).scale(by: -1)
    }
    return result
  }

  /// One iteration, R ← orthogonal(E[g(R z) zᵀ] - diag(E[g'(R z)]) R), and E[exp(-s²/2)] of the components before it.
  private static func step(_ data: Matrix, _ rotation: Matrix) -> (next: Matrix, heights: [Double]) {
    let count = data.columns
    let next = Matrix(rows: count, columns: count)
    var slopes = [Double](repeating: 0, count: count)
    var heights = [Double](repeating: 0, count: count)
    let buffer = Matrix(uninitializedRows: min(chunk, data.rows), columns: count)
    for start in stride(from: 0, to: data.rows, by: chunk) {
      let rows = data.rows(start..<min(start + chunk, data.rows))
      let projections = buffer.rows(0..<rows.rows)
      Product.multiply(rows, transposed: rotation, into: projections)
      let (slope, height) = (Matrix(rows: 1, columns: count), Matrix(rows: 1, columns: count))
      GaussContrast.differentiate(projections, slopes: slope, heights: height)
      Product.multiply(transposed: projections, rows, into: next, accumulate: true)
      for column in 0..<count {
        slopes[column] += Double(slope[0, column])
        heights[column] += Double(height[0, column])
      }
    }
    for row in 0..<count {
      next.rows(row..<row + 1).add(rotation.rows(row..<row + 1), scale: Float(-slopes[row]))
    }
    next.scale(by: 1 / Float(data.rows))
    return (orthogonal(next), heights.map { $0 / Double(data.rows) })
  }

  /// The orthogonal matrix that is nearest to A: (A Aᵀ)^-½ A.
  private static func orthogonal(_ matrix: Matrix) -> Matrix {
    let product = Matrix(uninitializedRows: matrix.rows, columns: matrix.rows)
    Product.multiply(matrix, transposed: matrix, into: product)
    let eigen = SymmetricEigen(product)
    // Rows that nearly depend on each other are pulled apart as far as numbers allow.
    let least = (eigen.values.last ?? 0) * 1e-12
    let result = Matrix(uninitializedRows: matrix.rows, columns: matrix.columns)
    Product.multiply(eigen.function { 1 / max($0, least).squareRoot() }, matrix, into: result)
    return result
  }

  private static func largestTurn(from old: Matrix, to new: Matrix) -> Double {
    (0..<old.rows).reduce(0) { largest, row in
      let cosine = zip(old.copyOfRow(row), new.copyOfRow(row)).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      return max(largest, abs(1 - abs(cosine)))
    }
  }
}
