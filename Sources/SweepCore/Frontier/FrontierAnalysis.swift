internal import Foundation

/// Which edits of a sweep no other dominates, per method and over all, and what they amount to.
///
/// The validation split decides, with removal capped at that of a uniform guess; the test split is for reporting.
/// A function of the records as a set: their order does not matter.
public struct FrontierAnalysis: Sendable {
  /// The cross-entropy of a uniform guess, nats.
  public let uniformGuess: Double
  /// What counts as removed.
  public let goal: SweepGoal
  /// All measurements, by ascending cell and step; fronts index into them.
  public let points: [TradeOffPoint]
  /// The methods, by their first cells.
  public let methods: [MethodFrontier]
  /// The front of all methods: retention cost and removal. By ascending retention cost on validation.
  public let plane: [Int]
  /// The front of all methods with the token budget as third axis, in the same order.
  public let space: [Int]
  /// What hypervolumes are measured from; `nil` without a measurement.
  public let reference: HypervolumeReference?
  /// The removals at which methods are compared, ascending; none without a measurement.
  public let levels: [RemovalLevel]

  /// Analyses the records of a sweep.
  public init(records: [CellRecord], vocabularySize: Int, goal: SweepGoal) {
    let uniformGuess = log(Double(vocabularySize))
    let records = records.sorted { $0.cell.index < $1.cell.index }
    let points = TradeOffPoint.points(of: records)
    let largestBudget = records.map { $0.cell.specification.training?.tokenBudget ?? 0 }.max() ?? 0
    let reference = points.first.map { HypervolumeReference(base: $0, largestBudget: largestBudget) }
    let chooser = FrontChooser(points: points, cap: uniformGuess)
    let base = points.first?.evaluation.baseRemoval(.validation)
    let levels = base.map { RemovalLevel.levels(base: $0, uniformGuess: uniformGuess, goal: goal) } ?? []

    let recordsOfMethod = Dictionary(grouping: records, by: \.cell.method)
    let pointsOfMethod = Dictionary(grouping: points.indices) { points[$0].cell.method }
    var names: [String] = []
    for record in records where names.last != record.cell.method && !names.contains(record.cell.method) {
      names.append(record.cell.method)
    }
    methods = names.map { name in
      MethodFrontier(
        name: name, records: recordsOfMethod[name, default: []], indices: pointsOfMethod[name, default: []],
        chooser: chooser, goal: goal, levels: levels, reference: reference)
    }
    plane = chooser.plane(of: Array(points.indices))
    space = chooser.space(of: Array(points.indices))
    self.uniformGuess = uniformGuess
    self.goal = goal
    self.points = points
    self.reference = reference
    self.levels = levels
  }
}

/// One method's part of a ``FrontierAnalysis``.
public struct MethodFrontier: Sendable {
  /// The measurements at one token budget.
  public struct Budget: Sendable {
    /// The token budget.
    public let tokenBudget: Int
    /// The front at this budget, by ascending retention cost on validation.
    public let plane: [Int]
    /// All settings, each over its seeds.
    public let settings: [SeedGroup]
    /// Places in ``settings`` of the front of medians over seeds, in the same order.
    public let settingsFront: [Int]
    /// What its seeds attain.
    public let attainment: SeedAttainment
    /// What its edits cost at every level of ``FrontierAnalysis/levels``.
    public let matched: [MatchedRemoval]
  }

  /// The method's name.
  public let name: String
  /// Number of cells in each state.
  public let cells: [CellRecord.State: Int]
  /// The method's measurements.
  public let points: [Int]
  /// The front: retention cost and removal. By ascending retention cost on validation.
  public let plane: [Int]
  /// The front with the token budget as third axis, in the same order.
  public let space: [Int]
  /// The token budgets with measurements, ascending.
  public let budgets: [Budget]
  /// How few tokens are enough.
  public let tokensToTarget: TokensToTarget
  /// What its edits cost at every level of ``FrontierAnalysis/levels``, whatever their budget.
  public let matched: [MatchedRemoval]
  /// What the front dominates; `nil` without a measurement in the sweep.
  public let hypervolume: HypervolumeReading?

  init(
    name: String, records: [CellRecord], indices: [Int], chooser: FrontChooser, goal: SweepGoal,
    levels: [RemovalLevel], reference: HypervolumeReference?
  ) {
    self.name = name
    cells = records.reduce(into: [:]) { $0[$1.state, default: 0] += 1 }
    points = indices
    let plane = chooser.plane(of: indices)
    let space = chooser.space(of: indices)
    func match(_ indices: [Int], _ seeds: Set<UInt64>) -> [MatchedRemoval] {
      let points = indices.map { chooser.points[$0] }
      return levels.map { MatchedRemoval(level: $0, points: points, seeds: seeds, cap: chooser.cap) }
    }
    let seeds = Set(records.map(\.cell.specification.seed))
    let specifications = Dictionary(grouping: records.map(\.cell.specification)) { $0.training?.tokenBudget ?? 0 }
    budgets = Dictionary(grouping: indices) { chooser.points[$0].tokenBudget }.sorted { $0.key < $1.key }
      .map { budget, indices in
        let settings = SeedGroup.groups(of: indices.map { chooser.points[$0] })
        let seeds = Set(specifications[budget, default: []].map(\.seed))
        return Budget(
          tokenBudget: budget, plane: chooser.plane(of: indices), settings: settings,
          settingsFront: chooser.plane(of: settings),
          attainment: SeedAttainment(indices: indices, seeds: seeds, chooser: chooser),
          matched: match(indices, seeds))
      }
    matched = match(indices, seeds)
    tokensToTarget = TokensToTarget(
      points: indices.map { chooser.points[$0] }, seeds: seeds, goal: goal, uniformGuess: chooser.cap)
    hypervolume = reference.map { reference in
      func members(_ front: [Int]) -> [FrontMember] {
        front.map { FrontMember(chooser.points[$0], cap: chooser.cap) }
      }
      return HypervolumeReading(
        plane: reference.area(of: members(plane)), space: reference.volume(of: members(space)))
    }
    self.plane = plane
    self.space = space
  }
}

