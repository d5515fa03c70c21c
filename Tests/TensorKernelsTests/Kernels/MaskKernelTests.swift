import Testing

@testable import TensorKernels

@Suite("Masks and importances")
struct MaskKernelTests {
  private func matrix(_ rows: [[Float]]) -> Matrix {
    Matrix(rows: rows.count, columns: rows[0].count, elements: rows.flatMap(\.self))
  }

  @Test("masks interpolate from the source to 1 by the importance")
  func blend() {
    let importances = matrix([[0, 0.5], [1, 0.25], [9, 9]])
    let sources = matrix([[-1, 2], [0.5, 0.5]])
    let masks = matrix([[0, 0], [0, 0], [0, 0]])
    MaskBlend.forward(importances: importances, rows: [1, 0, 0], sources: sources, sourceRows: [0, 0, 1], into: masks)
    #expect(masks.copyOfElements() == [1, 1.75, -1, 1.5, 0.5, 0.75])

    let gradient = matrix([[1, 2], [3, 4], [5, 6]])
    let (dg, dr) = (matrix([[0, 0], [0, 0], [7, 7]]), matrix([[0, 0], [1, 1]]))
    MaskBlend.backward(
      gradient, importances: importances, rows: [1, 0, 0], sources: sources, sourceRows: [0, 0, 1],
      importanceGradient: dg, sourceGradient: dr)
    // dg += dm (1 - r), dr += dm (1 - g), each to its row.
    #expect(dg.copyOfElements() == [8.5, -1, 2, -2, 7, 7])
    #expect(dr.copyOfElements() == [3, 3.5, 6, 4])
  }

  @Test("the lower-leaky sigmoid passes below 0 only what would raise the logit")
  func lower() {
    let logits = matrix([[-1, -1, 0.5, 0.5, 1, 1.5, 0]])
    let gradient = matrix([[2, -2, 2, -2, 3, 3, -3]])
    HardSigmoid.lowerBackward(gradient, logits: logits)
    #expect(gradient.copyOfElements() == [0, -0.02, 2, -2, 3, 0, -0.03])
  }

  @Test("the powers of the upper-leaky sigmoid have the slopes of their sums", arguments: [Float(2), 1, 0.4])
  func upper(p: Float) {
    let values: [[Float]] = [[-0.5, 0.2, 1.5], [0.3, 0.9, 4]]
    let weights: [Float] = [2, -1, 3]
    let gradient = matrix([[1, 1, 1], [1, 1, 1]])
    HardSigmoid.addUpperPowerGradient(matrix(values), p: p, weights: weights, to: gradient)
    for row in 0..<2 {
      for column in 0..<3 {
        func sum(_ change: Float) -> Double {
          var moved = values
          moved[row][column] += change
          return Double(weights[column]) * HardSigmoid.upperPowerSums(matrix(moved), p: p)[column]
        }
        let slope = (sum(1e-2) - sum(-1e-2)) / 2e-2
        #expect(abs(Double(gradient[row, column]) - 1 - slope) < 2e-3 * max(1, abs(slope)))
      }
    }
    let sums = HardSigmoid.upperPowerSums(matrix([[-3, 1, 2, 0]]), p: p)
    #expect(sums[0] == 0 && sums[1] == 1 && abs(sums[2] - Double(p * 0.00995 + 1)) < 1e-3 && sums[3] == 0)
    #expect(HardSigmoid.upperPowerSums(matrix([[.nan]]), p: p)[0].isNaN)
    #expect(HardSigmoid.count(matrix([[0.5, 0.6], [-1, 2]]), above: 0.5) == 2)
  }

  @Test("noise lies between its bounds, evenly, and depends on its seed")
  func noise() {
    let (low, high): (Float, Float) = (-1, 2)
    let matrix = Matrix(rows: 101, columns: 333)
    UniformNoise.fill(matrix, seed: 4, from: low, to: high)
    let elements = matrix.copyOfElements()
    #expect(elements.allSatisfy { low <= $0 && $0 < high })
    // Thirds of the range, within six standard deviations.
    for third in 0..<3 {
      let share = Double(elements.count { $0 >= low + Float(third) && $0 < low + Float(third + 1) }) / 33_633
      #expect(abs(share - 1.0 / 3) < 0.0155)
    }
    let again = Matrix(rows: 101, columns: 333)
    UniformNoise.fill(again, seed: 4, from: low, to: high)
    #expect(again.copyOfElements() == elements)
    UniformNoise.fill(again, seed: 5, from: low, to: high)
    #expect(zip(again.copyOfElements(), elements).count { $0 == $1 } < 10)
    #expect(Set(elements).count > 33_500, "hardly a number comes twice")
  }

  @Test("rows are scattered to their places, and scaled by their factors")
  func rows() {
    let table = matrix([[1, 2], [3, 4], [5, 6]])
    matrix([[7, 8], [9, 10]]).scatter([2, 0], into: table)
    #expect(table.copyOfElements() == [9, 10, 3, 4, 7, 8])
    SubcomponentMask.scale(table, rows: [1, 2], by: matrix([[2], [-1]]))
    #expect(table.copyOfElements() == [9, 10, 6, 8, -7, -8])
    SubcomponentMask.scale(table, rows: nil, by: matrix([[1], [0], [0.5]]))
    #expect(table.copyOfElements() == [9, 10, 0, 0, -3.5, -4])
  }
}
