import ContentHash
import SweepCore
import Testing

@Suite("The fingerprints of a sweep's cells")
struct CellFingerprintTests {
  /// Written down once from the fixture. A change here means that results in every existing store are orphaned: raise
  /// ``CellSpecification/engineRevision`` or take the change back.
  @Test("are those written down")
  func golden() throws {
    let sweep = try SpecFixture.resolved()
    func fingerprint(_ method: String) -> String? {
      sweep.cells.first { $0.method == method }?.fingerprint.hexadecimal
    }
    #expect(fingerprint("solved") == "7a23b53c41d00872994cb0f982fd30e3afa1b4518717c0b7518bf80408a17111")
    #expect(fingerprint("several") == "f57734378e883fca9823b681a58bb0b9f3a83377df1248b5bacbee4d03bca964")
    #expect(fingerprint("low-rank") == "cbc87a3c8b0ee3de8f182bc4e98880fc33a7b716d2dead859e9624ed68f2220a")
    #expect(fingerprint("scanned") == "60df15b3d36988610f0c9c3554f192dbb6d72d00f237223b8fbea10cdc524dec")
    #expect(sweep.digest.hexadecimal == "905781854fed80c74216e83a9f77ca72c43e708e3d8d7b579f2830b3099c08a9")
  }

  @Test("are digests of sorted JSON without white space, which other programs can write too")
  func canonicalForm() throws {
    func digest(_ text: String) -> String { SHA256Digest(of: text).hexadecimal }
    let written = [
      #"{"corpora":[{"cut":"\#(digest("cut of german"))","name":"german","role":"forget","text":"\#(digest("german"))"},"#,
      #"{"cut":"\#(digest("cut of english"))","name":"english","role":"retain","text":"\#(digest("english"))"},"#,
      #"{"name":"french","role":"observe","text":"\#(digest("french"))"},"#,
      #"{"name":"spanish","role":"observe","text":"\#(digest("spanish"))"}],"#,
      #""edit":{"prefactors":{"alphas":{"separate":{}},"subcomponents":["h.1.mlp.c_fc:32","h.0.attn.v_proj:5"]}},"#,
      #""evaluation":{"context":128,"tokensPerCorpus":2048},"revision":1,"seed":0,"start":"\n","#,
      #""target":{"configuration":"\#(digest("configuration"))","decomposition":"\#(digest("other.safetensors"))","#,
      #""tokenizer":"\#(digest("tokenizer"))","weights":"\#(digest("weights"))"},"#,
      #""training":{"evaluateAt":[],"forgetLoss":"hinge","optimiser":{"adamW":{"_0":{"beta1":0.8,"beta2":0.99,"#,
      #""clipNorm":1,"epsilon":1e-06,"learningRate":0.2,"steps":50,"weightDecay":0.01}}},"#,
      #""retainLoss":"kl","retainTokens":512,"retainWeight":10,"tokenBudget":1}}"#,
    ].joined()
    let cell = try #require(try SpecFixture.resolved().cells.first { $0.method == "several" })
    #expect(String(decoding: CanonicalJSON.encode(cell.specification), as: UTF8.self) == written)
    #expect(cell.fingerprint == SHA256Digest(of: written))
  }

  @Test("stay the same when only names, paths, the goal or the order of keys change")
  func unchanged() throws {
    let cells = try SpecFixture.resolved().cells.map(\.fingerprint)
    for (part, replacement) in [
      ("sweep: language-removal", "sweep: another"),
      ("target: small", "target: elsewhere/small"),
      ("text/de.txt", "other/de.txt"),
      ("  scanned:", "  set-by-hand:"),
      ("goal: {removal: uniform", "goal: {removal: 9"),
      ("forget_loss: hinge, retain_loss: kl", "retain_loss: kl, forget_loss: hinge"),
    ] {
      let changed = try SpecFixture.resolved(SpecFixture.replacing(part, with: replacement)).cells.map(\.fingerprint)
      #expect(changed == cells, "\(part) -> \(replacement)")
    }
  }

