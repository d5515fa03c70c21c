internal import SettingsFiles

/// A text that a recipe names.
public struct RecipeCorpus: Sendable, Hashable {
  /// Its name.
  public var name: String
  /// The text file, as the recipe names it.
  public var path: String
  /// Its weight in the mixture, relative to the other texts'.
  public var share: Double
}

extension RecipeCorpus {
  /// Reads the texts under a recipe's key `corpora`, in the recipe's order.
  ///
  /// - Throws: if there is none, or two have one file.
  static func list(_ node: SettingsNode) throws(SettingsError) -> [RecipeCorpus] {
    let example = "as in `{german: de.txt}` or `{german: {text: de.txt, share: 2}}`"
    var corpora: [RecipeCorpus] = []
    for entry in try node.entries("texts by name, \(example)") {
      try entry.value.checkName(entry.name, "the text's name")
      var pathNode = entry.value
      var share = 1.0
      if case .mapping = entry.value.value {
        let mapping = try entry.value.mapping("a text with its share, \(example)", keys: ["text", "share"])
        pathNode = try mapping.required("text", "a file from `pdsweep corpus`")
        share = try mapping["share"]?.number("a number above 0") { $0 > 0 } ?? 1
      }
      let path = try pathNode.text("a text file")
      if let other = corpora.first(where: { $0.path == path }) {
        throw pathNode.refusal("expected a file of its own, found that of `\(other.name)`", advice: "use one of them")
      }
      corpora.append(RecipeCorpus(name: entry.name, path: path, share: share))
    }
    guard !corpora.isEmpty else { throw node.mismatch(expected: "at least one text, \(example)") }
    return corpora
  }
}
