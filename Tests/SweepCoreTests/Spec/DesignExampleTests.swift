import Foundation
import SweepCore
import Testing

@Suite("The sweep file that the design page shows")
struct DesignExampleTests {
  private static let text = """
    sweep: german-removal
    target: reference                 # a model folder, or the name of a built-in one
    corpora:
      forget:  {german: corpora/de.txt}
      retain:  {english: corpora/en.txt}
      observe: {french: corpora/fr.txt, spanish: corpora/es.txt, italian: corpora/it.txt}
    evaluation: {tokens_per_corpus: 16384, context: 512}
    training: {forget_loss: capped-ascent, retain_loss: kl, retain_tokens: 4096}
    grid:                             # crossed with every method
      token_budget: [1, 4, 16, 64, 256, 1024, 4096]
      seed: [0, 1, 2]
    methods:
      one-scalar:
        edit: prefactors
        subcomponents: {select: most-selective, corpus: german, count: 1}
        grid: {learning_rate: [0.1, 1.0], retain_weight: [1, 10], steps: [100]}
      sixteen-scalars:
        edit: prefactors
        subcomponents: {select: most-important, corpus: german, count: 16}
        grid: {learning_rate: [0.1], retain_weight: [1, 10], steps: [100]}
      lora-rank-1: {edit: lora, rank: 1, sites: all, grid: {learning_rate: [1e-3, 1e-2], retain_weight: [0.1, 1, 10, 100], steps: [300]}}
      lora-rank-4: {edit: lora, rank: 4, sites: all, grid: {learning_rate: [1e-3, 1e-2], retain_weight: [0.1, 1, 10, 100], steps: [300]}}
      lora-localised: {edit: lora, rank: 1, sites: of-selected, grid: {learning_rate: [1e-3, 1e-2], retain_weight: [0.1, 1, 10, 100], steps: [300]}}
      alpha-scan:
        edit: prefactors
        subcomponents: ["h.2.mlp.down_proj:2359"]
        scan: {alpha: [-8, -4, -2, -1, 0, 0.5, 2, 4]}     # set, not trained; token budget 0
    goal: {removal: uniform, retention_cost_at_most: 0.05}
    """

  @Test("can be planned: one selective subcomponent, its site, and the sixteen that matter most")
  func planned() throws {
    let folder = try SweepFolder(sweep: Self.text)
    defer { folder.remove() }
    try folder.move("small", to: "reference")
    try folder.write("text of it", to: "text/it.txt")
    // The sixteen of the study: most are about all foreign languages.
    let harvest = MadeUpHarvest(
      (0..<40).map { index in
        let german = index == 7 ? 9.0 : Double(40 - index) / 10
        return (
          index == 7 ? "german" : "languages: french german",
          ["german": german, "english": 0.1, "french": german == 9 ? 0.1 : german]
        )
      })
    try folder.write(try harvest.json, to: "reference/decomposition.harvest.json")
    let sweep = try folder.resolver(corpora: folder.path("text")).resolve(folder.spec())
    #expect(sweep.scaled(by: "one-scalar") == ["h.0.mlp.c_fc:7"])
    #expect(sweep.adapted(by: "lora-localised") == ["h.0.mlp.c_fc"])
    #expect(sweep.scaled(by: "sixteen-scalars") == ([7] + (0..<7) + (8..<16)).map { "h.0.mlp.c_fc:\($0)" })
    #expect(sweep.scaled(by: "alpha-scan") == ["h.2.mlp.down_proj:2359"])
    #expect(sweep.cells.count == 7 * 3 * (4 + 2 + 8 + 8 + 8) + 8)
  }
}