  @Test(
    "change with everything that a result depends on",
    arguments: [
      ("german:", "deutsch:"),
      ("start: \"\\n\"", "start: \".\""),
      ("tokens_per_corpus: 2048", "tokens_per_corpus: 4096"),
      ("context: 128", "context: 64"),
      ("retain_loss: kl", "retain_loss: ce"),
      ("retain_tokens: 512", "retain_tokens: 256"),
      ("forget_loss: hinge", "forget_loss: neg-ce"),
      ("token_budget: [1, 16, 256]", "token_budget: [2, 16, 256]"),
      ("seed: [0, 1]", "seed: [7, 1]"),
      ("\"h.1.mlp.c_fc:32\", \"h.0.attn.v_proj:5\"", "\"h.1.mlp.c_fc:33\", \"h.0.attn.v_proj:5\""),
      ("decomposition: other.safetensors\n", "decomposition: decomposition.safetensors\n"),
      ("alphas: separate", "alphas: shared"),
      ("weight_decay: 0.01", "weight_decay: 0.02"),
      ("clip_norm: 1\n", "clip_norm: none\n"),
      ("betas: [0.8, 0.99]", "betas: [0.9, 0.99]"),
      ("betas: [0.8, 0.99]", "betas: [0.8, 0.999]"),
      ("epsilon: 1e-6", "epsilon: 1e-7"),
      ("evaluate_at: [10, 50]", "evaluate_at: [20, 50]"),
      ("sites: all", "sites: [h.0.mlp.c_fc]"),
      ("scale: 2", "scale: 3"),
      ("rank: [1, 4]", "rank: [2, 4]"),
      ("learning_rate: [0.1, 0.2]", "learning_rate: [0.1000001, 0.2]"),
      ("retain_weight: [1, 10], steps", "retain_weight: [2, 10], steps"),
      ("retain_weight: [10], steps: [50]}", "retain_weight: [10], steps: [51]}"),
      ("optimiser: solve\n    grid: {", "grid: {learning_rate: [1], steps: [1], "),
      ("alpha: [-8, 0.5, 4]", "alpha: [-8.5, 0.5, 4]"),
    ])
  func changed(part: String, replacement: String) throws {
    let before = try SpecFixture.resolved()
    let after = try SpecFixture.resolved(SpecFixture.replacing(part, with: replacement))
    #expect(Set(before.cells.map(\.fingerprint)) != Set(after.cells.map(\.fingerprint)))
    #expect(before.digest != after.digest)
  }

  @Test("change with the content of every file")
  func files() throws {
    let spec = try SpecFixture.spec()
    let files = SpecFixture.files(for: spec)
    let before = ResolvedSweep(spec: spec, files: files)
    func changed(_ change: (inout SweepFiles) -> Void) -> ResolvedSweep {
      var files = files
      change(&files)
      return ResolvedSweep(spec: spec, files: files)
    }
    let other = SpecFixture.file("something else")
    let changes: [(inout SweepFiles) -> Void] = [
      { $0.weights = other }, { $0.configuration = other }, { $0.tokenizer = other },
      { $0.decompositions["decomposition.safetensors"] = other }, { $0.decompositions["other.safetensors"] = other },
      { $0.corpora["german"]?.text = other }, { $0.corpora["french"]?.text = other },
      { $0.corpora["english"]?.cut = other }, { $0.corpora["english"]?.cut = nil },
      { $0.corpora["spanish"]?.cut = other },
    ]
    for (number, change) in changes.enumerated() {
      let after = changed(change)
      #expect(after.digest != before.digest, "change \(number)")
      #expect(Set(after.cells.map(\.fingerprint)) != Set(before.cells.map(\.fingerprint)), "change \(number)")
    }
    let moved = changed { $0.weights.path = "/elsewhere/model.safetensors" }
    #expect(moved.digest == before.digest)
  }

  @Test("belong to cells that survive their canonical form")
  func roundTrip() throws {
    for cell in try SpecFixture.resolved().cells {
      let bytes = CanonicalJSON.encode(cell.specification)
      let read = try CanonicalJSON.decode(CellSpecification.self, from: bytes)
      #expect(read == cell.specification)
      #expect(read.fingerprint == cell.fingerprint)
    }
  }

  @Test("make a digest that changes with the sweep's name and its methods' names and order")
  func sweepDigest() throws {
    let before = try SpecFixture.resolved().digest
    #expect(
      try SpecFixture.resolved(SpecFixture.replacing("sweep: language-removal", with: "sweep: b")).digest != before)
    #expect(try SpecFixture.resolved(SpecFixture.replacing("  scanned:", with: "  set:")).digest != before)
    #expect(
      try SpecFixture.resolved(SpecFixture.replacing("goal: {removal: uniform", with: "goal: {removal: 8")).digest
        == before)
  }
}
