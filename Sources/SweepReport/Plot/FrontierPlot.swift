internal import SweepCore

extension ReportedSweep {
  /// `frontier.svg`: retention cost against removal on the test split, a panel for each token budget.
  ///
  /// A marker is one setting of a method's hyper-parameters, at the median over seeds; those on the method's front of
  /// medians (decided on validation) are solid, with bars from the smallest to the largest seed, and a staircase.
  public func frontierSVG() -> String {
    let data = FrontierPlotData(self)
    return FrontierPlot(sweep: self, data: data).svg()
  }
}

/// Lays out `frontier.svg` and draws it. Lengths are pixels from the upper left.
struct FrontierPlot {
  let sweep: ReportedSweep
  let data: FrontierPlotData
  let costs: SymmetricLogScale
  let removals: LinearScale
  let grid: PlotGrid

  private static let captionSize = 10.0
  private static let legendSize = 11.0
  private static let legendLine = 19.0
  private static let titleSize = 14.0

  init(sweep: ReportedSweep, data: FrontierPlotData) {
    self.sweep = sweep
    self.data = data
    let uniform = sweep.analysis.uniformGuess
    let goal = sweep.analysis.goal
    // The axes hold what an edit worth having can read; what lies beyond is drawn at the edge with an arrow.
    let cheapest = data.costs.min() ?? 0
    let dearest = data.costs.max() ?? 0
    costs = SymmetricLogScale(
      domain: min(max(cheapest * 1.15, -1), -0.005)...max(min(dearest * 1.15, 20), 4 * goal.retentionCostAtMost, 0.1),
      thresholdExponent: -2)
    let top = min(max(data.removals.max() ?? 0, uniform * 1.03), uniform * 1.6)
    let bottom = max(min(data.removals.min() ?? 0, uniform * 0.97), 0)
    let margin = (top - bottom) * 0.05
    grid = PlotGrid(panels: data.panels.count)
    removals = LinearScale(domain: (bottom - margin)...(top + margin), steps: grid.panelHeight / 40)
  }

  func svg() -> String {
    let width = grid.width
    let legend = legendRows()
    let caption = PlotText.wrapped(captionText, to: width - 2 * PlotGrid.edge, size: Self.captionSize)
    let legendTop = PlotGrid.edge + 26
    let panelsTop = legendTop + Double(legend.count) * Self.legendLine + 24
    let axisTitleTop = panelsTop + grid.height + 36
    let captionTop = axisTitleTop + 22
    let height = captionTop + Double(caption.count) * 14 + PlotGrid.edge - 14

    var canvas = SVGCanvas(width: width, height: height, title: title, description: description)
    canvas.label(
      PlotText.truncated(title, to: width - 2 * PlotGrid.edge, size: Self.titleSize * 1.1), x: PlotGrid.edge,
      y: PlotGrid.edge + 11, ["font-size": svgNumber(Self.titleSize), "font-weight": "bold"])
    for (row, entries) in legend.enumerated() {
      for entry in entries {
        draw(entry.kind, label: entry.label, x: entry.x, y: legendTop + (Double(row) + 0.5) * Self.legendLine, &canvas)
      }
    }
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
    for (line, text) in caption.enumerated() {
      canvas.label(
        text, x: PlotGrid.edge, y: captionTop + Double(line) * 14,
        ["font-size": svgNumber(Self.captionSize), "fill": "#555555"])
    }
    canvas.close("svg")
    return canvas.text
  }

  private func axisTitle(of role: CorpusRole, _ quantity: String, room: Double) -> String {
    let size = 12.0
    let left = max(0, room - PlotText.width(quantity, size: size))
    return PlotText.truncated(sweep.title(of: role).capitalised, to: left, size: size) + quantity
  }

  // MARK: Words

  private var title: String {
    let (forget, retain) = (sweep.title(of: .forget).capitalised, sweep.title(of: .retain).capitalised)
    return "\(sweep.name): \(forget) removed against \(retain) retained, by token budget"
  }

