/// Where panels of equal size stand on the page.
struct PlotGrid {
  /// A panel's rectangle.
  struct Frame {
    let left: Double
    let top: Double
    let width: Double
    let height: Double

    var right: Double { left + width }
    var bottom: Double { top + height }
  }

  /// White space around everything.
  static let edge = 18.0
  /// Between neighbours in a row.
  static let gap = 14.0
  /// Between rows there is room for a panel's title.
  private static let rowGap = 26.0

  let panels: Int
  let columns: Int
  private let panelWidth: Double
  /// Of one panel.
  let panelHeight: Double
  /// Left of it stand the labels of the vertical axis.
  let left = 62.0
  /// Right of the panels, for the label of the uniform guess.
  private let right = 96.0

  /// Lays out at least one panel's room.
  init(panels: Int) {
    self.panels = panels
    switch panels {
    case ...1: (columns, panelWidth, panelHeight) = (1, 520, 380)
    case 2: (columns, panelWidth, panelHeight) = (2, 350, 290)
    case 3: (columns, panelWidth, panelHeight) = (3, 260, 240)
    case 4: (columns, panelWidth, panelHeight) = (2, 350, 230)
    case 5...6, 9: (columns, panelWidth, panelHeight) = (3, 260, 205)
    default: (columns, panelWidth, panelHeight) = (4, 205, 180)
    }
  }

  private var rows: Int { max(1, (panels + columns - 1) / columns) }

  /// Of all panels of a row and the gaps between.
  var innerWidth: Double { Double(columns) * (panelWidth + Self.gap) - Self.gap }

  /// Of all rows and the gaps between.
  var height: Double { Double(rows) * (panelHeight + Self.rowGap) - Self.rowGap }

  /// Of the page.
  var width: Double { left + innerWidth + right }

  func frame(_ place: Int, top: Double) -> Frame {
    Frame(
      left: left + Double(place % columns) * (panelWidth + Self.gap),
      top: top + Double(place / columns) * (panelHeight + Self.rowGap), width: panelWidth, height: panelHeight)
  }

  /// Whether no panel stands below.
  func isLowest(_ place: Int) -> Bool { place + columns >= panels }

  func isLeftmost(_ place: Int) -> Bool { place.isMultiple(of: columns) }

  /// Whether no panel stands to the right.
  func isRightmost(_ place: Int) -> Bool { (place + 1).isMultiple(of: columns) || place == panels - 1 }
}
