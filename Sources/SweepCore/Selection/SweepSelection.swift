public import ContentHash

/// A selection of a sweep: who uses it, what it was made from, and what it came to. Its form is JSON that stores and
/// reports hold.
public struct SweepSelection: Sendable, Hashable, Codable {
  /// The methods that use it, in the file's order.
  public var methods: [String]
  /// `most-important`, `most-selective` or `labelled`.
  public var select: String
  /// The corpus that it is for, if it is for one.
  public var corpus: String?
  /// The label that it asks for, if it asks for one.
  public var label: String?
  /// The sites that it chooses among; `nil` for all.
  public var sites: [String]?
  /// The decomposition's file name.
  public var decomposition: String
  /// The harvest's digest.
  public var harvest: SHA256Digest
  /// The digest of the file of labels; `nil` where the labels are the harvest's.
  public var labels: SHA256Digest?
  /// What the subcomponents were put in order by.
  public var measure: SelectedSubcomponents.Measure
  /// The chosen ones, the first first.
  public var subcomponents: [SelectedSubcomponents.Member]

  /// Describes a selection.
  ///
  /// - Parameters:
  ///   - selection: the rule.
  ///   - methods: the methods that use it.
  ///   - harvest: the digest of the harvest it was made from.
  ///   - labels: the digest of the labels, where they are not the harvest's.
  ///   - outcome: what it came to.
  public init(
    _ selection: SubcomponentSelection, methods: [String], harvest: SHA256Digest, labels: SHA256Digest?,
    outcome: SelectedSubcomponents
  ) {
    self.methods = methods
    select = selection.rule.name.rawValue
    corpus = selection.corpus
    label = selection.label
    sites = selection.sites?.map(\.description)
    decomposition = selection.decomposition
    self.harvest = harvest
    self.labels = labels
    measure = outcome.measure
    subcomponents = outcome.members
  }

  /// What was asked for, in words: `most-important for german, by |attribution|`.
  public var words: String {
    var words = select
    switch (label, corpus) {
    case (let label?, let corpus) where label == corpus: words += " \(label)"
    case (let label?, let corpus?): words += " \"\(label)\", the most selective for \(corpus) first"
    case (let label?, nil): words += " \"\(label)\", the most selective first"
    case (nil, let corpus?): words += " for \(corpus)"
    case (nil, nil): break
    }
    switch measure {
    case .importance: words += ", by mean causal importance"
    case .attribution: words += ", by |attribution|"
    case .selectivity: break
    }
    if let sites { words += ", among \(sites.joined(separator: " "))" }
    return words
  }
}
