import TensorKernels
import Testing

@testable import LanguageModel

@Suite("Fine-tuning")
struct FineTuneTests {
  private let site = Site(layer: 1, kind: .contract)

  private func make(
    _ forgetLoss: ForgetObjective = .cappedAscent
  ) -> (tiny: TinyModel, problem: FineTuneProblem, parts: [PrefactorEdit.Subcomponent]) {
    var tiny = TinyModel(seed: 1)
    let parts = tiny.subcomponents([site])
    let problem = tiny.problem([site], forget: tiny.windows([4, 5]), retain: tiny.windows([9]), forgetLoss)
    return (tiny, problem, parts)
  }

  @Test("by AdamW lowers the loss, step by step as recorded, and is the same every time")
  func adamW() throws {
    let (_, problem, _) = make(.uniformKL)
    func run() throws -> (steps: [FineTune.Step], end: FineTuneProblem.Losses, factors: [Float], seen: [Int]) {
      var generator = SplitMix64(seed: 7)
      let edit = LoRAEdit(
        rank: 2, scale: 2, sites: [site], configuration: TinyModel.configuration, generator: &generator)
      var seen: [Int] = []
      var recorded: [FineTune.Step] = []
      let steps = try FineTune(problem).adamW(.init(steps: 12, learningRate: 0.02), edit: edit) { updates, step in
        seen.append(updates)
        if let step { recorded.append(step) }
        #expect((step == nil) == (updates == 12))
        return true
      }
      #expect(recorded == steps)
      return (steps, problem.losses(edit), edit.parameters.flatMap { $0.value.copyOfElements() }, seen)
    }
    let (first, second) = (try run(), try run())
    #expect(first.seen == Array(0...12) && first.steps.map(\.index) == Array(0..<12))
    #expect(first.end.total < first.steps[0].losses.total - 0.01)
    #expect(first.steps.allSatisfy { $0.gradientNorm > 0 && $0.alpha == nil })
    #expect(first.steps == second.steps && first.factors == second.factors && first.end == second.end)
  }

  @Test("of no steps leaves the edit as it is")
  func noSteps() throws {
    let (_, problem, parts) = make()
    let edit = PrefactorEdit(parts, sharing: .separate)
    #expect(try FineTune(problem).adamW(.init(steps: 0, learningRate: 1), edit: edit) { _, _ in true }.isEmpty)
    #expect(edit.alphas == [1])
  }

  /// 1 + lr is beyond float32 for the last two, and what the model makes of it for the others.
  @Test("that blows up is reported as diverged", arguments: [1e30, 1e38, 1e39, Double.greatestFiniteMagnitude])
  func divergence(learningRate: Double) {
    var (tiny, problem, parts) = make(.uniformKL)
    for edit: any Edit in [PrefactorEdit(parts, sharing: .separate), tiny.lora([site])] {
      #expect(throws: FineTune.Failure.diverged(step: 1)) {
        try FineTune(problem).adamW(.init(steps: 2, learningRate: learningRate), edit: edit) { _, _ in true }
      }
    }
  }

  @Test("stops where the observer says so, before that step's update", arguments: [0, 3, 5])
  func cancellation(at stop: Int) {
    let (_, problem, parts) = make()
    let edit = PrefactorEdit(parts, sharing: .separate)
    var alphas: [Double] = []
    #expect(throws: FineTune.Failure.cancelled) {
      try FineTune(problem).adamW(.init(steps: 5, learningRate: 0.1), edit: edit) { updates, _ in
        alphas.append(edit.alphas[0])
        return updates < stop
      }
    }
    #expect(alphas.count == stop + 1 && edit.alphas[0] == alphas.last)
    #expect(Set(alphas).count == alphas.count, "every update moves the alpha")
  }

  @Test(
    "by search sets the alpha of the least loss that was tried", arguments: [PrefactorEdit.Sharing.separate, .shared])
  func solve(sharing: PrefactorEdit.Sharing) throws {
    var (tiny, problem, parts) = make()
    if sharing == .shared { parts += tiny.subcomponents([site]) }
    let edit = PrefactorEdit(parts, sharing: sharing)
    var seen: [FineTune.Step] = []
    let steps = try FineTune(problem).solve(edit) { step in
      seen.append(step)
      return true
    }
    #expect(seen == steps && steps.map(\.index) == Array(0..<steps.count))
    let best = try #require(steps.map(\.losses.total).min())
    #expect(abs(problem.losses(edit).total - best) < 1e-6)
    #expect(Set(edit.alphas).count == 1 && steps.contains { Float($0.alpha ?? .nan) == Float(edit.alphas[0]) })
    #expect(best < problem.losses(edit.setting(1)).total - 0.005)
    // No alpha of a fine grid does better, but by what the search's tolerance leaves.
    let grid = (-640...640).map { edit.setting(Double($0) / 10) }
    #expect(problem.losses(grid).allSatisfy { $0.total > best - 1e-3 })
  }

  @Test("by search stops where the observer says so, and leaves the edit as it was")
  func solveCancelled() {
    let (_, problem, parts) = make()
    let edit = PrefactorEdit(parts, sharing: .separate)
    for stop in [0, 10, 28] {
      #expect(throws: FineTune.Failure.cancelled) {
        try FineTune(problem).solve(edit) { $0.index < stop }
      }
      #expect(edit.alphas == [1])
    }
  }

  @Test("by search is reported as diverged where no alpha has a finite loss")
  func solveDiverged() {
    let (_, problem, parts) = make()
    let large = [Float](repeating: .greatestFiniteMagnitude, count: parts[0].read.count)
    let edit = PrefactorEdit(
      [PrefactorEdit.Subcomponent(name: parts[0].name, read: large, write: parts[0].write)], sharing: .separate)
    let error = #expect(throws: FineTune.Failure.self) { try FineTune(problem).solve(edit) { _ in true } }
    guard case .diverged = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(edit.alphas == [1])
  }
}
