import Foundation
import TensorKernels
import Testing

@Suite("Eigenvalues, singular values, linear equations and the contrast of Gauss")
struct DecompositionKernelsTests {
  /// By NumPy's `linalg.eigh`.
  @Test("eigenvalues and eigenvectors are those of NumPy")
  func eigen() {
    let matrix = Matrix(
      rows: 4, columns: 4, elements: [4, -2, 0.5, 1, -2, 3, 0, -1, 0.5, 0, 2, 0.25, 1, -1, 0.25, 1])
    let eigen = SymmetricEigen(matrix)
    let values = [0.543904955093, 1.34863059647, 2.098626981175, 6.008837467262]
    let vectors: [[Float]] = [
      [-0.05612194223, 0.333207808599, -0.140511096869, 0.930633932084],
      [0.63372867531, 0.620241001161, -0.393112958093, -0.243210338488],
      [0.175204009085, 0.394745127044, 0.901914979528, 0.005404588659],
      [-0.751359999528, 0.590296486049, -0.110761922785, -0.273386184963],
    ]
    for (index, (value, vector)) in zip(values, vectors).enumerated() {
      #expect(abs(eigen.values[index] - value) < 1e-10)
      let row = eigen.vectors.copyOfRow(index)
      // Eigenvectors have no sign of their own.
      let sign: Float = row[1] * vector[1] < 0 ? -1 : 1
      for (found, expected) in zip(row, vector) { #expect(abs(sign * found - expected) < 1e-6) }
    }
    // The square of the square root is the matrix.
    let root = eigen.function { $0.squareRoot() }
    let square = Matrix(rows: 4, columns: 4)
    Product.multiply(root, root, into: square)
    square.add(matrix, scale: -1)
    #expect(square.sumOfSquares < 1e-10)
  }

  /// By NumPy's `linalg.svd`, each pair of vectors with the sign that makes the largest number of the right one
  /// positive.
  @Test("singular values and vectors are those of NumPy, of wide matrices too")
  func singularValues() {
    let matrix = Matrix(rows: 4, columns: 3, elements: [1, 2, -1, 0.5, -3, 2, 4, 0, 1, -2, 1, 0.25])
    let values = [4.847270528608, 4.091421436335, 1.03766037449]
    let left: [Float] = [
      -0.074952427286, 0.592010111041, 0.032388566068, 0.493360144412, -0.669658469329, 0.149796584233,
      0.761863006967, 0.436713394466, 0.396758866669, -0.412968110349, -0.101798693388, 0.905038322868,
    ]
    let right: [Float] = [
      0.834514160002, -0.421464695667, 0.354899460498, 0.539575762451, 0.755531295121, -0.371524506148,
      -0.111553186111, 0.50153760816, 0.857913698614,
    ]
    let found = SingularValues(matrix)
    for (value, expected) in zip(found.values, values) { #expect(abs(value - expected) < 1e-10) }
    for (number, expected) in zip(found.left.copyOfElements(), left) { #expect(abs(number - expected) < 1e-6) }
    for (number, expected) in zip(found.right.copyOfElements(), right) { #expect(abs(number - expected) < 1e-6) }

    let wide = SingularValues(matrix.transposed())
    #expect(wide.left.rows == 3 && wide.left.columns == 3 && wide.right.rows == 3 && wide.right.columns == 4)
    let product = Matrix(rows: 3, columns: 4)
    let scales = Matrix(rows: 1, columns: 3, elements: wide.values.map { Float($0) })
    let scaled = Matrix(copying: wide.left)
    scaled.scaleColumns(by: scales)
    Product.multiply(scaled, wide.right, into: product)
    product.add(matrix.transposed(), scale: -1)
    #expect(product.sumOfSquares < 1e-10)
  }

  @Test("equations are solved, and singular ones refused")
  func linearSolve() throws {
    var numbers = SeededNumbers(seed: 4)
    let (a, x) = (numbers.view(7, 7), numbers.view(7, 3))
    let b = Matrix(rows: 7, columns: 3)
    Product.multiply(a, x, into: b)
    let solution = try #require(LinearSolve.solve(a, b))
    solution.add(x, scale: -1)
    #expect(solution.sumOfSquares < 1e-8)
    #expect(LinearSolve.solve(Matrix(rows: 2, columns: 2, elements: [1, 2, 2, 4]), Matrix(rows: 2, columns: 1)) == nil)
  }

  @Test("the contrast's derivatives are those of its formula, and sums are added to")
  func contrast() {
    var numbers = SeededNumbers(seed: 5)
    let projections = FramedOutput(40, 5)
    projections.view.copy(from: numbers.matrix(40, 5, scale: 2))
    let before = Matrix(copying: projections.view)
    let (slopes, heights) = (Matrix(rows: 1, columns: 5), Matrix(rows: 1, columns: 5))
    slopes.fill(10)
    heights.fill(20)
    GaussContrast.differentiate(projections.view, slopes: slopes, heights: heights)
    #expect(projections.frameIsIntact)
    for column in 0..<5 {
      var (slope, height) = (10.0, 20.0)
      for row in 0..<40 {
        let u = Double(before[row, column])
        let bell = exp(-u * u / 2)
        slope += (1 - u * u) * bell
        height += bell
        #expect(abs(Double(projections.view[row, column]) - u * bell) < 1e-6)
      }
      #expect(abs(Double(slopes[0, column]) - slope) < 1e-4)
      #expect(abs(Double(heights[0, column]) - height) < 1e-4)
    }
  }
}
