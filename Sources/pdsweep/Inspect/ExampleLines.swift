internal import Foundation
internal import ParameterDecomposition
internal import SweepReport

/// The places where a subcomponent is strongest, a line each, with the token marked.
struct ExampleLines {
  /// Tokens around the place whose activation is a smaller part of the strongest are not marked.
  private static let least = 0.2

  private let traces: [ActivationTrace]
  /// The activation that is marked the most, from zero.
  private let strongest: Double

  init(_ traces: [ActivationTrace]) {
    self.traces = traces
    strongest = traces.flatMap(\.tokens).map { abs($0.activation) }.max() ?? 0
  }

  /// The lines.
  func text(_ style: TerminalStyle) -> String {
    let names = traces.map { Columns.beginning(of: DisplayText.printable($0.language), columns: 12) }
    let numbers = traces.map { String(format: "%.3g", $0.tokens[$0.place].activation) }
    let nameWidth = names.map(DisplayText.columns).max() ?? 0
    let numberWidth = numbers.map(\.count).max() ?? 0
    return traces.enumerated().map { row, trace in
      "\(Columns.filled(names[row], to: nameWidth))  \(Columns.aligned(numbers[row], to: numberWidth))  "
        + line(trace, columns: style.columns - nameWidth - numberWidth - 4, style) + "\n"
    }.joined()
  }

  /// A place in so many columns: its token whole if it can be, most of the rest for the text before it, which is all that
  /// the subcomponent has seen.
  private func line(_ trace: ActivationTrace, columns: Int, _ style: TerminalStyle) -> String {
    let shown = trace.tokens.map { Self.shown($0.text) }
    let token = Columns.beginning(of: shown[trace.place], columns: columns - style.markColumns)
    let widths = shown.map(DisplayText.columns)
    let room = columns - style.markColumns - DisplayText.columns(token)
    let (before, after) = (0..<trace.place, trace.place + 1..<shown.count)
    let behind = min(
      widths[after].reduce(0, +), max(room / 4, room - widths[before].reduce(0, +)))
    func pieces(_ places: some Sequence<Int>, cut: (String, Int) -> String, columns: Int) -> [String] {
      var left = columns
      var pieces: [String] = []
      for place in places where left > 0 {
        let piece = left < widths[place] ? cut(shown[place], left) : shown[place]
        pieces.append(mark(piece, trace.tokens[place], style))
        left -= widths[place]
      }
      return pieces
    }
    return pieces(before.reversed(), cut: Columns.end(of:columns:), columns: room - behind).reversed().joined()
      + style.marked(token, intensity: intensity(trace.tokens[trace.place]))
      + pieces(after, cut: Columns.beginning(of:columns:), columns: behind).joined()
  }

  /// A token around the place: marked where the subcomponent acts on it too, and there are colours for it.
  private func mark(_ text: String, _ token: ActivationTrace.Token, _ style: TerminalStyle) -> String {
    let intensity = intensity(token)
    return abs(intensity) >= Self.least ? style.shaded(text, intensity: intensity) : text
  }

  private func intensity(_ token: ActivationTrace.Token) -> Double {
    strongest == 0 ? 0 : token.activation / strongest
  }

  /// Text on one line: the ends of lines, and what would move the cursor, are shown as signs.
  private static func shown(_ text: String) -> String {
    DisplayText.printable(text.replacing("\r\n", with: "\n").replacing("\n", with: "⏎").replacing("\t", with: " "))
  }
}
