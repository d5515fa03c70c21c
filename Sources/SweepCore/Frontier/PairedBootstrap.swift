internal import ContentHash

/// What an edit is judged by.
public enum TradeOffQuantity: Sendable, Hashable {
  /// Mean cross-entropy on the forget corpora, nats: more is better.
  case removal
  /// Mean increase of the retain corpora's cross-entropy over the base, nats: less is better.
  case retentionCost
  /// Increase of an observed corpus's cross-entropy over the base, nats: less is better.
  case offTargetCost(corpus: String)
}

/// Where a quantity lies with a stated confidence, nats.
public struct Interval: Sendable, Hashable {
  /// The lower end.
  public let low: Double
  /// The upper end.
  public let high: Double

  /// Creates an interval.
  public init(low: Double, high: Double) {
    self.low = low
    self.high = high
  }

  /// The interval of the opposite number.
  static prefix func - (interval: Interval) -> Interval {
    Interval(low: -interval.high, high: -interval.low)
  }
}

/// Two edits held against each other on one quantity.
public struct EditComparison: Sendable, Hashable {
  /// What can be said of the first edit.
  public enum Verdict: String, Sendable, Hashable, CaseIterable {
    /// The interval lies on the better side of zero.
    case better
    /// The interval lies on the worse side of zero.
    case worse
    /// The interval holds zero: other text of the same kind might have turned the two around.
    case withinNoise = "within noise"
  }

  /// The first edit's number minus the second's, nats.
  public let difference: Double
  /// Where the difference lies.
  public let interval: Interval
  /// The plain statement.
  public let verdict: Verdict
}

/// Intervals for what an edit reads on the held-out text, and for the difference between two edits, by drawing the
/// evaluation windows of every corpus anew, with replacement, and reading again.
///
/// The draw is paired: the base model, the edit and the edit that it is compared with are read on the same windows, so
/// that what makes a window hard for all of them cancels. Corpora are drawn each for itself. For one setting over its
/// seeds the number is the median over seeds; seeds are then drawn anew as well, and all seeds are read on the same
/// windows, for they share their held-out text: seeds and windows cross.
///
/// The ends are percentiles of the redrawn numbers (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993,
/// chapter 13), between two of them by linear interpolation. Their bias-corrected form (chapter 14) is not used: a mean
/// over windows has no bias to correct, and for medians over crossed draws its acceleration is not defined. Percentiles
/// of n windows are narrower than Student's interval by a factor of about 1 - 1.7 / n, and those over three seeds rest
/// on three seeds.
///
/// Draws are seeded by the cells' fingerprints, so every machine gives the same bits, whatever the order of the edits.
public struct PairedBootstrap: Sendable, Hashable {
  /// The share of intervals that hold the true value.
  public let level: Double
  /// How often the windows are drawn anew.
  public let resamples: Int

  /// Creates a bootstrap.
  public init(level: Double = 0.95, resamples: Int = 2000) {
    precondition(level > 0 && level < 1 && resamples > 1, "a bootstrap at level \(level) with \(resamples) resamples")
    self.level = level
    self.resamples = resamples
  }

  /// Where a quantity of an edit lies; of several points, which are one setting over its seeds, where their median lies.
  ///
  /// - Returns: `nil` where the windows of a point are not known or fewer than two, where points were not read on the
  ///   same windows, or where there is no such corpus.
  public func interval(
    of quantity: TradeOffQuantity, on split: EvaluationSplit, over points: [TradeOffPoint]
  ) -> Interval? {
    guard let sample = WindowSample(of: quantity, on: split, [points], cap: nil) else { return nil }
    var generator = generator(for: quantity, split, [Self.name(of: points)])
    return interval(of: sample, &generator) { $0[0] }
  }

  /// How the first edit's number compares with the second's; each is an edit, or one setting over its seeds. Where both
  /// have the same seeds, these are drawn in pairs as well.
  ///
  /// - Parameter uniformGuess: Removal counts up to here, nats, as on every frontier.
  /// - Returns: `nil` as ``interval(of:on:over:)``.
  public func comparison(
    of quantity: TradeOffQuantity, on split: EvaluationSplit, between first: [TradeOffPoint],
    and second: [TradeOffPoint], uniformGuess: Double
  ) -> EditComparison? {
    let names = [Self.name(of: first), Self.name(of: second)]
    // One draw serves both orders.
    let isTurned = names[1] < names[0]
    let ordered = isTurned ? [second, first] : [first, second]
    let cap = quantity == .removal ? uniformGuess : nil
    guard let sample = WindowSample(of: quantity, on: split, ordered, cap: cap),
      let readings = Self.medians(of: quantity, on: split, [first, second], cap: cap)
    else { return nil }
    var generator = generator(for: quantity, split, names.sorted())
    let drawn = interval(of: sample, &generator) { $0[0] - $0[1] }
    let interval = isTurned ? -drawn : drawn
    let isBetter = quantity == .removal ? interval.low > 0 : interval.high < 0
    let isWorse = quantity == .removal ? interval.high < 0 : interval.low > 0
    return EditComparison(
      difference: readings[0] - readings[1], interval: interval,
      verdict: isBetter ? .better : isWorse ? .worse : .withinNoise)
  }

