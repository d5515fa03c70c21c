internal import Foundation
internal import ParameterDecomposition
internal import SweepReport

/// What `pdsweep inspect` shows of a subcomponent.
struct SubcomponentPage {
  let target: String
  let decomposition: String
  let findings: Findings
  let subcomponent: SubcomponentHarvest
  /// Where it is strongest, token by token; `nil` where only the harvest's examples are known.
  let traces: [ActivationTrace]?
  /// How many examples are shown at most.
  let examples: Int

  /// Text for a terminal.
  func text(_ style: TerminalStyle) -> String {
    var text = style.bold("\(subcomponent.site):\(subcomponent.index)") + "  \(decomposition) of \(target)\n\n"
    if findings.compares {
      text += "label        \(style.bold(DisplayText.printable(subcomponent.label)))\n"
      text += "selectivity  \(subcomponent.selectivity.words)\n"
    }
    text += "measured on  \(findings.origin)\n\n"
    text += LanguageBars(subcomponent, languages: findings.languages).text(style)
    guard examples > 0 else { return text }
    let shown = traces ?? subcomponent.examples.map(ActivationTrace.init)
    guard !shown.isEmpty else {
      return text + "\nThe harvest holds no text: --corpus NAME=FILE shows where it is strongest in text of yours.\n"
    }
    return text + "\nStrongest at\n\n" + ExampleLines(Array(shown.prefix(examples))).text(style)
  }

  /// The same as JSON.
  var document: Document {
    Document(
      target: target, decomposition: decomposition, source: findings.source, languages: findings.languages,
      tokens: findings.tokens, subcomponent: subcomponent, traces: traces)
  }

  struct Document: Encodable {
    let target: String
    let decomposition: String
    let source: Findings.Source
    let languages: [String]
    let tokens: Int
    let subcomponent: SubcomponentHarvest
    let traces: [ActivationTrace]?
  }
}

/// What `pdsweep inspect` shows of a site.
struct SitePage {
  let target: String
  let decomposition: String
  let site: String
  let findings: Findings

  /// The subcomponents, the most selective first; of equals, those of lower numbers.
  private var ranking: [SubcomponentHarvest] {
    guard findings.compares else { return findings.subcomponents }
    return findings.subcomponents.sorted { ($1.selectivity.ratio, $0.index) < ($0.selectivity.ratio, $1.index) }
  }

  /// Text for a terminal.
  func text(_ style: TerminalStyle) -> String {
    let rows = ranking.map { part in
      (
        index: "\(part.index)", label: findings.compares ? DisplayText.printable(part.label) : "",
        selectivity: findings.compares ? part.selectivity.short : "",
        strengths: findings.languages.map { String(format: "%.3g", part.strength[$0] ?? 0) }
      )
    }
    var table = AlignedTable(
      [("index", .right), ("label", .left), ("selectivity", .right)] + findings.languages.map { ($0, .right) })
    // What the other columns leave; a label is cut rather than a line broken.
    let numbers = findings.languages.enumerated().map { place, name in
      2 + max(DisplayText.columns(DisplayText.printable(name)), rows.map { $0.strengths[place].count }.max() ?? 0)
    }
    let room = max(14, style.columns - numbers.reduce(0, +) - "index  ".count - "  selectivity".count)
    for row in rows {
      table.append([row.index, Columns.beginning(of: row.label, columns: room), row.selectivity] + row.strengths)
    }
    return style.bold(site) + "  \(decomposition) of \(target)\n\n"
      + "\(rows.count) subcomponents\(findings.compares ? ", the most selective first" : ""), with their strength by language\n"
      + "measured on \(findings.origin)\n\n" + table.text
  }

  /// The same as JSON.
  var document: Document {
    Document(
      target: target, decomposition: decomposition, source: findings.source, languages: findings.languages,
      tokens: findings.tokens, site: site, subcomponents: ranking)
  }

  struct Document: Encodable {
    let target: String
    let decomposition: String
    let source: Findings.Source
    let languages: [String]
    let tokens: Int
    let site: String
    let subcomponents: [SubcomponentHarvest]
  }
}

/// What `pdsweep inspect` shows of a target.
struct TargetPage {
  let summary: TargetSummary
  /// The harvests of its decompositions, in their order.
  let harvests: [HarvestRecord?]
  /// The one decomposition to show; all if `nil`.
  let only: String?

  /// Text for a terminal.
  func text() -> String {
    var text = "\(summary.name)  \(summary.folder)\n\(summary.model)\n"
    for (decomposition, harvest) in zip(summary.decompositions, harvests)
    where only == nil || only == decomposition.file {
      text += "\n\(decomposition.file)" + (decomposition.importance ? ", with an importance function" : "")
      text += harvest == nil ? ", not harvested\n\n" : "\n\n"
      let counts = harvest.map(LabelCounts.init)
      var table = AlignedTable(
        [("site", .left), ("subcomponents", .right)] + (counts?.names ?? []).map { ($0, .right) })
      for site in decomposition.sites {
        table.append(
          [site.site, "\(site.subcomponents)"] + (counts?.row(of: site.site).map { $0 == 0 ? "-" : "\($0)" } ?? []))
      }
      text += table.text
    }
    return text
  }

  /// The same as JSON.
  var document: Document {
    var labels: [String: [String: [String: Int]]] = [:]
    for (decomposition, harvest) in zip(summary.decompositions, harvests) {
      labels[decomposition.file] = harvest.map { LabelCounts($0).counts }
    }
    return Document(target: summary, labels: labels)
  }

  struct Document: Encodable {
    let target: TargetSummary
    /// How many subcomponents bear each label, by decomposition and site.
    let labels: [String: [String: [String: Int]]]
  }
}

/// How many subcomponents of each site bear which label.
struct LabelCounts {
  private static let others = "other labels"

  /// By site and label.
  let counts: [String: [String: Int]]
  private let languages: [String]

  init(_ harvest: HarvestRecord) {
    languages = harvest.provenance.languages
    var counts: [String: [String: Int]] = [:]
    for part in harvest.subcomponents { counts[part.site, default: [:]][part.label, default: 0] += 1 }
    self.counts = counts
  }

  /// The languages, and what stands for all other labels.
  var names: [String] { languages + [Self.others] }

  /// The numbers of a site, in the order of ``names``.
  func row(of site: String) -> [Int] {
    let labels = counts[site] ?? [:]
    let own = languages.map { labels[$0] ?? 0 }
    return own + [labels.values.reduce(0, +) - own.reduce(0, +)]
  }
}

extension Findings {
  /// What they are from, in words.
  fileprivate var origin: String {
    switch source {
    case .harvest: "\(tokens) tokens of each language, by its harvest"
    case .text: "\(tokens) tokens of each text given"
    }
  }
}

extension SubcomponentHarvest.Selectivity {
  /// The ratio; where it acts on no other language, that.
  fileprivate var short: String { ratio == .greatestFiniteMagnitude ? "no other" : String(format: "%.2f", ratio) }

  /// The same in words.
  fileprivate var words: String {
    let name = DisplayText.printable(language)
    if ratio == 0 { return "acts on no language" }
    if ratio == .greatestFiniteMagnitude { return "acts on \(name) alone" }
    return String(format: "%.2f", ratio) + " times as strong in \(name) as in any other language"
  }
}
