internal import SweepCore

/// A plot's legend, flowed into rows as wide as the page.
struct PlotLegend {
  /// What an entry stands for.
  enum Kind {
    /// The method at a place in the sweep.
    case method(Int)
    case base
    case goal
  }

  private struct Entry {
    var kind: Kind
    var label: String
    var x: Double
  }

  static let size = 11.0
  private static let line = 19.0

  private let rows: [[Entry]]

  init(_ entries: [(kind: Kind, label: String)], width: Double) {
    let room = width - 2 * PlotGrid.edge
    var rows: [[Entry]] = [[]]
    var x = 0.0
    for (kind, text) in entries {
      let label = PlotText.truncated(text, to: room - 34, size: Self.size)
      let width = 34 + PlotText.width(label, size: Self.size) + 14
      if x > 0, x + width - 14 > room {
        rows.append([])
        x = 0
      }
      rows[rows.count - 1].append(Entry(kind: kind, label: label, x: PlotGrid.edge + x))
      x += width
    }
    self.rows = rows
  }

  /// The entries of a sweep's methods.
  static func methods(of sweep: ReportedSweep) -> [(kind: Kind, label: String)] {
    sweep.analysis.methods.enumerated().map { place, method in
      let name = PlotText.truncated(method.name, to: 280, size: size)
      return (.method(place), method.points.isEmpty ? "\(name) (no result)" : name)
    }
  }

  var height: Double { Double(rows.count) * Self.line }

  func draw(top: Double, _ canvas: inout SVGCanvas) {
    for (row, entries) in rows.enumerated() {
      for entry in entries { draw(entry, y: top + (Double(row) + 0.5) * Self.line, &canvas) }
    }
  }

  private func draw(_ entry: Entry, y: Double, _ canvas: inout SVGCanvas) {
    let x = entry.x
    switch entry.kind {
    case .method(let place):
      let colour = canvas.colours.method(place)
      canvas.element("path", ["d": "M\(svgNumber(x)) \(svgNumber(y))h26", "stroke": colour, "stroke-width": "1.6"])
      canvas.element("path", ["d": PlotStyle(place: place).marker(x: x + 13, y: y, radius: 4.2), "fill": colour])
    case .base: Self.drawBase(x: x + 13, y: y, &canvas)
    case .goal:
      canvas.element(
        "rect",
        [
          "x": svgNumber(x + 2), "y": svgNumber(y - 6), "width": "22", "height": "12", "fill": canvas.colours.goalFill,
          "stroke": canvas.colours.goalStroke, "stroke-width": "0.8", "stroke-dasharray": "3 2",
        ])
    }
    canvas.label(entry.label, x: x + 32, y: y + 4, ["font-size": svgNumber(Self.size)])
  }

  /// The base model's cross.
  static func drawBase(x: Double, y: Double, _ canvas: inout SVGCanvas) {
    let path = "M\(svgNumber(x - 5)) \(svgNumber(y - 5))l10 10m0 -10l-10 10"
    canvas.element("path", ["d": path, "fill": "none", "stroke": canvas.colours.paper, "stroke-width": "4"])
    canvas.element("path", ["d": path, "fill": "none", "stroke": canvas.colours.line, "stroke-width": "2"])
  }
}
