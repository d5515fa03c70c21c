import Testing

@testable import TensorKernels

@Suite("AdamW's kernel")
struct AdamWKernelTests {
  private static let kernel = AdamWKernel(
    keep: 0.99, clip: 0.7, beta1: 0.8, beta2: 0.95, step: 0.02, secondScale: 1.7, epsilon: 1e-6)

  @Test("is the formula, on views of any width", arguments: [1, 3, 4, 5, 8, 31])
  func formula(columns: Int) {
    var numbers = SeededNumbers(seed: UInt64(columns))
    let parameter = numbers.view(3, columns)
    let gradient = numbers.view(3, columns, scale: 3)
    var first = (0..<3 * columns).map { _ in Double(numbers.normal()) }
    var second = (0..<3 * columns).map { _ in Double(numbers.normal() * numbers.normal()).magnitude }
    let before = (parameter.copyOfElements(), first, second)
    let kernel = Self.kernel
    kernel.update(parameter, gradient: gradient, first: &first, second: &second)
    for (index, g) in gradient.copyOfElements().map({ Double($0) * 0.7 }).enumerated() {
      let m = 0.8 * before.1[index] + 0.2 * g
      let v = 0.95 * before.2[index] + 0.05 * g * g
      let p = Double(before.0[index]) * 0.99 - 0.02 * m / ((v * 1.7).squareRoot() + 1e-6)
      #expect(abs(first[index] - m) < 1e-14 * 10 && abs(second[index] - v) < 1e-13)
      #expect(abs(Double(parameter[index / columns, index % columns]) - p) < 1e-6)
    }
  }

  @Test("is the same, fast and plain", arguments: [1, 4, 7, 64])
  func versions(count: Int) {
    var numbers = SeededNumbers(seed: UInt64(count))
    let (parameter, gradient) = (numbers.row(count), numbers.row(count))
    let second = (0..<count).map { _ in numbers.uniform() }
    var results: [([Float], [Double], [Double])] = []
    for isFast in [true, false] {
      var (p, m, v) = (parameter, second, second)
      unsafe p.withUnsafeMutableBufferPointer { p in
        unsafe gradient.withUnsafeBufferPointer { g in
          unsafe m.withUnsafeMutableBufferPointer { m in
            unsafe v.withUnsafeMutableBufferPointer { v in
              guard let p = p.baseAddress, let g = g.baseAddress, let m = m.baseAddress, let v = v.baseAddress else {
                return
              }
              if isFast {
                unsafe RowKernels.adamW(p, g, m, v, count, by: Self.kernel)
              } else {
                unsafe PlainKernels.adamW(p, g, m, v, count, by: Self.kernel)
              }
            }
          }
        }
      }
      results.append((p, m, v))
    }
    #expect(zip(results[0].0, results[1].0).allSatisfy { abs($0 - $1) <= 4e-7 * max(1, abs($0)) })
    #expect(zip(results[0].1, results[1].1).allSatisfy { abs($0 - $1) < 1e-14 })
    #expect(zip(results[0].2, results[1].2).allSatisfy { abs($0 - $1) < 1e-14 })
  }

  @Test("sums of squares are those of double precision", arguments: [0, 1, 15, 16, 17, 1000])
  func sumsOfSquares(count: Int) {
    var numbers = SeededNumbers(seed: UInt64(count))
    let row = numbers.matrix(1, count, scale: 1e-3)
    let expected = row.copyOfElements().reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(row.sumOfSquares - expected) <= 1e-12 * expected)
  }
}
