import TensorKernels
import Testing

@testable import LanguageModel

/// What a pass computes does not depend on where it starts and with whom it shares its rows.
@Suite("Packed passes")
struct PassTests {
  private static let sites = TinyModel.configuration.sites

  @Test("entered at a site's stage give the bits of a pass from the embedding", arguments: sites)
  func prefix(site: Site) {
    var tiny = TinyModel(seed: 1)
    let batch = TokenBatch(sequences: [tiny.tokens(5), tiny.tokens(1), tiny.tokens(9)], edited: true)
    let gradient = tiny.matrix(batch.rows, tiny.model.configuration.width)
    let prefix = PackedPass.Prefix(model: tiny.model, batch: batch, upTo: site.stage)
    // An edit of the site alone, and one that has another site above it.
    let above = Site(layer: 1, kind: .contract)
    for sites in [[site], site == above ? [site] : [site, above]] {
      for edit: any Edit in [tiny.prefactors(sites), tiny.lora(sites)] {
        func run(_ start: PackedPass.Prefix?) -> [[Float]] {
          edit.clearGradients()
          let pass = PackedPass(model: tiny.model, batch: batch, edits: [edit], start: start)
          let residual = pass.forward(keepsTape: true).copyOfElements()
          pass.backward(Matrix(copying: gradient))
          edit.collectGradients()
          return [residual] + edit.parameters.map { $0.gradient.copyOfElements() }
        }
        let whole = run(nil)
        #expect(run(prefix) == whole)
        #expect(run(prefix) == whole, "a prefix is left as it was")
        #expect(run(prefix.repeated(1)) == whole)
      }
    }
  }

  @Test("of several edits give each what it gets alone", arguments: sites)
  func packing(site: Site) {
    var tiny = TinyModel(seed: 2)
    let other = Site(layer: 1, kind: .query)
    let edits: [any Edit] = [
      tiny.prefactors([site]), tiny.lora(Set([site, other]).sorted(), rank: 1),
      tiny.prefactors([site], count: 2, sharing: .shared),
      tiny.lora([other]),
    ]
    let problem = tiny.problem([site, other], forget: tiny.windows([4, 3]), retain: tiny.windows([6]))
    let together = problem.losses(edits)
    for (edit, packed) in zip(edits, together) {
      let alone = problem.losses(edit)
      // The BLAS may add up in another order when there are more rows.
      #expect(abs(packed.forget - alone.forget) < 1e-6 && abs(packed.retain - alone.retain) < 1e-6)
    }
  }

  @Test("of several edits give each its own gradient, and unedited rows those of the base model")
  func packedGradients() {
    var tiny = TinyModel(seed: 3)
    let sites = Self.sites
    let edits: [any Edit] = [tiny.prefactors(sites), tiny.lora(sites, rank: 1), tiny.prefactors([sites[7]])]
    let sequences = (0..<4).map { _ in tiny.tokens(5) }
    let gradient = tiny.matrix(20, tiny.model.configuration.width)
    var batch = TokenBatch()
    batch.append(sequences[0], edit: 1)
    batch.append(sequences[1], edit: nil)
    batch.append(sequences[2], edit: 0)
    batch.append(sequences[3], edit: 2)
    for edit in edits { edit.clearGradients() }
    let pass = PackedPass(model: tiny.model, batch: batch, edits: edits)
    let residual = pass.forward(keepsTape: true)
    pass.backward(Matrix(copying: gradient))
    for edit in edits { edit.collectGradients() }
    let packed = edits.map { $0.parameters.map { $0.gradient.copyOfElements() } }

    for (place, edit) in [(0, 1), (1, nil), (2, 0), (3, 2)] as [(Int, Int?)] {
      let rows = place * 5..<place * 5 + 5
      let own = edit.map { [edits[$0]] } ?? []
      for edit in own { edit.clearGradients() }
      let alone = PackedPass(
        model: tiny.model, batch: TokenBatch(sequences: [sequences[place]], edited: edit != nil), edits: own)
      let expected = alone.forward(keepsTape: true)
      #expect(largestDifference(residual.rows(rows).copyOfElements(), expected.copyOfElements()) < 4e-6)
      alone.backward(Matrix(copying: gradient.rows(rows)))
      guard let edit else { continue }
      edits[edit].collectGradients()
      for (parameter, found) in zip(edits[edit].parameters, packed[edit]) {
        let scale = Double(parameter.gradient.sumOfSquares.squareRoot())
        #expect(largestDifference(found, parameter.gradient.copyOfElements()) < 4e-6 * max(1, scale))
      }
    }
  }

  @Test("refuse an edit below the stage that they are entered at")
  func lowEdit() async {
    await #expect(processExitsWith: .failure) {
      var tiny = TinyModel(seed: 4)
      let problem = tiny.problem([Site(layer: 1, kind: .query)], forget: tiny.windows([3]), retain: [])
      _ = problem.losses(tiny.prefactors([Site(layer: 0, kind: .contract)]))
    }
  }

  @Test("of the evaluator give every window its losses, whatever stands beside it")
  func evaluator() throws {
    var tiny = TinyModel(seed: 5)
    let edit = tiny.lora(Self.sites)
    // Long enough that the evaluator needs several passes.
    let windows = tiny.windows((0..<150).map { 1 + $0 * 7 % 24 })
    #expect(windows.reduce(0) { $0 + $1.inputs.count } > Evaluator.rowsPerPass)
    let evaluator = Evaluator(model: tiny.model)
    for edit: (any Edit)? in [nil, edit] {
      let together = try #require(evaluator.tokenCrossEntropies(of: windows, edit: edit))
      let backwards = try #require(evaluator.tokenCrossEntropies(of: windows.reversed(), edit: edit))
      #expect(together.map(\.count) == windows.map(\.targets.count))
      for (index, window) in windows.enumerated() {
        let alone = try #require(evaluator.tokenCrossEntropies(of: [window], edit: edit)?.first)
        let logits = tiny.logits([window.inputs], edit: edit)
        let truth = window.targets.enumerated().map { row, target in
          TokenLoss.score(logits, row: row, target: target).crossEntropy
        }
        #expect(largestDifference(alone, truth) < 4e-6)
        #expect(largestDifference(together[index], alone) < 4e-6)
        #expect(largestDifference(backwards[windows.count - 1 - index], alone) < 4e-6)
      }
      let mean = try #require(evaluator.meanCrossEntropy(of: windows, edit: edit))
      let all = together.joined()
      #expect(abs(mean - all.reduce(0.0) { $0 + Double($1) } / Double(all.count)) < 1e-12)
    }
  }

  @Test("of the evaluator stop when they are asked to")
  func stopping() {
    var tiny = TinyModel(seed: 6)
    let windows = tiny.windows(Array(repeating: 20, count: 120))
    var passes = 0
    let stopped = Evaluator(model: tiny.model).meanCrossEntropy(of: windows) {
      passes += 1
      return passes == 3
    }
    #expect(stopped == nil && passes == 3)
  }

  @Test("refuse sequences beyond the context")
  func context() async {
    await #expect(processExitsWith: .failure) {
      var tiny = TinyModel(seed: 7)
      _ = tiny.logits([tiny.tokens(25)])
    }
  }
}
