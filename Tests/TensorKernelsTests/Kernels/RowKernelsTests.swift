import Foundation
import Testing

@testable import TensorKernels

/// The fast row kernels against the plain ones.
@Suite("Row kernels")
struct RowKernelsTests {
  typealias Row = UnsafeMutablePointer<Float>

  /// A kernel in both versions, on up to three rows; each gives what it returns and changes the rows in place.
  @safe struct Kernel: CustomStringConvertible, Sendable {
    let description: String
    let fast: @Sendable (Row, Row, Row, Int) -> Float
    let plain: @Sendable (Row, Row, Row, Int) -> Float

    init(
      _ name: String, fast: @escaping @Sendable (Row, Row, Row, Int) -> Float,
      plain: @escaping @Sendable (Row, Row, Row, Int) -> Float
    ) {
      description = name
      unsafe self.fast = fast
      unsafe self.plain = plain
    }
  }

  /// What the divergences want to know of a row; by the plain kernels for both versions.
  private static func logSumExp(_ x: Row, _ n: Int) -> Float {
    let top = unsafe PlainKernels.max(x, n)
    return unsafe top + log(PlainKernels.expSum(x, n, shift: top))
  }

  static let sums: [Kernel] = [
    unsafe Kernel("expSum") { x, _, _, n in
      unsafe RowKernels.expSum(x, n, shift: 0.3)
    } plain: { x, _, _, n in
      unsafe PlainKernels.expSum(x, n, shift: 0.3)
    },
    unsafe Kernel("expInPlace") { x, _, _, n in
      unsafe RowKernels.expInPlace(x, n, shift: 0.3)
    } plain: { x, _, _, n in
      unsafe PlainKernels.expInPlace(x, n, shift: 0.3)
    },
    unsafe Kernel("sum") { x, _, _, n in
      unsafe RowKernels.sum(x, n)
    } plain: { x, _, _, n in
      unsafe PlainKernels.sum(x, n)
    },
    unsafe Kernel("dot") { x, y, _, n in
      unsafe RowKernels.dot(x, y, n)
    } plain: { x, y, _, n in
      unsafe PlainKernels.dot(x, y, n)
    },
    unsafe Kernel("dot of three") { x, y, z, n in
      unsafe RowKernels.dot(x, y, z, n)
    } plain: { x, y, z, n in
      unsafe PlainKernels.dot(x, y, z, n)
    },
    unsafe Kernel("forwardKL") { x, y, _, n in
      unsafe RowKernels.forwardKL(x, logSumExp(x, n), y, logSumExp(y, n), n, weight: 0, gradient: nil)
    } plain: { x, y, _, n in
      unsafe PlainKernels.forwardKL(x, logSumExp(x, n), y, logSumExp(y, n), n, weight: 0, gradient: nil)
    },
    unsafe Kernel("forwardKL with its gradient in place") { x, y, _, n in
      unsafe RowKernels.forwardKL(x, logSumExp(x, n), y, logSumExp(y, n), n, weight: 0.7, gradient: x)
    } plain: { x, y, _, n in
      unsafe PlainKernels.forwardKL(x, logSumExp(x, n), y, logSumExp(y, n), n, weight: 0.7, gradient: x)
    },
    unsafe Kernel("maskBackward") { x, y, z, n in
      unsafe RowKernels.maskBackward(x, y, z, shift: 0.4, gradient: z, n)
    } plain: { x, y, z, n in
      unsafe PlainKernels.maskBackward(x, y, z, shift: 0.4, gradient: z, n)
    },
    unsafe Kernel("reverseKL") { x, y, _, n in
      unsafe RowKernels.reverseKL(x, logSumExp(x, n), y, logSumExp(y, n), n)
    } plain: { x, y, _, n in
      unsafe PlainKernels.reverseKL(x, logSumExp(x, n), y, logSumExp(y, n), n)
    },
  ]