/// Finds fronts among measurements by their validation readings.
struct FrontChooser {
  let points: [TradeOffPoint]
  /// Removal counts up to here, nats.
  let cap: Double

  func plane(of indices: [Int]) -> [Int] {
    let readings = indices.map { points[$0].validation.capped(at: cap) }
    let front = ParetoFront.indices(of: readings.map(\.axes), maximise: [false, true])
    return sorted(front.map { indices[$0] })
  }

  func space(of indices: [Int]) -> [Int] {
    let axes = indices.map { index in
      SIMD3(points[index].validation.capped(at: cap).axes, Double(points[index].tokenBudget))
    }
    return sorted(ParetoFront.indices(of: axes, maximise: [false, true, false]).map { indices[$0] })
  }

  func plane(of settings: [SeedGroup]) -> [Int] {
    let readings = settings.map { $0.median(.validation).capped(at: cap) }
    let front = ParetoFront.indices(of: readings.map(\.axes), maximise: [false, true])
    return front.sorted { left, right in
      let (a, b) = (readings[left], readings[right])
      return (a.retentionCost, a.removal, left) < (b.retentionCost, b.removal, right)
    }
  }

  /// Indices by ascending retention cost, then removal, then budget, cell and step.
  private func sorted(_ front: [Int]) -> [Int] {
    front.sorted { left, right in
      let (a, b) = (points[left], points[right])
      let (x, y) = (a.validation.capped(at: cap), b.validation.capped(at: cap))
      return (x.retentionCost, x.removal, a.tokenBudget, left) < (y.retentionCost, y.removal, b.tokenBudget, right)
    }
  }
}

extension TradeOffReading {
  /// Retention cost, removal.
  var axes: SIMD2<Double> { SIMD2(retentionCost, removal) }
}

/// What hypervolumes are measured from. It follows from the sweep and its base model, not from what the edits
/// read, so that figures of a running sweep can only grow and those of two methods can be compared.
public struct HypervolumeReference: Sendable, Hashable {
  /// A nat: an edit that costs more is of no interest.
  public let retentionCost = 1.0
  /// Removal of the base model on each split, nats.
  public let removal: SplitLosses
  /// The third axis is log2(1 + token budget); its reference lies one above the largest budget of the sweep.
  public let tokenDoublings: Double

  init(base point: TradeOffPoint, largestBudget: Int) {
    removal = SplitLosses(
      validation: point.evaluation.baseRemoval(.validation), test: point.evaluation.baseRemoval(.test))
    tokenDoublings = Self.doublings(largestBudget) + 1
  }

  static func doublings(_ budget: Int) -> Double {
    log2(1 + Double(budget))
  }
}

/// Hypervolumes of the edits on a method's fronts (chosen on validation), as each split reads them.
public struct HypervolumeReading: Sendable, Hashable {
  /// Retention cost x removal, nats squared.
  public internal(set) var plane: SplitLosses
  /// Retention cost x removal x log2(1 + token budget), nats squared x doublings.
  public internal(set) var space: SplitLosses
}

extension HypervolumeReference {
  /// What the edits on a front dominate in the plane.
  func area(of front: [FrontMember]) -> SplitLosses {
    func area(_ axes: KeyPath<FrontMember, SIMD2<Double>>, _ removal: Double) -> Double {
      Hypervolume.area(
        of: front.map { $0[keyPath: axes] }, maximise: [false, true], reference: SIMD2(retentionCost, removal))
    }
    return SplitLosses(validation: area(\.validation, removal.validation), test: area(\.test, removal.test))
  }

  /// What the edits on a front with the token budget dominate.
  func volume(of front: [FrontMember]) -> SplitLosses {
    func volume(_ axes: KeyPath<FrontMember, SIMD2<Double>>, _ removal: Double) -> Double {
      Hypervolume.volume(
        of: front.map { SIMD3($0[keyPath: axes], Self.doublings($0.tokenBudget)) },
        maximise: [false, true, false], reference: SIMD3(retentionCost, removal, tokenDoublings))
    }
    return SplitLosses(validation: volume(\.validation, removal.validation), test: volume(\.test, removal.test))
  }
}

extension EvaluationPoint {
  /// Removal of the base model: the mean cross-entropy on the forget corpora before the edit, nats.
  public func baseRemoval(_ split: EvaluationSplit) -> Double {
    let forgotten = corpora.filter { $0.role == .forget }
    return forgotten.map { $0.base[split] }.reduce(0, +) / Double(forgotten.count)
  }
}
