internal import SettingsFiles

/// Reads the names of sites and subcomponents in a sweep file.
enum SubcomponentReader {
  /// A list of names `site:index`, or a selection `{select: ..., corpus: ..., count: ...}`.
  ///
  /// - Parameters:
  ///   - corpora: the names of the sweep file's corpora.
  ///   - decomposition: the file that a selection is made among the subcomponents of.
  static func choice(
    _ node: SettingsNode, corpora: [String], decomposition: String
  ) throws(SettingsError) -> SubcomponentChoice {
    if case .mapping = node.value {
      return .selected(try selection(node, corpora: corpora, decomposition: decomposition))
    }
    return .named(
      try node.distinct("a list of names as in [\"h.1.mlp.c_fc:8\"], or a selection as in \(selectionExample)") {
        element throws(SettingsError) in try subcomponent(element)
      })
  }

  /// `all`, or a list of sites, put into the model's order.
  static func sites(_ node: SettingsNode) throws(SettingsError) -> MethodSites {
    if case .scalar("all", _) = node.value { return .all }
    if case .scalar = node.value {
      throw node.mismatch(
        expected: "all, of-selected or a list of sites", advice: node.suggestion(among: ["all", "of-selected"]))
    }
    return .named(try siteList(node, "all, of-selected or a list of sites").map(\.description))
  }

  /// A list of sites, put into the model's order.
  private static func siteList(_ node: SettingsNode, _ expected: String) throws(SettingsError) -> [SitePath] {
    try node.distinct(expected) { element throws(SettingsError) in
      let path = try element.text(SitePath.syntax)
      guard let site = SitePath(path) else {
        throw element.mismatch(
          expected: SitePath.syntax, advice: SitePath.suggestion(for: path).map { "did you mean \($0)?" })
      }
      return site
    }.sorted()
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

  private static let selectionExample = "{select: most-selective, corpus: NAME, count: 1}"

  private static func selection(
    _ node: SettingsNode, corpora: [String], decomposition: String
  ) throws(SettingsError) -> SubcomponentSelection {
    let mapping = try node.mapping(
      "a selection, as in \(selectionExample)", keys: ["select", "corpus", "label", "labels", "count", "sites"])
    let name = try mapping.required("select", "how to choose").choice(of: SubcomponentSelection.RuleName.self)
    let rule: SubcomponentSelection.Rule
    switch name {
    case .mostImportant: rule = .mostImportant(corpus: try onlyCorpus(of: mapping, corpora))
    case .mostSelective: rule = .mostSelective(corpus: try onlyCorpus(of: mapping, corpora))
    case .labelled:
      let labels = try mapping["labels"]?.text("a file of labels")
      if let label = try mapping["label"]?.text("a label") {
        let corpus = try mapping["corpus"].map { node throws(SettingsError) in try corpusName(node, corpora) }
        rule = .labelled(label, labels: labels, corpus: corpus)
      } else {
        let corpus = try corpusName(mapping.required("corpus", "whose name is the label; or `label`"), corpora)
        rule = .labelled(corpus, labels: labels, corpus: corpus)
      }
    }
    let count = try mapping.required("count", "how many").wholeNumber("a whole number of at least 1") { $0 >= 1 }
    let sites = try mapping["sites"].map { node throws(SettingsError) in try siteList(node, "a list of sites") }
    return SubcomponentSelection(rule, count: count, sites: sites, decomposition: decomposition)
  }

  private static func onlyCorpus(of mapping: SettingsMapping, _ corpora: [String]) throws(SettingsError) -> String {
    try mapping.refuse(["label", "labels"], advice: "only `select: labelled` has a use for it")
    return try corpusName(mapping.required("corpus", "for which corpus"), corpora)
  }

  /// The name of one of the sweep file's corpora.
  private static func corpusName(_ node: SettingsNode, _ corpora: [String]) throws(SettingsError) -> String {
    let name = try node.text("the name of a corpus")
    guard corpora.contains(name) else {
      throw node.mismatch(
        expected: "a corpus of the sweep (\(corpora.joined(separator: ", ")))", advice: node.suggestion(among: corpora))
    }
    return name
  }
}
