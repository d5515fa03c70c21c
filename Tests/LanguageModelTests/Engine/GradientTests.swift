import TensorKernels
import Testing

@testable import LanguageModel

/// Gradients against differences of losses.
///
/// A loss is a mean of float32 numbers, each off by a few 1e-7. The four-point difference over steps of 0.005 divides
/// that by 0.005, which leaves a few 1e-5, and is itself off by a multiple of 0.005⁴ = 6e-10.
@Suite("Gradients")
struct GradientTests {
  private static let step: Float = 0.005
  private static let allowed = 1.5e-4

  /// The slope of the total loss when one parameter moves along `direction`.
  private func slope(
    _ problem: FineTuneProblem, _ edit: any Edit, _ parameter: TrainableParameter, along direction: Matrix
  ) -> Double {
    let start = Matrix(copying: parameter.value)
    func total(_ steps: Float) -> Double {
      parameter.value.copy(from: start)
      parameter.value.add(direction, scale: steps * Self.step)
      edit.parametersChanged()
      return problem.losses(edit).total
    }
    let near = total(1) - total(-1)
    let far = total(2) - total(-2)
    parameter.value.copy(from: start)
    edit.parametersChanged()
    return (8 * near - far) / (12 * Double(Self.step))
  }

  private func unit(_ matrix: Matrix) -> Matrix {
    let result = Matrix(copying: matrix)
    result.scale(by: Float(1 / matrix.sumOfSquares.squareRoot()))
    return result
  }

  private func dot(_ a: Matrix, _ b: Matrix) -> Double {
    zip(a.copyOfElements(), b.copyOfElements()).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  /// Compares along the gradient itself, which finds a wrong part of it, and along a random direction, which finds a
  /// missing one.
  private func check(_ problem: FineTuneProblem, _ edit: any Edit, _ tiny: inout TinyModel) {
    let losses = problem.lossesAndGradient(edit)
    let unchanged = problem.losses(edit)
    #expect(abs(losses.total - unchanged.total) < 2e-6, "with and without the gradient")
    let gradients = edit.parameters.map { Matrix(copying: $0.gradient) }
    for (parameter, gradient) in zip(edit.parameters, gradients) {
      #expect(gradient.sumOfSquares > 1e-10, "\(parameter.name) has a slope")
      for direction in [unit(gradient), unit(tiny.matrix(gradient.rows, gradient.columns))] {
        let found = dot(gradient, direction)
        let truth = slope(problem, edit, parameter, along: direction)
        #expect(
          abs(found - truth) < Self.allowed * max(1, abs(truth)), "\(parameter.name): \(found) instead of \(truth)")
      }
    }
  }

  @Test("of prefactors, each with its own alpha, at every site", arguments: TinyModel.configuration.sites)
  func separate(site: Site) {
    var tiny = TinyModel(seed: 1)
    let edit = tiny.prefactors([site], count: 3)
    check(tiny.problem([site], forget: tiny.windows([3, 5]), retain: tiny.windows([7])), edit, &tiny)
  }

  @Test("of an alpha that is shared, at every site", arguments: TinyModel.configuration.sites)
  func shared(site: Site) {
    var tiny = TinyModel(seed: 2)
    let edit = tiny.prefactors([site], count: 3, sharing: .shared)
    check(tiny.problem([site], forget: tiny.windows([3, 5]), retain: tiny.windows([7])), edit, &tiny)
  }

  @Test("of a LoRA at every site", arguments: TinyModel.configuration.sites)
  func lora(site: Site) {
    var tiny = TinyModel(seed: 3)
    let edit = tiny.lora([site], rank: 2, scale: 3)
    check(tiny.problem([site], forget: tiny.windows([3, 5]), retain: tiny.windows([7])), edit, &tiny)
  }

  @Test("of a full fine-tune at every site", arguments: TinyModel.configuration.sites)
  func full(site: Site) {
    var tiny = TinyModel(seed: 8)
    let edit = tiny.full([site])
    check(tiny.problem([site], forget: tiny.windows([3, 5]), retain: tiny.windows([7])), edit, &tiny)
  }

