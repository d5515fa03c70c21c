internal import SweepCore

extension FrontierDocument {
  init(_ sweep: ReportedSweep) {
    let analysis = sweep.analysis
    // Most points are on several fronts; their intervals are computed once.
    var known: [Int: Point] = [:]
    func points(_ indices: [Int]) -> [Point] {
      indices.map { index in
        let point = known[index] ?? Point(analysis.points[index])
        known[index] = point
        return point
      }
    }
    self.sweep = sweep.name
    corpora = Corpora(
      forget: sweep.names(of: .forget), retain: sweep.names(of: .retain), observe: sweep.names(of: .observe))
    vocabularySize = sweep.vocabularySize
    uniformGuess = Number(analysis.uniformGuess)
    goal = Goal(
      removal: Number(analysis.goal.leastRemoval(uniformGuess: analysis.uniformGuess)),
      retentionCostAtMost: Number(analysis.goal.retentionCostAtMost))
    base = analysis.points.first.map { point in
      Dictionary(point.evaluation.corpora.map { ($0.name, Splits($0.base)) }) { first, _ in first }
    }
    cells = Self.counts(sweep.cells)
    hypervolumeReference = analysis.reference.map { reference in
      Reference(
        retentionCost: Number(reference.retentionCost), removal: Splits(reference.removal),
        tokenDoublings: Number(reference.tokenDoublings))
    }
    methods = analysis.methods.map { method in
      Method(
        name: method.name, cells: Self.counts(method.cells), frontier: points(method.plane),
        frontierWithTokens: points(method.space),
        budgets: method.budgets.map { budget in
          Budget(
            tokenBudget: budget.tokenBudget, frontier: points(budget.plane),
            medianFrontier: budget.settingsFront.map { Setting(budget.settings[$0]) })
        },
        hypervolume: method.hypervolume.map { Splits($0.plane) },
        hypervolumeWithTokens: method.hypervolume.map { Splits($0.space) },
        tokensToTarget: Target(method.tokensToTarget, analysis))
    }
    frontier = points(analysis.plane)
    frontierWithTokens = points(analysis.space)
  }

  /// Every state by name, those without cells included.
  private static func counts(_ cells: [CellRecord.State: Int]) -> [String: Int] {
    Dictionary(uniqueKeysWithValues: CellRecord.State.allCases.map { ($0.rawValue, cells[$0, default: 0]) })
  }
}

extension FrontierDocument.Point {
  init(_ point: TradeOffPoint) {
    cell = point.cell.index
    fingerprint = "\(point.cell.fingerprint)"
    method = point.cell.method
    tokenBudget = point.tokenBudget
    seed = point.cell.specification.seed
    step = point.evaluation.step
    isFinal = point.isFinal
    settings = CellSettings(point.cell.specification)
    removal = .init(validation: point.validation.removal, test: point.test.removal)
    retentionCost = .init(validation: point.validation.retentionCost, test: point.test.retentionCost)
    let observed = point.evaluation.corpora.filter { $0.role == .observe }
    let costs = observed.map {
      ($0.name, FrontierDocument.Splits(validation: $0.increase(.validation), test: $0.increase(.test)))
    }
    offTargetCosts = Dictionary(costs) { first, _ in first }
    testIntervals = .init([point])
    switch point.edit {
    case .prefactors(let values): alphas = values.map(FrontierDocument.Number.init)
    case .lora(let norms):
      loraNorms = Dictionary(norms.map { ($0.site, FrontierDocument.Number($0.norm)) }) { first, _ in first }
    case .full(let norms):
      fullNorms = Dictionary(norms.map { ($0.site, FrontierDocument.Number($0.norm)) }) { first, _ in first }
    case nil: break
    }
  }
}

extension FrontierDocument.Setting {
  init(_ group: SeedGroup) {
    cells = group.members.map(\.cell.index)
    seeds = group.members.map(\.cell.specification.seed)
    step = group.first.isFinal ? nil : group.first.evaluation.step
    settings = CellSettings(group.first.cell.specification)
    removal = .init(validation: .init(group.removal(.validation)), test: .init(group.removal(.test)))
    retentionCost = .init(validation: .init(group.retentionCost(.validation)), test: .init(group.retentionCost(.test)))
    testIntervals = .init(group.members)
  }
}

extension FrontierDocument.Intervals {
  /// The intervals of one setting's medians over its points.
  init?(_ points: [TradeOffPoint]) {
    guard let intervals = points.intervals(.test) else { return nil }
    func ends(_ quantity: TradeOffQuantity) -> FrontierDocument.Ends? {
      intervals[quantity].map { .init(low: .init($0.low), high: .init($0.high)) }
    }
    removal = ends(.removal)
    retentionCost = ends(.retentionCost)
    offTargetCosts = [:]
    for quantity in intervals.keys {
      if case .offTargetCost(let corpus) = quantity { offTargetCosts[corpus] = ends(quantity) }
    }
  }
}

extension FrontierDocument.Spread {
  init(_ spread: SeedSpread) {
    median = .init(spread.median)
    minimum = .init(spread.minimum)
    maximum = .init(spread.maximum)
  }
}

extension FrontierDocument.Target {
  init(_ target: TokensToTarget, _ analysis: FrontierAnalysis) {
    tokens = .init(target.tokens)
    testRemoval = .init(target.chosen.isEmpty ? nil : SeedSpread(target.chosen.map(\.test.removal)).median)
    testRetentionCost = .init(target.chosen.isEmpty ? nil : SeedSpread(target.chosen.map(\.test.retentionCost)).median)
    testIntervals = .init(target.chosen)
    seeds = target.choices.map { choice in
      Seed(
        seed: choice.seed, tokenBudget: .init(choice.point.map { Double($0.tokenBudget) }),
        reachesGoalOnTest: choice.point.map {
          analysis.goal.isMet(by: $0.test, uniformGuess: analysis.uniformGuess)
        } ?? false,
        point: choice.point.map(FrontierDocument.Point.init))
    }
  }
}