  static let elementwise: [Kernel] = [
    unsafe Kernel("mask") { x, y, z, n in
      unsafe RowKernels.mask(x, y, shift: 0.4, z, n)
      return 0
    } plain: { x, y, z, n in
      unsafe PlainKernels.mask(x, y, shift: 0.4, z, n)
      return 0
    },
    unsafe Kernel("scaleOffset") { x, _, _, n in
      unsafe RowKernels.scaleOffset(x, n, scale: 1.7, offset: -0.4)
      return 0
    } plain: { x, _, _, n in
      unsafe PlainKernels.scaleOffset(x, n, scale: 1.7, offset: -0.4)
      return 0
    },
    unsafe Kernel("addScaled") { x, y, _, n in
      unsafe RowKernels.addScaled(x, y, n, scale: -1.3)
      return 0
    } plain: { x, y, _, n in
      unsafe PlainKernels.addScaled(x, y, n, scale: -1.3)
      return 0
    },
    unsafe Kernel("reverseKLGradient") { x, y, _, n in
      unsafe RowKernels.reverseKLGradient(x, logSumExp(x, n), y, logSumExp(y, n), n, weight: 0.7, kl: 0.2)
      return 0
    } plain: { x, y, _, n in
      unsafe PlainKernels.reverseKLGradient(x, logSumExp(x, n), y, logSumExp(y, n), n, weight: 0.7, kl: 0.2)
      return 0
    },
    unsafe Kernel("gelu") { x, y, _, n in
      unsafe RowKernels.gelu(x, y, n)
      return 0
    } plain: { x, y, _, n in
      unsafe PlainKernels.gelu(x, y, n)
      return 0
    },
    unsafe Kernel("geluBackward") { x, y, _, n in
      unsafe RowKernels.geluBackward(x, y, n)
      return 0
    } plain: { x, y, _, n in
      unsafe PlainKernels.geluBackward(x, y, n)
      return 0
    },
    unsafe Kernel("rmsScale") { x, y, z, n in
      unsafe RowKernels.rmsScale(x, y, inverse: 0.6, z, n)
      return 0
    } plain: { x, y, z, n in
      unsafe PlainKernels.rmsScale(x, y, inverse: 0.6, z, n)
      return 0
    },
    unsafe Kernel("rmsBackward") { x, y, z, n in
      unsafe RowKernels.rmsBackward(x, y, z, inverse: 0.6, shared: 0.3, x, n)
      return 0
    } plain: { x, y, z, n in
      unsafe PlainKernels.rmsBackward(x, y, z, inverse: 0.6, shared: 0.3, x, n)
      return 0
    },
  ]

  static let maximum = unsafe Kernel("max") { x, _, _, n in
    unsafe RowKernels.max(x, n)
  } plain: { x, _, _, n in
    unsafe PlainKernels.max(x, n)
  }

  /// What a kernel left behind.
  private struct Outcome {
    let value: Float
    let rows: [[Float]]
    let guardsIntact: Bool
  }

  /// Numbers around each row, so large that reading one spoils any result, and not the same for two rows, so that
  /// writing shows.
  private static let guards: [Float] = [1e30, -2e30, 3e30, -4e30]
  private static let margin = 24

  private func run(_ kernel: (Row, Row, Row, Int) -> Float, _ rows: [[Float]]) -> Outcome {
    let count = rows[0].count
    let pitch = count + Self.margin
    let guards = Self.guards.map { [Float](repeating: $0, count: Self.margin) }
    var memory = guards[0] + zip(rows, guards.dropFirst()).flatMap { $0 + $1 }
    let value = unsafe memory.withUnsafeMutableBufferPointer { memory in
      guard let start = memory.baseAddress else { preconditionFailure("guards have an address") }
      let x = unsafe start + Self.margin
      return unsafe kernel(x, x + pitch, x + 2 * pitch, count)
    }
    let starts = rows.indices.map { Self.margin + $0 * pitch }
    return Outcome(
      value: value, rows: starts.map { Array(memory[$0..<$0 + count]) },
      guardsIntact: zip([0] + starts.map { $0 + count }, guards).allSatisfy { start, guards in
        memory[start..<start + Self.margin].elementsEqual(guards)
      })
  }

  /// Equal within `tolerance`, absolute; infinities and NaN must be the same.
  private func agree(_ left: Float, _ right: Float, _ tolerance: Float) -> Bool {
    left == right || (left.isNaN && right.isNaN) || abs(left - right) <= tolerance
  }

