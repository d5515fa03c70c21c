/// A table in Markdown whose columns are aligned, so that it reads well in a terminal too.
struct MarkdownTable {
  private let header: [String]
  /// Columns on the left that hold text; numbers stand on the right of theirs.
  private let textColumns: Int
  private var rows: [[String]] = []

  init(_ header: [String], textColumns: Int) {
    self.header = header
    self.textColumns = textColumns
  }

  /// Adds a row of as many fields as the header has.
  mutating func append(_ row: [String]) {
    precondition(row.count == header.count, "a field a column")
    rows.append(row.map { $0.replacing("|", with: "\\|") })
  }

  /// The lines, each with a line break.
  var text: String {
    let widths = header.indices.map { column in
      ([header] + rows).map { $0[column].count }.max() ?? 0
    }
    func line(_ fields: [String]) -> String {
      let cells = fields.enumerated().map { column, field in
        let padding = String(repeating: " ", count: widths[column] - field.count)
        return column < textColumns ? field + padding : padding + field
      }
      return "| " + cells.joined(separator: " | ") + " |\n"
    }
    let rule = widths.enumerated().map { column, width in
      let dashes = String(repeating: "-", count: max(width, 3) - 1)
      return column < textColumns ? dashes + "-" : dashes + ":"
    }
    return line(header) + "| " + rule.joined(separator: " | ") + " |\n" + rows.map(line).joined()
  }
}
