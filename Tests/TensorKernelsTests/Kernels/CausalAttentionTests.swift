import Foundation
import TensorKernels
import Testing

/// Attention against loops in double precision. Lengths stand around the block of 64 query rows.
@Suite("Causal attention")
struct CausalAttentionTests {
  struct Heads: CustomStringConvertible, Sendable {
    let query: Int
    let key: Int
    let d: Int
    var description: String { "\(query) heads on \(key) of dimension \(d)" }
    var attention: CausalAttention { CausalAttention(heads: query, keyValueHeads: key, headDimension: d) }
  }

  static let heads = [Heads(query: 1, key: 1, d: 3), Heads(query: 4, key: 2, d: 4), Heads(query: 3, key: 1, d: 8)]
  static let lengths = [1, 2, 63, 64, 65, 130]

  private struct Oracle {
    var out: Doubles
    /// P[head][query][key]
    var probabilities: [[[Double]]] = []

    init(_ heads: Heads, _ q: Doubles, _ k: Doubles, _ v: Doubles) {
      out = Doubles(rows: q.rows, columns: q.columns)
      let earlier = k.rows - q.rows
      for head in 0..<heads.query {
        let (own, group) = (head * heads.d, head / (heads.query / heads.key) * heads.d)
        var rows: [[Double]] = []
        for i in 0..<q.rows {
          let scores = (0...earlier + i).map { j in
            (0..<heads.d).reduce(0) { $0 + q[i, own + $1] * k[j, group + $1] } / Double(heads.d).squareRoot()
          }
          let top = scores.max() ?? 0
          let weights = scores.map { exp($0 - top) }
          let total = weights.reduce(0, +)
          rows.append(weights.map { $0 / total })
          for (j, p) in rows[i].enumerated() {
            for c in 0..<heads.d { out[i, own + c] += p * v[j, group + c] }
          }
        }
        probabilities.append(rows)
      }
    }
  }

  @Test("forward agrees with the definition", arguments: heads, lengths)
  func forward(heads: Heads, length: Int) {
    var numbers = SeededNumbers(seed: UInt64(length))
    let q = numbers.view(length, heads.query * heads.d, scale: 1.5)
    let (k, v) = (numbers.view(length, heads.key * heads.d, scale: 1.5), numbers.view(length, heads.key * heads.d))
    let oracle = Oracle(heads, Doubles(q), Doubles(k), Doubles(v))
    let (out, kept) = (FramedOutput(length, q.columns), FramedOutput(length, q.columns))
    let (scratch, probabilities) = (FramedOutput(64, length), FramedOutput(heads.query * length, length))
    heads.attention.forward(
      query: q, key: k, value: v, into: out.view, probabilities: nil, scratch: scratch.view)
    heads.attention.forward(
      query: q, key: k, value: v, into: kept.view, probabilities: probabilities.view, scratch: scratch.view)
    #expect(oracle.out.error(of: out.view) < 2e-6)
    #expect(out.view.copyOfElements() == kept.view.copyOfElements(), "with or without keeping the softmax")
    #expect(out.frameIsIntact && kept.frameIsIntact && scratch.frameIsIntact && probabilities.frameIsIntact)
    for (row, truth) in oracle.probabilities.joined().enumerated() {
      let error = zip(probabilities.view.copyOfRow(row), truth).map { abs(Double($0) - $1) }.max() ?? .infinity
      #expect(error < 2e-6, "softmax of head \(row / length), query \(row % length)")
    }
  }

  @Test("queries behind a cache see the keys before them", arguments: heads, [1, 2, 64, 70])
  func cache(heads: Heads, length: Int) {
    var numbers = SeededNumbers(seed: UInt64(length))
    for earlier in [1, 5, 63, 100] {
      let keys = earlier + length
      let q = numbers.view(length, heads.query * heads.d)
      let (k, v) = (numbers.view(keys, heads.key * heads.d), numbers.view(keys, heads.key * heads.d))
      let out = FramedOutput(length, q.columns)
      heads.attention.forward(
        query: q, key: k, value: v, into: out.view, probabilities: nil, scratch: FramedOutput(64, keys).view)
      #expect(Oracle(heads, Doubles(q), Doubles(k), Doubles(v)).out.error(of: out.view) < 2e-6)
      #expect(out.frameIsIntact)
    }
  }

