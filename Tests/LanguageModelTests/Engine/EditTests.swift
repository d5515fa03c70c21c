import TensorKernels
import Testing

@testable import LanguageModel

@Suite("Edits")
struct EditTests {
  private static let sites = TinyModel.configuration.sites

  @Test("prefactors of 1, and a LoRA whose B is 0, change no bit")
  func identities() {
    var tiny = TinyModel(seed: 1)
    let sequences = [tiny.tokens(7), tiny.tokens(12)]
    let base = tiny.logits(sequences).copyOfElements()
    for sharing in [PrefactorEdit.Sharing.separate, .shared] {
      let edit = PrefactorEdit(tiny.subcomponents(Self.sites, count: 2), sharing: sharing)
      #expect(tiny.logits(sequences, edit: edit).copyOfElements() == base)
    }
    var generator = SplitMix64(seed: 2)
    let lora = LoRAEdit(
      rank: 3, scale: 3, sites: Self.sites, configuration: tiny.model.configuration, generator: &generator)
    #expect(tiny.logits(sequences, edit: lora).copyOfElements() == base)
    let full = FullEdit(sites: Self.sites, configuration: tiny.model.configuration)
    #expect(tiny.logits(sequences, edit: full).copyOfElements() == base)
    #expect(full.deltaNorms.allSatisfy { $0.norm == 0 })
  }

  @Test("merged into the weights give the logits of the edit", arguments: sites)
  func merging(site: Site) {
    var tiny = TinyModel(seed: 2)
    let sequences = [tiny.tokens(7), tiny.tokens(12)]
    for edit: any Edit in [
      tiny.prefactors([site], count: 3), tiny.lora([site], rank: 2, scale: 5), tiny.full([site]),
    ] {
      let merged = tiny.model.merging(edit)
      let head = LossHead(model: merged)
      let residual = PackedPass(model: merged, batch: TokenBatch(sequences: sequences, edited: false)).forward()
      let found = head.logits(normed: head.normalised(residual).normed).copyOfElements()
      let expected = tiny.logits(sequences, edit: edit).copyOfElements()
      #expect(largestDifference(found, expected) < 2e-5)
      #expect(largestDifference(tiny.logits(sequences).copyOfElements(), expected) > 1e-2, "the edit does something")

      // The norm of the change is that of the merged matrix's distance.
      let before = tiny.model.weight(at: site).copyOfElements()
      let after = edit.deltas[site]?.merged(into: tiny.model.weight(at: site)).copyOfElements() ?? []
      let distance = zip(before, after).reduce(0) { $0 + Double($1.1 - $1.0) * Double($1.1 - $1.0) }.squareRoot()
      #expect(abs((edit.deltas[site]?.norm ?? 0) - distance) < 1e-5 * distance)
    }
  }

  @Test("a copy stays as it was")
  func copies() {
    var tiny = TinyModel(seed: 8)
    let sites = [Site(layer: 0, kind: .expand), Site(layer: 1, kind: .value)]
    for edit: any Edit in [tiny.prefactors(sites, count: 2), tiny.lora(sites)] {
      let sequences = [tiny.tokens(9)]
      let before = tiny.logits(sequences, edit: edit).copyOfElements()
      let copy = edit.copy()
      for parameter in edit.parameters { parameter.value.scale(by: 2) }
      edit.parametersChanged()
      #expect(tiny.logits(sequences, edit: copy).copyOfElements() == before)
      #expect(tiny.logits(sequences, edit: edit).copyOfElements() != before)
    }
  }

  @Test("a prefactor's change is alpha - 1 times the outer product of its directions")
  func prefactor() throws {
    var tiny = TinyModel(seed: 3)
    let site = Site(layer: 1, kind: .key)
    let parts = tiny.subcomponents([site], count: 2)
    let edit = PrefactorEdit(parts, sharing: .separate)
    edit.alphas = [3, -0.5]
    let weight = tiny.model.weight(at: site)
    let merged = try #require(edit.deltas[site]).merged(into: weight)
    for row in 0..<weight.rows {
      for column in 0..<weight.columns {
        let change =
          2 * parts[0].write[row] * parts[0].read[column] - 1.5 * parts[1].write[row] * parts[1].read[column]
        #expect(abs(merged[row, column] - weight[row, column] - change) < 2e-6)
      }
    }
  }

