internal import SettingsFiles

/// Reads comma-separated values as RFC 4180 has them, record by record: fields in double quotes may hold commas, line
/// breaks and doubled quotes; lines end in LF or CRLF.
struct CommaSeparatedReader {
  /// A field with the place where it begins.
  struct Field {
    let text: String
    let position: SettingsError.Position

    /// The text for error messages.
    var shown: String { text.isEmpty ? "nothing" : SettingsError.onOneLine(text, limit: 60) }

    func refusal(_ file: String, _ problem: String, advice: String) -> SettingsError {
      SettingsError(file: file, position: position, keyPath: "", problem: problem, advice: advice)
    }
  }

  private let file: String
  private let scalars: [Unicode.Scalar]
  private var offset = 0
  private var position = SettingsError.Position(line: 1, column: 1)

  /// - Throws: if the bytes are not UTF-8.
  init(_ bytes: [UInt8], file: String) throws(SettingsError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw SettingsError(
        file: file, position: nil, keyPath: "", problem: "expected UTF-8 text, found other bytes",
        advice: "save the file as UTF-8")
    }
    self.file = file
    let hasMark = text.unicodeScalars.first == "\u{FEFF}"
    scalars = Array(text.unicodeScalars.dropFirst(hasMark ? 1 : 0))
  }

  /// The fields of the next record, one at least; `nil` at the end of the file.
  ///
  /// - Throws: for a quote that is not closed, or one within a field that did not begin with it; for a carriage return
  ///   that ends no line.
  mutating func next() throws(SettingsError) -> [Field]? {
    guard offset < scalars.count else { return nil }
    var fields: [Field] = []
    while true {
      fields.append(try field())
      switch read() {
      case ",": continue
      case nil, "\n": return fields
      case "\r":
        guard read() == "\n" else { throw refusal("a carriage return without a line feed", advice: "end lines in LF") }
        return fields
      case .some:
        throw refusal("text behind a closing quote", advice: "double the quotes within a quoted field")
      }
    }
  }

  private mutating func field() throws(SettingsError) -> Field {
    let start = position
    var text = String.UnicodeScalarView()
    guard peek == "\"" else {
      while let scalar = peek, scalar != ",", scalar != "\n", scalar != "\r" {
        guard scalar != "\"" else {
          throw refusal("a quote within a field", advice: "put the whole field in quotes, and double those within")
        }
        text.append(scalar)
        _ = read()
      }
      return Field(text: String(text), position: start)
    }
    _ = read()
    while let scalar = read() {
      if scalar == "\"" {
        guard peek == "\"" else { return Field(text: String(text), position: start) }
        _ = read()
      }
      text.append(scalar)
    }
    position = start
    throw refusal("a quote that is not closed", advice: "close it")
  }

  private var peek: Unicode.Scalar? { offset < scalars.count ? scalars[offset] : nil }

  private mutating func read() -> Unicode.Scalar? {
    guard let scalar = peek else { return nil }
    offset += 1
    if scalar == "\n" {
      position = .init(line: position.line + 1, column: 1)
    } else {
      position.column += 1
    }
    return scalar
  }

  private func refusal(_ found: String, advice: String) -> SettingsError {
    SettingsError(
      file: file, position: position, keyPath: "", problem: "expected comma-separated values, found \(found)",
      advice: advice)
  }
}
