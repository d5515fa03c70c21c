import ContentHash
import Foundation
import SettingsFiles
import SweepCore

/// A sweep file that uses every part of the syntax, and made-up files for it.
enum SpecFixture {
  static let text = """
    sweep: language-removal
    target: small
    corpora:
      forget: {german: text/de.txt}
      retain: {english: text/en.txt}
      observe: {french: text/fr.txt, spanish: text/es.txt}
      start: "\\n"
    evaluation: {tokens_per_corpus: 2048, context: 128}
    training: {forget_loss: hinge, retain_loss: kl, retain_tokens: 512}
    grid:
      token_budget: [1, 16, 256]
      seed: [0, 1]
    methods:
      solved:
        edit: prefactors
        subcomponents: ["h.1.mlp.c_fc:8"]
        optimiser: solve
        grid: {retain_weight: [10]}
      one-scalar:
        edit: prefactors
        subcomponents: ["h.1.mlp.c_fc:8"]
        grid: {learning_rate: [0.1, 0.2], retain_weight: [1, 10], steps: [50]}
      several:
        edit: prefactors
        subcomponents: ["h.1.mlp.c_fc:32", "h.0.attn.v_proj:5"]
        decomposition: other.safetensors
        alphas: separate
        weight_decay: 0.01
        clip_norm: 1
        betas: [0.8, 0.99]
        epsilon: 1e-6
        grid: {learning_rate: [0.2], retain_weight: [10], steps: [50]}
      low-rank:
        edit: lora
        sites: all
        forget_loss: capped-ascent
        retain_loss: reverse-kl
        retain_tokens: 1024
        evaluate_at: [10, 50]
        grid: {rank: [1, 4], learning_rate: [1e-3, 1e-2], retain_weight: [10], steps: [50, 150]}
      localised:
        edit: lora
        rank: 1
        sites: of-selected
        scale: 2
        grid: {learning_rate: [1e-2], retain_weight: [10], steps: [150], token_budget: [0, 64]}
      scanned:
        edit: prefactors
        subcomponents: ["h.1.mlp.c_fc:8"]
        scan: {alpha: [-8, 0.5, 4]}
    goal: {removal: uniform, retention_cost_at_most: 0.05}
    audit: 0.25

    """

  /// The fixture's specification.
  static func spec(_ text: String = text) throws -> SweepSpec {
    try SweepSpec(yaml: Array(text.utf8), file: "sweep.yaml")
  }

  /// The fixture's cells, for files with made-up digests.
  static func resolved(_ text: String = text) throws -> ResolvedSweep {
    let spec = try spec(text)
    return ResolvedSweep(spec: spec, files: files(for: spec))
  }

  /// Files with made-up digests for everything that a specification names.
  static func files(for spec: SweepSpec) -> SweepFiles {
    let decompositions = ["decomposition.safetensors", "other.safetensors"].map { ($0, file($0)) }
    return SweepFiles(
      weights: file("weights"), configuration: file("configuration"), tokenizer: file("tokenizer"),
      decompositions: Dictionary(uniqueKeysWithValues: decompositions),
      corpora: Dictionary(
        uniqueKeysWithValues: spec.corpora.map {
          ($0.name, SweepFiles.Corpus(text: file($0.name), cut: $0.role == .observe ? nil : file("cut of \($0.name)")))
        }))
  }

  /// A file whose content is its name.
  static func file(_ name: String) -> SweepFile {
    SweepFile(
      path: "/files/\(name)", digest: SHA256Digest(of: name),
      stamp: FileStamp(size: name.utf8.count, changed: .distantPast, number: 1))
  }

  /// The fixture with a part replaced. The part has to occur.
  static func replacing(_ part: String, with replacement: String) -> String {
    precondition(text.contains(part), "the fixture has no \(part)")
    return text.replacing(part, with: replacement)
  }
}
