internal import SettingsFiles

/// Reads the names of sites and subcomponents in a sweep file.
enum SubcomponentReader {
  /// A list of names `site:index`.
  ///
  /// The form `{select: ..., corpus: ..., count: ...}`, which chooses by what a harvest found of the subcomponents, is
  /// part of the sweep file's syntax: it is checked, and then refused, because this version reads no harvest.
  static func list(_ node: SettingsNode) throws(SettingsError) -> [SubcomponentPath] {
    if case .mapping = node.value {
      try checkSelection(node)
      throw node.refusal(
        "expected subcomponents by name, found a selection, which needs a harvest that this version does not read",
        advice: "name them: [\"h.1.mlp.c_fc:8\"]")
    }
    return try node.distinct("a list of names as in [\"h.1.mlp.c_fc:8\"]") { element throws(SettingsError) in
      try subcomponent(element)
    }
  }

  /// `all`, or a list of sites, put into the model's order.
  static func sites(_ node: SettingsNode) throws(SettingsError) -> SiteSelection {
    if case .scalar("all", _) = node.value { return .all }
    if case .scalar = node.value {
      throw node.mismatch(
        expected: "all, of-selected or a list of sites", advice: node.suggestion(among: ["all", "of-selected"]))
    }
    let sites = try node.distinct("all, of-selected or a list of sites") { element throws(SettingsError) in
      let path = try element.text(SitePath.syntax)
      guard let site = SitePath(path) else {
        throw element.mismatch(
          expected: SitePath.syntax, advice: SitePath.suggestion(for: path).map { "did you mean \($0)?" })
      }
      return site
    }
    return .named(sites.sorted().map(\.description))
  }

  private static func subcomponent(_ node: SettingsNode) throws(SettingsError) -> SubcomponentPath {
    let expected = "SITE:INDEX, where SITE is \(SitePath.syntax) and INDEX a whole number of at least 0"
    // Without quotes and with a space after the colon, YAML reads a mapping of one key.
    if case .mapping = node.value {
      throw node.mismatch(expected: expected, advice: "put the name in quotes, without spaces")
    }
    let text = try node.text(expected)
    if let name = SubcomponentPath(text) { return name }

    let colon = text.lastIndex(of: ":") ?? text.endIndex
    let (path, index) = (text[..<colon], text[colon...].dropFirst())
    if SitePath(path) != nil {
      throw node.mismatch(expected: expected, advice: "end it with the subcomponent's number, as in \(path):8")
    }
    let number = Int(canonical: index)
    throw node.mismatch(
      expected: expected,
      advice: SitePath.suggestion(for: path).map { "did you mean \($0)\(number.map { ":\($0)" } ?? ":INDEX")?" })
  }

  // MARK: Selection by harvest

  private enum Selection: String, CaseIterable {
    case mostSelective = "most-selective"
    case mostImportant = "most-important"
    case labelled
  }

  private static func checkSelection(_ node: SettingsNode) throws(SettingsError) {
    let mapping = try node.mapping("a selection", keys: ["select", "corpus", "count"])
    _ = try mapping.required("select", "how to choose").choice(of: Selection.self)
    _ = try mapping.required("corpus", "for which corpus").text("the name of a corpus")
    _ = try mapping.required("count", "how many").wholeNumber("a whole number of at least 1") { $0 >= 1 }
  }
}
