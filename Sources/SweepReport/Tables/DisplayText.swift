/// Text as a terminal shows it.
public enum DisplayText {
  /// The text with characters that would move the cursor, turn the writing direction or break a line replaced: names
  /// come from files, and may hold anything.
  public static func printable(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      result.append(isHarmful(scalar) ? "\u{FFFD}" : scalar)
    }
    return String(result)
  }

  private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    case .format: scalar.properties.isBidiControl
    default: false
    }
  }

  /// The number of columns the text takes.
  public static func columns(_ text: String) -> Int {
    text.map(columns).reduce(0, +)
  }

  private static func columns(_ character: Character) -> Int {
    let scalars = character.unicodeScalars
    if scalars.allSatisfy(isInvisible) { return 0 }
    let isWide = scalars.contains { $0.properties.isEmojiPresentation || $0.value == 0xFE0F || isEastAsianWide($0) }
    return isWide ? 2 : 1
  }

  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: true
    default: false
    }
  }

  /// Wide and fullwidth blocks of Unicode's EastAsianWidth.txt.
  private static func isEastAsianWide(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F,
      0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1B000...0x1B2FF,
      0x20000...0x3FFFD:
      true
    default: false
    }
  }
}

/// Columns of text, aligned.
public struct AlignedTable {
  /// Which side of its column a field stands on.
  public enum Alignment {
    /// The left.
    case left
    /// The right.
    case right
  }

  private let alignments: [Alignment]
  private var rows: [[String]]

  /// Begins a table.
  public init(_ header: [(title: String, alignment: Alignment)]) {
    alignments = header.map(\.alignment)
    rows = [header.map { DisplayText.printable($0.title) }]
  }

  /// Adds a row of as many fields as the header has.
  public mutating func append(_ fields: [String]) {
    precondition(fields.count == alignments.count, "\(fields.count) fields under a header of \(alignments.count)")
    rows.append(fields.map(DisplayText.printable))
  }

  /// The rows, each ended by a line feed and without white space before it.
  public var text: String {
    let widths = alignments.indices.map { column in rows.map { DisplayText.columns($0[column]) }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, field) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - DisplayText.columns(field))
        line += (column > 0 ? "  " : "") + (alignments[column] == .left ? field + padding : padding + field)
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
