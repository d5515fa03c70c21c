/// Which subcomponents a method is about.
public enum SubcomponentChoice: Sendable, Hashable {
  /// These, in this order.
  case named([SubcomponentPath])
  /// Those that a rule finds.
  case selected(SubcomponentSelection)

  /// How many they are.
  public var count: Int {
    switch self {
    case .named(let subcomponents): subcomponents.count
    case .selected(let selection): selection.count
    }
  }
}

/// A rule that finds subcomponents of a decomposition by what its harvest says of them.
public struct SubcomponentSelection: Sendable, Hashable {
  /// What decides.
  public enum Rule: Sendable, Hashable {
    /// Those of the greatest mean causal importance to a corpus; where the decomposition has no importance function,
    /// of the greatest |attribution|.
    case mostImportant(corpus: String)
    /// Those whose strength in a corpus is the greatest multiple of their highest strength in another language.
    case mostSelective(corpus: String)
    /// Those of a label, the most selective first: for a corpus, or each for the language that it acts on most.
    /// `labels` is the file that gives the labels, relative to the sweep file's folder; `nil` for the harvest's own.
    case labelled(String, labels: String?, corpus: String?)

    /// What it is called in sweep files.
    public var name: RuleName {
      switch self {
      case .mostImportant: .mostImportant
      case .mostSelective: .mostSelective
      case .labelled: .labelled
      }
    }
  }

  /// What rules are called in sweep files.
  public enum RuleName: String, Sendable, Hashable, CaseIterable {
    /// ``Rule/mostImportant(corpus:)``.
    case mostImportant = "most-important"
    /// ``Rule/mostSelective(corpus:)``.
    case mostSelective = "most-selective"
    /// ``Rule/labelled(_:labels:corpus:)``.
    case labelled
  }

  /// What decides.
  public var rule: Rule
  /// How many are chosen.
  public var count: Int
  /// The sites to choose among; `nil` for all that are decomposed.
  public var sites: [SitePath]?
  /// The decomposition file, as the sweep file names it.
  public var decomposition: String

  /// Creates a rule.
  public init(_ rule: Rule, count: Int, sites: [SitePath]? = nil, decomposition: String) {
    self.rule = rule
    self.count = count
    self.sites = sites
    self.decomposition = decomposition
  }

  /// The corpus that it is for, if it is for one.
  public var corpus: String? {
    switch rule {
    case .mostImportant(let corpus), .mostSelective(let corpus): corpus
    case .labelled(_, _, let corpus): corpus
    }
  }

  /// The label that it asks for, if it asks for one.
  public var label: String? {
    switch rule {
    case .mostImportant, .mostSelective: nil
    case .labelled(let label, _, _): label
    }
  }

  /// The file of labels, if it takes them from one.
  public var labels: String? {
    switch rule {
    case .mostImportant, .mostSelective: nil
    case .labelled(_, let labels, _): labels
    }
  }
}

/// What a selection came to, with what it was made of.
public struct SelectedSubcomponents: Sendable, Hashable, Codable {
  /// What the chosen ones were put in order by.
  public enum Measure: String, Sendable, Hashable, Codable {
    /// The mean causal importance to the corpus, from 0 to 1.
    case importance
    /// The size of the gradient of the corpus's cross-entropy with respect to the prefactor, nats.
    case attribution
    /// The strength in the corpus over the highest strength in another language.
    case selectivity
  }

  /// A chosen subcomponent.
  public struct Member: Sendable, Hashable, Codable {
    /// Such as `h.1.mlp.c_fc:8`.
    public var subcomponent: SubcomponentPath
    /// Its label.
    public var label: String
    /// Its strength in the selection's corpus (without one: in the language that it acts on most) over the highest
    /// strength in another language. The largest number where it acts on no other.
    public var ratio: Double
    /// Its ``Measure``.
    public var value: Double

    /// Creates a member.
    public init(subcomponent: SubcomponentPath, label: String, ratio: Double, value: Double) {
      self.subcomponent = subcomponent
      self.label = label
      self.ratio = ratio
      self.value = value
    }
  }

  /// What they were put in order by.
  public var measure: Measure
  /// The chosen ones, the first first.
  public var members: [Member]

  /// Creates the outcome of a selection.
  public init(measure: Measure, members: [Member]) {
    self.measure = measure
    self.members = members
  }
}
