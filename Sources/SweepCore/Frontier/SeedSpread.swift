/// The middle and the extremes of a number over seeds.
public struct SeedSpread: Sendable, Hashable {
  /// The middle value; the mean of the two middle ones if their number is even.
  public let median: Double
  /// The smallest value.
  public let minimum: Double
  /// The largest value.
  public let maximum: Double

  /// Creates a spread of at least one value; all three numbers are NaN if any value is.
  public init(_ values: [Double]) {
    precondition(!values.isEmpty, "a spread needs a value")
    let sorted = values.contains(where: \.isNaN) ? [.nan] : values.sorted()
    let middle = sorted.count / 2
    let isOdd = !sorted.count.isMultiple(of: 2)
    median = isOdd ? sorted[middle] : sorted[middle - 1] / 2 + sorted[middle] / 2
    minimum = sorted[0]
    maximum = sorted[sorted.count - 1]
  }
}

/// The same edit tried with several seeds: one setting of all hyper-parameters, measured at one point of training.
public struct SeedGroup: Sendable, Hashable {
  /// The points, by ascending cell; at least one.
  public let members: [TradeOffPoint]

  /// The point of the first cell, which stands for what all have in common.
  public var first: TradeOffPoint { members[0] }

  /// The median reading on a split, each axis for itself.
  public func median(_ split: EvaluationSplit) -> TradeOffReading {
    TradeOffReading(removal: removal(split).median, retentionCost: retentionCost(split).median)
  }

  /// Removal over the seeds, nats.
  public func removal(_ split: EvaluationSplit) -> SeedSpread {
    SeedSpread(members.map { $0.reading(split).removal })
  }

  /// Retention cost over the seeds, nats.
  public func retentionCost(_ split: EvaluationSplit) -> SeedSpread {
    SeedSpread(members.map { $0.reading(split).retentionCost })
  }

  /// Groups points by all but their seed, in the order of each group's first point.
  ///
  /// Finished edits belong together whatever their number of steps: a search in one dimension ends when it ends.
  static func groups(of points: [TradeOffPoint]) -> [SeedGroup] {
    struct Setting: Hashable {
      var method: String
      var specification: CellSpecification
      var step: Int?
    }
    var places: [Setting: Int] = [:]
    var groups: [[TradeOffPoint]] = []
    for point in points {
      var specification = point.cell.specification
      specification.seed = 0
      let step = point.isFinal ? nil : point.evaluation.step
      let setting = Setting(method: point.cell.method, specification: specification, step: step)
      if let place = places[setting] {
        groups[place].append(point)
      } else {
        places[setting] = groups.count
        groups.append([point])
      }
    }
    return groups.map(SeedGroup.init(members:))
  }
}
