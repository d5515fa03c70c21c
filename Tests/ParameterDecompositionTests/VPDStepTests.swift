import LanguageModel
import TensorKernels
import Testing

@testable import ParameterDecomposition

/// One step of VPD: its gradients against differences of its losses, its adversary, its random masks.
@Suite("A step of VPD")
struct VPDStepTests {
  private let laboratory: VPDLaboratory

  init() throws {
    laboratory = try VPDLaboratory()
  }

  /// Importance functions whose logits lie between 0 and 1, where both hard sigmoids are straight, and subcomponents
  /// that do not quite add up.
  private func state(_ settings: VPDSettings) throws -> VPDState {
    let model = laboratory.task.model
    let sites = try VPDLaboratory.sites.map { site in
      let weight = model.weight(at: site)
      let read = Matrix(
        rows: weight.columns, columns: settings.subcomponents[site.kind.shortName] ?? weight.columns,
        normalBy: "read \(site)", variance: 0.1)
      let trained = try #require(
        TrainedSite(
          site: site, weight: weight, read: read, spare: Matrix(rows: read.rows, columns: 0), hidden: settings.hidden,
          seed: "test"))
      trained.write.add(
        Matrix(rows: trained.write.rows, columns: trained.write.columns, normalBy: "write \(site)", variance: 1e-3))
      trained.importance.outputBias.fill(0.5)
      trained.importance.hiddenBias.fill(0.1)
      trained.importance.output.scale(by: 0.3)
      return trained
    }
    return VPDState(sites: sites, settings: settings, positions: 9)
  }

  /// The weighted sum of a step's losses.
  private func total(_ step: VPDStep, _ settings: VPDSettings) -> Double {
    settings.stochastic.weight * (step.stochastic ?? 0) + settings.adversarial.weight * (step.adversarial ?? 0)
      + settings.importance.weight * step.importance + settings.faithfulness * step.faithfulness
  }

  @Test("has the gradients of the weighted sum of its losses", arguments: [0, 1, 2, 3])
  func gradients(part: Int) throws {
    var settings = VPDLaboratory.settings
    settings.adversarial.warmUp = 0
    settings.importance = .init(
      weight: 3e-2, ramp: 0, firstPower: 0.7, lastPower: 0.7, annealing: 1, frequency: 0.5)
    settings.leastSource = -1
    settings.greatestSource = 2
    settings.faithfulness = 50
    // Each loss on its own, then all.
    if part != 0 && part != 3 { settings.stochastic.weight = 0 }
    if part != 1 && part != 3 { settings.adversarial.weight = 0 }
    if part != 2 && part != 3 { (settings.importance.weight, settings.faithfulness) = (0, 0) }
    let windows = laboratory.windows([9, 9, 9, 9, 9, 9])
    // Parameters move on with the step: every total is that of a state of its own.
    func run(_ change: (VPDState) throws -> Void) throws -> (state: VPDState, total: Double) {
      var state = try self.state(settings)
      try change(state)
      let training = VPDTraining(model: laboratory.task.model, settings: settings, state: state, threads: 2)
      return (state, total(training.step(&state, windows: windows), settings))
    }
    let (state, _) = try run { _ in }
    let parameters = state.factorParameters + state.importanceParameters
    for (index, parameter) in parameters.enumerated() {
      let gradient = parameter.gradient
      let size = gradient.sumOfSquares.squareRoot()
      guard part != 2 || size > 0 else { continue }
      #expect(size > 1e-6, "\(parameter.name) has a slope")
      let random = Matrix(
        rows: gradient.rows, columns: gradient.columns, normalBy: "direction \(parameter.name)", variance: 1)
      for direction in [gradient, random] {
        let unit = Matrix(copying: direction)
        unit.scale(by: Float(1 / direction.sumOfSquares.squareRoot()))
        func moved(_ distance: Float) throws -> Double {
          try run { state in
            (state.factorParameters + state.importanceParameters)[index].value.add(unit, scale: distance)
          }.total
        }
        let step: Float = 4e-3
        let near = try moved(step) - moved(-step)
        let far = try moved(2 * step) - moved(-2 * step)
        let truth = (8 * near - far) / (12 * Double(step))
        let found = zip(gradient.copyOfElements(), unit.copyOfElements()).reduce(0) {
          $0 + Double($1.0) * Double($1.1)
        }
        #expect(
          abs(found - truth) < 2e-3 * max(abs(truth), size) + 2e-4, "\(parameter.name): \(found) instead of \(truth)")
      }
    }
  }

  @Test("what its adversary does raises its loss, within the bounds")
  func adversary() throws {
    var settings = VPDLaboratory.settings
    settings.stochastic.weight = 0
    settings.importance.weight = 0
    settings.batch = 3
    // Nothing but the sources moves.
    (settings.learningRate, settings.importanceLearningRate) = (1e-30, 1e-30)
    var state = try self.state(settings)
    let training = VPDTraining(model: laboratory.task.model, settings: settings, state: state, threads: 1)
    let windows = laboratory.windows([9, 9, 9])
    let losses = (0..<12).map { _ in training.step(&state, windows: windows).adversarial ?? 0 }
    #expect(zip(losses, losses.dropFirst()).allSatisfy { $0 < $1 })
    #expect(losses[11] > 1.3 * losses[0])
    let elements = state.adversary.parameters.flatMap { $0.value.copyOfElements() }
    #expect(elements.allSatisfy { (0...1).contains($0) })
    #expect(elements.contains(0) && elements.contains(1), "some have come to a bound")
  }

  @Test("masks every number of sites as often as any other, and all of them alike")
  func routing() {
    var random = RandomMasks(seed: 1, step: 2, part: 3)
    let rows = 20_000
    let routes = random.routes(sites: 4, rows: rows)
    var counts = [Int](repeating: 0, count: rows)
    for route in routes {
      #expect(route == route.sorted() && Set(route).count == route.count)
      // Of 1 to 4 sites a quarter each: 2.5 of 4 on average. Six standard deviations.
      #expect(abs(Double(route.count) / Double(rows) - 0.625) < 0.021)
      for row in route { counts[row] += 1 }
    }
    for number in 1...4 {
      #expect(abs(Double(counts.count { $0 == number }) / Double(rows) - 0.25) < 0.02)
    }
    var again = RandomMasks(seed: 1, step: 2, part: 3)
    #expect(again.routes(sites: 4, rows: rows) == routes)
    for (seed, step, part) in [(2, 2, 3), (1, 3, 3), (1, 2, 2)] {
      var other = RandomMasks(seed: seed, step: step, part: part)
      #expect(other.routes(sites: 4, rows: rows) != routes)
    }
    #expect(random.routes(sites: 1, rows: 5) == [[0, 1, 2, 3, 4]])
  }
}