  @Test("a LoRA's change is scale / rank times B A")
  func lora() throws {
    var tiny = TinyModel(seed: 5)
    let site = Site(layer: 0, kind: .contract)
    let edit = tiny.lora([site], rank: 3, scale: 2)
    let factors = edit.factors[0]
    let weight = tiny.model.weight(at: site)
    let merged = try #require(edit.deltas[site]).merged(into: weight)
    for row in 0..<weight.rows {
      for column in 0..<weight.columns {
        let product = (0..<3).reduce(Float(0)) { $0 + factors.b[row, $1] * factors.a[$1, column] }
        #expect(abs(merged[row, column] - weight[row, column] - 2 / 3 * product) < 1e-6)
      }
    }
  }

  @Test("set to other alphas are apart from the edit that they came from")
  func setting() {
    var tiny = TinyModel(seed: 4)
    let site = Site(layer: 0, kind: .expand)
    let edit = PrefactorEdit(tiny.subcomponents([site], count: 2), sharing: .shared)
    let trial = edit.setting(-3)
    #expect(trial.alphas == [-3, -3] && edit.alphas == [1, 1])
    #expect(edit.directions[site]?.scales.copyOfElements() == [0, 0])
    #expect(trial.directions[site]?.scales.copyOfElements() == [-4, -4])
    edit.alphas = [-3, -3]
    let sequence = [tiny.tokens(6)]
    #expect(
      tiny.logits(sequence, edit: edit).copyOfElements() == tiny.logits(sequence, edit: trial).copyOfElements())
  }

  @Test("a LoRA starts from the seed's numbers: A of deviation 0.01, B of zeros, in the sites' order")
  func start() {
    let configuration = TinyModel.configuration
    func made(_ seed: UInt64, _ sites: [Site]) -> LoRAEdit {
      var generator = SplitMix64(seed: seed)
      return LoRAEdit(rank: 4, scale: 4, sites: sites, configuration: configuration, generator: &generator)
    }
    let edit = made(1, Self.sites)
    let a = edit.factors.flatMap { $0.a.copyOfElements() }.map(Double.init)
    let deviation = (a.reduce(0) { $0 + $1 * $1 } / Double(a.count)).squareRoot()
    let mean = a.reduce(0, +) / Double(a.count)
    // Of n numbers the mean is off by deviation / sqrt(n), the deviation by deviation / sqrt(2 n): four times that.
    let spread = LoRAEdit.initialDeviation / Double(a.count).squareRoot()
    #expect(abs(mean) < 4 * spread && abs(deviation - LoRAEdit.initialDeviation) < 4 * spread / 2.0.squareRoot())
    #expect(edit.factors.allSatisfy { $0.b.sumOfSquares == 0 } && edit.deltaNorms.allSatisfy { $0.norm == 0 })
    #expect(made(1, Self.sites).factors.map { $0.a.copyOfElements() } == edit.factors.map { $0.a.copyOfElements() })
    #expect(made(2, Self.sites).factors[0].a.copyOfElements() != edit.factors[0].a.copyOfElements())
    #expect(
      made(1, [Self.sites[0]]).factors[0].a.copyOfElements() == edit.factors[0].a.copyOfElements(),
      "the first site's numbers do not depend on the others")
    #expect(
      edit.parameters.prefix(2).map(\.name) == ["h.0.attn.q_proj.lora_A", "h.0.attn.q_proj.lora_B"])
    #expect(edit.factors.map(\.site) == Self.sites)
  }

  @Test("normal numbers have the moments of the normal distribution")
  func gaussian() {
    var generator = SplitMix64(seed: 3)
    var source = GaussianSource()
    let numbers = (0..<100_000).map { _ in source.next(using: &generator) }
    func moment(_ power: Int) -> Double {
      numbers.reduce(0) { sum, x in sum + (0..<power).reduce(1) { product, _ in product * x } } / 100_000
    }
    // Four standard errors of each moment: sqrt(1, 2, 15, 96) / sqrt(n).
    #expect(abs(moment(1)) < 0.0127 && abs(moment(2) - 1) < 0.0179)
    #expect(abs(moment(3)) < 0.049 && abs(moment(4) - 3) < 0.124)
  }
}
