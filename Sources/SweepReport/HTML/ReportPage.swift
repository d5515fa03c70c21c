internal import Foundation
internal import SweepCore

/// A part of a report's page.
struct ReportSection {
  /// The name of its anchor.
  let id: String
  let title: String
  let content: HTML
}

/// The page of a report: one file that needs no other.
struct ReportPage {
  let sweep: ReportedSweep
  /// What the edits do to text, where that was looked at.
  let rollouts: RolloutDocument?
  /// How the results were computed; `nil` leaves the section out, and the page is the same for the same results.
  let provenance: SweepProvenance?

  private var forget: String { sweep.title(of: .forget).capitalised }
  private var retain: String { sweep.title(of: .retain).capitalised }

  /// The whole page.
  func html() -> String {
    var all = [results, methods]
    if let rollouts { all.append(RolloutSection(sweep: sweep, rollouts: rollouts).section) }
    all.append(protocolSection)
    if let provenance { all.append(ProvenanceSection(sweep: sweep, provenance: provenance).section) }
    let links: [HTML] = all.map { section in "<li><a href=\"#\(section.id)\">\(section.title)</a></li>\n" }
    let bodies: [HTML] = all.map { section in
      "<section id=\"\(section.id)\">\n<h2>\(section.title)</h2>\n\(section.content)</section>\n"
    }
    let style = HTML(drawing: ReportStyle.css)
    let page: HTML = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="generator" content="pdsweep"/>
      <title>\(sweep.name): \(forget) removed, \(retain) kept</title>
      <style>
      \(style)</style>
      </head>
      <body>
      <main>
      <header>
      <h1>\(sweep.name): how few tokens remove \(forget), and at what cost</h1>
      <p class="lead">\(state)</p>
      </header>
      <div class="answer"><p>\(ReportWords(sweep: sweep).answer())</p></div>
      <nav aria-label="Contents"><ul>
      \(links)</ul></nav>
      \(bodies)</main>
      </body>
      </html>

      """
    return page.markup
  }

  private var state: String {
    let done = sweep.cells[.completed, default: 0]
    let all = sweep.records.count
    let methods = sweep.analysis.methods.count
    return "\(done == all ? grouped(all) : "\(grouped(done)) of \(grouped(all))") cells of \(methods) "
      + "\(methods == 1 ? "method" : "methods"), measured on held-out text. Edits are chosen on the validation split "
      + "and read on the test split; cross-entropies and costs are in nats."
  }

  // MARK: Results

  private var results: ReportSection {
    guard !sweep.analysis.points.isEmpty else {
      return ReportSection(id: "results", title: "Results", content: "<p>No cell has a result yet.</p>\n")
    }
    let content: HTML = """
      \(sweep.headlineTable().html(number: 1))\
      \(PlotFigure(
        number: 1, id: "tokens", title: "Tokens to target", caption: TokensPlot.caption,
        drawing: sweep.tokensSVG(for: .page(id: "tokens"))
      ).html)\
      \(frontier(2, "frontier", "Removed against retained", .settings))\
      \(frontier(3, "attainment", "What seeds attain", .attainment))\
      \(PlotFigure(
        number: 4, id: "matched", title: "Cost at matched removal", caption: MatchedPlot.caption,
        drawing: sweep.matchedSVG(for: .page(id: "matched"))
      ).html)\
      \(sweep.matchedTable().html(number: 2))
      """
    return ReportSection(id: "results", title: "Results", content: content)
  }

  private func frontier(_ number: Int, _ id: String, _ title: String, _ kind: FrontierPlot.Kind) -> HTML {
    let plot = FrontierPlot(sweep: sweep, data: FrontierPlotData(sweep), kind: kind)
    return PlotFigure(
      number: number, id: id, title: title, caption: plot.captionText, drawing: plot.svg(for: .page(id: id))
    ).html
  }

  // MARK: Methods

  private var methods: ReportSection {
    let words = ReportWords(sweep: sweep)
    let paragraphs: [HTML] = sweep.summaries.map { summary in
      """
      <div class="method">
      <h3>\(MethodSwatch.html(summary.place)) \(summary.method.name)</h3>
      <p>\(words.paragraph(of: summary))</p>
      </div>

      """
    }
    let chosen: HTML = sweep.analysis.points.isEmpty ? "" : sweep.chosenTable().html(number: 3)
    return ReportSection(
      id: "methods", title: "What the numbers show, method by method", content: "\(paragraphs)\(chosen)")
  }

  // MARK: Protocol

  private var protocolSection: ReportSection {
    let document = ReportProtocol(sweep)
    let corpora: [HTML] = document.corpora.map { corpus in
      let base = corpus.base.map { base in
        let (validation, test) = (base.validation.text, base.test.text)
        return "; base model \(validation) on validation, \(test) on test"
      }
      let cut: HTML = corpus.cut.map { "cut <span class=\"code\">\($0)</span>" } ?? "standard cut"
      return """
        <dt>\(corpus.role): \(corpus.name)</dt>
        <dd><span class="code">\(corpus.text)</span>, \(cut)\(base ?? "")</dd>

        """
    }
    let files: [HTML] = document.target.sorted { $0.key < $1.key }.map { name, digests in
      "<dt>\(name)</dt><dd><span class=\"code\">\(digests.joined(separator: ", "))</span></dd>\n"
    }
    let evaluation = document.evaluation.map { evaluation in
      "\(grouped(evaluation.tokensPerCorpusAndSplit)) tokens of each corpus and split, in windows of "
        + "\(grouped(evaluation.context)) (\(grouped(evaluation.windowsPerCorpusAndSplit)) windows)"
    }.joined(separator: "; ")
    let rules: [HTML] = document.rules.map { rule in
      "<div><dt>\(rule.name)</dt> <dd>\(rule.text)</dd></div>\n"
    }
    let content: HTML = """
      <p>What an appendix would list; the same, for programs, is in <code>protocol.json</code>. Digests are SHA-256.</p>
      <h3>Target, text and evaluation</h3>
      <dl class="facts">
      \(files)<dt>vocabulary</dt><dd>\(grouped(document.vocabularySize)); a uniform guess reads \
      \(fixedDecimal(sweep.analysis.uniformGuess, 4)) nats</dd>
      \(corpora)<dt>start of windows</dt><dd>\(document.start.map(quoted).joined(separator: ", "))</dd>
      <dt>evaluation</dt><dd>\(evaluation)</dd>
      <dt>engine revision</dt><dd>\(document.engineRevisions.map(String.init).joined(separator: ", "))</dd>
      </dl>
      <h3>Methods</h3>
      \(document.methods.enumerated().map { method($0, $1) })\(selections(document.selections))<h3>Rules</h3>
      <dl class="rules">
      \(rules)</dl>

      """
    return ReportSection(id: "protocol", title: "Protocol", content: content)
  }

  private func selections(_ selections: [SweepSelection]) -> HTML {
    guard !selections.isEmpty else { return "" }
    let facts: [HTML] = selections.map { selection in
      let members = selection.subcomponents.map { "\($0.subcomponent) (\($0.label))" }.joined(separator: ", ")
      let labels: HTML = selection.labels.map { ", labels <span class=\"code\">\("\($0)")</span>" } ?? ""
      return """
        <dt>\(selection.methods.joined(separator: ", "))</dt>
        <dd>\(selection.words), of \(selection.decomposition): \(members); harvest \
        <span class="code">\("\(selection.harvest)")</span>\(labels)</dd>

        """
    }
    return "<h3>Selected subcomponents</h3>\n<dl class=\"facts\">\n\(facts)</dl>\n"
  }

  private func method(_ place: Int, _ method: ReportProtocol.Method) -> HTML {
    func facts(_ settings: [ReportProtocol.Setting]) -> [HTML] {
      settings.map { setting in "<dt>\(setting.name)</dt><dd>\(setting.values.joined(separator: ", "))</dd>\n" }
    }
    let cells = CellRecord.State.allCases.compactMap { state in
      method.cells[state.rawValue].flatMap { $0 > 0 ? "\(grouped($0)) \(state.rawValue)" : nil }
    }
    func seen(_ range: [Int]?) -> String {
      guard let least = range?.first, let most = range?.last else { return "unknown" }
      return least == most ? grouped(least) : "\(grouped(least)) to \(grouped(most))"
    }
    let shared = method.constants.map { "\($0.name) \($0.values.joined(separator: ", "))" }.joined(separator: "; ")
    return """
      <h3>\(MethodSwatch.html(place)) \(method.name)</h3>
      <dl class="facts">
      <dt>cells</dt><dd>\(cells.joined(separator: ", "))</dd>
      \(facts(method.grid))<dt>in all cells</dt><dd>\(shared)</dd>
      <dt>tokens seen</dt><dd>forget \(seen(method.forgetTokensSeen)), retain \(seen(method.retainTokensSeen))</dd>
      </dl>

      """
  }

  /// Text in quotes, with what cannot be seen written out.
  private func quoted(_ text: String) -> String {
    "\u{201C}\(text.replacing("\n", with: "\\n").replacing("\t", with: "\\t"))\u{201D}"
  }
}

extension FrontierDocument.Number {
  /// To a thousandth; a dash where there is none.
  var text: String { value.map { fixedDecimal($0, 3).withTrueMinus } ?? "\u{2013}" }
}

/// A drawing with its caption; it can be scrolled sideways where the page is too narrow.
struct PlotFigure {
  let number: Int
  let id: String
  let title: String
  let caption: String
  let drawing: String

  var html: HTML {
    """
    <figure id="figure-\(id)">
    <figcaption><b>Figure \(number).</b> <b>\(title).</b> \(caption)</figcaption>
    <div class="scroll" tabindex="0" role="group" aria-label="\(title)">
    \(HTML(drawing: drawing))</div>
    </figure>

    """
  }
}
