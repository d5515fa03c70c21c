internal import ContentHash
internal import LanguageModel

/// A harvest read back: which files it belongs to, and what each subcomponent is about.
struct HarvestRecord: Decodable {
  struct Provenance: Decodable {
    let inputs: [String: SHA256Digest]
    let languages: [String]
  }

  struct Subcomponent: Decodable {
    let site: String
    let index: Int
    let label: String
    let strength: [String: Double]
    let selectivity: SubcomponentHarvest.Selectivity
  }

  let provenance: Provenance
  let subcomponents: [Subcomponent]

  /// Reads a harvest file.
  ///
  /// - Throws: an `InputFileError` if there is none, or something else.
  init(path: String) throws(InputFileError) {
    self = try TargetJSON.read(Self.self, path, expected: "a harvest as `pdsweep harvest` writes it")
  }

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
