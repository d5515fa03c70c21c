internal import Foundation
internal import ParameterDecomposition

/// Evaluations as tables.
enum EvaluationTables {
  /// Two tables over all decompositions: their sites, and what is left of the model on each text.
  static func text(_ evaluations: [(name: String, evaluation: DecompositionEvaluation)]) -> String {
    var sites = MarkdownTable(
      ["decomposition", "site", "subcomponents", "nonzero", "active", "faithfulness"], textColumns: 2)
    var corpora = MarkdownTable(
      ["decomposition", "text", "base"]
        + ["all", "importance", "stochastic", "shared", "adversarial"].flatMap { [$0, "KL"] }, textColumns: 2)
    for (name, evaluation) in evaluations {
      for site in evaluation.sites {
        sites.append([
          name, site.site, "\(site.subcomponents)", String(format: "%.1f", site.nonzero),
          String(format: "%.1f", site.active), String(format: "%.2g", site.faithfulness),
        ])
      }
      for corpus in evaluation.corpora {
        let masked = corpus.masked
        let models = [
          corpus.decomposed, masked?.importance, masked?.stochastic, masked?.shared, masked?.adversarial,
        ]
        corpora.append([name, corpus.corpus, nats(corpus.base)] + models.flatMap(fields))
      }
    }
    return sites.text + "\n" + corpora.text
  }

  /// Cross-entropy and divergence.
  private static func fields(_ losses: DecompositionEvaluation.Losses?) -> [String] {
    guard let losses else { return ["", ""] }
    return [nats(losses.crossEntropy), nats(losses.divergence)]
  }

  /// Rounding leaves divergences of nothing a little below zero.
  private static func nats(_ number: Double) -> String {
    let text = String(format: "%.4f", number)
    return text == "-0.0000" ? "0.0000" : text
  }
}
