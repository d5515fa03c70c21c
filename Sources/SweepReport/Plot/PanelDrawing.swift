internal import SweepCore

/// Draws the panel of one token budget.
struct PanelDrawing {
  let plot: FrontierPlot
  let panel: FrontierPlotData.Panel
  let frame: PlotGrid.Frame
  private let axes: PanelAxes

  init(plot: FrontierPlot, panel: FrontierPlotData.Panel, frame: PlotGrid.Frame) {
    self.plot = plot
    self.panel = panel
    self.frame = frame
    axes = PanelAxes(frame: frame, across: plot.costs, up: plot.removals)
  }

  /// Draws from back to front: goal, grid, uniform guess; then dominated settings, base model, staircases, bars,
  /// fronts; or bands, base model, medians.
  func draw(hasCostLabels: Bool, hasRemovalLabels: Bool, hasUniformLabel: Bool, _ canvas: inout SVGCanvas) {
    canvas.open("g")
    drawGoal(&canvas)
    axes.draw(hasLabelsBelow: hasCostLabels, hasLabelsLeft: hasRemovalLabels, &canvas)
    drawUniformGuess(isLabelled: hasUniformLabel, &canvas)
    canvas.label(
      panel.title, x: frame.left, y: frame.top - 6, ["font-weight": "bold"])
    switch plot.kind {
    case .settings:
      for series in panel.series { drawDominated(series, &canvas) }
      if let base = plot.data.baseRemoval { PlotLegend.drawBase(x: x(0), y: y(base), &canvas) }
      for series in panel.series { drawStaircase(series, &canvas) }
      for series in panel.series { drawFront(series, &canvas) }
    case .attainment:
      for series in panel.series { drawBand(series, &canvas) }
      if let base = plot.data.baseRemoval { PlotLegend.drawBase(x: x(0), y: y(base), &canvas) }
      for series in panel.series { drawMedian(series, &canvas) }
    }
    if panel.series.isEmpty {
      canvas.label(
        "no results yet", x: frame.left + frame.width / 2, y: frame.top + frame.height / 2,
        ["text-anchor": "middle", "fill": canvas.colours.faint])
    }
    canvas.close("g")
  }

  // MARK: Places

  private func x(_ cost: Double) -> Double { axes.x(cost) }

  private func y(_ removal: Double) -> Double { axes.y(removal) }

  /// The middle of a mark: where it lies beyond an axis, inside the frame with room for an arrow.
  private func centre(_ mark: FrontierPlotData.Mark, radius: Double) -> SIMD2<Double> {
    let room = radius + 7
    var centre = SIMD2(x(mark.cost.median), y(mark.removal.median))
    if !plot.costs.domain.contains(mark.cost.median) {
      centre.x = min(max(centre.x, frame.left + room), frame.right - room)
    }
    if !plot.removals.domain.contains(mark.removal.median) {
      centre.y = min(max(centre.y, frame.top + room), frame.bottom - room)
    }
    return centre
  }

  // MARK: Frame

  private func drawGoal(_ canvas: inout SVGCanvas) {
    let goal = plot.sweep.analysis.goal
    let least = goal.leastRemoval(uniformGuess: plot.sweep.analysis.uniformGuess)
    let right = x(goal.retentionCostAtMost)
    let bottom = y(least)
    canvas.element(
      "rect",
      [
        "x": svgNumber(frame.left), "y": svgNumber(frame.top), "width": svgNumber(right - frame.left),
        "height": svgNumber(bottom - frame.top), "fill": canvas.colours.goalFill,
      ])
    canvas.element(
      "path",
      [
        "d": "M\(svgNumber(right)) \(svgNumber(frame.top))V\(svgNumber(bottom))H\(svgNumber(frame.left))",
        "fill": "none", "stroke": canvas.colours.goalStroke, "stroke-width": "0.8", "stroke-dasharray": "3 2",
      ])
  }

