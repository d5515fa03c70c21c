internal import ContentHash
internal import LanguageModel
internal import TensorKernels

/// Some windows of text, run by the base model and by the model under masks. Belongs to one thread.
struct MaskedPass {
  /// A site.
  struct Part {
    let decomposition: SiteDecomposition
    let importance: ImportanceFunction?
  }

  /// The masks of a site, or their sources, or their gradients.
  struct Masks {
    /// `[N, C]`.
    let subcomponents: Matrix
    /// `[N, 1]`.
    let rest: Matrix

    init(tokens: Int, count: Int) {
      subcomponents = Matrix(rows: tokens, columns: count)
      rest = Matrix(rows: tokens, columns: 1)
    }

    func fill(subcomponents number: Float, rest other: Float) {
      subcomponents.fill(number)
      rest.fill(other)
    }

    /// Random numbers from 0 to 1, which follow from `noise`.
    static func random(tokens: Int, of part: Part, noise: String) -> Masks {
      let masks = Masks(tokens: tokens, count: part.decomposition.count)
      func fill(_ matrix: Matrix, _ name: String) {
        let seed = SHA256Digest(of: "\(noise)/\(part.decomposition.site).\(name)").leadingWord
        UniformNoise.fill(matrix, seed: seed)
      }
      fill(masks.subcomponents, "subcomponents")
      fill(masks.rest, "rest")
      return masks
    }

    func add(_ other: Masks) {
      subcomponents.add(other.subcomponents)
      rest.add(other.rest)
    }

    /// Moves sources by `step` as the signs of their gradient say, and keeps them from 0 to 1. Uses the gradient up.
    func move(along gradient: Masks, by step: Float) {
      for (source, gradient) in [(subcomponents, gradient.subcomponents), (rest, gradient.rest)] {
        source.addSigns(of: gradient, scale: step)
        source.clip(to: 0...1)
        gradient.fill(0)
      }
    }
  }

  private let parts: [Part]
  private let run: BaseRun
  private let noise: String
  /// The masks that the next losses are of, by site.
  private let masks: [Masks]

  /// Runs the base model.
  ///
  /// - Parameter noise: what the random sources follow from.
  init(model: TargetModel, sites: [Part], windows: [TokenWindow], noise: String) {
    parts = sites
    run = BaseRun(model: model, windows: windows, sites: sites.map(\.decomposition.site))
    self.noise = noise
    let rows = run.rows
    masks = sites.map { Masks(tokens: rows, count: $0.decomposition.count) }
  }

  /// Random numbers from 0 to 1 for every mask, by site.
  func randomSources() -> [Masks] {
    parts.map { Masks.random(tokens: run.rows, of: $0, noise: noise) }
  }

  /// Measures everything.
  func measure(_ settings: DecompositionEvaluation.Settings) -> Sums {
    for mask in masks { mask.fill(subcomponents: 1, rest: 0) }
    let all = run.losses(masked())
    return Sums(
      tokens: run.rows, base: run.crossEntropies().reduce(0) { $0 + Double($1) }, decomposed: Losses(all),
      masked: importances().map { importances in measure(importances, settings) })
  }

  /// The losses under sources that all windows share, `[T, C]` and `[T, 1]` by site, where every site has an importance
  /// function.
  ///
  /// - Parameter gradients: takes what is found of the sources' gradients of the divergence.
  func losses(shared sources: [Masks], gradients: [Masks]?) -> Losses {
    guard let importances = importances() else { preconditionFailure("masks without importances") }
    let (rows, positions) = (Array(0..<run.rows), run.windowRows.flatMap { Array(0..<$0.count) })
    for (index, mask) in masks.enumerated() {
      MaskBlend.forward(
        importances: importances[index], rows: rows, sources: sources[index].subcomponents, sourceRows: positions,
        into: mask.subcomponents)
      mask.rest.gather(positions, from: sources[index].rest)
    }
    guard let gradients else { return Losses(run.losses(masked())) }
    let found = parts.map { Masks(tokens: run.rows, count: $0.decomposition.count) }
    let losses = Losses(run.losses(masked(gradients: found), weight: 1))
    for (index, gradient) in gradients.enumerated() {
      MaskBlend.backward(
        found[index].subcomponents, importances: importances[index], rows: rows,
        sources: sources[index].subcomponents, sourceRows: positions, importanceGradient: nil,
        sourceGradient: gradient.subcomponents)
      found[index].rest.scatterAdd(positions, into: gradient.rest)
    }
    return losses
  }

