/// The last lines that a process wrote, within bounds.
struct LastWords: Sendable {
  private static let mostBytes = 8 << 10
  private var bytes: [UInt8] = []
  /// What has been written of the line that is being written.
  private var unfinished: [UInt8] = []

  /// Takes in what the process wrote next and returns the lines that it completes, fit to be shown. Of a line without
  /// end only the beginning is kept.
  @discardableResult
  mutating func append(_ more: some Collection<UInt8>) -> [String] {
    bytes += more.suffix(Self.mostBytes)
    bytes.removeFirst(max(0, bytes.count - Self.mostBytes))
    var lines: [String] = []
    for part in more.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if part.offset > 0 {
        lines.append(Self.text(of: unfinished))
        unfinished = []
      }
      unfinished += part.element.prefix(Self.mostBytes - unfinished.count)
    }
    return lines.filter { !$0.isEmpty }
  }

  /// The line that says most, for people: the last that tells of an error, or else the last of all; `nil` if nothing
  /// was written.
  var line: String? {
    let lines = bytes.split(separator: UInt8(ascii: "\n")).map { Self.text(of: Array($0)) }.filter { !$0.isEmpty }
    return lines.last { $0.contains("Fatal error") || $0.contains("error:") } ?? lines.last
  }

  /// A line without characters that would disturb a terminal, at most 400 of them; empty if it is blank.
  private static func text(of line: [UInt8]) -> String {
    let text = String(decoding: line, as: UTF8.self).filter { !$0.isWhitespace || $0 == " " }
    return text.allSatisfy(\.isWhitespace) ? "" : String(text.prefix(400)).printable
  }
}

extension String {
  /// The text without characters that would move the cursor or break the line.
  var printable: String {
    String(
      String.UnicodeScalarView(
        unicodeScalars.map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .lineSeparator, .paragraphSeparator, .format: "\u{FFFD}"
          default: scalar
          }
        }))
  }
}