  private func drawUniformGuess(isLabelled: Bool, _ canvas: inout SVGCanvas) {
    let guess = plot.sweep.analysis.uniformGuess
    let level = svgNumber(y(guess))
    canvas.element(
      "path",
      [
        "d": "M\(svgNumber(frame.left)) \(level)H\(svgNumber(frame.right))", "stroke": canvas.colours.ink,
        "stroke-width": "1.1", "stroke-dasharray": "6 3",
      ])
    guard isLabelled else { return }
    canvas.label("uniform guess", x: frame.right + 6, y: y(guess) - 2)
    canvas.label(
      "ln \(plot.sweep.vocabularySize) = \(fixedDecimal(guess, 2))", x: frame.right + 6, y: y(guess) + 11,
      ["font-size": "10"])
  }

  // MARK: Marks

  private func drawDominated(_ series: FrontierPlotData.Series, _ canvas: inout SVGCanvas) {
    let style = PlotStyle(place: series.method)
    let path = distinct(series.dominated, radius: 2.4).map { outline($0, style, radius: 2.4) }.joined()
    guard !path.isEmpty else { return }
    canvas.element("path", ["d": path, "fill": canvas.colours.method(series.method), "fill-opacity": "0.32"])
  }

  /// From setting to setting by ascending cost, where each reads more than all before it; then on to the right edge.
  private func drawStaircase(_ series: FrontierPlotData.Series, _ canvas: inout SVGCanvas) {
    let steps = series.front.map { centre($0, radius: frontRadius) }.sorted { ($0.x, $0.y) < ($1.x, $1.y) }
    guard let first = steps.first else { return }
    var path = "M\(svgNumber(first.x)) \(svgNumber(first.y))"
    var last = first
    for step in steps where step.y < last.y {
      path += "H\(svgNumber(step.x))V\(svgNumber(step.y))"
      last = step
    }
    let colour = canvas.colours.method(series.method)
    let onward = "M\(svgNumber(last.x)) \(svgNumber(last.y))H\(svgNumber(frame.right))"
    canvas.element(
      "path", ["d": onward, "stroke": colour, "stroke-width": "1", "stroke-opacity": "0.4"])
    canvas.element("path", ["d": path, "fill": "none", "stroke": colour, "stroke-width": "1.5"])
  }

  private func drawFront(_ series: FrontierPlotData.Series, _ canvas: inout SVGCanvas) {
    let style = PlotStyle(place: series.method)
    let colour = canvas.colours.method(series.method)
    let bars = series.front.map(bars).joined()
    if !bars.isEmpty {
      canvas.element("path", ["d": bars, "stroke": colour, "stroke-width": "1", "stroke-opacity": "0.75"])
    }
    for mark in distinct(series.front, radius: frontRadius) {
      canvas.open(
        "path",
        [
          "d": outline(mark, style, radius: frontRadius), "fill": colour, "stroke": canvas.colours.paper,
          "stroke-width": "0.7",
        ])
      canvas.element("title", content: mark.title)
      canvas.close("path")
    }
  }

  private var frontRadius: Double { frame.width > 300 ? 4.6 : 3.8 }

  /// The marks without those less than half a pixel from one before them, which would look like one.
  private func distinct(_ marks: [FrontierPlotData.Mark], radius: Double) -> [FrontierPlotData.Mark] {
    var drawn: Set<SIMD2<Double>> = []
    return marks.filter { drawn.insert((centre($0, radius: radius) * 2).rounded(.toNearestOrAwayFromZero)).inserted }
  }

  /// A mark's marker, with arrows where it lies beyond an axis.
  private func outline(_ mark: FrontierPlotData.Mark, _ style: PlotStyle, radius: Double) -> String {
    let centre = centre(mark, radius: radius)
    return style.marker(x: centre.x, y: centre.y, radius: radius) + arrows(mark, at: centre, radius: radius)
  }

