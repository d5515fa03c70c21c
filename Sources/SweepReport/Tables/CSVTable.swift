/// Comma-separated values as RFC 4180 quotes them, with a header and lines that end in a line feed.
struct CSVTable {
  /// The text so far.
  private(set) var text = ""
  private let width: Int

  init(header: [String]) {
    width = header.count
    append(header)
  }

  /// Appends a row, which must have as many fields as the header.
  mutating func append(_ fields: [String]) {
    precondition(fields.count == width, "\(fields.count) fields under a header of \(width)")
    for (place, field) in fields.enumerated() {
      if place > 0 { text.append(",") }
      text.append(Self.quoted(field))
    }
    text.append("\n")
  }

  private static func quoted(_ field: String) -> String {
    let mustQuote = field.utf8.contains { byte in
      byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\n")
        || byte == UInt8(ascii: "\r")
    }
    guard mustQuote else { return field }
    var quoted = "\""
    for scalar in field.unicodeScalars {
      if scalar == "\"" { quoted.append("\"") }
      quoted.unicodeScalars.append(scalar)
    }
    quoted.append("\"")
    return quoted
  }
}
