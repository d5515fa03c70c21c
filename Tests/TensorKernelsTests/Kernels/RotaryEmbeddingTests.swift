import Foundation
import TensorKernels
import Testing

@Suite("Rotary embedding")
struct RotaryEmbeddingTests {
  private func oracle(_ x: Matrix, d: Int, base: Double, start: Int, _ layout: RotaryEmbedding.Layout) -> Doubles {
    let input = Doubles(x)
    var result = input
    for row in 0..<x.rows {
      for head in 0..<x.columns / d {
        for pair in 0..<d / 2 {
          let (first, second) = layout == .halves ? (pair, pair + d / 2) : (2 * pair, 2 * pair + 1)
          let angle = Double(start + row) * pow(base, -2 * Double(pair) / Double(d))
          let (a, b) = (input[row, head * d + first], input[row, head * d + second])
          result[row, head * d + first] = a * cos(angle) - b * sin(angle)
          result[row, head * d + second] = a * sin(angle) + b * cos(angle)
        }
      }
    }
    return result
  }

  @Test("turns pairs by position, in both layouts", arguments: [RotaryEmbedding.Layout.halves, .adjacent], [2, 6, 64])
  func rotation(layout: RotaryEmbedding.Layout, d: Int) {
    var numbers = SeededNumbers(seed: UInt64(d))
    let rotary = RotaryEmbedding(headDimension: d, positions: 512, base: 10_000, layout: layout)
    for start in [0, 3, 505] {
      let x = numbers.view(7, 3 * d)
      let truth = oracle(x, d: d, base: 10_000, start: start, layout)
      let before = x.copyOfElements()
      let out = FramedOutput(7, 3 * d)
      out.view.copy(from: x)
      rotary.rotate(out.view, start: start)
      #expect(truth.error(of: out.view) < 3e-7)
      rotary.rotate(out.view, start: start, inverse: true)
      #expect(zip(out.view.copyOfElements(), before).allSatisfy { abs($0 - $1) < 1e-6 }, "the inverse turns back")
      #expect(out.frameIsIntact)
    }
  }

  @Test("the backward pass is the transposed rotation: <R x, y> = <x, R⁻¹ y>")
  func adjoint() {
    var numbers = SeededNumbers(seed: 3)
    let rotary = RotaryEmbedding(headDimension: 8, positions: 16, base: 100, layout: .adjacent)
    let (x, y) = (numbers.matrix(9, 16), numbers.matrix(9, 16))
    let (turned, back) = (Matrix(copying: x), Matrix(copying: y))
    rotary.rotate(turned)
    rotary.rotate(back, inverse: true)
    func dot(_ a: Matrix, _ b: Matrix) -> Double {
      zip(Doubles(a).elements, Doubles(b).elements).reduce(0) { $0 + $1.0 * $1.1 }
    }
    #expect(abs(dot(turned, y) - dot(x, back)) < 1e-5)
  }

  @Test("products of rotated rows depend on the distance of their positions alone")
  func relative() {
    var numbers = SeededNumbers(seed: 4)
    let rotary = RotaryEmbedding(headDimension: 16, positions: 300, base: 10_000, layout: .halves)
    let (q, k) = (numbers.matrix(1, 16), numbers.matrix(1, 16))
    func score(_ i: Int, _ j: Int) -> Double {
      let (a, b) = (Matrix(copying: q), Matrix(copying: k))
      rotary.rotate(a, start: i)
      rotary.rotate(b, start: j)
      return zip(Doubles(a).elements, Doubles(b).elements).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for distance in [0, 1, 17] {
      #expect(abs(score(distance, 0) - score(250 + distance, 250)) < 1e-5)
    }
  }

  @Test("positions beyond the tables trap")
  func beyond() async {
    await #expect(processExitsWith: .failure) {
      RotaryEmbedding(headDimension: 2, positions: 4, base: 10, layout: .halves)
        .rotate(Matrix(rows: 2, columns: 2), start: 3)
    }
  }
}
