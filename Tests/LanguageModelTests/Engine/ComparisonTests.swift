import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

/// Edits held against the base model, token by token.
@Suite("Comparisons")
struct ComparisonTests {
  @Test("tell the losses of each model, and KL(base || edited), of every token")
  func losses() throws {
    var tiny = TinyModel(seed: 5)
    let windows = tiny.windows([7, 12, 3])
    let sites = [Site(layer: 0, kind: .contract), Site(layer: 1, kind: .query)]
    let edits: [any Edit] = [tiny.prefactors(sites, count: 2), tiny.lora(sites, scale: 4)]
    let evaluator = Evaluator(model: tiny.model)
    let compared = try #require(evaluator.compare(edits, on: windows))
    #expect(compared.base == evaluator.tokenCrossEntropies(of: windows))
    let base = logProbabilities(tiny.logits(windows.map(\.inputs)))
    for (edit, losses) in zip(edits, compared.edited) {
      #expect(losses.map(\.crossEntropies) == evaluator.tokenCrossEntropies(of: windows, edit: edit))
      let edited = logProbabilities(tiny.logits(windows.map(\.inputs), edit: edit))
      let divergences = zip(base, edited).map { p, q in zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) } }
      #expect(largestDifference(losses.flatMap(\.divergences), divergences.map { Float($0) }) < 1e-5)
      #expect(divergences.contains { $0 > 1e-3 }, "the edit does something")
    }
  }

  @Test("of an edit that changes nothing are those of the base, with no divergence")
  func nothing() throws {
    var tiny = TinyModel(seed: 6)
    let windows = tiny.windows([5, 9])
    let edit = PrefactorEdit(tiny.subcomponents([Site(layer: 1, kind: .expand)]), sharing: .shared)
    let compared = try #require(Evaluator(model: tiny.model).compare([edit], on: windows))
    #expect(compared.edited[0].map(\.crossEntropies) == compared.base)
    #expect(compared.edited[0].flatMap(\.divergences).allSatisfy { abs($0) < 1e-6 })
  }

  @Test("are the same whatever else is compared, and end when they are told to")
  func independence() throws {
    var tiny = TinyModel(seed: 7)
    let windows = tiny.windows([6, 6])
    let edits: [any Edit] = [tiny.lora([Site(layer: 0, kind: .expand)]), tiny.lora([Site(layer: 1, kind: .value)])]
    let evaluator = Evaluator(model: tiny.model)
    let both = try #require(evaluator.compare(edits, on: windows))
    let second = try #require(evaluator.compare([edits[1]], on: windows))
    #expect(both.edited[1] == second.edited[0])
    #expect(evaluator.compare(edits, on: windows) { true } == nil)
  }

  private func logProbabilities(_ logits: Matrix) -> [[Double]] {
    (0..<logits.rows).map { row in
      let numbers = logits.copyOfRow(row).map(Double.init)
      let total = log(numbers.reduce(0) { $0 + exp($1) })
      return numbers.map { $0 - total }
    }
  }
}
