/// The last lines that a process wrote, within bounds.
struct LastWords: Sendable {
  private static let mostBytes = 8 << 10
  private var bytes: [UInt8] = []

  /// Takes in what the process wrote next.
  mutating func append(_ more: some Collection<UInt8>) {
    bytes += more.suffix(Self.mostBytes)
    bytes.removeFirst(max(0, bytes.count - Self.mostBytes))
  }

  /// The line that says most, for people: the last that tells of an error, or else the last of all; `nil` if nothing
  /// was written. Characters that would disturb a terminal are replaced.
  var line: String? {
    let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
      .map { $0.filter { !$0.isWhitespace || $0 == " " } }.filter { !$0.allSatisfy(\.isWhitespace) }
    let telling = lines.last { $0.contains("Fatal error") || $0.contains("error:") } ?? lines.last
    return telling.map { String($0.prefix(400)).printable }
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
