internal import Foundation
internal import ParameterDecomposition
internal import SweepReport

/// What a subcomponent does, as a line of numbers and bars for each language.
struct LanguageBars {
  /// A column: a number for each language, and the number that a full bar stands for.
  private struct Measure {
    let name: String
    let values: [Double]
    let full: Double
  }

  private let languages: [String]
  private let measures: [Measure]

  /// - Parameter languages: the order of the lines.
  init(_ subcomponent: SubcomponentHarvest, languages: [String]) {
    self.languages = languages
    func measure(_ name: String, _ values: [String: Double], full: Double?) -> Measure {
      let values = languages.map { values[$0] ?? 0 }
      return Measure(name: name, values: values, full: full ?? values.map(abs).max() ?? 0)
    }
    measures =
      [measure("strength", subcomponent.strength, full: nil)]
      + (subcomponent.importance.map { [measure("importance", $0, full: 1)] } ?? [])
      + [
        measure("density", subcomponent.density, full: 1), measure("attribution", subcomponent.attribution, full: nil),
      ]
  }

  /// The lines, with a header.
  func text(_ style: TerminalStyle) -> String {
    let names = languages.map { Columns.beginning(of: DisplayText.printable($0), columns: 20) }
    let nameWidth = names.map(DisplayText.columns).max() ?? 0
    let numbers = measures.map { measure in measure.values.map { String(format: "%.3g", $0) } }
    let numberWidths = numbers.map { $0.map(\.count).max() ?? 0 }
    let taken = nameWidth + numberWidths.reduce(0) { $0 + $1 + 3 }
    let barWidth = max(4, min(24, (style.columns - taken) / measures.count))

    let header = zip(measures, numberWidths).map { measure, width in
      Columns.filled(measure.name, to: width + 1 + barWidth)
    }
    var lines = [Columns.filled("", to: nameWidth) + "  " + header.joined(separator: "  ")]
    for (row, name) in names.enumerated() {
      let fields = measures.indices.map { place in
        let measure = measures[place]
        let bar = Self.bar(measure.full == 0 ? 0 : abs(measure.values[row]) / measure.full, width: barWidth)
        return Columns.aligned(numbers[place][row], to: numberWidths[place]) + " " + Columns.filled(bar, to: barWidth)
      }
      lines.append(Columns.filled(name, to: nameWidth) + "  " + fields.joined(separator: "  "))
    }
    return lines.map { line in
      String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
  }

  /// A bar of eighths of a column, one at least for a part above zero.
  static func bar(_ part: Double, width: Int) -> String {
    let eighths = min(8 * width, max(part > 0 ? 1 : 0, Int((part * 8 * Double(width)).rounded())))
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
    return String(repeating: "█", count: eighths / 8) + rest
  }
}
