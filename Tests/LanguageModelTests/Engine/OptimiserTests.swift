import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

@Suite("AdamW")
struct AdamWTests {
  private func parameter(_ values: [Float], gradient: [Float], named name: String = "p") -> TrainableParameter {
    let parameter = TrainableParameter(
      name: name, value: Matrix(rows: 1, columns: values.count, elements: values))
    parameter.gradient.copy(from: Matrix(rows: 1, columns: values.count, elements: gradient))
    return parameter
  }

  /// Of a constant gradient g the corrected moments are g and g² at every step.
  @Test("takes a step of lr g / (|g| + ε) under a constant gradient, and decays what it steps from")
  func constantGradient() {
    let gradients: [Float] = [0.5, -2, 1e-3, 0]
    let start: [Float] = [1, -1, 3, 2]
    let p = parameter(start, gradient: gradients)
    var optimiser = AdamW(
      settings: .init(learningRate: 0.1, epsilon: 0.5, weightDecay: 0.3), parameters: [p])
    var truth = start.map(Double.init)
    for _ in 0..<20 {
      optimiser.update([p])
      for (index, gradient) in gradients.map(Double.init).enumerated() {
        truth[index] = truth[index] * (1 - 0.1 * 0.3) - 0.1 * gradient / (abs(gradient) + 0.5)
      }
    }
    #expect(zip(p.value.copyOfElements(), truth).allSatisfy { abs(Double($0) - $1) < 2e-6 })
    #expect(abs(Double(p.value[0, 3]) - 2 * pow(0.97, 20)) < 2e-6, "decay alone where nothing pulls")
  }

  @Test("weighs two gradients as its decay rates say")
  func twoSteps() {
    let p = parameter([0], gradient: [3])
    var optimiser = AdamW(
      settings: .init(learningRate: 0.01, beta1: 0.8, beta2: 0.9, epsilon: 1e-3), parameters: [p])
    optimiser.update([p])
    let first = -0.01 * 3 / (3 + 1e-3)
    #expect(abs(Double(p.value[0, 0]) - first) < 1e-8)
    p.gradient[0, 0] = -1
    optimiser.update([p])
    let m = (0.8 * 0.2 * 3 + 0.2 * -1) / (1 - 0.64)
    let v = (0.9 * 0.1 * 9 + 0.1 * 1) / (1 - 0.81)
    #expect(abs(Double(p.value[0, 0]) - (first - 0.01 * m / (v.squareRoot() + 1e-3))) < 1e-8)
  }

  /// With ε = 1 a step shows the gradient's size.
  @Test("clips the gradients of all parameters by their common norm")
  func clipping() {
    for (limit, factor) in [(1.0, 1 / (5 + 1e-6)), (5.5, 1.0)] {
      let (p, q) = (parameter([0], gradient: [3], named: "p"), parameter([0, 0], gradient: [0, -4], named: "q"))
      var optimiser = AdamW(
        settings: .init(learningRate: 1, epsilon: 1, clipNorm: limit), parameters: [p, q])
      optimiser.update([p, q])
      #expect(abs(Double(p.value[0, 0]) + 3 * factor / (3 * factor + 1)) < 1e-7)
      #expect(abs(Double(q.value[0, 1]) - 4 * factor / (4 * factor + 1)) < 1e-7)
      #expect(p.gradient[0, 0] == 3, "gradients are left as they were")
    }
  }

  @Test("decays only the parameters that it is told to")
  func decays() {
    let (p, q) = (parameter([1], gradient: [0], named: "matrix"), parameter([1], gradient: [0], named: "norm"))
    var optimiser = AdamW(
      settings: .init(learningRate: 0.5, weightDecay: 0.5), parameters: [p, q], decays: { $0.name == "matrix" })
    optimiser.update([p, q])
    #expect(p.value[0, 0] == 0.75 && q.value[0, 0] == 1)
  }
}

@Suite("Scalar search")
struct ScalarSolveTests {
  private func search(_ total: @escaping (Double) -> Double) -> (trials: [ScalarSolve.Trial], best: ScalarSolve.Trial) {
    ScalarSolve.search { alphas in
      alphas.map { FineTuneProblem.Losses(forget: 0, retain: 0, total: total($0)) }
    }
  }

  /// The search ends at a bracket of 0.2 % of |alpha|, or of 1 near 0.
  private func isNear(_ alpha: Double, _ truth: Double) -> Bool {
    abs(alpha - truth) <= ScalarSolve.tolerance * max(1, abs(truth))
  }

  @Test("finds a minimum on either side", arguments: [-60.5, -20, -3.3, -0.6, 0, 0.2, 0.9, 1, 1.1, 3.7, 12, 50])
  func minimum(place: Double) {
    let (trials, best) = search { ($0 - place) * ($0 - place) }
    #expect(isNear(best.alpha, place))
    #expect(trials.count < 26 + 20, "\(trials.count) trials")
    #expect(trials.allSatisfy { $0.losses.total >= best.losses.total })
  }

  @Test("takes the lower of two valleys although it starts flat and leans to the other")
  func twoSides() {
    let (_, best) = search { alpha in
      alpha > 1 ? -min(alpha - 1, 3) : -5 * exp(-(alpha + 9) * (alpha + 9) / 8)
    }
    #expect(isNear(best.alpha, -9))
  }

  @Test("finds what lies beyond a flat stretch around 1")
  func flatStart() {
    let (_, best) = search { alpha in abs(alpha - 1) < 7 ? 0 : -1 / (1 + abs(alpha + 30)) }
    #expect(isNear(best.alpha, -30))
  }

  @Test("passes by values whose loss is not a number")
  func notANumber() {
    #expect(isNear(search { $0 < 0 ? .nan : ($0 - 5) * ($0 - 5) }.best.alpha, 5))
    #expect(isNear(search { $0 > 5.5 ? .nan : ($0 - 5) * ($0 - 5) }.best.alpha, 5))
    let edge = search { $0 > 5 ? .nan : -$0 }.best
    #expect(edge.alpha <= 5 && edge.alpha > 4.9, "the minimum lies where the numbers end")
    #expect(search { $0 == 1 ? 3 : .nan }.best.alpha == 1)
  }

  @Test("goes to an end of its range where the loss falls without end")
  func ends() {
    #expect(search { -$0 }.best.alpha == 64)
    #expect(search { $0 }.best.alpha == -64)
  }

  @Test("stays closest to the base model among values that are as good as each other")
  func ties() {
    #expect(search { _ in 0 }.best.alpha == 1)
    let plateau = search { $0 < -4 ? 0 : 1 }.best.alpha
    #expect(plateau < -4 && plateau > -8)
    #expect(search { _ in .nan }.best.losses.total.isNaN)
  }
}
