import TensorKernels
import Testing

@testable import LanguageModel

@Suite("Masked sites")
struct MaskedSiteTests {
  private static let sites = TinyModel.configuration.sites

  /// Random subcomponents that are far from adding up to the matrix, with the same mask everywhere.
  private func masked(
    _ tiny: inout TinyModel, _ site: Site, rows: [Int]? = nil, count: Int, mask: Float, rest: Float
  ) -> MaskedSite {
    let shape = tiny.model.configuration.shape(of: site)
    let (masks, rests) = (Matrix(rows: count, columns: 5), Matrix(rows: count, columns: 1))
    masks.fill(mask)
    rests.fill(rest)
    return MaskedSite(
      read: tiny.matrix(shape.inputs, 5, scale: 0.3), write: tiny.matrix(5, shape.outputs), rows: rows, masks: masks,
      restMasks: rests)
  }

  @Test("with masks of 1 are the base model to the last bit")
  func ones() {
    var tiny = TinyModel(seed: 1)
    let windows = tiny.windows([7, 12])
    let run = BaseRun(model: tiny.model, windows: windows, sites: Self.sites)
    for rows in [nil, [0, 3, 4, 11, 18], []] {
      let changes = Self.sites.map { site in
        (site, masked(&tiny, site, rows: rows, count: rows?.count ?? 19, mask: 1, rest: 1))
      }
      let losses = run.losses(Dictionary(uniqueKeysWithValues: changes))
      #expect(losses.crossEntropies == run.crossEntropies())
      #expect(losses.divergences.allSatisfy { abs($0) < 1e-6 })
    }
    let evaluated = Evaluator(model: tiny.model).tokenCrossEntropies(of: windows) ?? []
    #expect(largestDifference(run.crossEntropies(), evaluated.flatMap(\.self)) < 1e-6)
  }

  @Test("without the rest are the model of the subcomponents alone", arguments: sites)
  func alone(site: Site) {
    var tiny = TinyModel(seed: 2)
    let windows = tiny.windows([7, 12])
    let change = masked(&tiny, site, count: 19, mask: 1, rest: 0)
    let product = Matrix(rows: change.write.columns, columns: change.read.rows)
    Product.multiply(transposed: change.write, change.read.transposed(), into: product)
    let other = tiny.model.replacing([site: ConstantMatrix(copying: product)])
    let found = BaseRun(model: tiny.model, windows: windows, sites: [site]).losses([site: change])
    let expected = Evaluator(model: other).tokenCrossEntropies(of: windows)?.flatMap(\.self) ?? []
    #expect(largestDifference(found.crossEntropies, expected) < 2e-5)
    #expect(found.meanDivergence > 1e-2)
  }

  @Test("change nothing in the rows before the first that is masked")
  func routing() {
    var tiny = TinyModel(seed: 3)
    let windows = tiny.windows([7, 12])
    let run = BaseRun(model: tiny.model, windows: windows, sites: Self.sites)
    let base = run.crossEntropies()
    let rows = [4, 13]
    let changes = Self.sites.map { ($0, masked(&tiny, $0, rows: rows, count: 2, mask: 0.5, rest: 0.25)) }
    let losses = run.losses(Dictionary(uniqueKeysWithValues: changes))
    for row in 0..<19 {
      // Windows are rows 0 to 6 and 7 to 18.
      let isBefore = row < 7 ? row < 4 : row < 13
      #expect((losses.crossEntropies[row] == base[row]) == isBefore, "row \(row)")
      #expect((abs(losses.divergences[row]) < 1e-6) == isBefore, "row \(row)")
    }
  }

  @Test("see the inputs that the sites have in the base model")
  func inputs() {
    var tiny = TinyModel(seed: 4)
    let windows = tiny.windows([7, 12])
    let run = BaseRun(model: tiny.model, windows: windows, sites: Self.sites)
    for site in Self.sites {
      let expected = tiny.model.inputs(at: site, of: windows).copyOfElements()
      #expect(largestDifference(run.input(at: site).copyOfElements(), expected) < 1e-6)
      // A run for this site alone starts just before it.
      let alone = BaseRun(model: tiny.model, windows: windows, sites: [site])
      #expect(alone.input(at: site).copyOfElements() == expected, "\(site)")
      #expect(largestDifference(alone.crossEntropies(), run.crossEntropies()) < 1e-6)
    }
  }
}
