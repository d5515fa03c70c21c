internal import Foundation
internal import SweepCore

extension ReportedSweep {
  /// `tokens.svg`: how many tokens each method needs to reach the goal, seed by seed and at the median.
  public func tokensSVG() -> String {
    tokensSVG(for: .file)
  }

  func tokensSVG(for destination: PlotDestination) -> String {
    TokensPlot(self).svg(for: destination)
  }
}

/// Lays out `tokens.svg` and draws it: a row for each method, a marker for each seed, a bar at the median.
struct TokensPlot {
  let sweep: ReportedSweep
  let scale: LabelledScale
  /// What the methods' names take.
  let left: Double

  private static let width = 800.0
  private static let rowHeight = 26.0
  private static let neverWidth = 64.0
  private static let rightWidth = 190.0
  private static let nameSize = 11.0

  init(_ sweep: ReportedSweep) {
    self.sweep = sweep
    let budgets = Set(sweep.records.map { $0.cell.specification.training?.tokenBudget ?? 0 }).sorted()
    let ticks = budgets.map { (value: Self.doublings(Double($0)), label: grouped($0)) }
    let most = ticks.last?.value ?? 1
    let least = ticks.first?.value ?? 0
    let margin = max((most - least) * 0.05, 0.5)
    scale = LabelledScale(domain: (least - margin)...(most + margin), ticks: ticks)
    let names = sweep.analysis.methods.map { PlotText.width($0.name, size: Self.nameSize) }
    left = min(max(names.max() ?? 0, 40), 240) + PlotGrid.edge + 12
  }

  func svg(for destination: PlotDestination) -> String {
    let methods = sweep.analysis.methods
    let sheet = PlotSheet(width: Self.width, title: title, caption: Self.caption, destination: destination)
    let top = sheet.top + 14
    let height = Double(max(methods.count, 1)) * Self.rowHeight
    let frame = PlotGrid.Frame(
      left: left, top: top, width: Self.width - left - Self.neverWidth - Self.rightWidth, height: height)
    let captionTop = frame.bottom + 56
    var canvas = sheet.open(captionTop: captionTop, description: description)
    PanelAxes(frame: frame, across: scale, up: LabelledScale(domain: 0...1, ticks: []))
      .draw(hasLabelsBelow: true, hasLabelsLeft: false, &canvas)
    let never = frame.right + Self.neverWidth / 2
    canvas.label("never", x: never, y: frame.bottom + 17, ["text-anchor": "middle"])
    canvas.label(
      PlotText.truncated("tokens of \(sweep.title(of: .forget).capitalised)", to: frame.width, size: 12),
      x: frame.left + frame.width / 2, y: frame.bottom + 36, ["text-anchor": "middle", "font-size": "12"])
    for (place, method) in methods.enumerated() {
      let y = frame.top + (Double(place) + 0.5) * Self.rowHeight
      drawRow(method, place: place, y: y, frame, never: never, &canvas)
    }
    return sheet.close(canvas, captionTop: captionTop)
  }

  private func drawRow(
    _ method: MethodFrontier, place: Int, y: Double, _ frame: PlotGrid.Frame, never: Double,
    _ canvas: inout SVGCanvas
  ) {
    let colour = canvas.colours.method(place)
    let style = PlotStyle(place: place)
    let target = method.tokensToTarget
    canvas.label(
      PlotText.truncated(method.name, to: left - PlotGrid.edge - 12, size: Self.nameSize), x: frame.left - 10, y: y + 4,
      ["text-anchor": "end"])
    let median = target.tokens.map { x($0, frame) }
    if let median {
      canvas.element(
        "path",
        [
          "d": "M\(svgNumber(median)) \(svgNumber(y - 9))v18", "stroke": colour, "stroke-width": "2.6",
          "stroke-opacity": "0.5",
        ])
    }
    // Seeds that chose the same budget stand side by side.
    let groups = Dictionary(grouping: target.choices) { $0.point?.tokenBudget }
    for (budget, choices) in groups.sorted(by: { ($0.key ?? .max) < ($1.key ?? .max) }) {
      let middle = budget.map { x(Double($0), frame) } ?? never
      let gap = min(9, Self.neverWidth / Double(choices.count))
      let markers = choices.indices.map { seed in
        style.marker(x: middle + (Double(seed) - Double(choices.count - 1) / 2) * gap, y: y, radius: 3.4)
      }
      canvas.element(
        "path",
        [
          "d": markers.joined(), "fill": budget == nil ? canvas.colours.paper : colour, "stroke": colour,
          "stroke-width": "1", "fill-opacity": "0.75",
        ])
    }
    let reached = "\(target.chosen.count) of \(target.choices.count) \(target.choices.count == 1 ? "seed" : "seeds")"
    let tokens = target.tokens.map { "\(tokenCount($0))" } ?? "not reached"
    canvas.label("\(tokens), \(reached)", x: frame.right + Self.neverWidth + 6, y: y + 4)
  }

  /// The axis: equal steps are doublings, and 0 has a place.
  private static func doublings(_ tokens: Double) -> Double {
    log2(1 + tokens)
  }

  private func x(_ tokens: Double, _ frame: PlotGrid.Frame) -> Double {
    frame.left + frame.width * scale.place(Self.doublings(tokens))
  }

  private var title: String {
    let goal = sweep.analysis.goal
    return "\(sweep.name): \(sweep.title(of: .forget)) tokens needed at a \(sweep.title(of: .retain)) cost of at most "
      + "\(fixedDecimal(goal.retentionCostAtMost, 3)) nats"
  }

  private var description: String {
    sweep.analysis.methods.map { method in
      let target = method.tokensToTarget
      return "\(method.name): \(target.tokens.map(tokenCount) ?? "never"), "
        + "\(target.chosen.count) of \(target.choices.count) seeds"
    }.joined(separator: "; ") + "."
  }

  static let caption =
    "A marker is a seed, at the fewest tokens with which any setting of the method reaches the goal on the validation "
    + "split. Bars: the median over seeds, where a seed that never reaches the goal counts as infinite. Hollow markers: "
    + "never, with the tokens that were tried."
}

/// A number of tokens that may be the mean of two.
func tokenCount(_ tokens: Double) -> String {
  tokens == tokens.rounded() ? grouped(Int(tokens)) : fixedDecimal(tokens, 1)
}
