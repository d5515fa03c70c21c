internal import LanguageModel
internal import TensorKernels

/// One part of a step's batch: the base model on its windows, importances, masked passes, and their gradients. Belongs
/// to whichever thread works on it.
final class VPDPart {
  /// What a site's importances come to.
  struct Tally: Sendable {
    /// Σ over the rows of u(z)^p for every subcomponent.
    var powerSums: [Double]
    /// How many importances are above ``VPDTraining/activeThreshold``.
    var active: Int
  }

  /// Where this part gathers gradients, by site.
  let gradients: [SiteGradients]
  /// Where it gathers the adversary's.
  let sourceGradients: [Adversary.Sources]
  private let model: TargetModel
  private let sites: [TrainedSite]
  private let settings: VPDSettings
  private var windows: Windows?

  /// The windows of a step, run by the base model.
  private struct Windows {
    let run: BaseRun
    let importances: [ImportanceRun]
    /// All rows, and the position of each in its window.
    let rows: [Int]
    let positions: [Int]
    /// Of the mean over the whole batch, a row's part.
    let share: Double
  }

  init(
    model: TargetModel, sites: [TrainedSite], settings: VPDSettings, gradients: [SiteGradients], adversary: Adversary
  ) {
    self.model = model
    self.sites = sites
    self.settings = settings
    self.gradients = gradients
    sourceGradients = adversary.sources.map(\.zeros)
  }

  private var current: Windows {
    guard let windows else { preconditionFailure("a part begins a step with its windows") }
    return windows
  }

  /// Takes the windows of a step.
  ///
  /// - Parameter rows: tokens of the whole batch.
  func begin(_ windows: [TokenWindow], ofRows rows: Int, power: Double) -> [Tally] {
    for gradient in gradients { gradient.clear() }
    let run = BaseRun(model: model, windows: windows, sites: sites.map(\.site))
    let importances = sites.map { ImportanceRun($0.importance, inputs: run.input(at: $0.site)) }
    self.windows = Windows(
      run: run, importances: importances, rows: Array(0..<run.rows),
      positions: run.windowRows.flatMap { Array(0..<$0.count) }, share: 1 / Double(rows))
    return importances.map { run in
      Tally(
        powerSums: HardSigmoid.upperPowerSums(run.logits, p: Float(power)),
        active: HardSigmoid.count(run.logits, above: VPDTraining.activeThreshold))
    }
  }

  /// The loss under the adversary's masks, its part of the mean over the batch; what is found of the sources' gradients
  /// stands in ``sourceGradients``.
  ///
  /// - Parameter training: whether the gradients of everything else are gathered as well.
  func adversarial(_ adversary: Adversary, training: Bool) -> Double {
    let current = current
    var masked: [Site: MaskedSite] = [:]
    for (index, site) in sites.enumerated() {
      let (masks, rest) = (matrix(current.run.rows, site.count), matrix(current.run.rows, 1))
      MaskBlend.forward(
        importances: current.importances[index].importances, rows: current.rows,
        sources: adversary.sources[index].subcomponents, sourceRows: current.positions, into: masks)
      rest.gather(current.positions, from: adversary.sources[index].rest)
      masked[site.site] = mask(index, rows: nil, masks: masks, rest: rest, training: training)
    }
    let losses = current.run.losses(masked, weight: settings.adversarial.weight * current.share)
    for (index, site) in sites.enumerated() {
      guard let found = masked[site.site]?.gradients else { continue }
      sourceGradients[index].subcomponents.fill(0)
      sourceGradients[index].rest.fill(0)
      MaskBlend.backward(
        found.masks, importances: current.importances[index].importances, rows: current.rows,
        sources: adversary.sources[index].subcomponents, sourceRows: current.positions,
        importanceGradient: training ? current.importances[index].gradient : nil,
        sourceGradient: sourceGradients[index].subcomponents)
      found.restMasks.scatterAdd(current.positions, into: sourceGradients[index].rest)
    }
    return losses.meanDivergence * Double(current.run.rows) * current.share
  }

  /// The loss under random masks, its part of the mean over the batch, with all gradients.
  func stochastic(_ random: inout RandomMasks) -> Double {
    let current = current
    let routes = random.routes(sites: sites.count, rows: current.run.rows)
    var masked: [Site: MaskedSite] = [:]
    var noises: [Matrix] = []
    for (index, site) in sites.enumerated() {
      let rows = routes[index]
      let noise = random.noise(
        rows: rows.count, columns: site.count, from: settings.leastSource, to: settings.greatestSource)
      let rest = random.noise(rows: rows.count, columns: 1, from: 0, to: 1)
      let masks = matrix(rows.count, site.count)
      MaskBlend.forward(
        importances: current.importances[index].importances, rows: rows, sources: noise,
        sourceRows: Array(rows.indices), into: masks)
      masked[site.site] = mask(
        index, rows: rows.count == current.run.rows ? nil : rows, masks: masks, rest: rest, training: true)
      noises.append(noise)
    }
    let losses = current.run.losses(masked, weight: settings.stochastic.weight * current.share)
    for (index, site) in sites.enumerated() {
      guard let found = masked[site.site]?.gradients else { continue }
      MaskBlend.backward(
        found.masks, importances: current.importances[index].importances, rows: routes[index],
        sources: noises[index], sourceRows: Array(routes[index].indices),
        importanceGradient: current.importances[index].gradient, sourceGradient: nil)
    }
    return losses.meanDivergence * Double(current.run.rows) * current.share
  }

  /// Ends the step: the gradients of the importance functions.
  ///
  /// - Parameter penalties: of every site, the weight of each subcomponent's Σ u(z)^p.
  func finish(power: Double, penalties: [[Float]]) {
    for (index, run) in current.importances.enumerated() {
      run.backward(p: Float(power), penalty: penalties[index], into: gradients[index].importance)
    }
    windows = nil
  }

  private func matrix(_ rows: Int, _ columns: Int) -> Matrix { Matrix(uninitializedRows: rows, columns: columns) }

  private func mask(_ index: Int, rows: [Int]?, masks: Matrix, rest: Matrix, training: Bool) -> MaskedSite {
    let factors = training ? (read: gradients[index].read, write: gradients[index].write) : nil
    return MaskedSite(
      read: sites[index].read, write: sites[index].write, rows: rows, masks: masks, restMasks: rest,
      gradients: MaskedSite.Gradients(
        factors: factors, masks: Matrix(rows: masks.rows, columns: masks.columns),
        restMasks: Matrix(rows: rest.rows, columns: 1)))
  }
}
