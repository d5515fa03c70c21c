internal import SettingsFiles

/// Why a selection comes to nothing.
struct SelectionProblem: Error {
  /// Which key of the selection is at fault; empty for the selection as a whole.
  var key = ""
  let problem: String
  let advice: String
}

extension SubcomponentCatalogue {
  /// Makes a selection. The same harvest and labels give the same subcomponents in the same order: of equals, those of
  /// earlier sites come first, and lower numbers.
  ///
  /// - Parameter labels: labels in place of the harvest's.
  /// - Throws: what it asks for that is not there.
  func choose(
    _ selection: SubcomponentSelection, labels: SubcomponentLabels?
  ) throws(SelectionProblem) -> SelectedSubcomponents {
    let language = try selection.corpus.map { corpus throws(SelectionProblem) in try self.language(corpus) }
    let measure: SelectedSubcomponents.Measure =
      switch selection.rule {
      case .mostImportant: entries.first?.importances == nil ? .attribution : .importance
      case .mostSelective, .labelled: .selectivity
      }
    let found = try candidates(at: selection.sites).compactMap { entry -> SelectedSubcomponents.Member? in
      let ratio = entry.ratio(for: language)
      var (label, value) = (entry.label, ratio)
      switch selection.rule {
      case .mostImportant:
        value = entry.importance(for: language)
        guard value > 0 else { return nil }
      case .mostSelective:
        guard value > 0 else { return nil }
      case .labelled(let wanted, _, _):
        guard let given = labels.map({ $0[entry.path] }) ?? label, given == wanted else { return nil }
        label = given
      }
      return .init(subcomponent: entry.path, label: label, ratio: ratio, value: value)
    }
    guard found.count >= selection.count else {
      throw tooFew(found.count, of: selection, labels: labels?.distinct ?? Set(entries.map(\.label)))
    }
    // The candidates come by site and index, and the sort keeps the order of equals.
    let order = found.enumerated().sorted {
      ($1.element.value, $0.offset) < ($0.element.value, $1.offset)
    }
    return SelectedSubcomponents(measure: measure, members: order.prefix(selection.count).map(\.element))
  }

  private func language(_ corpus: String) throws(SelectionProblem) -> Int {
    if let language = languages.firstIndex(of: corpus) { return language }
    let meant = NearestName.suggestion(for: corpus, among: languages).map { "name the corpus \($0), or " } ?? ""
    throw SelectionProblem(
      key: "corpus",
      problem: "expected a language of the harvest (\(languages.joined(separator: ", "))), found \(corpus)",
      advice: meant + "harvest again with --corpus \(corpus)=FILE")
  }

  private func candidates(at sites: [SitePath]?) throws(SelectionProblem) -> [Entry] {
    guard let sites else { return entries }
    let known = Set(entries.map(\.path.site))
    if let unknown = sites.first(where: { !known.contains($0) }) {
      throw SelectionProblem(
        key: "sites", problem: "expected sites of the harvest, found \(unknown)",
        advice: "harvested: \(known.sorted().map(\.description).joined(separator: ", "))")
    }
    let wanted = Set(sites)
    return entries.filter { wanted.contains($0.path.site) }
  }

  private func tooFew(
    _ found: Int, of selection: SubcomponentSelection, labels: Set<String>
  ) -> SelectionProblem {
    let kind =
      switch selection.rule {
      case .mostImportant(let corpus): "of importance to \(corpus)"
      case .mostSelective(let corpus): "of some strength in \(corpus)"
      case .labelled(let label, _, _): "labelled \(Self.quoted(label))"
      }
    let place = selection.sites == nil ? "" : " at the sites named"
    let advice: String
    switch (selection.rule, found) {
    case (.labelled(let label, _, _), 0):
      let meant = NearestName.suggestion(for: label, among: labels.sorted()).map { "did you mean \(Self.quoted($0))?" }
      advice = meant ?? "`pdsweep inspect` shows the labels that there are"
    case (.mostImportant, 0), (.mostSelective, 0):
      advice = "choose among other sites"
    case (.mostImportant, _), (.mostSelective, _), (.labelled, _):
      advice = "lower count to \(found)" + (selection.sites == nil ? "" : ", or name more sites")
    }
    let wanted = selection.count == 1 ? "a subcomponent" : "\(selection.count) subcomponents"
    return SelectionProblem(
      problem: "expected \(wanted) \(kind)\(place), found \(found == 0 ? "none" : "\(found)")", advice: advice)
  }

  private static func quoted(_ label: String) -> String { "\"\(SettingsError.onOneLine(label, limit: 60))\"" }
}

extension SubcomponentCatalogue.Entry {
  /// The mean causal importance to a language, or else the size of the attribution.
  fileprivate func importance(for language: Int?) -> Double {
    guard let language else { preconditionFailure("importance to no language") }
    return importances?[language] ?? abs(attributions[language])
  }

  /// The strength in a language over the highest strength in another; `nil` stands for the language of the highest.
  /// 0 where it has none there, and the largest number where it has none elsewhere.
  func ratio(for language: Int?) -> Double {
    guard let language = language ?? strengths.indices.max(by: { strengths[$0] < strengths[$1] }) else { return 0 }
    let strength = strengths[language]
    guard strength > 0 else { return 0 }
    let next = strengths.indices.lazy.filter { $0 != language }.map { strengths[$0] }.max() ?? 0
    return next == 0 ? .greatestFiniteMagnitude : min(strength / next, .greatestFiniteMagnitude)
  }
}
