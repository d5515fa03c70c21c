import Foundation
import SweepCore

/// A folder with a sweep whose methods select, and the harvest that they select from.
struct SelectionFolder {
  let folder: SweepFolder

  /// A sweep of one method for each selection, named `m0`, `m1`, ...; `others` are more methods.
  init(_ selections: [String], others: String = "", harvest: MadeUpHarvest?) throws {
    folder = try SweepFolder(sweep: Self.sweep(selections, others: others))
    if let harvest { try folder.write(try harvest.json, to: "small/decomposition.harvest.json") }
  }

  static func sweep(_ selections: [String], others: String = "") -> String {
    """
    sweep: chosen
    target: small
    corpora:
      forget: {german: text/de.txt}
      retain: {english: text/en.txt}
      observe: {french: text/fr.txt, spanish: text/es.txt}
    evaluation: {tokens_per_corpus: 128, context: 128}
    grid: {token_budget: [4], learning_rate: [0.1], retain_weight: [1], steps: [5]}
    methods:
    \(selections.enumerated().map { "  m\($0): {edit: prefactors, subcomponents: \($1)}\n" }.joined())\(others)
    """
  }

  func resolve() throws -> ResolvedSweep { try folder.resolver().resolve(folder.spec()) }

  /// The one line that resolving is refused in.
  func refusal() -> String {
    do {
      return "accepted: \(try resolve().selections)"
    } catch {
      return "\(error)"
    }
  }

  func remove() { folder.remove() }
}

extension ResolvedSweep {
  /// The subcomponents that a method's cells scale.
  func scaled(by method: String) -> [String] {
    guard let cell = cells.first(where: { $0.method == method }),
      case .prefactors(let subcomponents, _) = cell.specification.edit
    else { return [] }
    return subcomponents
  }

  /// The sites that a method's cells add low-rank factors to.
  func adapted(by method: String) -> [String] {
    guard let cell = cells.first(where: { $0.method == method }),
      case .lora(_, .named(let sites), _) = cell.specification.edit
    else { return [] }
    return sites
  }
}
