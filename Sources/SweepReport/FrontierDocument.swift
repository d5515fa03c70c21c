internal import Foundation
internal import SweepCore

/// The content of `frontier.json`. Keys are sorted and in snake case; numbers are in nats unless named otherwise, by
/// the shortest numeral that reads back exactly; a number that is not finite is `null`.
struct FrontierDocument: Encodable {
  /// Counts changes that readers of the file would notice.
  var schema = "pdsweep.frontier/1"
  var sweep: String
  var units = Units()
  /// Names by role.
  var corpora: Corpora
  var vocabularySize: Int
  /// ln(vocabulary size): removal counts up to here on every front.
  var uniformGuess: Number
  var goal: Goal
  /// Cross-entropies of the base model, by corpus; `null` without a measurement.
  var base: [String: Splits]?
  /// Number of cells in each state.
  var cells: [String: Int]
  /// What hypervolumes are measured from; points not better on every axis add nothing.
  var hypervolumeReference: Reference?
  /// In the order of the sweep file.
  var methods: [Method]
  /// The front of all methods: retention cost (less) and removal (more), decided on validation.
  var frontier: [Point]
  /// The same with the token budget (less) as third axis.
  var frontierWithTokens: [Point]

  struct Units: Encodable {
    var removal = "nats: mean cross-entropy of the edited model on the forget corpora"
    var retentionCost = "nats: mean increase of the retain corpora's cross-entropy over the base model"
    var offTargetCost = "nats: increase of an observed corpus's cross-entropy over the base model"
    var tokenBudget = "tokens of the forget corpora that training may see"
    var hypervolume = "nats^2: retention cost x removal"
    var hypervolumeWithTokens = "nats^2 x doublings: retention cost x removal x log2(1 + token budget)"
    var testIntervals =
      "nats: 95 % percentile intervals by 2000 draws of the test split's evaluation windows, and of seeds for medians"
  }

  struct Corpora: Encodable {
    var forget: [String]
    var retain: [String]
    var observe: [String]
  }

  struct Goal: Encodable {
    var removal: Number
    var retentionCostAtMost: Number
  }

  struct Splits: Encodable {
    var validation: Number
    var test: Number

    init(validation: Double, test: Double) {
      self.validation = Number(validation)
      self.test = Number(test)
    }

    init(_ losses: SplitLosses) {
      self.init(validation: losses.validation, test: losses.test)
    }
  }

  struct Reference: Encodable {
    var retentionCost: Number
    var removal: Splits
    var tokenDoublings: Number
  }

  struct Method: Encodable {
    var name: String
    var cells: [String: Int]
    /// The method's front, by ascending retention cost on validation.
    var frontier: [Point]
    var frontierWithTokens: [Point]
    /// One entry for each token budget with measurements, ascending.
    var budgets: [Budget]
    var hypervolume: Splits?
    var hypervolumeWithTokens: Splits?
    var tokensToTarget: Target
  }

  struct Budget: Encodable {
    var tokenBudget: Int
    /// The front at this budget.
    var frontier: [Point]
    /// The front of medians over seeds: what `frontier.svg` draws.
    var medianFrontier: [Setting]
  }

  /// One measurement.
  struct Point: Encodable {
    var cell: Int
    var fingerprint: String
    var method: String
    var tokenBudget: Int
    var seed: UInt64
    var step: Int
    var isFinal: Bool
    var settings: CellSettings
    var removal: Splits
    var retentionCost: Splits
    /// By corpus.
    var offTargetCosts: [String: Splits]
    /// Absent where the result does not tell what its windows read.
    var testIntervals: Intervals?
    /// Of a finished prefactor edit, in the order of `settings.subcomponents`.
    var alphas: [Number]?
    /// Of a finished LoRA: Frobenius norm of the change, by site.
    var loraNorms: [String: Number]?
    /// Of a finished full fine-tune: Frobenius norm of the change, by site.
    var fullNorms: [String: Number]?
  }

  /// One setting over its seeds.
  struct Setting: Encodable {
    var cells: [Int]
    var seeds: [UInt64]
    /// `null` for finished edits, whose steps may differ.
    var step: Int?
    var settings: CellSettings
    var removal: Spreads
    var retentionCost: Spreads
    /// Of the medians; absent where a result does not tell what its windows read.
    var testIntervals: Intervals?
  }

  /// Where numbers of the test split lie with 95 % confidence.
  struct Intervals: Encodable {
    var removal: Ends?
    var retentionCost: Ends?
    /// By corpus.
    var offTargetCosts: [String: Ends]
  }

  struct Ends: Encodable {
    var low: Number
    var high: Number
  }

  struct Spreads: Encodable {
    var validation: Spread
    var test: Spread
  }

  struct Spread: Encodable {
    var median: Number
    var minimum: Number
    var maximum: Number
  }

  /// The smallest token budget that reaches the goal.
  struct Target: Encodable {
    /// The median over seeds, where a seed that never reaches it counts as infinite; `null` if the median is.
    var tokens: Number
    /// Medians of the chosen edits' test readings; `null` where none is chosen.
    var testRemoval: Number
    var testRetentionCost: Number
    /// Of these medians; absent where a result does not tell what its windows read.
    var testIntervals: Intervals?
    var seeds: [Seed]

    struct Seed: Encodable {
      var seed: UInt64
      /// `null` where the goal is not reached.
      var tokenBudget: Number
      /// Whether the chosen edit reaches the goal on the test split as well.
      var reachesGoalOnTest: Bool
      var point: Point?
    }
  }

  /// A number that becomes `null` where JSON cannot hold it, or where there is none.
  struct Number: Encodable {
    var value: Double?

    init(_ value: Double?) {
      self.value = value
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      if let value, value.isFinite { try container.encode(value) } else { try container.encodeNil() }
    }
  }
}

extension ReportedSweep {
  /// `frontier.json`: goal, fronts, hypervolumes and tokens-to-target of every method. ``FrontierDocument`` says what
  /// each field means.
  public func frontierJSON() -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(FrontierDocument(self)), as: UTF8.self) + "\n"
    } catch {
      preconditionFailure("a frontier document holds nothing that JSON does not: \(error)")
    }
  }
}
