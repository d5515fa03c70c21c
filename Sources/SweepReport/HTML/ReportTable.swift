internal import Foundation
internal import SweepCore

/// A table of a report, from which every form of it is made.
struct ReportTable {
  /// A column.
  struct Column {
    let title: String
    let alignment: AlignedTable.Alignment
  }

  /// What stands in a column of a row.
  struct Field {
    /// What it says.
    var text: String
    /// What is said in smaller letters: a spread.
    var detail: String?
    /// Where the number lies, in smaller letters below.
    var interval: String?
    /// The place of the method whose colour goes before the text.
    var method: Int?
    /// Whether it is of less weight than others.
    var isPale = false
  }

  /// The names of its files without what follows the last dot.
  let name: String
  /// What it holds, in a line.
  let title: String
  /// How to read it.
  let caption: String
  /// Whether rows of equal first fields belong together, so that a page says it once.
  var isGrouped = false
  let columns: [Column]
  var rows: [[Field]] = []

  mutating func append(_ fields: [Field]) {
    precondition(fields.count == columns.count, "\(fields.count) fields under a header of \(columns.count)")
    rows.append(fields)
  }

  // MARK: HTML

  /// The table with its caption; it can be scrolled sideways where the page is too narrow.
  func html(number: Int) -> HTML {
    let head: [HTML] = columns.map { column in "<th\(Self.attribute(column)) scope=\"col\">\(column.title)</th>" }
    let body: [HTML] = rows.enumerated().map { number, row in
      let isSame = isGrouped && number > 0 && rows[number - 1][0].text == row[0].text
      let fields = zip(row, columns).enumerated().map { place, pair -> HTML in
        let content = isSame && place == 0 ? "" : Self.html(pair.0)
        return place == 0 ? "<th scope=\"row\">\(content)</th>" : "<td\(Self.attribute(pair.1))>\(content)</td>"
      }
      return "<tr\(isGrouped && !isSame ? " class=\"group\"" : "" as HTML)>\(fields)</tr>\n"
    }
    return """
      <figure class="table" id="table-\(name)">
      <figcaption><b>Table \(number).</b> <b>\(title).</b> \(caption)</figcaption>
      <div class="scroll" tabindex="0" role="group" aria-label="\(title)"><table>
      <thead><tr>\(head)</tr></thead>
      <tbody>
      \(body)</tbody>
      </table></div>
      </figure>

      """
  }

  private static func attribute(_ column: Column) -> HTML {
    switch column.alignment {
    case .left: ""
    case .right: " class=\"number\""
    }
  }

  private static func html(_ field: Field) -> HTML {
    func shown(_ text: String) -> String { field.method == nil ? text.withTrueMinus : text }
    let swatch: HTML = field.method.map { "<span class=\"swatch\">\(MethodSwatch.html($0))</span>" } ?? ""
    let text: HTML = field.isPale ? "<span class=\"pale\">\(shown(field.text))</span>" : "\(shown(field.text))"
    let details = [field.detail, field.interval.map { "[\($0)]" }].compactMap { $0 }
    let small: [HTML] = details.map { "<small>\(shown($0))</small>" }
    return "\(swatch)\(text)\(small)"
  }

  // MARK: Markdown

  /// The table as GitHub's Markdown shows tables, under its title.
  func markdown() -> String {
    func line(_ fields: [String]) -> String { "| " + fields.joined(separator: " | ") + " |\n" }
    var text = "**\(Self.markdown(title)).** \(Self.markdown(caption))\n\n"
    text += line(columns.map { Self.markdown($0.title) })
    text += line(columns.map { $0.alignment == .left ? ":---" : "---:" })
    for row in rows { text += line(row.map { Self.markdown($0.line) }) }
    return text
  }

  /// Text with every character that Markdown or the HTML in it might take for markup written as a reference.
  static func markdown(_ text: String) -> String {
    var result = ""
    for scalar in DisplayText.printable(text).unicodeScalars {
      switch scalar {
      case "\\", "`", "*", "_", "[", "]", "<", ">", "|", "&", "#", "~", "$": result += "&#\(scalar.value);"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  // MARK: LaTeX

  /// The table for LaTeX with the packages booktabs and, for letters beyond ASCII, an engine that reads UTF-8.
  func latex() -> String {
    func line(_ fields: [String]) -> String { fields.joined(separator: " & ") + " \\\\\n" }
    var text = "% Needs \\usepackage{booktabs}.\n\\begin{table}\n  \\centering\\small\n"
    text += "  \\caption{\(Self.latex(title)). \(Self.latex(caption))}\n  \\label{tab:\(name)}\n"
    text += "  \\begin{tabular}{\(columns.map { $0.alignment == .left ? "l" : "r" }.joined())}\n    \\toprule\n"
    text += "    " + line(columns.map { Self.latex($0.title) }) + "    \\midrule\n"
    for row in rows {
      text += "    " + line(zip(row, columns).map { Self.latex($0.line, isNumber: $1.alignment == .right) })
    }
    return text + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n"
  }

  /// Text with every character that LaTeX takes for a command written as one that prints it.
  static func latex(_ text: String, isNumber: Bool = false) -> String {
    var result = ""
    for scalar in DisplayText.printable(text).unicodeScalars {
      switch scalar {
      case "\\": result += "\\textbackslash{}"
      case "{", "}", "$", "&", "#", "%", "_": result += "\\\(scalar)"
      case "~": result += "\\textasciitilde{}"
      case "^": result += "\\textasciicircum{}"
      case "<": result += "\\textless{}"
      case ">": result += "\\textgreater{}"
      case "|": result += "\\textbar{}"
      case "\"": result += "\\textquotedbl{}"
      case "-": result += isNumber ? "$-$" : "-"
      case "\u{2265}": result += "$\\geq$"
      case "\u{2264}": result += "$\\leq$"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension ReportTable.Field {
  /// The field in one line of plain text.
  var line: String {
    [text, detail.map { "(\($0))" }, interval.map { "[\($0)]" }].compactMap { $0 }.filter { !$0.isEmpty }
      .joined(separator: " ")
  }

  /// The median of some numbers, with the smallest and the largest as detail where they differ from it in what is
  /// shown; a dash without numbers.
  static func spread(
    _ values: [Double], _ decimals: Int, signed: Bool = false, interval: Interval? = nil
  ) -> ReportTable.Field {
    guard !values.isEmpty else { return ReportTable.Field(text: "\u{2013}", isPale: true) }
    let spread = SeedSpread(values)
    func text(_ value: Double) -> String { fixedDecimal(value, decimals, signed: signed) }
    let (low, high) = (text(spread.minimum), text(spread.maximum))
    return ReportTable.Field(
      text: text(spread.median), detail: low == high ? nil : "\(low) to \(high)",
      interval: interval.map { "\(text($0.low)) to \(text($0.high))" })
  }
}

extension String {
  /// The text with a true minus sign in front of numbers.
  var withTrueMinus: String {
    var result = ""
    var last: Character = " "
    for (place, character) in zip(indices, self) {
      let next = index(after: place)
      let isSign = character == "-" && " ([".contains(last) && next < endIndex && self[next].isNumber
      result.append(isSign ? "\u{2212}" : character)
      last = character
    }
    return result
  }
}

/// A method's colour and shape as a small drawing.
enum MethodSwatch {
  static func html(_ place: Int) -> HTML {
    let marker = PlotStyle(place: place).marker(x: 7, y: 7, radius: 4.2)
    let colour = PlotPalette(.page(id: "")).method(place)
    return """
      <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true"><path d="\(marker)" fill="\(colour)"/></svg>
      """
  }
}
