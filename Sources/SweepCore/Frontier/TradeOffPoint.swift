/// A measurement of an edit in the trade-off plane: one cell gives one for its finished edit and one for every
/// evaluation along its training.
public struct TradeOffPoint: Sendable, Hashable {
  /// The cell.
  public let cell: Cell
  /// The measurement.
  public let evaluation: EvaluationPoint
  /// What was learned; `nil` for an evaluation along the way, whose edit is not kept.
  public let edit: EditSummary?
  /// What every evaluation window read; `nil` where the result does not tell.
  public let windows: PointWindows?
  /// What choices are made on.
  public let validation: TradeOffReading
  /// What is reported.
  public let test: TradeOffReading

  /// Creates a point.
  init(cell: Cell, evaluation: EvaluationPoint, edit: EditSummary?, windows: PointWindows?) {
    self.cell = cell
    self.evaluation = evaluation
    self.edit = edit
    self.windows = windows
    validation = TradeOffReading(evaluation, .validation)
    test = TradeOffReading(evaluation, .test)
  }

  /// Whether it measures the finished edit.
  public var isFinal: Bool { edit != nil }

  /// The number of forget-corpus tokens the edit may have seen; 0 for an edit that is set rather than trained.
  public var tokenBudget: Int { cell.specification.training?.tokenBudget ?? 0 }

  /// The reading on a split.
  public func reading(_ split: EvaluationSplit) -> TradeOffReading {
    switch split {
    case .validation: validation
    case .test: test
    }
  }

  /// The points of all results, by ascending cell and step.
  public static func points(of records: [CellRecord]) -> [TradeOffPoint] {
    let finished = records.compactMap { record in record.result.map { (cell: record.cell, result: $0) } }
    return finished.sorted { $0.cell.index < $1.cell.index }.flatMap { points(of: $0.result, by: $0.cell) }
  }

  /// The points of one cell's result, by ascending step.
  static func points(of result: CellResult, by cell: Cell) -> [TradeOffPoint] {
    result.evaluations.enumerated().map { place, evaluation in
      TradeOffPoint(
        cell: cell, evaluation: evaluation, edit: place == result.evaluations.count - 1 ? result.edit : nil,
        windows: result.windows.map { PointWindows(base: $0.base, edited: $0.edited[place]) })
    }
  }
}

/// What every evaluation window read at one measurement: one element a corpus, in the specification's order.
public struct PointWindows: Sendable, Hashable {
  /// With the base model.
  public let base: [WindowLosses]
  /// With the edited model.
  public let edited: [WindowLosses]
}

/// What an edit does to the language to remove and to the one to keep, on one split.
public struct TradeOffReading: Sendable, Hashable {
  /// Mean cross-entropy on the forget corpora, nats: more is better, up to that of a uniform guess.
  public let removal: Double
  /// Mean increase of the retain corpora's cross-entropy over the base, nats: less is better.
  public let retentionCost: Double

  /// Creates a reading.
  public init(removal: Double, retentionCost: Double) {
    self.removal = removal
    self.retentionCost = retentionCost
  }

  /// Reads a measurement.
  init(_ evaluation: EvaluationPoint, _ split: EvaluationSplit) {
    self.init(removal: evaluation.removal(split), retentionCost: evaluation.retentionCost(split))
  }

  /// The reading with removal no greater than `cap`: beyond a uniform guess there is nothing left to remove, and an
  /// edit should not look better for being wrong with confidence.
  public func capped(at cap: Double) -> TradeOffReading {
    removal > cap ? TradeOffReading(removal: cap, retentionCost: retentionCost) : self
  }
}
