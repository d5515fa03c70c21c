internal import LanguageModel

extension MaskedPass {
  /// Losses, summed over tokens, nats.
  struct Losses: Sendable, Hashable {
    var crossEntropy = 0.0
    var divergence = 0.0

    init() {}

    /// Of some rows; all if `nil`.
    init(_ losses: ComparedLosses, rows: Range<Int>? = nil) {
      for row in rows ?? losses.divergences.indices {
        crossEntropy += Double(losses.crossEntropies[row])
        divergence += Double(losses.divergences[row])
      }
    }

    static func total(_ parts: [Losses]) -> Losses {
      parts.reduce(into: Losses()) { sum, part in
        sum.crossEntropy += part.crossEntropy
        sum.divergence += part.divergence
      }
    }

    func report(tokens: Int) -> DecompositionEvaluation.Losses {
      DecompositionEvaluation.Losses(
        crossEntropy: crossEntropy / Double(tokens), divergence: divergence / Double(tokens))
    }
  }

  /// What was measured, summed over tokens.
  struct Sums: Sendable {
    /// Under masks of importances.
    struct Masked: Sendable {
      /// How often an importance was above 0, by site.
      var nonzero: [Int]
      /// How often one was above 0.5, by site.
      var active: [Int]
      var importance: Losses
      var stochastic: Losses
      var adversarial: Losses
    }

    var tokens: Int
    /// Cross-entropies of the base model.
    var base: Double
    var decomposed: Losses
    var masked: Masked?

    /// The sums over some passes, at least one.
    static func total(_ parts: [Sums]) -> Sums {
      let masked = parts.compactMap(\.masked)
      func counts(_ path: KeyPath<Masked, [Int]>) -> [Int] {
        masked.dropFirst().reduce(masked[0][keyPath: path]) { zip($0, $1[keyPath: path]).map(+) }
      }
      return Sums(
        tokens: parts.reduce(0) { $0 + $1.tokens }, base: parts.reduce(0) { $0 + $1.base },
        decomposed: Losses.total(parts.map(\.decomposed)),
        masked: masked.isEmpty
          ? nil
          : Masked(
            nonzero: counts(\.nonzero), active: counts(\.active),
            importance: Losses.total(masked.map(\.importance)), stochastic: Losses.total(masked.map(\.stochastic)),
            adversarial: Losses.total(masked.map(\.adversarial))))
    }

    /// The means.
    ///
    /// - Parameter shared: the losses under the worst shared masks, summed over the corpus; given where importances are.
    func report(corpus: String, shared: Losses?) -> DecompositionEvaluation.CorpusReport {
      DecompositionEvaluation.CorpusReport(
        corpus: corpus, tokens: tokens, base: base / Double(tokens), decomposed: decomposed.report(tokens: tokens),
        masked: masked.map {
          guard let shared else { preconditionFailure("what has importances is masked in every way") }
          return DecompositionEvaluation.Masked(
            importance: $0.importance.report(tokens: tokens), stochastic: $0.stochastic.report(tokens: tokens),
            shared: shared.report(tokens: tokens), adversarial: $0.adversarial.report(tokens: tokens))
        })
    }
  }
}
