import SweepCore
import SettingsFiles
import Testing

@Suite("A sweep file that is not in order")
struct SweepSpecRefusalTests {
  /// A change of the fixture, and what the refusal has to say.
  struct Mistake: Sendable, CustomTestStringConvertible {
    let part: String
    let replacement: String
    let says: [String]

    init(_ part: String, _ replacement: String, says: String...) {
      (self.part, self.replacement, self.says) = (part, replacement, says)
    }

    var testDescription: String { "\(part) -> \(replacement)".replacing("\n", with: "\\n") }
  }

  /// What the method `several` is about.
  private static let several = "[\"h.1.mlp.c_fc:32\", \"h.0.attn.v_proj:5\"]"

  @Test(
    "is refused in one line with place, key path, expected, found and advice",
    arguments: [
      // Keys.
      Mistake("target: small", "taget: small", says: "sweep.yaml:2:1", "found `taget`", "did you mean `target`?"),
      Mistake("target: small\n", "", says: "expected the key `target`"),
      Mistake(
        "    edit: lora\n    sites", "    edit: lora\n    rnak: 1\n    sites",
        says: "sweep.yaml:35:5: methods.low-rank", "did you mean `rank`?"),
      Mistake("alphas: separate", "rank: 2", says: "methods.several", "`rank` has no meaning for edit: prefactors"),
      Mistake("sites: all", "sites: all\n    alphas: shared", says: "`alphas` has no meaning for edit: lora"),
      Mistake("alphas: separate", "steps: 10", says: "`steps` is an axis", "grid: {steps: [...]}"),
      Mistake("retain_tokens: 512", "seed: 3", says: "training", "`seed` is an axis"),
      Mistake("token_budget: [1, 16", "rank: [1]\n  token_budget: [1, 16", says: "write `rank` in the methods"),
      Mistake("grid: {rank: [1, 4],", "grid: {rank: [1, 4], weight_decay: [0],", says: "`weight_decay` is no axis"),
      Mistake("steps: [150], token", "step: [150], token", says: "methods.localised.grid", "did you mean `steps`?"),
      Mistake("scan: {alpha:", "scan: {alphas:", says: "methods.scanned.scan", "did you mean `alpha`?"),
      Mistake("start: ", "begin: ", says: "corpora:", "found `begin`"),
      Mistake("goal: {removal", "goal: {remove", says: "goal:", "did you mean `removal`?"),
      Mistake("  solved:", "  one-scalar:", says: "expected each key once, found `one-scalar`"),
      Mistake("  seed: [0, 1]\n", "  seed: [0, 1]\n  \"seed\": [2]\n", says: "expected each key once, found `seed`"),
      Mistake("target: small", "target: small\n? [a, b]\n: 1", says: "found a list or mapping as a key"),

      // Types.
      Mistake("target: small", "target: [small]", says: "sweep.yaml:2:9: target:", "found a list"),
      Mistake("target: small", "target:", says: "target: expected a model folder", "found nothing"),
      Mistake("target: small", "target: 7", says: "found 7", "put it in quotes"),
      Mistake("sweep: language-removal", "sweep: a/b", says: "sweep:", "found `a/b`"),
      Mistake("sweep: language-removal", "sweep: ../x", says: "begin with a letter or digit"),
      Mistake("context: 128", "context: '128'", says: "found the text \"128\"", "remove the quotes"),
      Mistake("context: 128", "context: 1.5", says: "evaluation.context: expected a whole number", "found 1.5"),
      Mistake("context: 128", "context: 1e2", says: "write 100"),
      Mistake("context: 128", "context: 0x80", says: "found 0x80"),
      Mistake("context: 128", "context: true", says: "found true"),
      Mistake("context: 128", "context: 99999999999999999999", says: "found 99999999999999999999"),
      Mistake("steps: [150], token", "steps: [99999999999], token", says: "a whole number from 1 to 30000"),
      Mistake("retain_tokens: 512", "retain_tokens: 9223372036854775807", says: "training.retain_tokens", "up to"),
      Mistake("seed: [0, 1]", "seed: 3", says: "grid.seed", "put it in brackets: [3]"),
      Mistake("seed: [0, 1]", "seed: [0, one]", says: "grid.seed[1]", "found one"),
      Mistake("seed: [0, 1]", "seed: {a: 1}", says: "grid.seed: expected a list of seeds, found a mapping"),
      Mistake(
        "evaluation: {tokens_per_corpus: 2048, context: 128}", "evaluation: 12", says: "evaluation: expected a mapping"),
      Mistake("methods:\n", "methods: []\nold:\n", says: "found `old`"),
      Mistake(
        "    edit: lora\n    rank: 1", "    edit: lroa\n    rank: 1",
        says: "expected prefactors, lora or full, found lroa", "did you mean lora?"),
      Mistake("edit: lora\n    rank: 1", "edit: full\n    rank: 1", says: "`rank` has no meaning for edit: full"),
      Mistake(
        "    edit: lora\n    rank: 1\n    sites: of-selected\n    scale: 2\n", "    edit: full\n",
        says: "expected the key `sites`"),
      Mistake("forget_loss: hinge", "forget_loss: henge", says: "training.forget_loss", "did you mean hinge?"),
      Mistake("optimiser: solve", "optimiser: newton", says: "expected adamw or solve, found newton"),
      Mistake("{removal: uniform", "{removal: unifrom", says: "expected uniform or a number of nats above 0"),

      // Values.
      Mistake(
        "token_budget: [1, 16", "token_budget: [-1, 16",
        says: "grid.token_budget[0]: expected a whole number of at least 0, found -1"),
      Mistake("seed: [0, 1]", "seed: [0, -1]", says: "grid.seed[1]: expected a whole number of at least 0"),
      Mistake("seed: [0, 1]", "seed: []", says: "grid.seed: expected a list of seeds, found an empty list"),
      Mistake("seed: [0, 1]", "seed: [1, 1]", says: "grid.seed[1]: expected each value once, found 1 again"),
      Mistake(
        "learning_rate: [0.1, 0.2]", "learning_rate: [0.1, 1e-1]", says: "learning_rate[1]: expected each value once"),
      Mistake("learning_rate: [0.1, 0.2]", "learning_rate: [0, 0.2]", says: "expected a number above 0, found 0"),
      Mistake("learning_rate: [0.1, 0.2]", "learning_rate: [-0.1]", says: "expected a number above 0, found -0.1"),
      Mistake("learning_rate: [0.1, 0.2]", "learning_rate: [.nan]", says: "expected a number above 0, found .nan"),
      Mistake("learning_rate: [0.1, 0.2]", "learning_rate: [1e999]", says: "expected a number above 0, found 1e999"),
      Mistake("learning_rate: [0.1, 0.2]", "learning_rate: [inf]", says: "expected a number above 0, found inf"),
      Mistake("learning_rate: [0.1, 0.2], ", "", says: "methods.one-scalar: expected the axis `learning_rate`"),
      Mistake("  token_budget: [1, 16, 256]\n", "", says: "methods.solved: expected the axis `token_budget`"),
      Mistake("retain_weight: [1, 10]", "retain_weight: [-1]", says: "expected a number of at least 0, found -1"),
      Mistake("steps: [50, 150]", "steps: [0]", says: "steps[0]: expected a whole number from 1 to 30000, found 0"),
      Mistake("rank: [1, 4]", "rank: [0]", says: "grid.rank[0]: expected a whole number of at least 1, found 0"),
      Mistake("rank: 1\n", "rank: 0\n", says: "methods.localised.rank: expected a whole number of at least 1"),
      Mistake("rank: 1\n", "\n", says: "methods.localised: expected the key `rank`"),
      Mistake("    sites: all\n", "    sites: all\n    rank: 2\n", says: "expected `rank` once"),
      Mistake("scale: 2", "scale: 0", says: "methods.localised.scale: expected a number above 0, found 0"),
      Mistake("retain_tokens: 512", "retain_tokens: 0", says: "expected a whole number of at least 1, found 0"),
      Mistake("weight_decay: 0.01", "weight_decay: -1", says: "methods.several.weight_decay"),
      Mistake("clip_norm: 1\n", "clip_norm: 0\n", says: "expected none or a number above 0, found 0"),
      Mistake("betas: [0.8, 0.99]", "betas: [0.8]", says: "found 1 elements"),
      Mistake("betas: [0.8, 0.99]", "betas: [0.8, 1]", says: "betas[1]: expected a number of at least 0 and below 1"),
      Mistake("epsilon: 1e-6", "epsilon: 0", says: "epsilon: expected a number above 0"),
      Mistake("context: 128", "context: 0", says: "expected a whole number of at least 1, found 0"),
      Mistake("context: 128", "context: 4096", says: "expected at most tokens_per_corpus (2048), found 4096"),
      Mistake(
        "tokens_per_corpus: 2048", "tokens_per_corpus: 2000",
        says: "expected a multiple of context (128), found 2000; use 1920 or 2048"),
      Mistake("retention_cost_at_most: 0.05", "retention_cost_at_most: -1", says: "goal.retention_cost_at_most"),
      Mistake("removal: uniform", "removal: -2", says: "goal.removal"),
      Mistake("audit: 0.25", "audit: 5 %", says: "audit: expected a part of the cells, from 0 to 1, found 5 %"),
      Mistake("audit: 0.25", "audit: 1.5", says: "audit: expected a part of the cells, from 0 to 1, found 1.5"),
      Mistake("audit: 0.25", "audit: -0.5", says: "audit: expected a part of the cells, from 0 to 1, found -0.5"),
      Mistake(
        "evaluate_at: [10, 50]", "evaluate_at: [10, 150]",
        says: "methods.low-rank.evaluate_at: expected steps below the longest run's 150, found 150"),
      Mistake(
        "retain_tokens: 512", "evaluate_at: [400]",
        says: "training.evaluate_at: expected steps below the longest run's 150, found 400"),
      Mistake(
        "    optimiser: solve\n", "    optimiser: solve\n    evaluate_at: [1]\n",
        says: "methods.solved: expected no `evaluate_at` here"),
      Mistake(
        "grid: {retain_weight: [10]}", "grid: {retain_weight: [10], steps: [3]}",
        says: "methods.solved.grid: expected no `steps` here"),
      Mistake(
        "alphas: separate", "optimiser: solve", says: "expected one number to solve for, found 2 separate alphas",
        "alphas: shared"),
      Mistake("scan: {alpha", "grid: {seed: [1]}\n    scan: {alpha", says: "methods.scanned: expected no `grid` here"),
      Mistake("alpha: [-8, 0.5, 4]", "alpha: [0, -0]", says: "scan.alpha[1]: expected each value once"),
      Mistake("alpha: [-8, 0.5, 4]", "alpha: [.inf]", says: "expected a finite number, found .inf"),

      // Names.
      Mistake("  forget: {german: text/de.txt}\n", "", says: "corpora: expected the key `forget`"),
      Mistake("forget: {german: text/de.txt}", "forget: {}", says: "corpora.forget: expected at least one corpus"),
      Mistake("french: text/fr.txt", "german: text/fr.txt", says: "corpora.observe.german", "also under forget"),
      Mistake("text/fr.txt", "text/de.txt", says: "expected a file of its own for each corpus, found that of `german`"),
      Mistake("start: \"\\n\"", "start: \\n", says: "corpora.start", "within double quotes"),
      Mistake("\"h.1.mlp.c_fc:32\"", "h.1.mlp.cfc:32", says: "subcomponents[0]", "did you mean h.1.mlp.c_fc:32?"),
      Mistake("\"h.1.mlp.c_fc:32\"", "h-1-mlp-c_fc:32", says: "did you mean h.1.mlp.c_fc:32?"),
      Mistake("\"h.1.mlp.c_fc:32\"", "h.1.mlp.c_fc", says: "found h.1.mlp.c_fc", "SITE:INDEX"),
      Mistake("\"h.1.mlp.c_fc:32\"", "h.1.mlp.c_fc:-3", says: "end it with the subcomponent's number"),
      Mistake("\"h.1.mlp.c_fc:32\"", "h.1.mlp.c_fc: 32", says: "put the name in quotes, without spaces"),
      Mistake("\"h.0.attn.v_proj:5\"", "\"h.1.mlp.c_fc:32\"", says: "expected each value once"),
      Mistake("sites: all", "sites: al", says: "did you mean all?"),
      Mistake("sites: all", "sites: [h.1.mlp.up_proj]", says: "sites[0]", "found h.1.mlp.up_proj", "h.1.mlp.down_proj"),
      Mistake("sites: all", "sites: all\n    subcomponents: [\"h.1.mlp.c_fc:8\"]", says: "only `sites: of-selected`"),
      Mistake("sites: all", "sites: all\n    decomposition: x", says: "low-rank", "only `sites: of-selected`"),
      Mistake(
        "sites: of-selected", "sites: of-selected\n    decomposition: x", says: "methods.localised",
        "only a selection in its `subcomponents`"),
      Mistake(several, "{select: most-selectiv, corpus: german, count: 2}", says: "did you mean most-selective?"),
      Mistake(
        several, "{select: labelled, corpus: german, count: 0}", says: "several.subcomponents.count", "at least 1"),
      Mistake(several, "{select: labelled, count: 1}", says: "expected the key `corpus`", "or `label`"),
      Mistake(several, "{select: most-important, count: 1}", says: "expected the key `corpus` (for which corpus)"),
      Mistake(several, "{corpus: german, count: 1}", says: "expected the key `select`"),
      Mistake(several, "{select: most-important, corpus: german}", says: "expected the key `count`"),
      Mistake(
        several, "{select: most-important, corpus: germn, count: 1}", says: "subcomponents.corpus",
        "a corpus of the sweep (german, english, french, spanish), found germn", "did you mean german?"),
      Mistake(
        several, "{select: labelled, label: x, corpus: dutch, count: 1}", says: "a corpus of the sweep", "found dutch"),
      Mistake(
        several, "{select: most-important, corpus: german, label: x, count: 1}",
        says: "expected no `label` here", "only `select: labelled` has a use for it"),
      Mistake(
        several, "{select: most-selective, corpus: german, labels: x.csv, count: 1}", says: "expected no `labels` here"),
      Mistake(
        several, "{select: most-selective, corpus: german, count: 1, sites: all}",
        says: "subcomponents.sites: expected a list of sites, found all"),
      Mistake(
        several, "{select: most-selective, corpus: german, count: 1, sites: [h.1.mlp.cfc]}",
        says: "subcomponents.sites[0]", "did you mean h.1.mlp.c_fc?"),
      Mistake(several, "{select: labelled, corpus: german, cuont: 1}", says: "found `cuont`", "did you mean `count`?"),
      Mistake(
        "\(several)\n    decomposition: other.safetensors\n    alphas: separate",
        "{select: labelled, corpus: german, count: 2}\n    optimiser: solve",
        says: "found 2 separate alphas"),

      // YAML.
      Mistake("target: small", "target: \"small", says: "expected YAML", "syntax error"),
      Mistake("target: small", "target: small\n\tx: 1", says: "sweep.yaml:3", "syntax error"),
      Mistake("target: small", "target: small\n...\n---\ntarget: x", says: "syntax error", "another document"),
      Mistake("target: small", "target: sm\u{1}all", says: "sweep.yaml:2:11", "does not allow"),
      Mistake("target: small", "target: !!str small", says: "target: expected no YAML tags"),
      Mistake("target: small", "target: &t small", says: "target: expected no YAML anchors, found &t"),
      Mistake("target: small", "target: *t", says: "undefined alias"),
      Mistake("corpora:\n", "<<: &base {target: a}\ncorpora: *base\n", says: "sweep.yaml:4:10", "the YAML alias *base"),
    ])
  func mistakes(_ mistake: Mistake) throws {
    let line = refusal(of: Array(SpecFixture.replacing(mistake.part, with: mistake.replacement).utf8))
    for fragment in mistake.says {
      #expect(line.contains(fragment), "\(line)")
    }
    #expect(isOneLine(line), "\(line)")
    #expect(line.hasPrefix("sweep.yaml:"), "\(line)")
  }

