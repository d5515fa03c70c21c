import Foundation
import ParameterDecomposition
import SweepReport
import Testing

@testable import pdsweep

/// How `pdsweep inspect` lays out what it shows.
@Suite
struct InspectLayoutTests {
  private static let plain = TerminalStyle(columns: 80, hasColours: false)

  /// A subcomponent with numbers by language, as a harvest tells them.
  private static func subcomponent(
    _ strength: [String: Double], importance: [String: Double]? = nil
  ) throws -> SubcomponentHarvest {
    var members: [String: Any] = [
      "site": "h.0.mlp.c_fc", "index": 1, "label": "x", "strength": strength,
      "attribution": strength.mapValues { -$0 / 100 }, "density": strength.mapValues { $0 / 100 },
      "selectivity": ["language": "x", "ratio": 1.5], "examples": [Any](),
    ]
    members["importance"] = importance
    return try JSONDecoder().decode(
      SubcomponentHarvest.self, from: JSONSerialization.data(withJSONObject: members))
  }

  private static func example(_ before: String, _ token: String, _ after: String, _ activation: Double = 2) throws
    -> SubcomponentHarvest.Example
  {
    try JSONDecoder().decode(
      SubcomponentHarvest.Example.self,
      from: JSONSerialization.data(
        withJSONObject: [
          "language": "日本語", "token": token, "before": before, "after": after, "activation": activation,
        ]))
  }

  @Test
  func theStyleFollowsTheTerminalAndTheEnvironment() {
    func style(_ isTerminal: Bool, _ columns: Int, _ environment: [String: String]) -> (Int, Bool) {
      let style = TerminalStyle.style(isTerminal: isTerminal, columns: columns, environment: environment)
      return (style.columns, style.hasColours)
    }
    #expect(style(true, 120, [:]) == (120, true))
    #expect(style(true, 120, ["NO_COLOR": "1", "COLUMNS": "60"]) == (120, false))
    #expect(style(true, 0, ["NO_COLOR": "", "COLUMNS": "60"]) == (60, true))
    #expect(style(true, 120, ["TERM": "dumb"]) == (120, false))
    #expect(style(false, 0, [:]) == (80, false))
    #expect(style(false, 0, ["COLUMNS": "-3"]) == (40, false))
    #expect(style(false, 0, ["COLUMNS": "wide"]) == (80, false))
  }

  @Test(arguments: [40, 60, 80, 133])
  func barsStandUnderEachOtherWhateverTheLettersOfTheLanguages(columns: Int) throws {
    let strength = ["german": 12.4, "español": 0.031, "portugue\u{302}s": 3, "日本語": 100, "العربية": 0, "x": 1e-7]
    for importance in [nil, strength.mapValues { min(1, $0) }] {
      let languages = strength.keys.sorted()
      let bars = LanguageBars(try Self.subcomponent(strength, importance: importance), languages: languages)
      let lines = bars.text(TerminalStyle(columns: columns, hasColours: false)).split(separator: "\n").map(String.init)
      #expect(lines.count == languages.count + 1)
      // The column at which each measure's name begins: numbers and bars of the lines below stay within.
      let starts = ["strength", "importance", "density", "attribution"].compactMap { name -> Int? in
        lines[0].range(of: name).map { DisplayText.columns(String(lines[0][..<$0.lowerBound])) }
      }
      #expect(starts.count == (importance == nil ? 3 : 4))
      for line in lines.dropFirst() {
        var column = 0
        var signs: [Int: Character] = [:]
        for character in line {
          signs[column] = character
          column += DisplayText.columns(String(character))
        }
        for start in starts { #expect((signs[start - 1] ?? " ") == " " && (signs[start - 2] ?? " ") == " ", "\(line)") }
        if columns >= 80 { #expect(column <= columns, "\(line)") }
      }
      // The full bar is the strongest language's, and nothing is the bar of nothing.
      let most = try #require(lines.first { $0.hasPrefix("日本語") })
      let least = try #require(lines.first { $0.hasPrefix("العربية") })
      #expect(most.contains("100 ████") && !least.contains("▏") && !least.contains("█"))
      #expect(try #require(lines.first { $0.hasPrefix("x") }).contains("1e-07 ▏"))
    }
  }

  @Test
  func aBarIsOfEighthsAndNeverEmptyForSomething() {
    #expect(LanguageBars.bar(0, width: 4) == "")
    #expect(LanguageBars.bar(1e-9, width: 4) == "▏")
    #expect(LanguageBars.bar(0.5, width: 4) == "██")
    #expect(LanguageBars.bar(0.5 + 3.0 / 32, width: 4) == "██▍")
    #expect(LanguageBars.bar(1, width: 4) == "████")
    #expect(LanguageBars.bar(7, width: 4) == "████")
  }

  @Test(arguments: [40, 57, 80, 200])
  func examplesFillTheLineAndKeepTheToken(columns: Int) throws {
    let long = String(repeating: "wörter ", count: 40)
    let cases = try [
      Self.example("", "a", ""), Self.example(long, " Wirt", long), Self.example("vor", "\n", "nach"),
      Self.example("日本語" + long, "日本", "語" + long), Self.example(long, String(repeating: "ab", count: 150), long),
      Self.example("e\u{301}", "\u{1B}[31m", "\u{202E}x", -1),
    ]
    let lines = ExampleLines(cases.map(ActivationTrace.init)).text(TerminalStyle(columns: columns, hasColours: false))
      .split(separator: "\n")
    #expect(lines.count == cases.count)
    for line in lines {
      #expect(DisplayText.columns(String(line)) <= columns, "\(line)")
      #expect(line.contains("[") && line.contains("]"))
    }
    #expect(lines[1].contains("[ Wirt]") && DisplayText.columns(String(lines[1])) == columns)
    #expect(lines[2].hasSuffix("vor[⏎]nach"))
    #expect(!lines[5].contains("\u{1B}") && !lines[5].contains("\u{202E}"))

    let coloured = ExampleLines(cases.map(ActivationTrace.init)).text(TerminalStyle(columns: columns, hasColours: true))
    let bare = coloured.replacing(/\u{1B}\[[0-9;]*m/, with: "").split(separator: "\n")
    #expect(bare[1].contains(" Wirt") && !bare[1].contains("["))
    for line in bare { #expect(DisplayText.columns(String(line)) <= columns, "\(line)") }
    // Tokens around the strongest are marked by their own activations, if they are of any size.
    let trace = ActivationTrace(
      language: "x",
      tokens: [("der", 0.1), (" Wirt", 4), (" und", -2.1)].map { .init(text: $0.0, activation: $0.1) }, place: 1)
    #expect(
      ExampleLines([trace]).text(TerminalStyle(columns: columns, hasColours: true))
        == "x  4  der\u{1B}[1;4;38;5;16;48;5;196m Wirt\u{1B}[0m\u{1B}[38;5;16;48;5;117m und\u{1B}[0m\n")
    #expect(ExampleLines([trace]).text(TerminalStyle(columns: columns, hasColours: false)) == "x  4  der[ Wirt] und\n")

    // The strongest of above zero has the deepest red; what is half as strong and below zero, a blue.
    let rows = coloured.split(separator: "\n")
    #expect(rows[1].contains("48;5;196m Wirt\u{1B}[0m") && rows[5].contains("48;5;117m"))
  }
}
