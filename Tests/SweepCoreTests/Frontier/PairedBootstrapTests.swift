import ContentHash
import Foundation
import SweepCore
import TestSupport
import Testing

/// Intervals from evaluation windows: against scipy and brute force, on made-up edits whose truth is known, and in what
/// they refuse to say.
@Suite struct PairedBootstrapTests {
  /// What one corpus read on its windows; the same on either split.
  struct Reading {
    var name: String
    var role: CorpusRole
    var base: [Float]
    var edited: [Float]
  }

  /// A measurement with its windows, or without.
  static func point(
    _ readings: [Reading], seed: UInt64 = 0, rank: Int = 1, context: Int = 128, hasWindows: Bool = true
  ) throws -> TradeOffPoint {
    let digest = SHA256Digest(of: "file")
    let specification = CellSpecification(
      target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: nil),
      corpora: readings.map { CorpusReference(name: $0.name, role: $0.role, text: digest, cut: nil) }, start: "\n",
      evaluation: EvaluationSettings(tokensPerCorpus: 128 * context, context: context),
      edit: .lora(rank: rank, sites: .all, scale: 1), training: nil, seed: seed)
    func losses(_ windows: [Float]) -> SplitLosses {
      let mean = windows.reduce(0) { $0 + Double($1) } / Double(windows.count)
      return SplitLosses(validation: mean, test: mean)
    }
    func windows(_ part: KeyPath<Reading, [Float]>) -> [WindowLosses] {
      readings.map { WindowLosses(validation: $0[keyPath: part], test: $0[keyPath: part]) }
    }
    let evaluation = EvaluationPoint(
      step: 0,
      corpora: readings.map {
        CorpusScore(name: $0.name, role: $0.role, base: losses($0.base), edited: losses($0.edited))
      })
    let result = CellResult(
      evaluations: [evaluation], steps: [], edit: .lora(deltaNorms: []), forgetTokens: 0, retainTokens: 0,
      windows: hasWindows ? ResultWindows(base: windows(\.base), edited: [windows(\.edited)]) : nil)
    let record = CellRecord(
      cell: Cell(index: 0, method: "m", specification: specification), state: .completed, result: result)
    return try #require(TradeOffPoint.points(of: [record]).first)
  }

  static func forgotten(_ edited: [Float], seed: UInt64 = 0, rank: Int = 1) throws -> TradeOffPoint {
    try point([Reading(name: "german", role: .forget, base: edited, edited: edited)], seed: seed, rank: rank)
  }

  static func kept(_ edited: [Float], base: [Float], seed: UInt64 = 0, rank: Int = 1) throws -> TradeOffPoint {
    try point([Reading(name: "english", role: .retain, base: base, edited: edited)], seed: seed, rank: rank)
  }

  // MARK: Against others

  struct Golden: Decodable {
    var name: String
    var first: [[Float]]
    var second: [[Float]]?
    var low: Double
    var high: Double
    var error: Double
  }

  @Test("intervals are those of scipy and of brute force")
  func golden() throws {
    let file = URL(filePath: #filePath).appending(path: "../../Golden/bootstrap.json").standardized
    let cases = try JSONDecoder().decode([Golden].self, from: Data(contentsOf: file))
    #expect(cases.map(\.name) == ["removal", "two corpora", "increase", "seeds", "paired seeds"])
    let bootstrap = PairedBootstrap(resamples: 40_000)
    for golden in cases {
      let second = golden.second ?? []
      let interval =
        switch golden.name {
        case "two corpora":
          bootstrap.interval(
            of: .removal, on: .test,
            over: [
              try Self.point([
                Reading(name: "german", role: .forget, base: golden.first[0], edited: golden.first[0]),
                Reading(name: "dutch", role: .forget, base: second[0], edited: second[0]),
              ])
            ])
        case "increase":
          bootstrap.interval(
            of: .retentionCost, on: .test, over: [try Self.kept(golden.first[0], base: second[0])])
        case "paired seeds":
          bootstrap.comparison(
            of: .removal, on: .test, between: try Self.seeds(golden.first, rank: 1),
            and: try Self.seeds(second, rank: 2), uniformGuess: 100)?.interval
        default: bootstrap.interval(of: .removal, on: .test, over: try Self.seeds(golden.first, rank: 1))
        }
      let found = try #require(interval)
      // The ends of 40,000 draws stray by 0.014 standard errors.
      #expect(abs(found.low - golden.low) < 0.07 * golden.error, "\(golden.name): \(found) \(golden.low)")
      #expect(abs(found.high - golden.high) < 0.07 * golden.error, "\(golden.name): \(found) \(golden.high)")
    }
  }

  static func seeds(_ windows: [[Float]], rank: Int) throws -> [TradeOffPoint] {
    try windows.enumerated().map { try forgotten($1, seed: UInt64($0), rank: rank) }
  }

  // MARK: Against the truth

  @Test("of 500 made-up edits, 95 % intervals hold the truth for 92 to 97 in a hundred")
  func coverage() throws {
    var normal = NormalNumbers(seed: 7)
    let bootstrap = PairedBootstrap(resamples: 400)
    var held = (removal: 0, cost: 0, difference: 0)
    for number in 0..<500 {
      // Some windows are harder than others, by far more than an edit changes any of them.
      let hard = (0..<96).map { _ in 0.5 * normal.next() }
      func readings(removal: Double, cost: Double) -> [Reading] {
        let german = hard.map { Float(removal + $0 + 0.3 * normal.next()) }
        let base = hard.map { Float(3 + $0) }
        return [
          Reading(name: "german", role: .forget, base: base, edited: german),
          Reading(
            name: "english", role: .retain, base: base,
            // The increase is skewed, with a mean of `cost`.
            edited: base.map { $0 + Float(cost * exp(0.5 * normal.next() - 0.125)) }),
        ]
      }
      let first = try Self.point(readings(removal: 6, cost: 0.04), seed: UInt64(number))
      let second = try Self.point(readings(removal: 6, cost: 0.03), seed: UInt64(number), rank: 2)
      func holds(_ interval: Interval?, _ truth: Double) throws -> Int {
        let interval = try #require(interval)
        return interval.low <= truth && truth <= interval.high ? 1 : 0
      }
      held.removal += try holds(bootstrap.interval(of: .removal, on: .test, over: [first]), 6)
      held.cost += try holds(bootstrap.interval(of: .retentionCost, on: .test, over: [first]), 0.04)
      held.difference += try holds(
        bootstrap.comparison(
          of: .retentionCost, on: .test, between: [first], and: [second], uniformGuess: 10)?.interval, 0.01)
    }
    for count in [held.removal, held.cost, held.difference] {
      #expect((460...485).contains(count), "\(held)")
    }
  }

  @Test("what all windows have in common cancels: a difference is seen that either interval alone would hide")
  func pairing() throws {
    var normal = NormalNumbers(seed: 1)
    let hard = (0..<64).map { _ in Float(5 + normal.next()) }
    let strong = try Self.forgotten(hard.map { $0 + 0.05 + 0.02 * Float(normal.next()) })
    let weak = try Self.forgotten(hard, rank: 2)
    let bootstrap = PairedBootstrap()
    let intervals = [strong, weak].compactMap { bootstrap.interval(of: .removal, on: .test, over: [$0]) }
    #expect(intervals[0].low < intervals[1].high, "alone they overlap")
    let comparison = try #require(
      bootstrap.comparison(of: .removal, on: .test, between: [strong], and: [weak], uniformGuess: 9))
    #expect(comparison.verdict == .better)
    #expect(comparison.interval.high - comparison.interval.low < 0.02)
    let turned = try #require(
      bootstrap.comparison(of: .removal, on: .test, between: [weak], and: [strong], uniformGuess: 9))
    #expect(turned.verdict == .worse)
    #expect(turned.interval == Interval(low: -comparison.interval.high, high: -comparison.interval.low))
    #expect(turned.difference == -comparison.difference)
  }

  @Test("the edit that costs less is better, and equal edits are within noise")
  func verdicts() throws {
    var normal = NormalNumbers(seed: 2)
    let base = (0..<40).map { _ in Float(3 + normal.next()) }
    let cheap = try Self.kept(base.map { $0 + 0.01 * Float(normal.next()) }, base: base)
    let dear = try Self.kept(base.map { $0 + 0.05 + 0.01 * Float(normal.next()) }, base: base, rank: 2)
    let other = try Self.kept(base.map { $0 + 0.01 * Float(normal.next()) }, base: base, rank: 3)
    func verdict(_ first: TradeOffPoint, _ second: TradeOffPoint) -> EditComparison.Verdict? {
      PairedBootstrap().comparison(
        of: .retentionCost, on: .test, between: [first], and: [second], uniformGuess: 9)?.verdict
    }
    #expect(verdict(cheap, dear) == .better)
    #expect(verdict(dear, cheap) == .worse)
    #expect(verdict(cheap, other) == .withinNoise)
    #expect(verdict(cheap, cheap) == .withinNoise)
  }

  @Test("beyond a uniform guess there is nothing to be better at")
  func cap() throws {
    let far = try Self.forgotten((0..<20).map { 20 + Float($0) })
    let near = try Self.forgotten((0..<20).map { 9 + Float($0) / 100 }, rank: 2)
    let comparison = try #require(
      PairedBootstrap().comparison(of: .removal, on: .test, between: [far], and: [near], uniformGuess: 8))
    #expect(comparison.verdict == .withinNoise)
    #expect(comparison.difference == 0)
  }

  // MARK: What decides the draw

  @Test("the same cells give the same bits, whatever their order; other cells draw otherwise")
  func reproducible() throws {
    let windows: [[Float]] = (0..<3).map { seed in (0..<16).map { Float(($0 * 7 + seed * 5) % 16) / 8 + 4 } }
    let points = try Self.seeds(windows, rank: 1)
    let bootstrap = PairedBootstrap()
    let interval = try #require(bootstrap.interval(of: .removal, on: .test, over: points))
    #expect(bootstrap.interval(of: .removal, on: .test, over: points.reversed()) == interval)
    #expect(bootstrap.interval(of: .removal, on: .validation, over: points) != interval)
    #expect(bootstrap.interval(of: .removal, on: .test, over: try Self.seeds(windows, rank: 2)) != interval)
  }

  @Test("an interval is asked for by quantity, split and seeds")
  func convenience() throws {
    let base: [Float] = [3, 3.5, 4, 4.5]
    let point = try Self.point([
      Reading(name: "german", role: .forget, base: base, edited: [7, 8, 7.5, 8]),
      Reading(name: "english", role: .retain, base: base, edited: base),
      Reading(name: "french", role: .observe, base: base, edited: [3.25, 3.75, 4.25, 4.75]),
    ])
    let intervals = try #require(point.intervals(.test))
    #expect(Set(intervals.keys) == [.removal, .retentionCost, .offTargetCost(corpus: "french")])
    #expect(intervals[.retentionCost] == Interval(low: 0, high: 0), "the edit changes nothing there")
    #expect(intervals[.offTargetCost(corpus: "french")] == Interval(low: 0.25, high: 0.25), "the same on all windows")
    let removal = try #require(intervals[.removal])
    #expect(7 <= removal.low && removal.low < 7.625 && 7.625 < removal.high && removal.high <= 8)
    #expect([point, point].intervals(.validation) != nil)
  }

  // MARK: What cannot be said

  @Test("without windows, or with one, or on other windows, there is no interval rather than a made-up one")
  func absent() throws {
    let losses: [Float] = [4, 5, 6]
    let bootstrap = PairedBootstrap()
    let known = try Self.forgotten(losses)
    let reading = Reading(name: "german", role: .forget, base: losses, edited: losses)
    let unknown = try Self.point([reading], rank: 2, hasWindows: false)
    #expect(unknown.intervals(.test) == nil)
    #expect(bootstrap.interval(of: .removal, on: .test, over: [known, unknown]) == nil)
    #expect(bootstrap.interval(of: .removal, on: .test, over: []) == nil)
    #expect(bootstrap.interval(of: .retentionCost, on: .test, over: [known]) == nil, "no corpus is kept")
    #expect(bootstrap.interval(of: .offTargetCost(corpus: "german"), on: .test, over: [known]) == nil)
    #expect(try Self.forgotten([4]).intervals(.test) == nil)
    let elsewhere = try Self.point([reading], rank: 2, context: 64)
    let pairs = [(known, unknown), (unknown, known), (known, elsewhere)]
    for (first, second) in pairs {
      let comparison = bootstrap.comparison(
        of: .removal, on: .test, between: [first], and: [second], uniformGuess: 9)
      #expect(comparison == nil)
    }
  }
}

/// Normally distributed numbers by the method of Box and Muller.
private struct NormalNumbers {
  private var random: SeededGenerator

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
  }

  mutating func next() -> Double {
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &random))).squareRoot()
    return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
  }
}
