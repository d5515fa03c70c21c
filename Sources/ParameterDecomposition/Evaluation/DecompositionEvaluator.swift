public import LanguageModel
internal import TensorKernels

/// Measures a decomposition on text.
///
/// Masks scale the subcomponents of every site at once, in each token by themselves: m = g + (1 - g) r, where g are the
/// importances of the base model's inputs, and r the sources. What the subcomponents leave of a matrix, W - (V U)ᵀ, has
/// a mask of its own: 0 where r is 0, else its source. Random sources are uniform from 0 to 1.
///
/// The adversary starts from the random sources and takes steps of projected gradient ascent on KL(base || masked): each
/// source is moved by the size of a step as the sign of its gradient says, and kept from 0 to 1. Of all that it has
/// tried, the first try included, it keeps for each window what raises the divergence most. So it is never below the
/// random sources, and more steps never bring it down.
///
/// The shared adversary has one source for every subcomponent and position of a window, the same in all windows of a
/// corpus, and goes up the divergence of all of them at once, from the first window's random sources on. It is of the
/// kind that VPD trains against, and much weaker. On few windows it fits what is special to them: the more there are, the
/// less it finds.
///
/// A pass of ``Evaluator/rowsPerPass`` tokens at a time holds two numbers for each token and subcomponent, and four
/// against the adversary. The figures are the same on any number of threads.
public struct DecompositionEvaluator {
  let model: TargetModel
  let sites: [MaskedPass.Part]
  private let faithfulness: [Double]
  let settings: DecompositionEvaluation.Settings
  private let path: String

  /// Reads a decomposition's numbers into memory.
  ///
  /// - Parameters:
  ///   - model: the base model.
  ///   - decomposition: its subcomponents.
  ///   - importance: the importance functions of the decomposition's sites, in their order, if it has any.
  ///   - settings: how it is measured.
  /// - Throws: if one of the decomposition's numbers is not finite.
  public init(
    model: TargetModel, decomposition: Decomposition, importance: [ImportanceFunction]?,
    settings: DecompositionEvaluation.Settings = DecompositionEvaluation.Settings()
  ) throws(InputFileError) {
    precondition(importance.map { $0.map(\.site) == decomposition.sites.map(\.site) } ?? true, "a function a site")
    var sites: [MaskedPass.Part] = []
    var faithfulness: [Double] = []
    for (place, factors) in decomposition.sites.enumerated() {
      for (name, matrix) in [("V", factors.read), ("U", factors.write)] {
        guard let (row, column) = matrix.firstNonFinite else { continue }
        throw InputFileError(
          file: decomposition.path, place: "\(factors.site).\(name)[\(row), \(column)]",
          problem: "expected a finite number, found \(matrix[row, column])",
          advice: "the file is damaged or its training diverged: get or make it again")
      }
      let part = SiteDecomposition(
        site: factors.site, read: Matrix(copying: factors.read), write: Matrix(copying: factors.write))
      sites.append(MaskedPass.Part(decomposition: part, importance: importance?[place]))
      faithfulness.append(part.meanSquareError(from: model.weight(at: factors.site)))
    }
    self.model = model
    self.sites = sites
    self.faithfulness = faithfulness
    self.settings = settings
    path = decomposition.path
  }

  /// Measures the decomposition on windows of text; every corpus has at least one.
  ///
  /// Process-wide effect: the BLAS takes one thread, for a product's last digits depend on their number.
  ///
  /// - Parameter shouldStop: asked again and again, on the calling thread; `true` ends the measurement with `nil`.
  /// - Throws: if the numbers of the decomposition, though finite, are so large that its losses are not.
  public func evaluate(
    _ text: [(corpus: String, windows: [TokenWindow])], threads: Int, shouldStop: () -> Bool = { false }
  ) throws(InputFileError) -> DecompositionEvaluation? {
    Product.setThreads(1)
    let passes = text.enumerated().flatMap { corpus, part in
      TokenWindow.groups(of: part.windows).enumerated().map { number, windows in
        (corpus: corpus, number: number, windows: Array(windows))
      }
    }
    var measured: [MaskedPass.Sums] = []
    while measured.count < passes.count {
      guard !shouldStop() else { return nil }
      let next = passes[measured.count...].prefix(threads)
      measured += Parallel.map(next.count, threads: threads) { index in
        let (corpus, number, windows) = next[next.startIndex + index]
        return MaskedPass(
          model: model, sites: sites, windows: windows,
          noise: Self.noise(seed: settings.seed, corpus: text[corpus].corpus, pass: number)
        ).measure(settings)
      }
    }
    var corpora: [DecompositionEvaluation.CorpusReport] = []
    for (corpus, part) in text.enumerated() {
      let sum = MaskedPass.Sums.total(zip(passes, measured).filter { $0.0.corpus == corpus }.map(\.1))
      var shared: MaskedPass.Losses?
      if sum.masked != nil {
        let search = SharedSearch(self, corpus: part.corpus, windows: part.windows)
        guard let worst = search.ascend(threads: threads, shouldStop: shouldStop) else { return nil }
        shared = worst
      }
      corpora.append(sum.report(corpus: part.corpus, shared: shared))
    }
    let total = MaskedPass.Sums.total(measured)
    let reports = sites.indices.map { index in
      let part = sites[index].decomposition
      func mean(_ counts: [Int]?) -> Double {
        counts.map { Double($0[index]) / Double(total.tokens) } ?? Double(part.count)
      }
      return DecompositionEvaluation.SiteReport(
        site: "\(part.site)", subcomponents: part.count, faithfulness: faithfulness[index],
        nonzero: mean(total.masked?.nonzero), active: mean(total.masked?.active))
    }
    let evaluation = DecompositionEvaluation(settings: settings, sites: reports, corpora: corpora)
    guard evaluation.isFinite else {
      throw InputFileError(
        file: path, problem: "expected subcomponents that the model can be run with, found losses that are no numbers",
        advice: "its training diverged, or it belongs to another model: get or make it again")
    }
    return evaluation
  }

  /// What the random sources of a pass follow from.
  static func noise(seed: Int, corpus: String, pass: Int) -> String { "evaluation/\(seed)/\(corpus)/\(pass)" }
}
