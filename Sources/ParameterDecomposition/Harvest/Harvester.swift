public import LanguageModel
internal import TensorKernels

/// Finds out what each subcomponent of a decomposition does to text in several languages.
///
/// Works on any decomposition, whoever made it: all it takes are V and U. Subcomponents are handed over site by site;
/// beside the model, memory holds the text's inputs to one site and the sums of one site's subcomponents.
public struct Harvester {
  /// Rows whose activations are computed at once.
  private static let chunk = 1024
  /// Tokens of context shown before and behind an example.
  private static let contextBefore = 12, contextBehind = 4

  private let model: TargetModel
  private let decomposition: Decomposition
  private let tokenizer: Tokenizer
  private let languages: [(name: String, windows: [TokenWindow])]
  private let examples: Int

  /// Draws training text.
  ///
  /// - Parameters:
  ///   - model: the base model.
  ///   - decomposition: its subcomponents.
  ///   - text: the corpora: each is a language, whatever its share.
  ///   - tokens: tokens of each language.
  ///   - seed: chooses them.
  ///   - examples: how many of the strongest places are kept of each subcomponent.
  /// - Throws: if a corpus has too few tokens.
  public init(
    model: TargetModel, decomposition: Decomposition, text: TrainingText, tokens: Int, seed: UInt64, examples: Int
  ) throws(InputFileError) {
    precondition(examples > 0 && tokens > 0, "a harvest of nothing")
    self.model = model
    self.decomposition = decomposition
    tokenizer = text.tokenizer
    self.examples = examples
    var languages: [(name: String, windows: [TokenWindow])] = []
    for part in text.corpora {
      let windows = try part.corpus.draw(
        tokens: tokens, seed: seed, purpose: "harvest", context: text.context, tokenizer: text.tokenizer,
        start: text.start)
      languages.append((part.name, windows))
    }
    self.languages = languages
  }

  /// Harvests every subcomponent. `handOver` gets those of one site after the other, in the model's order.
  public func run(handOver: ([SubcomponentHarvest]) throws -> Void) throws {
    let attributions = languages.map { self.attributions(to: $0.windows) }
    var inputs: (site: Site, rows: [Matrix])?
    for (place, factors) in decomposition.sites.enumerated() {
      let rows: [Matrix]
      if let inputs, inputs.site.sharesInput(with: factors.site) {
        rows = inputs.rows
      } else {
        inputs = nil
        rows = languages.map { model.inputs(at: factors.site, of: $0.windows) }
        inputs = (factors.site, rows)
      }
      try handOver(harvest(factors, inputs: rows, attributions: attributions.map { $0[place] }))
    }
  }

  /// The gradient of the windows' mean cross-entropy with respect to every prefactor, by site.
  ///
  /// Since W(alpha) = W + Σ (alpha_c - 1) U[c] ⊗ V[:, c], it is U[c] dW V[:, c] with the gradient dW of the matrix.
  private func attributions(to windows: [TokenWindow]) -> [[Double]] {
    let all = Double(windows.reduce(0) { $0 + $1.targets.count })
    let gradients = WeightGradients(configuration: model.configuration)
    // Windows of one length weigh the same in the mean over tokens.
    let byLength = Dictionary(grouping: windows, by: \.targets.count).sorted { $0.key < $1.key }
    for (length, windows) in byLength {
      for group in TokenWindow.groups(of: windows) {
        _ = model.crossEntropies(of: Array(group), weight: Double(length) / all, accumulatingInto: gradients)
      }
    }
    return decomposition.sites.map { factors in
      guard let gradient = gradients.matrices[factors.site] else { preconditionFailure("no \(factors.site)") }
      // dWᵀ Uᵀ [d_in, C], then the sum over d_in of its product with V.
      let product = Matrix(uninitializedRows: gradient.columns, columns: factors.count)
      Product.multiply(gradient.transposed(), transposed: factors.write, into: product)
      var slopes = [Double](repeating: 0, count: factors.count)
      for row in 0..<product.rows {
        let (left, right) = (product.copyOfRow(row), factors.read.copyOfRow(row))
        for index in 0..<factors.count { slopes[index] += Double(left[index]) * Double(right[index]) }
      }
      return slopes
    }
  }

  private func harvest(
    _ factors: Decomposition.Factors, inputs: [Matrix], attributions: [[Double]]
  ) -> [SubcomponentHarvest] {
    var tally = ActivationTally(subcomponents: factors.count, languages: languages.count, placesKept: examples)
    let buffer = Matrix(uninitializedRows: Self.chunk, columns: factors.count)
    for (language, rows) in inputs.enumerated() {
      for start in stride(from: 0, to: rows.rows, by: Self.chunk) {
        let part = rows.rows(start..<min(start + Self.chunk, rows.rows))
        let activations = buffer.rows(0..<part.rows)
        Product.multiply(part, factors.read, into: activations)
        tally.add(activations, language: language)
      }
    }
    let together = tally.sums.dropFirst().reduce(tally.sums[0], +)
    return (0..<factors.count).map { index in
      let norm = factors.write.copyOfRow(index).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let strengths = zip(languages, tally.sums).map { ($0.name, $1.rootMeanSquare(index) * norm) }
      let examples = tally.places[index].map { example($0, norm: norm) }
      func byLanguage(_ values: [Double]) -> [String: Double] {
        Dictionary(uniqueKeysWithValues: zip(languages.map(\.name), values))
      }
      return SubcomponentHarvest(
        site: "\(factors.site)", index: index,
        label: SubcomponentLabel.words(
          strengths: strengths, density: together.density(index), tokens: examples.map(\.token)),
        strength: byLanguage(strengths.map(\.1)), attribution: byLanguage(attributions.map { $0[index] }),
        density: byLanguage(tally.sums.map { $0.density(index) }), selectivity: Self.selectivity(strengths),
        examples: examples)
    }
  }

  private static func selectivity(_ strengths: [(String, Double)]) -> SubcomponentHarvest.Selectivity {
    let order = strengths.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
    let (most, next) = (order[0], order.dropFirst().first?.1 ?? 0)
    // JSON has no infinity: where no other language has any, the ratio is as large as numbers are.
    let ratio = most.1 == 0 ? 0 : next == 0 ? Double.greatestFiniteMagnitude : most.1 / next
    return SubcomponentHarvest.Selectivity(language: most.0, ratio: ratio)
  }

  private func example(_ place: ActivationTally.Place, norm: Double) -> SubcomponentHarvest.Example {
    let (name, windows) = languages[place.language]
    var row = place.token
    var window = windows[0]
    for candidate in windows {
      window = candidate
      guard row >= candidate.inputs.count else { break }
      row -= candidate.inputs.count
    }
    let before = window.inputs[max(0, row - Self.contextBefore)..<row]
    let behind = window.inputs[(row + 1)...].prefix(Self.contextBehind)
    return SubcomponentHarvest.Example(
      language: name, token: tokenizer.decode([window.inputs[row]]), before: tokenizer.decode(before),
      after: tokenizer.decode(behind), activation: Double(place.activation) * norm)
  }
}
