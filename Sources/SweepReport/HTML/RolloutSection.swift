internal import Foundation
internal import SweepCore

/// What edits do to text: continuations before and after, held-out text coloured by what each token lost, and how the
/// edited models' divergence from the base model is distributed.
struct RolloutSection {
  let sweep: ReportedSweep
  let rollouts: RolloutDocument

  var section: ReportSection {
    let sampling = rollouts.sampling
    let how =
      sampling.temperature == 0
      ? "always the likeliest token" : "at temperature \(svgNumber(sampling.temperature)), seed \(sampling.seed)"
    let content: HTML = """
      <p>These edits were trained again, and are the recorded ones to the last bit. Continuations are of up to \
      \(grouped(sampling.tokens)) tokens, \(how): the base model and all edits draw from the same seed.</p>
      \(edits)<h3>Continuations</h3>
      \(rollouts.prompts.indices.map(prompt))<h3>Held-out text, token by token</h3>
      <p class="note">Text of the test split. The darker a token's ground, the greater its cross-entropy, on the left, \
      or KL(base || edited) at it, on the right: \(legend) nats and more.</p>
      \(rollouts.windows.indices.map(window))\(histogram)
      """
    return ReportSection(id: "rollouts", title: "What the edits do to text", content: content)
  }

  /// The place of an edit's method in the sweep, for its colour.
  private func place(of edit: EditRecord) -> Int? {
    sweep.analysis.methods.firstIndex { $0.name == edit.method }
  }

  private func name(_ edit: EditRecord) -> HTML {
    let swatch: HTML = place(of: edit).map(MethodSwatch.html) ?? ""
    return "<span class=\"swatch\">\(swatch)</span>\(edit.method)"
  }

  private var edits: HTML {
    let items: [HTML] = rollouts.edits.map { edited in
      let edit = edited.edit
      let settings = edit.settings.isEmpty ? "" : ", \(edit.settings)"
      return """
        <dt>\(name(edit))</dt><dd>cell \(edit.cell), \(tokenCount(Double(edit.tokenBudget))) tokens\(settings); \
        \(sweep.title(of: .forget).capitalised) \(fixedDecimal(edit.removal.test, 3)), \
        \(sweep.title(of: .retain).capitalised) cost \
        \(fixedDecimal(edit.retentionCost.test, 3, signed: true).withTrueMinus) on test</dd>

        """
    }
    return "<dl class=\"facts\">\n\(items)</dl>\n"
  }

  // MARK: Continuations

  private func prompt(_ place: Int) -> HTML {
    let prompt = rollouts.prompts[place]
    let rows: [HTML] = rollouts.edits.map { edited in
      "<dt>\(name(edited.edit))</dt><dd>\(spelled(edited.continuations[place]))</dd>\n"
    }
    let source: HTML = prompt.corpus.map { "<b>\($0.capitalised)</b> " } ?? ""
    return """
      <div class="prompt">
      <p>\(source)<q>\(spelled(prompt.text))</q></p>
      <dl class="facts text">
      <dt><span class="swatch">\(HTML(drawing: Self.blank))</span>base model</dt><dd>\(spelled(prompt.base))</dd>
      \(rows)</dl>
      </div>

      """
  }

  /// Room as wide as a swatch.
  private static let blank = "<svg width=\"14\" height=\"14\" aria-hidden=\"true\"></svg>"

  /// Text in one line: what breaks lines is written as a sign.
  private func spelled(_ text: String) -> String {
    text.replacing("\r\n", with: " \u{21B5} ").replacing("\n", with: " \u{21B5} ").replacing("\t", with: " \u{21E5} ")
  }

  // MARK: Heat-maps

  /// Lower bounds of the shades after the first, nats.
  private static let crossEntropySteps = [1.0, 2, 4, 6, 8, 12]
  private static let divergenceSteps = [0.01, 0.05, 0.2, 0.5, 1, 3]

  private var legend: HTML {
    func steps(_ bounds: [Double], _ family: String) -> HTML {
      let shades: [HTML] = ([0] + bounds).enumerated().map { shade, bound in
        "<i class=\"\(family)\(shade)\">\u{2009}\(svgNumber(bound))\u{2009}</i>"
      }
      return "<span class=\"steps\">\(shades)</span>"
    }
    return "\(steps(Self.crossEntropySteps, "c")) and \(steps(Self.divergenceSteps, "k"))"
  }

  private func window(_ place: Int) -> HTML {
    let window = rollouts.windows[place]
    let rows: [HTML] = rollouts.edits.map { edited in
      let losses = edited.windows[place]
      return """
        <div class="heat"><p class="whose">\(name(edited.edit))</p>
        <p>\(shaded(window.tokens, losses.crossEntropies, Self.crossEntropySteps, "c"))</p>
        <p>\(shaded(window.tokens, losses.divergences, Self.divergenceSteps, "k"))</p></div>

        """
    }
    return """
      <h4>\(window.corpus.capitalised)</h4>
      <div class="heat"><p class="whose">base model</p>
      <p>\(shaded(window.tokens, window.base, Self.crossEntropySteps, "c"))</p></div>
      \(rows)
      """
  }

  /// Tokens, each on the ground of its value. Neighbours of one shade share an element.
  private func shaded(_ tokens: [String], _ values: [Double], _ steps: [Double], _ family: String) -> [HTML] {
    var runs: [(shade: Int, text: String)] = []
    for (token, value) in zip(tokens, values) {
      let shade = steps.count { value >= $0 }
      if let last = runs.indices.last, runs[last].shade == shade {
        runs[last].text += token
      } else {
        runs.append((shade, token))
      }
    }
    return runs.map { run in
      run.shade == 0 ? "\(spelled(run.text))" : "<i class=\"\(family)\(run.shade)\">\(spelled(run.text))</i>"
    }
  }

  // MARK: Histogram

  private var histogram: HTML {
    let plot = DivergencePlot(sweep: sweep, rollouts: rollouts)
    return PlotFigure(
      number: 5, id: "divergence", title: "How far the edited models stray from the base model",
      caption: DivergencePlot.caption, drawing: plot.svg(for: .page(id: "divergence"))
    ).html
  }
}