  @Test("backward has the gradients of the definition", arguments: heads, lengths)
  func backward(heads: Heads, length: Int) {
    var numbers = SeededNumbers(seed: UInt64(length))
    let q = numbers.view(length, heads.query * heads.d, scale: 1.5)
    let (k, v) = (numbers.view(length, heads.key * heads.d, scale: 1.5), numbers.view(length, heads.key * heads.d))
    let gradient = numbers.view(length, q.columns)
    let probabilities = Matrix(rows: heads.query * length, columns: length)
    probabilities.fill(.nan)
    let scratch = FramedOutput(64, length)
    heads.attention.forward(
      query: q, key: k, value: v, into: Matrix(rows: length, columns: q.columns), probabilities: probabilities,
      scratch: scratch.view)
    scratch.view.fill(.nan)
    let (dq, dk, dv) = (
      FramedOutput(length, q.columns), FramedOutput(length, k.columns), FramedOutput(length, v.columns)
    )
    heads.attention.backward(
      outputGradient: gradient, query: q, key: k, value: v, probabilities: probabilities, queryGradient: dq.view,
      keyGradient: dk.view, valueGradient: dv.view, scratch: scratch.view)

    let (q64, k64, v64, g64) = (Doubles(q), Doubles(k), Doubles(v), Doubles(gradient))
    let p = Oracle(heads, q64, k64, v64).probabilities
    var (dq64, dk64, dv64) = (
      Doubles(rows: length, columns: q.columns), Doubles(rows: length, columns: k.columns),
      Doubles(rows: length, columns: v.columns)
    )
    let scale = 1 / Double(heads.d).squareRoot()
    for head in 0..<heads.query {
      let (own, group) = (head * heads.d, head / (heads.query / heads.key) * heads.d)
      for i in 0..<length {
        let dp = (0...i).map { j in (0..<heads.d).reduce(0) { $0 + g64[i, own + $1] * v64[j, group + $1] } }
        let mean = zip(dp, p[head][i]).reduce(0) { $0 + $1.0 * $1.1 }
        for j in 0...i {
          let ds = p[head][i][j] * (dp[j] - mean) * scale
          for c in 0..<heads.d {
            dv64[j, group + c] += p[head][i][j] * g64[i, own + c]
            dq64[i, own + c] += ds * k64[j, group + c]
            dk64[j, group + c] += ds * q64[i, own + c]
          }
        }
      }
    }
    // A softmax over a single key has no slope: what is left of the truth is zero.
    #expect(dq64.error(of: dq.view) < 5e-6)
    #expect(dk64.error(of: dk.view) < 5e-6)
    #expect(dv64.error(of: dv.view) < 5e-6)
    #expect(dq.frameIsIntact && dk.frameIsIntact && dv.frameIsIntact && scratch.frameIsIntact)
  }

  @Test("scores far apart neither overflow nor lose the largest")
  func largeScores() {
    let attention = CausalAttention(heads: 1, keyValueHeads: 1, headDimension: 1)
    let q = Matrix(rows: 3, columns: 1, elements: [1e4, 1e4, 1e4])
    let k = Matrix(rows: 3, columns: 1, elements: [-1e4, 1e4, 0])
    let v = Matrix(rows: 3, columns: 1, elements: [1, 2, 3])
    let out = Matrix(rows: 3, columns: 1)
    attention.forward(
      query: q, key: k, value: v, into: out, probabilities: nil, scratch: Matrix(rows: 64, columns: 3))
    #expect(out.copyOfElements() == [1, 2, 2])
  }

  @Test("a NaN in a query spoils its own row alone; one in a key all rows that see it")
  func notANumber() {
    var numbers = SeededNumbers(seed: 9)
    let attention = CausalAttention(heads: 2, keyValueHeads: 1, headDimension: 4)
    for (place, spoiled) in [(0, [4]), (1, [4, 5, 6])] {
      let (q, k, v) = (numbers.matrix(7, 8), numbers.matrix(7, 4), numbers.matrix(7, 4))
      (place == 0 ? q : k)[4, 1] = .nan
      let out = Matrix(rows: 7, columns: 8)
      attention.forward(
        query: q, key: k, value: v, into: out, probabilities: nil, scratch: Matrix(rows: 64, columns: 7))
      #expect((0..<7).filter { !out.rows($0..<$0 + 1).isFinite } == spoiled)
    }
  }
}
