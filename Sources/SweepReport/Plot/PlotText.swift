/// The room that text takes in a plot, by a generous estimate: which font a viewer has is not known.
enum PlotText {
  /// Width in pixels, at the widths of DejaVu Sans, the widest of the usual fonts.
  static func width(_ text: String, size: Double) -> Double {
    text.map(emWidth).reduce(0, +) * size
  }

  /// The text, its end replaced by an ellipsis if it takes more than `width` pixels.
  static func truncated(_ text: String, to width: Double, size: Double) -> String {
    guard Self.width(text, size: size) > width else { return text }
    var kept = text
    while !kept.isEmpty, Self.width(kept + "…", size: size) > width { kept.removeLast() }
    return kept + "…"
  }

  /// Lines of at most `width` pixels, broken at spaces; a longer word has a line of its own.
  static func wrapped(_ text: String, to width: Double, size: Double) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, Self.width("\(last) \(word)", size: size) <= width {
        lines[lines.count - 1] = "\(last) \(word)"
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }

  private static func emWidth(_ character: Character) -> Double {
    switch character {
    case "i", "j", "l", "I", "!", "'", ",", ".", ":", ";", "|", " ", "(", ")", "[", "]", "f", "t", "r", "-": 0.39
    case "m", "w", "M", "W", "@", "%": 0.98
    case "A"..."Z": 0.72
    case "0"..."9", "a"..."z": 0.635
    default: DisplayText.columns(String(character)) == 2 ? 1.05 : 0.75
    }
  }
}
