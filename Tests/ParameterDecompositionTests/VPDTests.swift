import ContentHash
import Foundation
import LanguageModel
import TensorKernels
import Testing

@testable import ParameterDecomposition

@Suite("VPD")
struct VPDTests {
  private let laboratory: VPDLaboratory

  init() throws {
    laboratory = try VPDLaboratory()
  }

  @Test("is the same bit for bit on any number of threads", arguments: [2, 3, 9])
  func threads(count: Int) throws {
    let one = try laboratory.decompose()
    let many = try laboratory.decompose(control: DecompositionControl(threads: count))
    #expect(one.steps == many.steps && one.numbers == many.numbers)
    #expect(one.steps.map(\.step) == Array(1...8) && one.numbers.count == 12)
  }

  @Test("stops where it is asked to, and goes on to the same numbers", arguments: [0, 1, 3, 7])
  func resume(behind stop: Int) throws {
    let whole = try laboratory.decompose()
    let path = FileManager.default.temporaryDirectory.appending(path: "vpd-\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let checkpoint = DecompositionControl.Checkpoint(path: path, identity: SHA256Digest(of: "this"))
    var made = 0
    let stopping = DecompositionControl(checkpoint: checkpoint, shouldStop: { made == stop }) { event in
      if case .stepped = event { made += 1 }
    }
    let stopped = #expect(throws: DecompositionControl.Stopped.self) {
      try laboratory.decompose(control: stopping)
    }
    #expect(stopped == DecompositionControl.Stopped(step: stop, steps: 8))
    var resumed: Int?
    let rest = try laboratory.decompose(
      control: DecompositionControl(
        threads: 2, checkpoint: checkpoint,
        observe: { event in
          if case .resumed(let step, _) = event { resumed = step }
        }))
    #expect(resumed == stop)
    #expect(rest.numbers == whole.numbers && rest.steps == Array(whole.steps.dropFirst(stop)))
  }

  @Test("goes on from the last checkpoint of a run that was killed")
  func killed() throws {
    struct Killed: Error {}
    let whole = try laboratory.decompose()
    let path = FileManager.default.temporaryDirectory.appending(path: "vpd-\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let checkpoint = DecompositionControl.Checkpoint(path: path, identity: SHA256Digest(of: "this"))
    // The checkpoint behind step 3 is kept as it was; the run goes on.
    var kept: Data?
    _ = try laboratory.decompose(
      control: DecompositionControl(
        checkpoint: checkpoint,
        observe: { event in
          if case .stepped(let step, _) = event, step.step == 5 { kept = FileManager.default.contents(atPath: path) }
        }))
    try #require(kept).write(to: URL(fileURLWithPath: path))
    let rest = try laboratory.decompose(control: DecompositionControl(checkpoint: checkpoint))
    #expect(rest.numbers == whole.numbers && rest.steps.map(\.step) == [4, 5, 6, 7, 8])

    let other = DecompositionControl.Checkpoint(path: path, identity: SHA256Digest(of: "another"))
    let error = try #require(throws: InputFileError.self) {
      try laboratory.decompose(control: DecompositionControl(checkpoint: other))
    }
    #expect(error.problem.contains("found one of another decomposition"))
    try Data("torn".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: InputFileError.self) {
      try laboratory.decompose(control: DecompositionControl(checkpoint: checkpoint))
    }
  }

  @Test("starts exact, from random directions and from ica, with more subcomponents than inputs or as many")
  func start() throws {
    for start in VPDSettings.Start.allCases {
      var settings = VPDLaboratory.settings
      settings.start = start
      settings.steps = 1
      let step = try #require(try laboratory.decompose(settings).steps.first)
      #expect(step.faithfulness < 1e-10, "\(start.rawValue)")
      // One step moves every number by the learning rate at most: 4 of 20 are spare after ica.
      let written = try #require(try laboratory.decompose(settings).numbers["h.0.mlp.c_fc.U"])
      let rows = (0..<20).map { written[$0 * 24..<($0 + 1) * 24].map(abs).max() ?? 0 }
      #expect(rows.count { $0 <= 1.1e-3 } == (start == .ica ? 4 : 0), "\(start.rawValue): \(rows)")
    }
    var settings = VPDLaboratory.settings
    settings.start = .ica
    settings.subcomponents["c_fc"] = 15
    let error = try #require(throws: InputFileError.self) { try laboratory.decompose(settings) }
    #expect(error.place == "h.0.mlp.c_fc" && error.problem.contains("(16) for a start from ica, found 15"))
  }