  private var description: String {
    let methods = sweep.analysis.methods.map { method in
      let tokens = method.tokensToTarget.tokens.map { "\($0.description) tokens" } ?? "never"
      return "\(method.name) (\(method.cells[.completed, default: 0]) cells completed; goal reached: \(tokens))"
    }
    return "Scatter plots of retention cost against removal, one panel for each token budget "
      + "(\(data.panels.map(\.title).joined(separator: ", "))). "
      + "Methods: \(methods.joined(separator: "; "))."
  }

  private var captionText: String {
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

  enum LegendKind {
    case method(PlotStyle)
    case base
    case goal
  }

  private func shortTitle(of role: CorpusRole) -> String {
    PlotText.truncated(sweep.title(of: role).capitalised, to: 80, size: Self.legendSize)
  }

  private struct LegendEntry {
    var kind: LegendKind
    var label: String
    var x: Double
  }

  /// The entries, flowed into rows as wide as the page.
  private func legendRows() -> [[LegendEntry]] {
    let analysis = sweep.analysis
    var entries: [(LegendKind, String)] = analysis.methods.enumerated().map { place, method in
      let name = PlotText.truncated(method.name, to: 280, size: Self.legendSize)
      return (.method(PlotStyle(place: place)), method.points.isEmpty ? "\(name) (no result)" : name)
    }
    if data.baseRemoval != nil { entries.append((.base, "base model")) }
    let least = fixedDecimal(analysis.goal.leastRemoval(uniformGuess: analysis.uniformGuess), 2)
    let cost = svgNumber(analysis.goal.retentionCostAtMost)
    let (forget, retain) = (shortTitle(of: .forget), shortTitle(of: .retain))
    entries.append((.goal, "goal: \(forget) \u{2265} \(least), \(retain) cost \u{2264} \(cost)"))

    let room = grid.width - 2 * PlotGrid.edge
    var rows: [[LegendEntry]] = [[]]
    var x = 0.0
    for (kind, text) in entries {
      let label = PlotText.truncated(text, to: room - 34, size: Self.legendSize)
      let width = 34 + PlotText.width(label, size: Self.legendSize) + 14
      if x > 0, x + width - 14 > room {
        rows.append([])
        x = 0
      }
      rows[rows.count - 1].append(LegendEntry(kind: kind, label: label, x: PlotGrid.edge + x))
      x += width
    }
    return rows
  }

  private func draw(_ kind: LegendKind, label: String, x: Double, y: Double, _ canvas: inout SVGCanvas) {
    switch kind {
    case .method(let style):
      canvas.element(
        "path", ["d": "M\(svgNumber(x)) \(svgNumber(y))h26", "stroke": style.colour, "stroke-width": "1.6"])
      canvas.element("path", ["d": style.marker(x: x + 13, y: y, radius: 4.2), "fill": style.colour])
    case .base: drawBase(x: x + 13, y: y, &canvas)
    case .goal:
      canvas.element(
        "rect",
        [
          "x": svgNumber(x + 2), "y": svgNumber(y - 6), "width": "22", "height": "12", "fill": Self.goalFill,
          "stroke": Self.goalStroke, "stroke-width": "0.8", "stroke-dasharray": "3 2",
        ])
    }
    canvas.label(label, x: x + 32, y: y + 4, ["font-size": svgNumber(Self.legendSize)])
  }

  static let goalFill = "#E6F4EC"
  static let goalStroke = "#5C9A7C"

  func drawBase(x: Double, y: Double, _ canvas: inout SVGCanvas) {
    let path = "M\(svgNumber(x - 5)) \(svgNumber(y - 5))l10 10m0 -10l-10 10"
    canvas.element("path", ["d": path, "fill": "none", "stroke": "#ffffff", "stroke-width": "4"])
    canvas.element("path", ["d": path, "fill": "none", "stroke": "#000000", "stroke-width": "2"])
  }
}

extension String {
  /// The text with its first letter in upper case: languages' names are given in lower case.
  fileprivate var capitalised: String {
    prefix(1).uppercased() + dropFirst()
  }
}
