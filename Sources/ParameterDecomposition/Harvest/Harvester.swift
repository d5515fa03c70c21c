public import LanguageModel
internal import TensorKernels

/// Finds out what each subcomponent of a decomposition does to text in several languages.
///
/// Works on any decomposition, whoever made it: all it takes are V and U. The text goes through the model once, forward
/// and backward, ``Evaluator/rowsPerPass`` tokens at a time. Beside the model with the gradients of its weights, memory
/// holds one such pass and a few numbers for each subcomponent and language, however long the text is.
public struct Harvester {
  /// Tokens of context shown before and behind an example.
  private static let contextBefore = 12, contextBehind = 4

  let model: TargetModel
  let decomposition: Decomposition
  private let importance: [ImportanceFunction]?
  let tokenizer: Tokenizer
  let languages: [(name: String, windows: [TokenWindow])]
  let examples: Int

  /// Draws training text.
  ///
  /// - Parameters:
  ///   - model: the base model.
  ///   - decomposition: its subcomponents.
  ///   - importance: the importance functions of the decomposition's sites, in their order, if it has any.
  ///   - text: the corpora: each is a language, whatever its share.
  ///   - tokens: tokens of each language.
  ///   - seed: chooses them.
  ///   - examples: how many of the strongest places are told of each subcomponent, with the text around them. Labels do
  ///     not depend on it.
  /// - Throws: if a corpus has too few tokens.
  public init(
    model: TargetModel, decomposition: Decomposition, importance: [ImportanceFunction]?, text: TrainingText,
    tokens: Int, seed: UInt64, examples: Int
  ) throws(InputFileError) {
    precondition(examples >= 0 && tokens > 0, "a harvest of nothing")
    precondition(importance.map { $0.map(\.site) == decomposition.sites.map(\.site) } ?? true, "a function a site")
    self.model = model
    self.decomposition = decomposition
    self.importance = importance
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
  ///
  /// - Throws: an `InputFileError` for a subcomponent whose activations are not finite, and what `handOver` throws.
  public func run(handOver: ([SubcomponentHarvest]) throws -> Void) throws {
    var tallies = decomposition.sites.map {
      ActivationTally(
        subcomponents: $0.count, languages: languages.count, placesKept: max(examples, SubcomponentLabel.places))
    }
    let gradients = WeightGradients(configuration: model.configuration)
    var attributions: [[[Double]]] = []
    for (language, text) in languages.enumerated() {
      gradients.clear()
      let all = Double(text.windows.reduce(0) { $0 + $1.targets.count })
      for group in TokenWindow.groups(of: text.windows) {
        _ = model.crossEntropies(
          of: Array(group), weights: group.map { Double($0.targets.count) / all }, accumulatingInto: gradients
        ) { input in
          for (place, factors) in decomposition.sites.enumerated() {
            let inputs = input(factors.site)
            let activations = Matrix(uninitializedRows: inputs.rows, columns: factors.count)
            Product.multiply(inputs, factors.read, into: activations)
            tallies[place].add(activations, importances: importance?[place].values(inputs), language: language)
          }
        }
      }
      attributions.append(decomposition.sites.map { slopes(of: $0, gradients) })
    }
    for (place, factors) in decomposition.sites.enumerated() {
      try handOver(try harvest(factors, tallies[place], attributions: attributions.map { $0[place] }))
    }
  }

  /// The gradient with respect to every prefactor of a site.
  ///
  /// Since W(alpha) = W + Σ (alpha_c - 1) U[c] ⊗ V[:, c], it is U[c] dW V[:, c] with the gradient dW of the matrix.
  private func slopes(of factors: Decomposition.Factors, _ gradients: WeightGradients) -> [Double] {
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

  private func harvest(
    _ factors: Decomposition.Factors, _ tally: ActivationTally, attributions: [[Double]]
  ) throws(InputFileError) -> [SubcomponentHarvest] {
    let together = tally.sums.dropFirst().reduce(tally.sums[0], +)
    return try (0..<factors.count).map { index throws(InputFileError) in
      let norm = factors.write.copyOfRow(index).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let strengths = zip(languages, tally.sums).map { ($0.name, $1.rootMeanSquare(index) * norm) }
      guard (strengths.map(\.1) + attributions.map { $0[index] }).allSatisfy(\.isFinite) else {
        throw InputFileError(
          file: decomposition.path, place: "\(factors.site):\(index)",
          problem: "expected a subcomponent whose activations are finite numbers, found others",
          advice: "its training diverged, or it belongs to another model: get or make it again")
      }
      let strongest = tally.places[index].map { example($0, norm: norm) }
      func byLanguage(_ values: [Double]) -> [String: Double] {
        Dictionary(uniqueKeysWithValues: zip(languages.map(\.name), values))
      }
      return SubcomponentHarvest(
        site: "\(factors.site)", index: index,
        label: SubcomponentLabel.words(
          strengths: strengths, density: together.density(index),
          tokens: strongest.prefix(SubcomponentLabel.places).map(\.token)),
        strength: byLanguage(strengths.map(\.1)),
        importance: importance == nil ? nil : byLanguage(tally.sums.map { $0.meanImportance(index) }),
        attribution: byLanguage(attributions.map { $0[index] }),
        density: byLanguage(tally.sums.map { $0.density(index) }), selectivity: Self.selectivity(strengths),
        examples: Array(strongest.prefix(examples)))
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
    let around = Self.tokens(around: row, in: window, before: Self.contextBefore, behind: Self.contextBehind)
    return SubcomponentHarvest.Example(
      language: name, token: tokenizer.decode([window.inputs[row]]),
      before: tokenizer.decode(window.inputs[around.lowerBound..<row]),
      after: tokenizer.decode(window.inputs[row + 1..<around.upperBound]), activation: Double(place.activation) * norm)
  }

  /// The tokens that are shown with one of a window.
  static func tokens(around row: Int, in window: TokenWindow, before: Int, behind: Int) -> Range<Int> {
    max(0, row - before)..<min(window.inputs.count, row + 1 + behind)
  }
}