  /// Elements may differ by 3e-6 of max(1, their size); sums over n by 2e-6 of max(1, their size, sqrt(n)), for the fast
  /// ones are taken in float32.
  private func compare(_ kernel: Kernel, _ rows: [[Float]], _ comment: String) {
    let fast = unsafe run(kernel.fast, rows)
    let plain = unsafe run(kernel.plain, rows)
    let count = Float(rows[0].count)
    #expect(fast.guardsIntact && plain.guardsIntact, "\(kernel), \(comment): wrote beside the row")
    #expect(
      agree(fast.value, plain.value, 2e-6 * max(1, abs(plain.value), count.squareRoot())),
      "\(kernel), \(comment): \(fast.value) instead of \(plain.value)")
    for (left, right) in zip(fast.rows.joined(), plain.rows.joined())
    where !agree(left, right, 3e-6 * max(1, abs(right))) {
      Issue.record("\(kernel), \(comment): \(left) instead of \(right)")
      return
    }
  }

  private static let lengths = Array(0...70) + [1000, 1031]

  @Test("agree with the plain ones at every length", arguments: sums + elementwise + [maximum])
  func lengths(kernel: Kernel) {
    for count in Self.lengths {
      var numbers = SeededNumbers(seed: UInt64(count))
      compare(kernel, (0..<3).map { _ in numbers.row(count) }, "length \(count)")
    }
  }

  @Test("agree with the plain ones where numbers are large, tiny, zero or infinite", arguments: sums + elementwise)
  func specialValues(kernel: Kernel) {
    let special: [Float] = [
      0, -0, .leastNonzeroMagnitude, -.leastNormalMagnitude, 20, -20, 95, -95, 120, -120, 1e4, -1e4, 1e12, -1e12,
      .infinity, -.infinity,
    ]
    for count in [1, 7, 8, 16, 21] {
      for (index, value) in special.enumerated() {
        var numbers = SeededNumbers(seed: UInt64(index))
        var rows = (0..<3).map { _ in numbers.row(count) }
        rows[0][index % count] = value
        compare(kernel, rows, "\(value) at \(index % count) of \(count)")
      }
    }
  }

  @Test("let a NaN through, wherever it stands", arguments: sums)
  func sumsOfNaN(kernel: Kernel) {
    for count in [1, 7, 8, 16, 40] {
      for place in 0..<count {
        var numbers = SeededNumbers(seed: 5)
        var rows = (0..<3).map { _ in numbers.row(count) }
        rows[0][place] = .nan
        #expect(unsafe run(kernel.fast, rows).value.isNaN, "\(kernel): NaN at \(place) of \(count)")
      }
    }
  }

  @Test("let a NaN through at its place and leave its neighbours alone", arguments: elementwise)
  func elementsOfNaN(kernel: Kernel) {
    for count in [1, 7, 8, 16, 40] {
      for place in 0..<count where kernel.description != "reverseKLGradient" {
        var numbers = SeededNumbers(seed: 5)
        var rows = (0..<3).map { _ in numbers.row(count) }
        rows[0][place] = .nan
        compare(kernel, rows, "NaN at \(place) of \(count)")
        let found = unsafe run(kernel.fast, rows).rows.map { $0.enumerated().filter { $0.element.isNaN }.map(\.offset) }
        #expect(found.contains { $0 == [place] } && found.allSatisfy { $0.isEmpty || $0 == [place] })
      }
    }
  }

  @Test("take the maximum exactly, whatever its place, and minus infinity of no number")
  func maxima() {
    for count in 1...40 {
      for place in 0..<count {
        var numbers = SeededNumbers(seed: UInt64(count))
        var rows = (0..<3).map { _ in numbers.row(count) }
        rows[0][place] = 8
        #expect(unsafe run(Self.maximum.fast, rows).value == 8)
      }
    }
    #expect(unsafe run(Self.maximum.fast, [[], [], []]).value == -.infinity)
    #expect(unsafe run(Self.maximum.fast, Array(repeating: [-.infinity, -.infinity], count: 3)).value == -.infinity)
  }

  private func exponentials(_ x: [Float]) -> [Float] {
    unsafe run({ x, _, _, n in unsafe RowKernels.expInPlace(x, n, shift: 0) }, [x, x, x]).rows[0]
  }

  @Test("exp is within 1e-7 of the truth from -87.3 to 88.7, and within one subnormal step below")
  func exponential() {
    let first = -104.5
    let last = 88.72
    let grid = (0...200_000).map { Float(first + (last - first) * Double($0) / 200_000) }
    let found = exponentials(grid)
    var worst = (error: 0.0, at: Float(0))
    var worstSubnormal = 0.0
    for (x, y) in zip(grid, found) {
      let truth = Foundation.exp(Double(x))
      if truth >= Double(Float.leastNormalMagnitude) {
        let error = abs(Double(y) - truth) / truth
        if !(error <= worst.error) { worst = (error, x) }
      } else {
        worstSubnormal = max(worstSubnormal, abs(Double(y) - truth) / Double(Float.leastNonzeroMagnitude))
      }
    }
    print("exp: largest relative error \(worst.error) at \(worst.at); below the normal numbers \(worstSubnormal) steps")
    #expect(worst.error <= 1e-7)
    #expect(worstSubnormal <= 1)
  }

  @Test("exp is exact where it must be: 0, the two ends, and NaN")
  func exponentialEnds() {
    let found = exponentials([0, -0, 88.73, 1000, .infinity, -104.5, -1000, -.infinity, .nan])
    #expect(found.prefix(8).elementsEqual([1, 1, .infinity, .infinity, .infinity, 0, 0, 0]))
    #expect(found[8].isNaN)
  }
}