  @Test("is refused when empty, not a mapping, not UTF-8 or too large")
  func wholeFile() {
    #expect(refusal(of: []).contains("found an empty file"))
    #expect(refusal(of: Array("# nothing here\n".utf8)).contains("found an empty file"))
    #expect(refusal(of: Array("- a\n- b\n".utf8)).contains("expected a mapping that begins with `sweep: NAME`"))
    #expect(refusal(of: Array("hello".utf8)).contains("found hello"))
    #expect(refusal(of: [0xFF, 0xFE, 0x41]).contains("expected UTF-8"))
    #expect(refusal(of: Array("sweep: ".utf8) + [0xC3, 0x28]).contains("expected UTF-8"))
    #expect(refusal(of: [UInt8](repeating: 0x20, count: (1 << 20) + 1)).contains("at most 1048576 bytes"))
    #expect(refusal(of: [0]).contains("does not allow"))
  }

  @Test("is refused, not followed, when it nests without end")
  func nesting() {
    for opening in ["[", "{a: ", "- ", "? ", "[{a: "] {
      let text = "sweep: s\ntarget:\n  " + String(repeating: opening, count: 100_000)
      #expect(isOneLine(refusal(of: Array(text.utf8))))
    }
    let balanced = "sweep: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
    #expect(refusal(of: Array(balanced.utf8)).contains("at most 32 levels"))
    let indented = (0..<500).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
    #expect(refusal(of: Array(indented.utf8)).contains("at most 32 levels"))
  }