  @Test("makes few subcomponents matter, and keeps the model's words where they do not")
  func training() throws {
    var settings = VPDLaboratory.settings
    settings.steps = 150
    settings.learningRate = 3e-3
    settings.importanceLearningRate = 1e-2
    settings.importance.weight = 1e-2
    let steps = try laboratory.decompose(settings).steps
    func mean(_ steps: some Collection<VPDStep>, _ value: (VPDStep) -> Double) -> Double {
      steps.reduce(0) { $0 + value($1) } / Double(steps.count)
    }
    func active(_ steps: some Collection<VPDStep>) -> Double {
      mean(steps) { $0.active.values.reduce(0, +) }
    }
    #expect(active(steps.prefix(5)) > 55, "of 66")
    #expect(active(steps.suffix(20)) < 0.5 * active(steps.prefix(5)))
    // Without importances, which are all 0 in the end, the masks alone would cost more than this.
    settings.importance.weight = 1
    let blind = try laboratory.decompose(settings).steps
    #expect(active(blind.suffix(20)) < 1)
    let losses = [steps, blind].map { mean($0.suffix(20)) { ($0.stochastic ?? 0) + ($0.adversarial ?? 0) } }
    #expect(losses[0] < 0.5 * losses[1], "\(losses)")
    #expect(mean(steps.suffix(20), \.faithfulness) < 1e-4)
  }

  @Test("a loss with weight 0 is not taken")
  func weights() throws {
    var settings = VPDLaboratory.settings
    settings.steps = 2
    settings.adversarial.weight = 0
    let stochastic = try laboratory.decompose(settings).steps
    #expect(stochastic.allSatisfy { $0.adversarial == nil && $0.stochastic != nil })
    settings.adversarial.weight = 0.5
    settings.stochastic.weight = 0
    let adversarial = try laboratory.decompose(settings).steps
    #expect(adversarial.allSatisfy { $0.adversarial != nil && $0.stochastic == nil })
  }

  @Test("a loss that is no number ends it")
  func divergence() throws {
    var settings = VPDLaboratory.settings
    settings.steps = 60
    settings.learningRate = 1e12
    #expect(throws: VPD.Divergence.self) { try laboratory.decompose(settings) }
  }

  @Test("schedules go from their first to their last values")
  func schedules() {
    var settings = VPDLaboratory.settings
    settings.steps = 101
    settings.importance = .init(
      weight: 2, ramp: 50.0 / 101, firstPower: 2, lastPower: 0.5, annealing: 75.0 / 101, frequency: 0)
    #expect(settings.rate(ofStep: 0) == 1 && abs(settings.rate(ofStep: 100) - 0.1) < 1e-12)
    #expect(abs(settings.rate(ofStep: 50) - 0.55) < 1e-12)
    #expect(settings.power(ofStep: 0) == 2 && abs(settings.power(ofStep: 25) - 1.5) < 1e-12)
    #expect(settings.power(ofStep: 75) == 0.5 && settings.power(ofStep: 100) == 0.5)
    #expect(settings.importanceWeight(ofStep: 0) == 0 && abs(settings.importanceWeight(ofStep: 25) - 1) < 1e-12)
    #expect(settings.importanceWeight(ofStep: 60) == 2)
    settings.importance.ramp = 0
    #expect(settings.importanceWeight(ofStep: 0) == 2)
  }
}
