/// The cells of a sweep as far as the sweep file alone determines them, in their order.
///
/// Cells are dealt: the cells of one method and one token budget form a group, and the plan takes the first cell of
/// each group, then the second of each, and so on, so that every method and budget has points early. Groups come by
/// their place in their method's list of budgets, then by method. Within a group the seed changes slowest, then the
/// rank, learning rate, retain weight and number of steps; all values in the file's order.
///
/// A token budget of 0 leaves the edit as it starts, whatever the other axes say: it is a single cell.
public struct SweepPlan: Sendable {
  /// The cells in the order of enumeration: a cell's position here is its ``Cell/index``.
  public let cells: [PlannedCell]

  /// Deals the cells of a sweep.
  public init(_ spec: SweepSpec) {
    let groups = spec.methods.map { method in
      method.tokenBudgets.map { PlannedCell.group(of: method, tokenBudget: $0) }
    }
    let columns = groups.map(\.count).max() ?? 0
    let inOrder = (0..<columns).flatMap { column in groups.compactMap { $0.dropFirst(column).first } }

    var cells: [PlannedCell] = []
    for round in 0..<(inOrder.map(\.count).max() ?? 0) {
      for group in inOrder where round < group.count { cells.append(group[round]) }
    }
    self.cells = cells
  }
}

/// A cell before the digests of its files are known, and what its selection comes to.
public struct PlannedCell: Sendable, Hashable {
  /// The method's name.
  public var method: String
  /// The decomposition file that the edit names subcomponents of.
  public var decomposition: String?
  /// What is edited.
  public var edit: PlannedEdit
  /// How it is learned; `nil` when the edit is set, or left as it starts.
  public var training: TrainingSpecification?
  /// The seed. Where nothing is drawn: the method's first, or 0 for a scan.
  public var seed: UInt64

  /// Forget-corpus tokens that the fine-tune may see.
  public var tokenBudget: Int { training?.tokenBudget ?? 0 }
}

/// What a cell edits, as far as the sweep file alone determines it.
public enum PlannedEdit: Sendable, Hashable {
  /// The prefactors of subcomponents.
  case prefactors(subcomponents: SubcomponentChoice, alphas: PrefactorAlphas)
  /// Low-rank factors added to whole matrices, scaled by `scale / rank`.
  case lora(rank: Int, sites: MethodSites, scale: Double)
  /// Every number of whole matrices.
  case full(sites: MethodSites)
}

extension MethodSpec {
  /// The token budgets that the method is tried under: 0 alone for a scan.
  public var tokenBudgets: [Int] { training?.tokenBudgets ?? [0] }

  /// The number of cells with a token budget; `nil` if it exceeds all numbers.
  public func cellCount(tokenBudget: Int) -> Int? {
    guard let training else {
      guard case .scan(_, let alphas, _) = edit else { return 1 }
      return alphas.count
    }
    guard tokenBudget > 0 else { return 1 }
    var lengths = [training.seeds.count, training.retainWeights.count]
    if case .lora(let ranks, _, _) = edit { lengths.append(ranks.count) }
    if case .adamW(let grid) = training.optimiser { lengths += [grid.learningRates.count, grid.steps.count] }
    return lengths.reduce(1) { product, length in
      product.flatMap { (product: Int) -> Int? in
        let (result, overflow) = product.multipliedReportingOverflow(by: length)
        return overflow ? nil : result
      }
    }
  }
}

extension PlannedCell {
  /// The cells of one method and one token budget.
  fileprivate static func group(of method: MethodSpec, tokenBudget: Int) -> [PlannedCell] {
    let edits = method.plannedEdits
    guard let training = method.training, tokenBudget > 0 else {
      let untrained = method.training == nil ? edits[...] : edits.prefix(1)
      let seed = method.training?.seeds.first ?? 0
      return untrained.map {
        PlannedCell(
          method: method.name, decomposition: method.decomposition, edit: $0, training: nil, seed: UInt64(seed))
      }
    }
    return training.seeds.flatMap { seed in
      edits.flatMap { edit in
        training.specifications(tokenBudget: tokenBudget).map {
          PlannedCell(
            method: method.name, decomposition: method.decomposition, edit: edit, training: $0, seed: UInt64(seed))
        }
      }
    }
  }
}

extension MethodSpec {
  /// The decomposition file that the method's cells name subcomponents of.
  var decomposition: String? {
    switch edit {
    case .prefactors(_, _, let file), .scan(_, _, let file): file
    case .lora, .full: nil
    }
  }

  /// The rule by which the method's subcomponents or sites are found, if there is one.
  var selection: SubcomponentSelection? {
    switch edit {
    case .prefactors(.selected(let selection), _, _), .scan(.selected(let selection), _, _),
      .lora(_, .ofSelected(let selection), _), .full(.ofSelected(let selection)):
      selection
    case .prefactors(.named, _, _), .scan(.named, _, _), .lora(_, .all, _), .lora(_, .named, _), .full(.all),
      .full(.named):
      nil
    }
  }

  /// The edits, by ascending place on the axis that the kind of edit has (rank or alpha).
  fileprivate var plannedEdits: [PlannedEdit] {
    switch edit {
    case .prefactors(let subcomponents, let alphas, _):
      [.prefactors(subcomponents: subcomponents, alphas: alphas == .shared ? .shared : .separate)]
    case .scan(let subcomponents, let alphas, _):
      alphas.map { .prefactors(subcomponents: subcomponents, alphas: .fixed($0)) }
    case .lora(let ranks, let sites, let scale):
      ranks.map { .lora(rank: $0, sites: sites, scale: scale ?? Double($0)) }
    case .full(let sites): [.full(sites: sites)]
    }
  }
}

extension MethodTraining {
  /// Every combination of the axes but the token budget and the seed.
  fileprivate func specifications(tokenBudget: Int) -> [TrainingSpecification] {
    func specification(
      _ retainWeight: Double, _ optimiser: OptimiserSpecification, evaluateAt: [Int]
    ) -> TrainingSpecification {
      TrainingSpecification(
        tokenBudget: tokenBudget, retainTokens: settings.retainTokens, forgetLoss: settings.forgetLoss,
        retainLoss: settings.retainLoss, retainWeight: retainWeight, optimiser: optimiser, evaluateAt: evaluateAt)
    }

    switch optimiser {
    case .solve:
      return retainWeights.map { specification($0, .solve, evaluateAt: []) }
    case .adamW(let grid):
      return grid.learningRates.flatMap { learningRate in
        retainWeights.flatMap { retainWeight in
          grid.steps.map { steps in
            let settings = AdamWSettings(
              learningRate: learningRate, steps: steps, beta1: grid.beta1, beta2: grid.beta2, epsilon: grid.epsilon,
              weightDecay: grid.weightDecay, clipNorm: grid.clipNorm)
            return specification(retainWeight, .adamW(settings), evaluateAt: grid.evaluateAt.filter { $0 < steps })
          }
        }
      }
    }
  }
}
