import SweepCore
import Testing

@Suite("A sweep file that is in order")
struct SweepSpecReadingTests {
  @Test("gives its name, target, corpora by role, start, evaluation and goal")
  func topLevel() throws {
    let spec = try SpecFixture.spec()
    #expect(spec.name == "language-removal")
    #expect(spec.target == "small")
    #expect(spec.corpora.map(\.name) == ["german", "english", "french", "spanish"])
    #expect(spec.corpora.map(\.role) == [.forget, .retain, .observe, .observe])
    #expect(spec.corpora.map(\.path) == ["text/de.txt", "text/en.txt", "text/fr.txt", "text/es.txt"])
    #expect(spec.start == "\n")
    #expect(spec.evaluation == EvaluationSettings(tokensPerCorpus: 2048, context: 128))
    #expect(spec.goal == SweepGoal(removal: .uniform, retentionCostAtMost: 0.05))
    #expect(spec.auditFraction == 0.25)
    #expect(spec.methods.map(\.name) == ["solved", "one-scalar", "several", "low-rank", "localised", "scanned"])
  }

  @Test("fills in what it leaves out")
  func defaults() throws {
    let spec = try SpecFixture.spec(
      """
      sweep: s
      target: t
      corpora: {forget: {a: a.txt}, retain: {b: b.txt}}
      evaluation: {tokens_per_corpus: 8, context: 8}
      methods:
        m:
          edit: prefactors
          subcomponents: ["h.0.mlp.c_fc:0"]
          grid: {token_budget: [4], learning_rate: [1], retain_weight: [0], steps: [3]}
      """)
    #expect(spec.start == "<|endoftext|>")
    #expect(spec.goal == SweepGoal(removal: .uniform, retentionCostAtMost: 0.05))
    #expect(spec.auditFraction == 0)
    let method = try #require(spec.methods.first)
    #expect(
      method.edit
        == .prefactors(
          subcomponents: .named([SubcomponentPath(site: SitePath(block: 0, matrix: .expand), index: 0)]),
          alphas: .separate, decomposition: "decomposition.safetensors"))
    let training = try #require(method.training)
    #expect(training.seeds == [0])
    #expect(training.settings.forgetLoss == .cappedAscent)
    #expect(training.settings.retainLoss == .kl)
    #expect(training.settings.retainTokens == 4096)
    guard case .adamW(let grid) = training.optimiser else {
      Issue.record("expected AdamW, found \(training.optimiser)")
      return
    }
    #expect(grid.learningRates == [1] && grid.steps == [3] && grid.evaluateAt == [])
    #expect(grid.beta1 == 0.9 && grid.beta2 == 0.999 && grid.epsilon == 1e-8)
    #expect(grid.weightDecay == 0 && grid.clipNorm == nil)
  }

  @Test("hands its training and grid down to methods, which may replace them")
  func inheritance() throws {
    let spec = try SpecFixture.spec()
    let scalar = try #require(spec.methods.first { $0.name == "one-scalar" }?.training)
    #expect(scalar.tokenBudgets == [1, 16, 256] && scalar.seeds == [0, 1])
    #expect(scalar.settings.forgetLoss == .hinge && scalar.settings.retainTokens == 512)

    let lora = try #require(spec.methods.first { $0.name == "low-rank" }?.training)
    #expect(lora.settings.forgetLoss == .cappedAscent && lora.settings.retainLoss == .reverseKL)
    #expect(lora.settings.retainTokens == 1024)

    let localised = try #require(spec.methods.first { $0.name == "localised" }?.training)
    #expect(localised.tokenBudgets == [0, 64] && localised.seeds == [0, 1])
  }

  @Test("lets `clip_norm: none` in a method lift the file's clipping")
  func clippingLifted() throws {
    let text = SpecFixture.replacing("retain_tokens: 512}", with: "retain_tokens: 512, clip_norm: 2}")
      .replacing("clip_norm: 1\n", with: "clip_norm: none\n")
    let norms = try SpecFixture.spec(text).methods.compactMap { method -> Double?? in
      guard case .adamW(let grid) = method.training?.optimiser else { return nil }
      return grid.clipNorm
    }
    #expect(norms == [2, nil, 2, 2])
  }

  @Test("takes the sites of `of-selected` from the method itself, else from the first prefactors method")
  func ofSelected() throws {
    let inherited = try SpecFixture.spec()
    let own = try SpecFixture.spec(
      SpecFixture.replacing(
        "sites: of-selected",
        with: #"sites: of-selected, subcomponents: ["h.2.attn.o_proj:3", "h.0.mlp.down_proj:1", "h.2.attn.o_proj:4"]"#
          .replacing(", subcomponents", with: "\n    subcomponents")))
    func sites(_ spec: SweepSpec) -> MethodSites? {
      guard case .lora(_, let sites, _) = spec.methods.first(where: { $0.name == "localised" })?.edit else {
        return nil
      }
      return sites
    }
    #expect(sites(inherited) == .named(["h.1.mlp.c_fc"]))
    #expect(sites(own) == .named(["h.0.mlp.down_proj", "h.2.attn.o_proj"]))
  }

  @Test("reads full fine-tunes of all, of listed and of selected sites")
  func full() throws {
    let whole = "    edit: lora\n    rank: 1\n    sites: of-selected\n    scale: 2\n"
    func edits(_ sites: String) throws -> (edit: MethodEdit?, cells: [EditSpecification]) {
      let text = SpecFixture.replacing(whole, with: "    edit: full\n    sites: \(sites)\n")
      let edit = try SpecFixture.spec(text).methods.first { $0.name == "localised" }?.edit
      let cells = try SpecFixture.resolved(text).cells.filter { $0.method == "localised" }
      #expect(cells.contains { $0.specification.training?.tokenBudget == 64 })
      #expect(cells.allSatisfy { $0.specification.target.decomposition == nil })
      return (edit, cells.map(\.specification.edit))
    }
    let named = try edits("[h.1.mlp.c_fc, h.0.attn.q_proj]")
    #expect(named.edit == .full(sites: .named(["h.0.attn.q_proj", "h.1.mlp.c_fc"])))
    #expect(Set(named.cells) == [.full(sites: .named(["h.0.attn.q_proj", "h.1.mlp.c_fc"]))])
    #expect(try edits("all").edit == .full(sites: .all))
    #expect(try edits("of-selected").edit == .full(sites: .named(["h.1.mlp.c_fc"])))
  }

  @Test("puts listed LoRA sites into the model's order")
  func siteOrder() throws {
    let spec = try SpecFixture.spec(
      SpecFixture.replacing(
        "sites: all", with: "sites: [h.10.attn.q_proj, h.2.mlp.down_proj, h.2.mlp.c_fc, h.2.attn.o_proj]"))
    guard case .lora(_, let sites, _) = spec.methods.first(where: { $0.name == "low-rank" })?.edit else {
      Issue.record("low-rank is no LoRA")
      return
    }
    #expect(sites == .named(["h.2.attn.o_proj", "h.2.mlp.c_fc", "h.2.mlp.down_proj", "h.10.attn.q_proj"]))
  }

  @Test("may be written with a byte order mark, CRLF line ends, comments and quotes")
  func spelling() throws {
    let plain = try SpecFixture.spec()
    #expect(try SpecFixture.spec("\u{FEFF}" + SpecFixture.text) == plain)
    #expect(try SpecFixture.spec(SpecFixture.text.replacing("\n", with: "\r\n")) == plain)
    #expect(try SpecFixture.spec("# R&D notes: *bold* & 'quoted'\n---\n" + SpecFixture.text) == plain)
    #expect(try SpecFixture.spec(SpecFixture.replacing("target: small", with: "\"target\": 'small'")) == plain)
  }

  @Test("means the same whatever the order of its keys")
  func keyOrder() throws {
    let reordered =
      SpecFixture
      .replacing("forget_loss: hinge, retain_loss: kl, ", with: "retain_loss: kl, forget_loss: hinge, ")
      .replacing(
        "learning_rate: [0.1, 0.2], retain_weight: [1, 10]", with: "retain_weight: [1, 10], learning_rate: [0.1, 0.2]"
      )
      .replacing("tokens_per_corpus: 2048, context: 128", with: "context: 128, tokens_per_corpus: 2048")
      .replacing("sweep: language-removal\n", with: "")
      + "sweep: language-removal\n"
    #expect(try SpecFixture.spec(reordered) == SpecFixture.spec())
  }
}
