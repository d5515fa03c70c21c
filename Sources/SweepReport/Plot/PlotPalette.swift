/// Where a drawing is seen, which decides how its colours are written.
enum PlotDestination {
  /// A file of its own, on white.
  case file
  /// Part of a page that has other drawings, light or dark: colours are the page's custom properties, which
  /// ``PlotPalette/pageProperties(dark:)`` gives values.
  case page(id: String)
}

/// The colours of a drawing.
struct PlotPalette {
  /// Behind everything.
  let paper: String
  /// Words and what is as strong as words.
  let ink: String
  /// Words that explain.
  let caption: String
  /// Words that say that there is nothing.
  let faint: String
  /// Frames and the marks on them.
  let frame: String
  /// Lines behind the data, drawn nearly transparent, and the base model's cross.
  let line: String
  /// The goal's region.
  let goalFill: String
  /// The goal's bounds.
  let goalStroke: String
  private let methods: [String]

  /// The colour of the method at a place in the sweep.
  func method(_ place: Int) -> String {
    methods[place % methods.count]
  }

  private static let light = PlotPalette(
    paper: "#ffffff", ink: "#222222", caption: "#555555", faint: "#777777", frame: "#666666", line: "#000000",
    goalFill: "#E6F4EC",
    goalStroke: "#5C9A7C", methods: PlotStyle.colours)

  /// The same hues, lighter where they are too dark to be seen on black.
  private static let dark = PlotPalette(
    paper: "#16181c", ink: "#dcdfe4", caption: "#a0a6b0", faint: "#8a909a", frame: "#8a909a", line: "#ffffff",
    goalFill: "#1d3328",
    goalStroke: "#6fb393", methods: ["#4BA3E3", "#F0803C", "#2DBE94", "#DD93B9", "#EDB13A", "#7CC8F2", "#C2B930"])

  private static let properties = PlotPalette(
    paper: "var(--paper)", ink: "var(--ink)", caption: "var(--caption)", faint: "var(--faint)", frame: "var(--frame)",
    line: "var(--line)",
    goalFill: "var(--goal-fill)", goalStroke: "var(--goal-stroke)",
    methods: PlotStyle.colours.indices.map { "var(--method-\($0))" })

  private init(
    paper: String, ink: String, caption: String, faint: String, frame: String, line: String, goalFill: String,
    goalStroke: String,
    methods: [String]
  ) {
    self.paper = paper
    self.ink = ink
    self.caption = caption
    self.faint = faint
    self.frame = frame
    self.line = line
    self.goalFill = goalFill
    self.goalStroke = goalStroke
    self.methods = methods
  }

  init(_ destination: PlotDestination) {
    switch destination {
    case .file: self = .light
    case .page: self = .properties
    }
  }

  /// The page's custom properties with their values, as CSS declarations.
  static func pageProperties(dark isDark: Bool) -> String {
    let values = (isDark ? dark : light).colours
    return zip(properties.colours, values).map { "\($0.dropFirst(4).dropLast()):\($1);" }.joined()
  }

  private var colours: [String] { [paper, ink, caption, faint, frame, line, goalFill, goalStroke] + methods }
}
