import Foundation
import SweepCore
import SweepReport
import Testing

@Suite struct FrontierDocumentTests {
  /// Reads JSON, so that documents are compared by what they say and not by their white space.
  static func read(_ text: String) throws -> NSDictionary {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary)
  }

  static func splits(_ validation: Double, _ test: Double) -> String {
    "{\"validation\": \(validation), \"test\": \(test)}"
  }

  static let solved = """
    {"edit": "prefactors", "subcomponents": ["h.1.mlp.c_fc:8"], "alphas": "separate", "optimiser": "solve",
     "forget_loss": "hinge", "retain_loss": "kl", "retain_weight": 10, "retain_tokens": 64}
    """
  static let trained = """
    {"edit": "lora", "rank": 1, "sites": ["h.0.mlp.c_fc", "h.1.mlp.c_fc"], "scale": 1, "optimiser": "adamw",
     "learning_rate": 0.01, "steps": 100, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0,
     "forget_loss": "hinge", "retain_loss": "kl", "retain_weight": 10, "retain_tokens": 64}
    """
  static let set = """
    {"edit": "prefactors", "subcomponents": ["h.1.mlp.c_fc:8"], "alphas": "fixed", "alpha": 2}
    """

  static func point(
    _ cell: Int, _ method: String, budget: Int = 4, seed: Int = 0, step: Int = 0, isFinal: Bool = true,
    settings: String, removal: String, cost: String, french: String, learned: String
  ) -> String {
    """
    {"cell": \(cell), "fingerprint": "\(SmallSweep.records[cell].cell.fingerprint)", "method": "\(method)",
     "token_budget": \(budget), "seed": \(seed), "step": \(step), "is_final": \(isFinal), "settings": \(settings),
     "removal": \(removal), "retention_cost": \(cost), "off_target_costs": {"french": \(french)}\(learned)}
    """
  }

  static let first = point(
    0, "one-scalar", settings: solved, removal: splits(8, 8.5), cost: splits(0.03125, 0.015625),
    french: splits(0.5, 0.25), learned: ", \"alphas\": [6]")
  static let second = point(
    1, "one-scalar", seed: 1, settings: solved, removal: splits(8.25, 8), cost: splits(0.046875, 0.0625),
    french: splits(0, 0), learned: ", \"alphas\": [-5.5]")
  static let halfway = point(
    2, "lora", step: 50, isFinal: false, settings: trained, removal: splits(4, 4.25), cost: splits(0, 0),
    french: splits(0, 0), learned: "")
  static let finished = point(
    2, "lora", step: 100, settings: trained, removal: splits(7, 7.25), cost: splits(1, 0.5), french: splits(1, 0.5),
    learned: ", \"lora_norms\": {\"h.0.mlp.c_fc\": 3, \"h.1.mlp.c_fc\": 4}")
  static let scanned = point(
    4, "scan", budget: 0, settings: set, removal: splits(3.5, 3.5), cost: splits(0, 0), french: splits(0, 0),
    learned: ", \"alphas\": [2]")

  static func spread(_ median: Double, _ minimum: Double, _ maximum: Double) -> String {
    "{\"median\": \(median), \"minimum\": \(minimum), \"maximum\": \(maximum)}"
  }

  /// A setting tried with one seed.
  static func setting(_ cell: Int, step: String = "", _ settings: String, removal: Losses, cost: Losses) -> String {
    func spreads(_ losses: Losses) -> String {
      let (validation, test) = losses
      return "{\"validation\": \(spread(validation, validation, validation)), \"test\": \(spread(test, test, test))}"
    }
    return """
      {"cells": [\(cell)], "seeds": [0]\(step), "settings": \(settings), "removal": \(spreads(removal)),
       "retention_cost": \(spreads(cost))}
      """
  }

  typealias Losses = (Double, Double)

  static func unreached(_ seeds: [Int]) -> String {
    let seeds = seeds.map { "{\"seed\": \($0), \"token_budget\": null, \"reaches_goal_on_test\": false}" }
    return """
      {"tokens": null, "test_removal": null, "test_retention_cost": null, "seeds": [\(seeds.joined(separator: ","))]}
      """
  }

  static func cells(pending: Int = 0, completed: Int = 0, failed: Int = 0) -> String {
    """
    {"pending": \(pending), "running": 0, "completed": \(completed), "failed": \(failed), "cancelled": 0}
    """
  }

  /// Written by hand, with the areas of rectangles for hypervolumes: the reference is one nat of cost, the base
  /// model's removal (3 and 3.25), and one doubling above the largest budget.
  @Test func saysWhatIsOnEveryFrontAndWhatItIsWorth() throws {
    let guess = log(2048.0)
    let doublings = log2(5.0) + 1
    let scalar = ((1 - 0.03125) * (guess - 3), (1 - 0.015625) * (guess - 3.25))
    let expected = """
      {"schema": "pdsweep.frontier/1", "sweep": "small", "vocabulary_size": 2048, "uniform_guess": \(guess),
       "corpora": {"forget": ["german"], "retain": ["english"], "observe": ["french"]},
       "goal": {"removal": \(guess), "retention_cost_at_most": 0.05},
       "base": {"german": \(Self.splits(3, 3.25)), "english": \(Self.splits(2, 2.5)), "french": \(Self.splits(1, 1))},
       "cells": \(Self.cells(pending: 1, completed: 4, failed: 1)),
       "hypervolume_reference":
         {"retention_cost": 1, "removal": \(Self.splits(3, 3.25)), "token_doublings": \(doublings)},
       "frontier": [\(Self.halfway), \(Self.first)],
       "frontier_with_tokens": [\(Self.scanned), \(Self.halfway), \(Self.first)],
       "methods": [
         {"name": "one-scalar", "cells": \(Self.cells(completed: 2)),
          "frontier": [\(Self.first)], "frontier_with_tokens": [\(Self.first)],
          "budgets": [{"token_budget": 4, "frontier": [\(Self.first)], "median_frontier": [
            {"cells": [0, 1], "seeds": [0, 1], "settings": \(Self.solved),
             "removal": {"validation": \(Self.spread(8.125, 8, 8.25)), "test": \(Self.spread(8.25, 8, 8.5))},
             "retention_cost": {"validation": \(Self.spread(0.0390625, 0.03125, 0.046875)),
                                "test": \(Self.spread(0.0390625, 0.015625, 0.0625))}}]}],
          "hypervolume": \(Self.splits(scalar.0, scalar.1)),
          "hypervolume_with_tokens": \(Self.splits(scalar.0, scalar.1)),
          "tokens_to_target": {"tokens": 4, "test_removal": 8.25, "test_retention_cost": 0.0390625, "seeds": [
            {"seed": 0, "token_budget": 4, "reaches_goal_on_test": true, "point": \(Self.first)},
            {"seed": 1, "token_budget": 4, "reaches_goal_on_test": false, "point": \(Self.second)}]}},
         {"name": "lora", "cells": \(Self.cells(completed: 1, failed: 1)),
          "frontier": [\(Self.halfway), \(Self.finished)],
          "frontier_with_tokens": [\(Self.halfway), \(Self.finished)],
          "budgets": [{"token_budget": 4, "frontier": [\(Self.halfway), \(Self.finished)], "median_frontier": [
            \(Self.setting(2, step: ", \"step\": 50", Self.trained, removal: (4, 4.25), cost: (0, 0))),
            \(Self.setting(2, Self.trained, removal: (7, 7.25), cost: (1, 0.5)))]}],
          "hypervolume": \(Self.splits(1, 2.5)), "hypervolume_with_tokens": \(Self.splits(1, 2.5)),
          "tokens_to_target": \(Self.unreached([0, 1]))},
         {"name": "scan", "cells": \(Self.cells(pending: 1, completed: 1)),
          "frontier": [\(Self.scanned)], "frontier_with_tokens": [\(Self.scanned)],
          "budgets": [{"token_budget": 0, "frontier": [\(Self.scanned)], "median_frontier": [
            \(Self.setting(4, Self.set, removal: (3.5, 3.5), cost: (0, 0)))]}],
          "hypervolume": \(Self.splits(0.5, 0.25)),
          "hypervolume_with_tokens": \(Self.splits(0.5 * doublings, 0.25 * doublings)),
          "tokens_to_target": \(Self.unreached([0]))}
       ]}
      """
    let found = try #require(Self.read(SmallSweep.report().frontierJSON()).mutableCopy() as? NSMutableDictionary)
    let units = try #require(found["units"] as? [String: String])
    #expect(
      Set(units.keys) == [
        "removal", "retention_cost", "off_target_cost", "token_budget", "hypervolume", "hypervolume_with_tokens",
        "test_intervals",
      ])
    found.removeObject(forKey: "units")
    let expectedDocument = try Self.read(expected)
    for (key, value) in expectedDocument {
      let other = try #require(found[key] as? NSObject, "\(key) is missing")
      #expect(other == value as? NSObject, "\(key)")
    }
    #expect(found.count == expectedDocument.count)
  }
}
