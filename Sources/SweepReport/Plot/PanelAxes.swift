/// The rectangle of a panel with its two axes: where numbers lie in it, and its frame, ticks and labels.
struct PanelAxes {
  let frame: PlotGrid.Frame
  /// From left to right.
  let across: any PlotScale
  /// From the lower edge to the upper.
  let up: any PlotScale

  /// The place of a number across; at the edge for one beyond it.
  func x(_ value: Double) -> Double {
    frame.left + frame.width * across.place(Self.clamped(value, to: across.domain))
  }

  /// The place of a number upwards; at the edge for one beyond it.
  func y(_ value: Double) -> Double {
    frame.bottom - frame.height * up.place(Self.clamped(value, to: up.domain))
  }

  private static func clamped(_ value: Double, to domain: ClosedRange<Double>) -> Double {
    min(max(value, domain.lowerBound), domain.upperBound)
  }

  /// Draws the frame and the lines behind the data; labels only where no neighbour has them.
  func draw(hasLabelsBelow: Bool, hasLabelsLeft: Bool, _ canvas: inout SVGCanvas) {
    let (columns, rows) = (across.ticks, up.ticks)
    let lines =
      columns.map { "M\(svgNumber(x($0.value))) \(svgNumber(frame.top))V\(svgNumber(frame.bottom))" }
      + rows.map { "M\(svgNumber(frame.left)) \(svgNumber(y($0.value)))H\(svgNumber(frame.right))" }
    canvas.element("path", ["d": lines.joined(), "stroke": canvas.colours.line, "stroke-opacity": "0.08"])
    canvas.element(
      "rect",
      [
        "x": svgNumber(frame.left), "y": svgNumber(frame.top), "width": svgNumber(frame.width),
        "height": svgNumber(frame.height), "fill": "none", "stroke": canvas.colours.frame, "stroke-width": "0.8",
      ])
    let marks =
      columns.map { "M\(svgNumber(x($0.value))) \(svgNumber(frame.bottom))v5" }
      + across.minorTicks.map { "M\(svgNumber(x($0))) \(svgNumber(frame.bottom))v2.5" }
      + rows.map { "M\(svgNumber(frame.left)) \(svgNumber(y($0.value)))h-4" }
      + up.minorTicks.map { "M\(svgNumber(frame.left)) \(svgNumber(y($0)))h-2" }
    canvas.element("path", ["d": marks.joined(), "stroke": canvas.colours.frame, "stroke-width": "0.8"])
    if hasLabelsLeft { drawLabelsLeft(rows, &canvas) }
    if hasLabelsBelow { drawLabelsBelow(columns, &canvas) }
  }

  private func drawLabelsLeft(_ ticks: [(value: Double, label: String)], _ canvas: inout SVGCanvas) {
    var taken: [ClosedRange<Double>] = []
    for tick in ticks {
      let place = y(tick.value)
      let span = (place - 5)...(place + 5)
      guard !taken.contains(where: { $0.overlaps(span) }) else { continue }
      taken.append(span)
      canvas.label(tick.label, x: frame.left - 7, y: place + 3.8, ["text-anchor": "end"])
    }
  }

  private func drawLabelsBelow(_ ticks: [(value: Double, label: String)], _ canvas: inout SVGCanvas) {
    // Half of the gap to the next panel is this one's.
    let reach = (frame.left - PlotGrid.gap / 2)...(frame.right + PlotGrid.gap / 2)
    var taken: [ClosedRange<Double>] = []
    for tick in ticks {
      let half = PlotText.width(tick.label, size: 11) / 2
      let place = x(tick.value)
      let span = (place - half)...(place + half)
      guard reach.contains(span.lowerBound), reach.contains(span.upperBound),
        !taken.contains(where: { $0.overlaps(span) })
      else { continue }
      taken.append(span)
      canvas.label(tick.label, x: place, y: frame.bottom + 17, ["text-anchor": "middle"])
    }
  }
}