  private func bars(_ mark: FrontierPlotData.Mark) -> String {
    let centre = centre(mark, radius: frontRadius)
    let across = bar(
      from: SIMD2(x(mark.cost.minimum), centre.y), to: SIMD2(x(mark.cost.maximum), centre.y), cap: "m0 -2.5v5")
    let along = bar(
      from: SIMD2(centre.x, y(mark.removal.minimum)), to: SIMD2(centre.x, y(mark.removal.maximum)), cap: "m-2.5 0h5")
    return across + along
  }

  /// A bar with small ends; nothing where the marker would hide it.
  private func bar(from start: SIMD2<Double>, to end: SIMD2<Double>, cap: String) -> String {
    let way = end - start
    guard abs(way.x) + abs(way.y) > 1 else { return "" }
    let (a, b) = ("\(svgNumber(start.x)) \(svgNumber(start.y))", "\(svgNumber(end.x)) \(svgNumber(end.y))")
    return "M\(a)L\(b)M\(a)\(cap)M\(b)\(cap)"
  }

  /// Small arrows at a marker that lies beyond an axis.
  private func arrows(_ mark: FrontierPlotData.Mark, at centre: SIMD2<Double>, radius: Double) -> String {
    let (costs, removals) = (plot.costs.domain, plot.removals.domain)
    var path = ""
    if mark.cost.median > costs.upperBound { path += arrow(centre, towards: SIMD2(1, 0), radius) }
    if mark.cost.median < costs.lowerBound { path += arrow(centre, towards: SIMD2(-1, 0), radius) }
    if mark.removal.median > removals.upperBound { path += arrow(centre, towards: SIMD2(0, -1), radius) }
    if mark.removal.median < removals.lowerBound { path += arrow(centre, towards: SIMD2(0, 1), radius) }
    return path
  }

  private func arrow(_ centre: SIMD2<Double>, towards way: SIMD2<Double>, _ radius: Double) -> String {
    let tip = centre + way * (radius + 6)
    let foot = centre + way * (radius + 2)
    let side = SIMD2(-way.y, way.x) * 3
    return "M" + [tip, foot + side, foot - side].map { "\(svgNumber($0.x)) \(svgNumber($0.y))" }.joined(separator: "L")
      + "Z"
  }

  // MARK: Attainment

  /// From the lower edge up to the first corner, from corner to corner, and on to the right edge; nothing without
  /// corners.
  private func steps(_ corners: [SIMD2<Double>]) -> String {
    guard let first = corners.first else { return "" }
    let start = "M\(svgNumber(x(first.x))) \(svgNumber(frame.bottom))V\(svgNumber(y(first.y)))"
    let steps = corners.dropFirst().map { "H\(svgNumber(x($0.x)))V\(svgNumber(y($0.y)))" }
    return start + steps.joined() + "H\(svgNumber(frame.right))"
  }

  /// What more than a quarter of the seeds attain and no more than three quarters do.
  private func drawBand(_ series: FrontierPlotData.Series, _ canvas: inout SVGCanvas) {
    let (better, worse) = (series.attainment[.lowerQuartile], series.attainment[.upperQuartile])
    guard !better.isEmpty, better != worse else { return }
    var path = steps(better)
    for (place, corner) in worse.enumerated().reversed() {
      path += "V\(svgNumber(y(corner.y)))H\(svgNumber(x(corner.x)))"
      if place == 0 { path += "V\(svgNumber(frame.bottom))" }
    }
    path += worse.isEmpty ? "V\(svgNumber(frame.bottom))Z" : "Z"
    canvas.element("path", ["d": path, "fill": canvas.colours.method(series.method), "fill-opacity": "0.13"])
  }

  private func drawMedian(_ series: FrontierPlotData.Series, _ canvas: inout SVGCanvas) {
    let median = series.attainment[.median]
    guard !median.isEmpty else { return }
    let colour = canvas.colours.method(series.method)
    canvas.element("path", ["d": steps(median), "fill": "none", "stroke": colour, "stroke-width": "1.6"])
    let style = PlotStyle(place: series.method)
    let markers = median.map { style.marker(x: x($0.x), y: y($0.y), radius: 2.8) }
    canvas.element("path", ["d": markers.joined(), "fill": colour])
  }
}
