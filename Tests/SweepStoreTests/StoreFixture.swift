import ContentHash
import Foundation
import SweepCore
import SweepStore

/// A folder for one test, removed with its last reference.
final class TemporaryFolder {
  let url: URL
  var store: String { url.appendingPathComponent("sweep.sqlite").path }

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("pdsweep-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }
}

/// Values that tests put into stores.
enum Fixture {
  static let time = Date(timeIntervalSince1970: 1_800_000_000)
  static let anna = WorkerID("anna")
  static let bert = WorkerID("bert")

  /// Cells of two methods, alternating; equal seeds make equal cells.
  static func cells(seeds: [UInt64]) -> [Cell] {
    seeds.enumerated().map { index, seed in
      let digest = SHA256Digest(of: "a file")
      return Cell(
        index: index, method: index % 2 == 0 ? "scan" : "other",
        specification: CellSpecification(
          target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: digest),
          corpora: [CorpusReference(name: "german", role: .forget, text: digest, cut: nil)], start: "<|endoftext|>",
          evaluation: EvaluationSettings(tokensPerCorpus: 512, context: 128),
          edit: .prefactors(subcomponents: ["h.0.mlp.c_fc:1"], alphas: .fixed(0.5)), training: nil, seed: seed))
    }
  }

  static func cells(_ count: Int) -> [Cell] { cells(seeds: (0..<UInt64(count)).map { $0 }) }

  static func sweep(
    _ cells: [Cell], name: String = "trial", goal: SweepGoal = SweepGoal(), audit: Double = 0,
    selections: [SweepSelection] = []
  ) -> SweepDescription {
    SweepDescription(
      name: name, digest: SHA256Digest(of: name + cells.map(\.fingerprint.hexadecimal).joined()),
      file: "sweep: \(name)\n", vocabularySize: 1000, goal: goal, auditFraction: audit, selections: selections)
  }

  /// What a selection of the method `scan` came to, made from a harvest.
  static func selection(from harvest: String) -> SweepSelection {
    SweepSelection(
      SubcomponentSelection(.mostSelective(corpus: "german"), count: 1, decomposition: "decomposition.safetensors"),
      methods: ["scan"], harvest: SHA256Digest(of: harvest), labels: nil,
      outcome: SelectedSubcomponents(
        measure: .selectivity,
        members: [
          SelectedSubcomponents.Member(
            subcomponent: SubcomponentPath(site: SitePath(block: 0, matrix: .expand), index: 1), label: "german",
            ratio: .greatestFiniteMagnitude, value: .greatestFiniteMagnitude)
        ]))
  }

  static func result(alpha: Double = 0.5) -> CellResult {
    let losses = SplitLosses(validation: 4.25, test: 4.5)
    return CellResult(
      evaluations: [
        EvaluationPoint(
          step: 0,
          corpora: [CorpusScore(name: "german", role: .forget, base: losses, edited: losses)])
      ], steps: [], edit: .prefactors(alphas: [alpha]), forgetTokens: 0, retainTokens: 0)
  }

  /// A result with what its four windows on each split read.
  static func windowed(alpha: Double = 0.5) -> CellResult {
    var result = result(alpha: alpha)
    let corpus = WindowLosses(validation: [4, 4.5, 4, 4.5], test: [4.25, 4.75, 4.25, 4.75])
    let edited = WindowLosses(validation: [4.5, 4, 4.5, 4], test: [4.5, 4.5, 4 + Float(alpha), 5 - Float(alpha)])
    result.windows = ResultWindows(base: [corpus], edited: [[edited]])
    return result
  }

  static let report = AttemptReport(wallSeconds: 1.5, tokensPerSecond: 1000, host: "here", engineVersion: "1")

  static func delivered(_ cell: Cell, alpha: Double = 0.5) -> DeliveredResult {
    delivered(cell, result(alpha: alpha))
  }

  static func delivered(_ cell: Cell, _ result: CellResult) -> DeliveredResult {
    DeliveredResult(
      fingerprint: cell.fingerprint, result: CanonicalJSON.encode(result), report: CanonicalJSON.encode(report),
      windows: result.windows.map(WindowBytes.init))
  }
}
