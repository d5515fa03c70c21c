internal import Foundation
internal import SweepCore

/// Lays out `divergence.svg` and draws it: a panel for each corpus, and for each edit how KL(base || edited) is
/// distributed over the tokens of its test text.
struct DivergencePlot {
  let sweep: ReportedSweep
  let rollouts: RolloutDocument
  private let grid: PlotGrid
  private let across: LabelledScale
  private let up: LinearScale

  init(sweep: ReportedSweep, rollouts: RolloutDocument) {
    self.sweep = sweep
    self.rollouts = rollouts
    grid = PlotGrid(panels: rollouts.corpora.count)
    let edges = rollouts.divergenceEdges.map(log10)
    let (low, high) = (edges.first ?? -5, edges.last ?? 1)
    let ticks = stride(from: low.rounded(.up), through: high.rounded(.down), by: 1).map { exponent in
      (value: exponent, label: svgNumber(pow(10, exponent), decimals: 6))
    }
    // Labels at every second decade, from the greatest.
    across = LabelledScale(domain: low...max(high, low + 1), ticks: ticks.reversed())
    let most = rollouts.edits.flatMap(\.divergences).flatMap(Self.shares).max() ?? 0
    up = LinearScale(domain: 0...max(most * 1.08, 0.01), steps: grid.panelHeight / 40)
  }

  /// The share of all tokens in each bin.
  private static func shares(_ histogram: RolloutDocument.Histogram) -> [Double] {
    let all = Double(max(histogram.below + histogram.counts.reduce(0, +) + histogram.above, 1))
    return histogram.counts.map { Double($0) / all }
  }

  func svg(for destination: PlotDestination) -> String {
    let methods = rollouts.edits.map { edited in sweep.analysis.methods.firstIndex { $0.name == edited.edit.method } }
    let legend = PlotLegend(
      zip(methods, rollouts.edits).compactMap { place, edited in
        place.map { (.method($0), PlotText.truncated(edited.edit.method, to: 280, size: PlotLegend.size)) }
      }, width: grid.width)
    let sheet = PlotSheet(width: grid.width, title: title, caption: Self.caption, destination: destination)
    let legendTop = sheet.top
    let top = legendTop + legend.height + 24
    let captionTop = top + grid.height + 58
    var canvas = sheet.open(captionTop: captionTop, description: description)
    legend.draw(top: legendTop, &canvas)
    for (place, corpus) in rollouts.corpora.enumerated() {
      let frame = grid.frame(place, top: top)
      let axes = PanelAxes(frame: frame, across: across, up: up)
      axes.draw(hasLabelsBelow: grid.isLowest(place), hasLabelsLeft: grid.isLeftmost(place), &canvas)
      canvas.label(
        PlotText.truncated("\(corpus.name.capitalised) (\(corpus.role.rawValue))", to: frame.width, size: 12),
        x: frame.left, y: frame.top - 6, ["font-weight": "bold"])
      for (method, edited) in zip(methods, rollouts.edits) {
        guard let method else { continue }
        let colour = canvas.colours.method(method)
        canvas.element(
          "path",
          ["d": outline(edited.divergences[place], axes), "fill": "none", "stroke": colour, "stroke-width": "1.4"])
      }
    }
    canvas.label(
      PlotText.truncated("KL(base || edited) at a token (nats, log scale)", to: grid.innerWidth, size: 12),
      x: grid.left + grid.innerWidth / 2, y: top + grid.height + 36, ["text-anchor": "middle", "font-size": "12"])
    let middle = top + grid.height / 2
    canvas.label(
      "share of tokens", x: 22, y: middle,
      ["text-anchor": "middle", "font-size": "12", "transform": "rotate(-90 22 \(svgNumber(middle)))"])
    return sheet.close(canvas, captionTop: captionTop)
  }

  /// A line from bin to bin, level across each.
  private func outline(_ histogram: RolloutDocument.Histogram, _ axes: PanelAxes) -> String {
    let edges = rollouts.divergenceEdges.map { axes.x(log10($0)) }
    let levels = Self.shares(histogram).map { svgNumber(axes.y($0)) }
    var path = "M\(svgNumber(edges[0])) \(svgNumber(axes.frame.bottom))"
    for (level, right) in zip(levels, edges.dropFirst()) { path += "V\(level)H\(svgNumber(right))" }
    return path + "V\(svgNumber(axes.frame.bottom))"
  }

  private var title: String { "\(sweep.name): divergence from the base model, token by token" }

  private var description: String {
    "Histograms of KL(base || edited) over the tokens of "
      + rollouts.corpora.map(\.name).joined(separator: ", ") + " for one edit of each method."
  }

  static let caption =
    "Whole test split as the sweep measures it. Tokens below the first edge or above the last count in the whole but are "
    + "not drawn."
}
