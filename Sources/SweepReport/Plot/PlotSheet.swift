/// What is around a drawing: in a file of its own a title above and a caption below, which on a page are the page's.
struct PlotSheet {
  let width: Double
  let title: String
  let caption: String
  let destination: PlotDestination

  private static let titleSize = 14.0
  private static let captionSize = 10.0
  private static let captionLine = 14.0

  /// Where the drawing begins.
  var top: Double {
    switch destination {
    case .file: PlotGrid.edge + 26
    case .page: 4
    }
  }

  /// A canvas with the title on it, for a drawing that leaves the room from `captionTop` on.
  func open(captionTop: Double, description: String) -> SVGCanvas {
    let room = width - 2 * PlotGrid.edge
    switch destination {
    case .file:
      let height = captionTop + Double(captionLines.count) * Self.captionLine + PlotGrid.edge - Self.captionLine
      var canvas = SVGCanvas(width: width, height: height, title: title, description: description, for: destination)
      canvas.label(
        PlotText.truncated(title, to: room, size: Self.titleSize * 1.1), x: PlotGrid.edge, y: PlotGrid.edge + 11,
        ["font-size": svgNumber(Self.titleSize), "font-weight": "bold"])
      return canvas
    case .page:
      return SVGCanvas(
        width: width, height: captionTop - 10, title: title, description: description, for: destination)
    }
  }

  /// Writes the caption and ends the drawing.
  ///
  /// - Returns: The whole text.
  func close(_ canvas: SVGCanvas, captionTop: Double) -> String {
    var canvas = canvas
    if case .file = destination {
      for (line, text) in captionLines.enumerated() {
        canvas.label(
          text, x: PlotGrid.edge, y: captionTop + Double(line) * Self.captionLine,
          ["font-size": svgNumber(Self.captionSize), "fill": canvas.colours.caption])
      }
    }
    canvas.close("svg")
    return canvas.text
  }

  private var captionLines: [String] {
    PlotText.wrapped(caption, to: width - 2 * PlotGrid.edge, size: Self.captionSize)
  }
}