  private func interval(
    of sample: WindowSample, _ generator: inout BootstrapGenerator, _ number: ([Double]) -> Double
  ) -> Interval {
    var sample = sample
    var drawn = [Double](repeating: 0, count: resamples)
    for place in drawn.indices {
      sample.draw(&generator)
      drawn[place] = number(sample.medians)
    }
    drawn.sort()
    return Interval(low: Self.quantile((1 - level) / 2, of: drawn), high: Self.quantile((1 + level) / 2, of: drawn))
  }

  /// The quantile of ascending numbers, between two of them by linear interpolation.
  private static func quantile(_ share: Double, of sorted: [Double]) -> Double {
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    guard below + 1 < sorted.count else { return sorted[sorted.count - 1] }
    return sorted[below] + (place - Double(below)) * (sorted[below + 1] - sorted[below])
  }

  /// The medians of the recorded means over each group's seeds.
  private static func medians(
    of quantity: TradeOffQuantity, on split: EvaluationSplit, _ groups: [[TradeOffPoint]], cap: Double?
  ) -> [Double]? {
    let readings = groups.map { points in
      points.compactMap { $0.value(of: quantity, on: split) }.map { min($0, cap ?? .infinity) }
    }
    guard zip(readings, groups).allSatisfy({ $0.count == $1.count && !$0.isEmpty }) else { return nil }
    return readings.map { SeedSpread($0).median }
  }

  /// Names points in an order of their own.
  private static func name(of points: [TradeOffPoint]) -> String {
    points.map { "\($0.cell.fingerprint) \($0.evaluation.step)" }.sorted().joined(separator: ",")
  }

  private func generator(
    for quantity: TradeOffQuantity, _ split: EvaluationSplit, _ names: [String]
  ) -> BootstrapGenerator {
    let what =
      switch quantity {
      case .removal: "removal"
      case .retentionCost: "retention cost"
      case .offTargetCost(let corpus): "off-target cost \(corpus)"
      }
    let text = (["bootstrap", split.rawValue, what] + names).joined(separator: "/")
    return BootstrapGenerator(seed: SHA256Digest(of: text).leadingWord)
  }
}

extension TradeOffPoint {
  /// All quantities that the measurement has a number of.
  public var quantities: [TradeOffQuantity] {
    [.removal, .retentionCost]
      + evaluation.corpora.filter { $0.role == .observe }.map { .offTargetCost(corpus: $0.name) }
  }

  /// The number of a quantity, nats; `nil` where there is no such corpus.
  public func value(of quantity: TradeOffQuantity, on split: EvaluationSplit) -> Double? {
    switch quantity {
    case .removal: reading(split).removal
    case .retentionCost: reading(split).retentionCost
    case .offTargetCost(let corpus):
      evaluation.corpora.first { $0.role == .observe && $0.name == corpus }?.increase(split)
    }
  }

  /// Where each quantity of the edit lies; `nil` where the windows are not known.
  public func intervals(
    _ split: EvaluationSplit, _ bootstrap: PairedBootstrap = PairedBootstrap()
  ) -> [TradeOffQuantity: Interval]? {
    [self].intervals(split, bootstrap)
  }
}

extension [TradeOffPoint] {
  /// Where the median over seeds of each quantity of a setting lies; `nil` where the windows are not known.
  public func intervals(
    _ split: EvaluationSplit, _ bootstrap: PairedBootstrap = PairedBootstrap()
  ) -> [TradeOffQuantity: Interval]? {
    let quantities = first?.quantities ?? []
    let intervals = quantities.compactMap { quantity in
      bootstrap.interval(of: quantity, on: split, over: self).map { (quantity, $0) }
    }
    return intervals.isEmpty ? nil : Dictionary(intervals) { first, _ in first }
  }
}
