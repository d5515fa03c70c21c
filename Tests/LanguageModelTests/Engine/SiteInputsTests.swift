import TensorKernels
import Testing

@testable import LanguageModel

@Suite("Inputs of sites")
struct SiteInputsTests {
  @Test("are what the matrices are multiplied with, over several passes")
  func inputs() throws {
    var tiny = TinyModel(seed: 3)
    // More rows than one pass takes.
    let windows = tiny.windows(Array(repeating: 20, count: 60))
    let model = tiny.model
    var residuals: [Matrix] = []
    for window in windows {
      let pass = PackedPass(model: model, batch: TokenBatch(sequences: [window.inputs], edited: false))
      var index = 0
      _ = pass.forward { _, residual in
        if residuals.count <= index { residuals.append(Matrix(rows: 1200, columns: residual.columns)) }
        let row = windows.firstIndex(of: window) ?? 0
        residuals[index].rows(row * 20..<row * 20 + 20).copy(from: residual)
        index += 1
      }
    }
    func product(_ site: Site) -> Matrix {
      let inputs = model.inputs(at: site, of: windows)
      let product = Matrix(rows: inputs.rows, columns: model.weight(at: site).rows)
      Product.multiply(inputs, transposed: model.weight(at: site), into: product)
      return product
    }
    // What goes back into the residual stream is the difference that a block makes.
    for (block, kind) in [(1, Site.Kind.contract), (2, .output), (3, .contract)] {
      let change = product(Site(layer: block / 2, kind: kind))
      change.add(residuals[block - 1])
      #expect(largestDifference(change.copyOfElements(), residuals[block].copyOfElements()) < 1e-5)
    }
    // Behind c_fc comes the GELU, and then down_proj.
    let expanded = product(Site(layer: 1, kind: .expand))
    let mixed = Matrix(rows: expanded.rows, columns: expanded.columns)
    GELU.forward(expanded, into: mixed)
    let contracted = model.inputs(at: Site(layer: 1, kind: .contract), of: windows)
    #expect(largestDifference(mixed.copyOfElements(), contracted.copyOfElements()) < 1e-5)
    // Queries, keys and values read one and the same.
    let query = Site(layer: 1, kind: .query)
    #expect(query.sharesInput(with: Site(layer: 1, kind: .value)))
    #expect(!query.sharesInput(with: Site(layer: 1, kind: .output)))
    #expect(!query.sharesInput(with: Site(layer: 0, kind: .query)))
  }

  @Test("a model with other matrices computes with them and keeps the rest")
  func replacing() {
    var tiny = TinyModel(seed: 4)
    let windows = tiny.windows([7, 9])
    let site = Site(layer: 1, kind: .contract)
    let zeros = ConstantMatrix(rows: 16, columns: 24, elements: Array(repeating: 0, count: 16 * 24))
    let without = tiny.model.replacing([site: zeros])
    #expect(without.weight(at: site).copyOfElements() == zeros.copyOfElements())
    let names = zip(tiny.model.namedWeights, without.namedWeights).filter {
      $0.0.weight.copyOfElements() != $0.1.weight.copyOfElements()
    }
    #expect(names.map(\.0.name) == ["h.1.mlp.down_proj.weight"])
    // The last block adds nothing: the model ends behind attention.
    let base = Evaluator(model: tiny.model).meanCrossEntropy(of: windows)
    #expect(Evaluator(model: without).meanCrossEntropy(of: windows) != base)
    #expect(Evaluator(model: tiny.model.replacing([:])).meanCrossEntropy(of: windows) == base)
  }
}