  /// Those of the weights are held against PyTorch.
  @Test("of a full fine-tune that has changed nothing are those of the weights")
  func fullAtStart() throws {
    var tiny = TinyModel(seed: 9)
    let (model, sites) = (tiny.model, tiny.model.configuration.sites)
    let window = tiny.windows([9])[0]
    let weights = WeightGradients(configuration: model.configuration)
    let losses = model.crossEntropies(of: [window], weights: [1], accumulatingInto: weights)
    let edit = FullEdit(sites: sites, configuration: model.configuration)
    // The forget loss is -CE.
    let found = tiny.problem(sites, forget: [window], retain: [], .negativeCrossEntropy).lossesAndGradient(edit)
    #expect(abs(found.forget + losses[0]) < 1e-6)
    for (site, parameter) in zip(sites, edit.parameters) {
      let truth = try #require(weights.matrices[site])
      let sum = Matrix(copying: parameter.gradient)
      sum.add(truth)
      #expect(sum.sumOfSquares < 1e-10 * truth.sumOfSquares, "\(site)")
    }
  }

  @Test(
    "of edits at all sites together, for every smooth loss",
    arguments: [ForgetObjective.negativeCrossEntropy, .hinge, .uniformKL], RetainObjective.allCases)
  func losses(forgetLoss: ForgetObjective, retainLoss: RetainObjective) {
    var tiny = TinyModel(seed: 4)
    let sites = tiny.model.configuration.sites
    // Targets that the model expects keep the hinge open.
    let forget = tiny.windows([4, 6]).map { window in
      let logits = tiny.logits([window.inputs])
      return TokenWindow(
        inputs: window.inputs,
        targets: (0..<logits.rows).map { row in
          let values = logits.copyOfRow(row)
          return values.indices.max { values[$0] < values[$1] } ?? 0
        })
    }
    let problem = tiny.problem(sites, forget: forget, retain: tiny.windows([7, 2]), forgetLoss, retainLoss)
    check(problem, tiny.prefactors(sites), &tiny)
    check(problem, tiny.lora(sites, rank: 1), &tiny)
    check(problem, tiny.full(sites), &tiny)
  }

  @Test("without a retain batch")
  func forgetAlone() {
    var tiny = TinyModel(seed: 5)
    let site = Site(layer: 0, kind: .contract)
    let problem = tiny.problem([site], forget: tiny.windows([6]), retain: [])
    let edit = tiny.prefactors([site])
    check(problem, edit, &tiny)
    let losses = problem.losses(edit)
    #expect(losses.retain == 0 && losses.total == losses.forget)
  }

  @Test("of a shared alpha is the sum of those of separate ones")
  func sharedIsSum() {
    var tiny = TinyModel(seed: 6)
    let sites = [Site(layer: 0, kind: .value), Site(layer: 1, kind: .expand)]
    let parts = tiny.subcomponents(sites, count: 2)
    let (separate, shared) = (PrefactorEdit(parts, sharing: .separate), PrefactorEdit(parts, sharing: .shared))
    separate.alphas = [1.5, 1.5, 1.5, 1.5]
    shared.alphas = [1.5, 1.5, 1.5, 1.5]
    #expect(shared.alphas == separate.alphas && shared.alphaCount == 1 && separate.alphaCount == 4)
    let problem = tiny.problem(sites, forget: tiny.windows([5]), retain: tiny.windows([8]))
    #expect(problem.lossesAndGradient(shared) == problem.lossesAndGradient(separate))
    let sum = separate.parameters[0].gradient.copyOfElements().reduce(0, +)
    #expect(abs(shared.parameters[0].gradient[0, 0] - sum) <= 1e-6 * abs(sum))
  }

  @Test("are overwritten, not added up, from step to step")
  func overwritten() {
    var tiny = TinyModel(seed: 7)
    let sites = [Site(layer: 0, kind: .query), Site(layer: 1, kind: .output)]
    let problem = tiny.problem(sites, forget: tiny.windows([5]), retain: tiny.windows([8]))
    for edit: any Edit in [tiny.prefactors(sites), tiny.lora(sites), tiny.full(sites)] {
      let first = problem.lossesAndGradient(edit)
      let gradients = edit.parameters.map { $0.gradient.copyOfElements() }
      #expect(problem.lossesAndGradient(edit) == first)
      #expect(edit.parameters.map { $0.gradient.copyOfElements() } == gradients)
    }
  }
}