  @Test("is refused at once when aliases would make it grow, even as keys")
  func aliasBombs() {
    let levels = (1...40).map { "k\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]\n" }.joined()
    #expect(refusal(of: Array(("k0: &a0 [x]\n" + levels).utf8)).contains("the YAML alias *a0"))
    #expect(refusal(of: Array(("k0: &a0 [x]\n" + levels + "? *a40\n: 1\n").utf8)).contains("the YAML alias"))
    #expect(refusal(of: Array("a: &x [1]\nb: {\"c\":*x}\n".utf8)).contains("the YAML alias *x"))
  }

  @Test("is refused when its grid is beyond all bounds")
  func gridSize() throws {
    let thousand = "[" + (1...1100).map(String.init).joined(separator: ", ") + "]"
    let text = SpecFixture.replacing(
      "learning_rate: [0.1, 0.2], retain_weight: [1, 10], steps: [50]",
      with: "learning_rate: \(thousand), retain_weight: \(thousand), steps: \(thousand)")
    #expect(refusal(of: Array(text.utf8)).contains("methods.one-scalar: expected a sweep of at most 1000000 cells"))
  }

  private func refusal(of bytes: [UInt8]) -> String {
    do {
      _ = try SweepSpec(yaml: bytes, file: "sweep.yaml")
      return "accepted"
    } catch {
      return error.description
    }
  }

  private func isOneLine(_ text: String) -> Bool {
    text != "accepted" && !text.isEmpty && !text.contains(where: \.isNewline)
      && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
  }
}