  /// g of every site; `nil` where there is no importance function.
  private func importances() -> [Matrix]? {
    var importances: [Matrix] = []
    for part in parts {
      guard let function = part.importance else { return nil }
      importances.append(function.values(run.input(at: part.decomposition.site)))
    }
    return importances
  }

  private func measure(_ importances: [Matrix], _ settings: DecompositionEvaluation.Settings) -> Sums.Masked {
    for (mask, importance) in zip(masks, importances) {
      mask.subcomponents.copy(from: importance)
      mask.rest.fill(0)
    }
    let important = Losses(run.losses(masked()))
    let sources = randomSources()
    let search = SourceSearch(pass: self, importances: importances, sources: sources)
    let (stochastic, adversarial) = search.ascend(settings)
    return Sums.Masked(
      nonzero: importances.map { $0.count(above: 0) }, active: importances.map { $0.count(above: 0.5) },
      importance: important, stochastic: stochastic, adversarial: adversarial)
  }

  /// The sites under ``masks``.
  private func masked(gradients: [Masks]? = nil) -> [Site: MaskedSite] {
    var sites: [Site: MaskedSite] = [:]
    for (index, part) in parts.enumerated() {
      sites[part.decomposition.site] = MaskedSite(
        read: part.decomposition.read, write: part.decomposition.write, masks: masks[index].subcomponents,
        restMasks: masks[index].rest,
        gradients: gradients.map {
          MaskedSite.Gradients(factors: nil, masks: $0[index].subcomponents, restMasks: $0[index].rest)
        })
    }
    return sites
  }
}

extension MaskedPass {
  /// The search for the sources that hurt most, each token's own.
  private struct SourceSearch {
    let pass: MaskedPass
    let importances: [Matrix]
    /// Where it stands.
    let sources: [Masks]

    /// The losses at the first sources and, window by window, the highest that were found.
    func ascend(_ settings: DecompositionEvaluation.Settings) -> (first: Losses, highest: Losses) {
      let gradients = sources.map { Masks(tokens: $0.subcomponents.rows, count: $0.subcomponents.columns) }
      var first: Losses?
      var highest: [Losses] = []
      for step in 0...settings.adversarySteps {
        mask()
        let isLast = step == settings.adversarySteps
        let losses =
          isLast
          ? pass.run.losses(pass.masked()) : pass.run.losses(pass.masked(gradients: gradients), weight: 1)
        let windows = pass.run.windowRows.map { Losses(losses, rows: $0) }
        if first == nil {
          first = Losses(losses)
          highest = windows
        }
        highest = zip(highest, windows).map { $1.divergence > $0.divergence ? $1 : $0 }
        // The gradient of a source is that of its mask, times 1 - g, which has no sign.
        guard !isLast else { continue }
        for (source, gradient) in zip(sources, gradients) {
          source.move(along: gradient, by: Float(settings.adversaryStepSize))
        }
      }
      guard let first else { preconditionFailure("there is a first step") }
      return (first, Losses.total(highest))
    }

    private func mask() {
      for (index, masks) in pass.masks.enumerated() {
        let rows = Array(0..<masks.subcomponents.rows)
        MaskBlend.forward(
          importances: importances[index], rows: rows, sources: sources[index].subcomponents, sourceRows: rows,
          into: masks.subcomponents)
        masks.rest.copy(from: sources[index].rest)
      }
    }
  }
}
