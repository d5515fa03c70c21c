import Foundation
import LanguageModel
import SettingsFiles
import SweepCore
import SweepWire
import SweepWorker
import Testing

/// Edits of finished cells that are trained again, on the engine itself.
@Suite struct CellReplayTests {
  private let laboratory: Laboratory
  private let cells: [Cell]
  private let files: [LocalArtefact]

  init() throws {
    laboratory = try Laboratory()
    try laboratory.edit("sweep.yaml", "lora: {edit: lora,", "lora: {edit: lora, evaluate_at: [2],")
    let scalar = "    grid: {learning_rate: [0.1]"
    try laboratory.edit("sweep.yaml", scalar, "    evaluate_at: [2]\n" + scalar)
    let sweepFile = laboratory.folder.appending(path: "sweep.yaml")
    let sweep = try SweepResolver(sweepFile: sweepFile).resolve(SweepSpec(contentsOf: sweepFile))
    cells = sweep.cells
    files = sweep.files.all.map { role, file in
      let name = URL(filePath: file.path).lastPathComponent
      return LocalArtefact(
        artefact: Artefact(digest: file.digest, role: role, name: name, size: file.size), path: file.path,
        stamp: file.stamp)
    }
  }

  private func cell(_ method: String, budget: Int) throws -> CellSpecification {
    try #require(cells.first { $0.method == method && ($0.specification.training?.tokenBudget ?? 0) == budget })
      .specification
  }

  private func result(_ cell: CellSpecification) throws -> CellResult {
    var runner = EngineRunner()
    return try runner.run(cell, files: files, progress: { _ in }, isCancelled: { false }).result
  }

  private func replay(_ cell: CellSpecification, _ result: CellResult, step: Int? = nil) throws -> any Edit {
    try CellReplay(cell, files: files).edit(
      of: cell, recorded: result, step: step ?? result.final?.step ?? 0, progress: { _ in }, isCancelled: { false })
  }

  @Test("the edit of every kind of cell comes out again, and measures what is recorded")
  func replays() throws {
    for cell in try [cell("one-scalar", budget: 4), cell("lora", budget: 16), cell("scan", budget: 0)] {
      let result = try result(cell)
      let edit = try replay(cell, result)
      let engine = try CellReplay(cell, files: files)
      for corpus in cell.corpora {
        let windows = try engine.testWindows(of: corpus, cell.evaluation)
        let score = try #require(result.final?.corpora.first { $0.name == corpus.name })
        #expect(Evaluator(model: engine.model).meanCrossEntropy(of: windows, edit: edit) == score.edited.test)
      }
    }
  }

  @Test("the edit along the way is the one that was measured there")
  func along() throws {
    for method in ["one-scalar", "lora"] {
      let cell = try cell(method, budget: 16)
      let result = try result(cell)
      let measured = try #require(result.evaluations.first)
      #expect(measured.step == 2 && result.final?.step == 4)
      let edit = try replay(cell, result, step: 2)
      let engine = try CellReplay(cell, files: files)
      let windows = try engine.testWindows(of: cell.corpora[0], cell.evaluation)
      let found = Evaluator(model: engine.model).meanCrossEntropy(of: windows, edit: edit)
      #expect(found == measured.corpora[0].edited.test)
      #expect(found != result.final?.corpora[0].edited.test)
    }
  }

  @Test("what differs from the record in the last bit is told")
  func differences() throws {
    let (scalar, lora) = try (cell("one-scalar", budget: 4), cell("lora", budget: 4))
    let (scalarResult, loraResult) = try (result(scalar), result(lora))
    func expect(_ reason: String, _ cell: CellSpecification, _ result: CellResult) throws {
      let difference = try #require(throws: ReplayDifference.self) { try replay(cell, result) }
      #expect(difference.description.hasPrefix(reason), "\(difference)")
    }
    var changed = scalarResult
    changed.steps[2].total = changed.steps[2].total.nextUp
    try expect("total loss of step 2: recorded ", scalar, changed)
    changed = scalarResult
    changed.steps.removeLast()
    try expect("number of steps: recorded 3, trained again 4", scalar, changed)
    changed = scalarResult
    guard case .prefactors(let alphas) = changed.edit else { preconditionFailure("a scalar is a prefactor") }
    changed.edit = .prefactors(alphas: alphas.map(\.nextDown))
    try expect("alphas: recorded [", scalar, changed)
    changed = loraResult
    guard case .lora(var norms) = changed.edit else { preconditionFailure("a LoRA has norms") }
    norms[3].norm = norms[3].norm.nextUp
    changed.edit = .lora(deltaNorms: norms)
    try expect("norm of the change at h.0.attn.o_proj: recorded ", lora, changed)
    changed = loraResult
    changed.retainTokens += 1
    try expect("retain tokens: recorded 33, trained again 32", lora, changed)
    // Of another seed, the first that differs are the losses.
    var other = lora
    other.seed += 1
    try expect("forget loss of step 0: ", other, loraResult)
  }

  @Test("a training that is called off ends")
  func cancellation() throws {
    let cell = try cell("lora", budget: 4)
    let result = try result(cell)
    var steps = 0
    let failure = try #require(throws: CellFailure.self) {
      try CellReplay(cell, files: files).edit(
        of: cell, recorded: result, step: 4, progress: { _ in steps += 1 }, isCancelled: { steps > 1 })
    }
    #expect(failure.kind == .preempted)
    #expect(steps == 2)
  }
}
