public import ContentHash
internal import Foundation
public import LanguageModel

/// A harvest read back: which files it belongs to, and what each subcomponent does.
public struct HarvestRecord: Decodable {
  /// What it was made of.
  public struct Provenance: Decodable {
    /// The files that it depends on, by what they are for.
    public let inputs: [String: SHA256Digest]
    /// The languages, in the order in which they were given.
    public let languages: [String]
    /// Training tokens of each.
    public let tokens: Int
  }

  /// What it was made of.
  public let provenance: Provenance
  /// The subcomponents by site in the model's order, and by index.
  public let subcomponents: [SubcomponentHarvest]

  /// Where the harvest of a decomposition stands.
  public static func path(beside decomposition: String) -> String {
    URL(fileURLWithPath: decomposition).deletingPathExtension().path + ".harvest.json"
  }

  /// Reads a harvest file.
  ///
  /// - Throws: an `InputFileError` if there is none, or something else.
  public init(path: String) throws(InputFileError) {
    self = try TargetJSON.read(Self.self, path, expected: "a harvest as `pdsweep harvest` writes it")
  }
}

extension HarvestRecord {
  /// The subcomponents that stand for each language, by one rule for all of them: those whose label is the language and
  /// nothing else, at the site of the most selective of them; the most selective first. Languages that no label is of
  /// are left out.
  ///
  /// A site may write a language in several directions at once, and only all of them together can be scaled without a
  /// remainder; other sites read other inputs. Decompositions are made without a look at labels; this is the first.
  var selected: [String: [TargetProvenance.Selected]] {
    let labelled = Dictionary(grouping: subcomponents.filter { provenance.languages.contains($0.label) }, by: \.label)
    return labelled.mapValues { found in
      // Of equals, the first in the harvest's order.
      let order = found.enumerated().sorted {
        ($1.element.selectivity.ratio, $0.offset) < ($0.element.selectivity.ratio, $1.offset)
      }.map(\.element)
      return order.filter { $0.site == order[0].site }.map { part in
        TargetProvenance.Selected(
          subcomponent: "\(part.site):\(part.index)", selectivity: part.selectivity.ratio,
          strength: part.strength[part.label] ?? 0)
      }
    }
  }
}
