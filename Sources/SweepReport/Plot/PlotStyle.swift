internal import Foundation

/// How one method is drawn: a colour of ``PlotPalette`` and a shape, each of which tells methods apart without the
/// other.
struct PlotStyle {
  private let shape: Shape

  private enum Shape: CaseIterable {
    case disc, square, triangle, diamond, invertedTriangle, pentagon, cross, star
  }

  /// Okabe and Ito's colours for all kinds of colour vision, the ones best seen on white first. Their black is left
  /// for the base model, and their yellow is darkened to be seen on white.
  static let colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#9A8F00"]

  /// The style of the method at a place in the sweep. Seven colours and eight shapes: 56 methods before one repeats.
  init(place: Int) {
    shape = Shape.allCases[place % Shape.allCases.count]
  }

  /// The outline of the method's marker as SVG path data. Shapes of equal radius look equally large.
  func marker(x: Double, y: Double, radius: Double) -> String {
    switch shape {
    case .disc:
      let r = svgNumber(radius)
      let (left, right) = (svgNumber(x - radius), svgNumber(x + radius))
      return
        "M\(left) \(svgNumber(y))A\(r) \(r) 0 1 1 \(right) \(svgNumber(y))A\(r) \(r) 0 1 1 \(left) \(svgNumber(y))Z"
    case .square: return polygon(x, y, corners: 4, radius: radius * 1.25, start: .pi / 4)
    case .triangle: return polygon(x, y, corners: 3, radius: radius * 1.35, start: .pi / 2)
    case .diamond: return polygon(x, y, corners: 4, radius: radius * 1.3, start: 0)
    case .invertedTriangle: return polygon(x, y, corners: 3, radius: radius * 1.35, start: -.pi / 2)
    case .pentagon: return polygon(x, y, corners: 5, radius: radius * 1.2, start: .pi / 2)
    case .cross:
      let (arm, half) = (radius * 1.2, radius * 0.42)
      let outline = [
        (-half, -arm), (half, -arm), (half, -half), (arm, -half), (arm, half), (half, half), (half, arm), (-half, arm),
        (-half, half), (-arm, half), (-arm, -half), (-half, -half),
      ]
      return Self.path(outline.map { (x + $0.0, y + $0.1) })
    case .star:
      return polygon(x, y, corners: 10, radius: radius * 1.5, start: .pi / 2, innerRadius: radius * 0.65)
    }
  }

  private func polygon(
    _ x: Double, _ y: Double, corners: Int, radius: Double, start: Double, innerRadius: Double? = nil
  ) -> String {
    Self.path(
      (0..<corners).map { corner in
        let angle = start + 2 * .pi * Double(corner) / Double(corners)
        let length = corner.isMultiple(of: 2) ? radius : innerRadius ?? radius
        return (x + length * cos(angle), y - length * sin(angle))
      })
  }

  private static func path(_ corners: [(Double, Double)]) -> String {
    "M" + corners.map { "\(svgNumber($0.0)) \(svgNumber($0.1))" }.joined(separator: "L") + "Z"
  }
}
