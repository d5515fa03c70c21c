internal import SweepCore

extension ReportedSweep {
  /// `frontier.svg`: retention cost against removal on the test split, a panel for each token budget.
  ///
  /// A marker is one setting of a method's hyper-parameters, at the median over seeds; those on the method's front of
  /// medians (decided on validation) are solid, with bars from the smallest to the largest seed, and a staircase.
  public func frontierSVG() -> String {
    frontierSVG(.settings, for: .file)
  }

  /// What seeds attain in the same plane: of every method the median attainment surface of the test split, and a band
  /// between the quartiles.
  public func attainmentSVG() -> String {
    frontierSVG(.attainment, for: .file)
  }

  func frontierSVG(_ kind: FrontierPlot.Kind, for destination: PlotDestination) -> String {
    FrontierPlot(sweep: self, data: FrontierPlotData(self), kind: kind).svg(for: destination)
  }
}

/// Lays out `frontier.svg` and `attainment.svg` and draws them. Lengths are pixels from the upper left.
struct FrontierPlot {
  /// What is shown of a method.
  enum Kind {
    /// Its settings, at medians over seeds.
    case settings
    /// What its seeds attain.
    case attainment
  }

  let kind: Kind
  let sweep: ReportedSweep
  let data: FrontierPlotData
  let costs: SymmetricLogScale
  let removals: LinearScale
  let grid: PlotGrid

  init(sweep: ReportedSweep, data: FrontierPlotData, kind: Kind) {
    self.kind = kind
    self.sweep = sweep
    self.data = data
    let uniform = sweep.analysis.uniformGuess
    let goal = sweep.analysis.goal
    // The axes hold what an edit worth having can read; what lies beyond is drawn at the edge with an arrow.
    let cheapest = data.costs(kind).min() ?? 0
    let dearest = data.costs(kind).max() ?? 0
    costs = SymmetricLogScale(
      domain: min(max(cheapest * 1.15, -1), -0.005)...max(min(dearest * 1.15, 20), 4 * goal.retentionCostAtMost, 0.1),
      thresholdExponent: -2)
    let top = min(max(data.removals(kind).max() ?? 0, uniform * 1.03), uniform * 1.6)
    let bottom = max(min(data.removals(kind).min() ?? 0, uniform * 0.97), 0)
    let margin = (top - bottom) * 0.05
    grid = PlotGrid(panels: data.panels.count)
    removals = LinearScale(domain: (bottom - margin)...(top + margin), steps: grid.panelHeight / 40)
  }

  func svg(for destination: PlotDestination) -> String {
    let sheet = PlotSheet(width: grid.width, title: title, caption: captionText, destination: destination)
    let legend = legend
    let legendTop = sheet.top
    let panelsTop = legendTop + legend.height + 24
    let axisTitleTop = panelsTop + grid.height + 36
    let captionTop = axisTitleTop + 22
    var canvas = sheet.open(captionTop: captionTop, description: description)
    legend.draw(top: legendTop, &canvas)
    for (place, panel) in data.panels.enumerated() {
      let frame = grid.frame(place, top: panelsTop)
      PanelDrawing(plot: self, panel: panel, frame: frame).draw(
        hasCostLabels: grid.isLowest(place), hasRemovalLabels: grid.isLeftmost(place),
        hasUniformLabel: grid.isRightmost(place), &canvas)
    }
    canvas.label(
      axisTitle(of: .retain, " retention cost (nats, symmetric log scale)", room: grid.innerWidth + 60),
      x: grid.left + grid.innerWidth / 2, y: axisTitleTop, ["text-anchor": "middle", "font-size": "12"])
    let middle = panelsTop + grid.height / 2
    canvas.label(
      axisTitle(of: .forget, " cross-entropy (nats)", room: grid.height + 50), x: 22, y: middle,
      ["text-anchor": "middle", "font-size": "12", "transform": "rotate(-90 22 \(svgNumber(middle)))"])
    return sheet.close(canvas, captionTop: captionTop)
  }

  private func axisTitle(of role: CorpusRole, _ quantity: String, room: Double) -> String {
    let size = 12.0
    let left = max(0, room - PlotText.width(quantity, size: size))
    return PlotText.truncated(sweep.title(of: role).capitalised, to: left, size: size) + quantity
  }

  // MARK: Words

  private var title: String {
    let (forget, retain) = (sweep.title(of: .forget).capitalised, sweep.title(of: .retain).capitalised)
    let subject =
      switch kind {
      case .settings: ""
      case .attainment: "what seeds attain of "
      }
    return "\(sweep.name): \(subject)\(forget) removed against \(retain) retained, by token budget"
  }

  private var description: String {
    let methods = sweep.analysis.methods.map { method in
      let tokens = method.tokensToTarget.tokens.map { "\($0.description) tokens" } ?? "never"
      return "\(method.name) (\(method.cells[.completed, default: 0]) cells completed; goal reached: \(tokens))"
    }
    let shown =
      switch kind {
      case .settings: "Scatter plots"
      case .attainment: "Median attainment surfaces"
      }
    return "\(shown) of retention cost against removal, one panel for each token budget "
      + "(\(data.panels.map(\.title).joined(separator: ", "))). "
      + "Methods: \(methods.joined(separator: "; "))."
  }

  var captionText: String {
    switch kind {
    case .settings: settingsCaption
    case .attainment: Self.attainmentCaption
    }
  }

  private static let attainmentCaption =
    "Test split. Lines: the median attainment surface, what more than half of a method's seeds attain at that token "
    + "budget. Bands: between what more than a quarter and what more than three quarters of them attain; they are "
    + "there where seeds differ. Each seed's edits are chosen on the validation split with removal capped at ln V."

  private var settingsCaption: String {
    let marker =
      data.seeds > 1
      ? "one setting of a method's hyper-parameters at the median over seeds; bars reach from the smallest to the "
        + "largest of up to \(data.seeds) seeds"
      : "one cell"
    return "Test split. Each marker is \(marker). Solid markers and "
      + "staircases: the method's frontier at that token budget, chosen on the validation split with removal "
      + "capped at ln V; pale markers: settings it dominates."
      + (data.marks.contains(where: isBeyond) ? " Arrows point to markers that lie beyond an axis." : "")
  }

  private func isBeyond(_ mark: FrontierPlotData.Mark) -> Bool {
    !costs.domain.contains(mark.cost.median) || !removals.domain.contains(mark.removal.median)
  }

  // MARK: Legend

  private var legend: PlotLegend {
    let analysis = sweep.analysis
    var entries = PlotLegend.methods(of: sweep)
    if data.baseRemoval != nil { entries.append((.base, "base model")) }
    let least = fixedDecimal(analysis.goal.leastRemoval(uniformGuess: analysis.uniformGuess), 2)
    let cost = svgNumber(analysis.goal.retentionCostAtMost)
    let (forget, retain) = (shortTitle(of: .forget), shortTitle(of: .retain))
    entries.append((.goal, "goal: \(forget) \u{2265} \(least), \(retain) cost \u{2264} \(cost)"))
    return PlotLegend(entries, width: grid.width)
  }

  private func shortTitle(of role: CorpusRole) -> String {
    PlotText.truncated(sweep.title(of: role).capitalised, to: 80, size: PlotLegend.size)
  }
}

extension String {
  /// The text with its first letter in upper case: languages' names are given in lower case.
  var capitalised: String {
    prefix(1).uppercased() + dropFirst()
  }
}
