internal import CTerminal
internal import Foundation
internal import SweepReport

/// How text is laid out for standard output.
struct TerminalStyle {
  /// The columns of a line.
  var columns: Int
  /// Whether colours and weights are shown.
  var hasColours: Bool

  /// Fewer columns than these are taken to be these.
  private static let narrowest = 40
  private static let usual = 80

  /// The style that suits this process's standard output: colours on a terminal, unless NO_COLOR is set or the terminal
  /// has none (see no-color.org); the terminal's columns, or those of COLUMNS.
  static var suitable: TerminalStyle {
    style(
      isTerminal: isatty(STDOUT_FILENO) == 1, columns: Int(terminal_columns(STDOUT_FILENO)),
      environment: ProcessInfo.processInfo.environment)
  }

  /// The style that suits a standard output.
  ///
  /// - Parameter columns: what the terminal says of itself; 0 if nothing.
  static func style(isTerminal: Bool, columns: Int, environment: [String: String]) -> TerminalStyle {
    let known = columns > 0 ? columns : environment["COLUMNS"].flatMap { Int($0) } ?? usual
    let refusesColours = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
    return TerminalStyle(
      columns: max(narrowest, min(known, 1000)),
      hasColours: isTerminal && !refusesColours && environment["TERM"] != "dumb")
  }

  /// Text in bold.
  func bold(_ text: String) -> String { hasColours ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

  /// Text of less weight.
  func faint(_ text: String) -> String { hasColours ? "\u{1B}[2m\(text)\u{1B}[0m" : text }

  /// The token that a line is about: underlined, on the ground of its ``intensity``; in brackets where there are no
  /// colours.
  func marked(_ text: String, intensity: Double) -> String {
    hasColours ? "\u{1B}[1;4;38;5;16;48;5;\(Self.ground(intensity))m\(text)\u{1B}[0m" : "[\(text)]"
  }

  /// Another token on the ground of its intensity, where there are colours.
  func shaded(_ text: String, intensity: Double) -> String {
    hasColours ? "\u{1B}[38;5;16;48;5;\(Self.ground(intensity))m\(text)\u{1B}[0m" : text
  }

  /// A ground that is the deeper, the nearer the intensity is to 1 or -1: red above zero, blue below.
  private static func ground(_ intensity: Double) -> Int {
    let grounds = intensity < 0 ? [189, 153, 117, 75, 33] : [224, 217, 210, 203, 196]
    return grounds[min(grounds.count - 1, max(0, Int(abs(intensity) * Double(grounds.count))))]
  }

  /// The columns that ``marked(_:intensity:)`` adds to a text.
  var markColumns: Int { hasColours ? 0 : 2 }
}

/// Text cut and filled to columns.
enum Columns {
  /// The text with spaces behind it, up to a number of columns.
  static func filled(_ text: String, to columns: Int) -> String {
    text + String(repeating: " ", count: max(0, columns - DisplayText.columns(text)))
  }

  /// The text with spaces before it, up to a number of columns.
  static func aligned(_ text: String, to columns: Int) -> String {
    String(repeating: " ", count: max(0, columns - DisplayText.columns(text))) + text
  }

  /// The beginning of a text, with an ellipsis where it is cut off. There is room for the ellipsis.
  static func beginning(of text: String, columns: Int) -> String {
    guard DisplayText.columns(text) > columns else { return text }
    return String(leading(text, columns: columns - 1)) + "…"
  }

  /// The end of a text, with an ellipsis where it is cut off. There is room for the ellipsis.
  static func end(of text: String, columns: Int) -> String {
    guard DisplayText.columns(text) > columns else { return text }
    return "…" + String(leading(text.reversed(), columns: columns - 1).reversed())
  }

  /// As many characters as have room.
  private static func leading(_ characters: some Sequence<Character>, columns: Int) -> [Character] {
    var taken: [Character] = []
    var left = columns
    for character in characters {
      left -= DisplayText.columns(String(character))
      guard left >= 0 else { break }
      taken.append(character)
    }
    return taken
  }
}
