import Foundation
import TensorKernels
import Testing

/// Losses on rows of logits against sums in double precision.
@Suite("Token losses")
struct TokenLossTests {
  private static let vocabularies = [1, 2, 7, 8, 97, 50_257]

  private func logSumExp(_ z: [Double]) -> Double {
    let top = z.max() ?? 0
    return top + log(z.reduce(0) { $0 + exp($1 - top) })
  }

  private func logits(_ vocabulary: Int, _ numbers: inout SeededNumbers) -> Matrix {
    numbers.view(3, vocabulary, scale: 4)
  }

  @Test("log-sum-exp, cross-entropy and mean", arguments: vocabularies)
  func scores(vocabulary: Int) {
    var numbers = SeededNumbers(seed: UInt64(vocabulary))
    let z = logits(vocabulary, &numbers)
    for row in 0..<3 {
      let truth = z.copyOfRow(row).map(Double.init)
      let target = (row * 31) % vocabulary
      let score = TokenLoss.score(z, row: row, target: target)
      #expect(abs(Double(score.logSumExp) - logSumExp(truth)) < 4e-6)
      #expect(abs(Double(score.crossEntropy) - (logSumExp(truth) - truth[target])) < 8e-6)
      let mean = truth.reduce(0, +) / Double(vocabulary)
      #expect(abs(Double(TokenLoss.mean(z, row: row)) - mean) < 2e-6)
    }
  }

  @Test("the gradient of the cross-entropy against a mixture of target and uniform guess", arguments: vocabularies)
  func crossEntropyGradient(vocabulary: Int) {
    var numbers = SeededNumbers(seed: UInt64(vocabulary))
    for (uniform, weight): (Float, Float) in [(0, 1), (1, -0.5), (0.25, 0.01)] {
      let z = logits(vocabulary, &numbers)
      let others = z.copyOfRow(0) + z.copyOfRow(2)
      let truth = z.copyOfRow(1).map(Double.init)
      let target = vocabulary / 2
      let score = TokenLoss.score(z, row: 1, target: target)
      TokenLoss.crossEntropyGradient(z, row: 1, score: score, target: target, uniform: uniform, weight: weight)
      let whole = logSumExp(truth)
      for (index, found) in z.copyOfRow(1).enumerated() {
        let q = Double(uniform) / Double(vocabulary) + (index == target ? 1 - Double(uniform) : 0)
        #expect(abs(Double(found) - Double(weight) * (exp(truth[index] - whole) - q)) < 2e-6 * abs(Double(weight)))
      }
      #expect(z.copyOfRow(0) + z.copyOfRow(2) == others, "other rows are left alone")
    }
  }

  @Test("both divergences and their gradients", arguments: vocabularies)
  func divergences(vocabulary: Int) {
    var numbers = SeededNumbers(seed: UInt64(vocabulary))
    for direction in [TokenLoss.Direction.baseToEdited, .editedToBase] {
      let (edited, base) = (logits(vocabulary, &numbers), logits(vocabulary, &numbers))
      let (row, baseRow) = (2, 1)
      let (e, b) = (edited.copyOfRow(row).map(Double.init), base.copyOfRow(baseRow).map(Double.init))
      let (wholeE, wholeB) = (logSumExp(e), logSumExp(b))
      let (logE, logB) = (e.map { $0 - wholeE }, b.map { $0 - wholeB })
      let truth: Double = (0..<vocabulary).reduce(0) { sum, i in
        let gap = logE[i] - logB[i]
        return direction == .baseToEdited ? sum - exp(logB[i]) * gap : sum + exp(logE[i]) * gap
      }
      func found(_ weight: Float?) -> Double {
        Double(
          TokenLoss.divergence(
            direction, edited: edited, editedLSE: TokenLoss.logSumExp(edited, row: row), base: base,
            baseLSE: TokenLoss.logSumExp(base, row: baseRow), row: row, baseRow: baseRow, weight: weight))
      }
      let before = edited.copyOfElements()
      #expect(abs(found(nil) - truth) < 1e-5 * max(1, truth))
      #expect(edited.copyOfElements() == before, "without a weight nothing changes")
      #expect(abs(found(0.5) - truth) < 1e-5 * max(1, truth))
      for (i, gradient) in edited.copyOfRow(row).enumerated() {
        let slope =
          direction == .baseToEdited ? exp(logE[i]) - exp(logB[i]) : exp(logE[i]) * (logE[i] - logB[i] - truth)
        #expect(abs(Double(gradient) - 0.5 * slope) < 5e-6 * max(1, truth))
      }
    }
  }

  @Test("of a distribution from itself, a divergence is 0 to 1e-6, and its gradient 0")
  func itself() {
    var numbers = SeededNumbers(seed: 8)
    for direction in [TokenLoss.Direction.baseToEdited, .editedToBase] {
      let base = numbers.matrix(1, 5000, scale: 3)
      let edited = Matrix(copying: base)
      let lse = TokenLoss.logSumExp(base, row: 0)
      let kl = TokenLoss.divergence(
        direction, edited: edited, editedLSE: lse, base: base, baseLSE: lse, row: 0, baseRow: 0, weight: 1)
      #expect(abs(kl) < 1e-6)
      #expect(edited.copyOfElements().allSatisfy { abs($0) < 1e-7 })
    }
  }

  @Test("large logits neither overflow nor vanish")
  func large() {
    let z = Matrix(rows: 1, columns: 4, elements: [1e4, 1e4 - 1, -1e4, -.infinity])
    let score = TokenLoss.score(z, row: 0, target: 1)
    #expect(abs(Double(score.crossEntropy) - (1 + log(1 + exp(-1.0)))) < 2e-3, "1e4 has steps of 1e-3")
    #expect(TokenLoss.score(z, row: 0, target: 3).crossEntropy == .infinity)
    TokenLoss.crossEntropyGradient(z, row: 0, score: score, target: 1, uniform: 0, weight: 1)
    #expect(z.isFinite && z[0, 2] == 0 && z[0, 3] == 0)
  }

  @Test("a NaN or an infinite logit makes the loss NaN", arguments: [Float.nan, .infinity])
  func notFinite(value: Float) {
    for count in [1, 9, 40] {
      for place in 0..<count {
        let z = Matrix(rows: 1, columns: count)
        z[0, place] = value
        #expect(TokenLoss.logSumExp(z, row: 0).isNaN)
      }
    }
  }
}
