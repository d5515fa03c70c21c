/// The numbers of one quantity on every evaluation window, for one or two groups of seeds, and what a fresh draw of the
/// windows makes of them. A draw allocates nothing.
struct WindowSample {
  /// A corpus that the quantity is a mean over.
  private struct Stratum {
    let windows: Int
    /// Series by series, of all groups in their order: one series a seed.
    let values: [Double]
  }

  private let strata: [Stratum]
  /// Where each group's series stand.
  private let groups: [Range<Int>]
  /// Whether both groups have the same seeds, so that one draw of seeds serves both.
  private let isPairedBySeed: Bool
  private let cap: Double

  /// The groups' medians in the latest draw.
  private(set) var medians: [Double]
  // Of the latest draw.
  private var windows: [Int]
  private var means: [Double]
  private var seeds: [Int]
  private var chosen: [Double]

  /// Takes the windows of points; `nil` where they are not known, are fewer than two, or are not the same for all.
  ///
  /// - Parameter cap: The quantity of a seed counts up to here.
  init?(
    of quantity: TradeOffQuantity, on split: EvaluationSplit, _ groups: [[TradeOffPoint]], cap: Double?
  ) {
    let groups = groups.map { $0.sorted { $0.cell.specification.seed < $1.cell.specification.seed } }
    let points = groups.flatMap(\.self)
    guard let first = points.first, groups.allSatisfy({ !$0.isEmpty }),
      points.allSatisfy({ $0.isRead(on: first) })
    else { return nil }
    var series: [[[Double]]] = []
    for point in points {
      guard let values = point.windowValues(of: quantity, on: split), !values.isEmpty,
        values.allSatisfy({ $0.count > 1 }), series.isEmpty || values.map(\.count) == series[0].map(\.count)
      else { return nil }
      series.append(values)
    }
    strata = series[0].indices.map { corpus in
      Stratum(windows: series[0][corpus].count, values: series.flatMap { $0[corpus] })
    }
    var ranges: [Range<Int>] = []
    for group in groups {
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<start + group.count)
    }
    self.groups = ranges
    let seedsOfGroups = groups.map { $0.map(\.cell.specification.seed) }
    isPairedBySeed = seedsOfGroups.allSatisfy { $0 == seedsOfGroups[0] }
    self.cap = cap ?? .infinity
    let longest = ranges.map(\.count).max() ?? 0
    medians = Array(repeating: 0, count: groups.count)
    windows = Array(repeating: 0, count: strata.map(\.windows).max() ?? 0)
    means = Array(repeating: 0, count: points.count)
    seeds = Array(repeating: 0, count: longest)
    chosen = Array(repeating: 0, count: longest)
  }

  /// Draws windows and seeds anew, as many as there are, and sets ``medians``.
  mutating func draw(_ generator: inout BootstrapGenerator) {
    for place in means.indices { means[place] = 0 }
    for stratum in strata {
      let count = stratum.windows
      for place in 0..<count { windows[place] = generator.next(below: count) }
      for place in means.indices {
        let start = place * count
        var sum = 0.0
        for window in 0..<count { sum += stratum.values[start + windows[window]] }
        means[place] += sum / Double(count)
      }
    }
    for place in means.indices { means[place] = min(means[place] / Double(strata.count), cap) }
    for (place, group) in groups.enumerated() { medians[place] = median(of: group, isFirst: place == 0, &generator) }
  }

  /// The median over seeds drawn anew; one seed stands for itself.
  private mutating func median(
    of group: Range<Int>, isFirst: Bool, _ generator: inout BootstrapGenerator
  ) -> Double {
    let count = group.count
    guard count > 1 else { return means[group.lowerBound] }
    if isFirst || !isPairedBySeed {
      for place in 0..<count { seeds[place] = generator.next(below: count) }
    }
    // Inserted in order: there are few.
    for place in 0..<count {
      let number = means[group.lowerBound + seeds[place]]
      var free = place
      while free > 0, chosen[free - 1] > number {
        chosen[free] = chosen[free - 1]
        free -= 1
      }
      chosen[free] = number
    }
    let middle = count / 2
    return count.isMultiple(of: 2) ? chosen[middle - 1] / 2 + chosen[middle] / 2 : chosen[middle]
  }
}

/// Numbers that decide which windows are drawn: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct BootstrapGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  /// A whole number below `limit`, which is far below 2^32, each as likely as another.
  mutating func next(below limit: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    mixed ^= mixed >> 31
    return Int(truncatingIfNeeded: ((mixed >> 32) &* UInt64(truncatingIfNeeded: limit)) >> 32)
  }
}

extension TradeOffPoint {
  /// Whether two points were read on the same windows.
  fileprivate func isRead(on other: TradeOffPoint) -> Bool {
    let (a, b) = (cell.specification, other.cell.specification)
    return a.corpora == b.corpora && a.evaluation == b.evaluation && a.start == b.start
      && a.target.tokenizer == b.target.tokenizer
      && evaluation.corpora.map(\.name) == other.evaluation.corpora.map(\.name)
  }

  /// A quantity on every window of each corpus that it is a mean over, nats; `nil` where the windows are not known.
  fileprivate func windowValues(of quantity: TradeOffQuantity, on split: EvaluationSplit) -> [[Double]]? {
    guard let windows else { return nil }
    return evaluation.corpora.indices.compactMap { corpus in
      let score = evaluation.corpora[corpus]
      let edited = windows.edited[corpus][split].map(Double.init)
      func increases() -> [Double] { zip(edited, windows.base[corpus][split]).map { $0 - Double($1) } }
      switch (quantity, score.role) {
      case (.removal, .forget): return edited
      case (.retentionCost, .retain): return increases()
      case (.offTargetCost(let name), .observe): return name == score.name ? increases() : nil
      case (.removal, _), (.retentionCost, _), (.offTargetCost, _): return nil
      }
    }
  }
}
