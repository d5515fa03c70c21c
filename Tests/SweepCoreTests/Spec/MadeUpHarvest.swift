import ContentHash
import Foundation
import SweepCore
import TestSupport

/// A harvest of made-up numbers, in the form of `pdsweep harvest`.
struct MadeUpHarvest {
  struct Entry {
    var site: SitePath
    var index: Int
    var label: String
    /// By language.
    var strength: [String: Double]
    var importance: [String: Double]?
    var attribution: [String: Double]

    var path: SubcomponentPath { SubcomponentPath(site: site, index: index) }
  }

  static let languages = ["english", "german", "french"]
  static let sites = [SitePath("h.0.attn.v_proj"), SitePath("h.0.mlp.c_fc"), SitePath("h.1.attn.q_proj")].compactMap(
    \.self)

  var decomposition = SHA256Digest(of: "one decomposition")
  var weights = SHA256Digest(of: "the weights")
  var languages = Self.languages
  var entries: [Entry]

  /// Draws numbers from few, so that there are equal ones and zeros.
  init(seed: UInt64, hasImportance: Bool) {
    var generator = SeededGenerator(seed: seed)
    func numbers(_ values: [Double]) -> [String: Double] {
      Dictionary(uniqueKeysWithValues: Self.languages.map { ($0, values.randomElement(using: &generator) ?? 0) })
    }
    entries = Self.sites.flatMap { site in
      (0..<Int.random(in: 1...9, using: &generator)).map { index in
        Entry(
          site: site, index: index,
          label: ["german", "all languages", "french"].randomElement(using: &generator) ?? "",
          strength: numbers([0, 1, 2, 3, 4.5]),
          importance: hasImportance ? numbers([0, 0.25, 0.5, 1]) : nil,
          attribution: numbers([-0.5, -0.25, 0, 0.25, 0.5, 0.75]))
      }
    }
  }

  /// Of entries of one site that are told by their strengths.
  init(_ strengths: [(label: String, strength: [String: Double])]) {
    entries = strengths.enumerated().map { index, entry in
      Entry(
        site: Self.sites[1], index: index, label: entry.label, strength: entry.strength, importance: nil,
        attribution: entry.strength)
    }
  }

  /// The file.
  var json: String {
    get throws {
      let subcomponents = entries.map { entry -> [String: Any] in
        var members: [String: Any] = [
          "site": "\(entry.site)", "index": entry.index, "label": entry.label, "strength": entry.strength,
          "attribution": entry.attribution, "density": entry.strength, "examples": [Any](),
          "selectivity": ["language": "german", "ratio": 1.0],
        ]
        members["importance"] = entry.importance
        return members
      }
      let document: [String: Any] = [
        "provenance": [
          "program": "pdsweep", "languages": languages, "tokens": 100,
          "inputs": ["decomposition": "\(decomposition)", "weights": "\(weights)"],
        ],
        "subcomponents": subcomponents,
      ]
      return String(decoding: try JSONSerialization.data(withJSONObject: document), as: UTF8.self)
    }
  }
}
