/// The lines of a corpus file: UTF-8 text with one paragraph a line, or JSONL whose objects hold it as `text`.
///
/// Lines without any character but white space are passed over and not counted.
struct CorpusText {
  let lines: [String]

  /// Reads a file. Names ending in `.jsonl` or `.ndjson` are JSONL; anything else is text.
  init(path: String) throws(InputFileError) {
    try self.init(path: path, name: path, bytes: try readFile(path))
  }

  /// Reads what the file at `path`, whose own name is `name`, holds.
  init(path: String, name: String, bytes: [UInt8]) throws(InputFileError) {
    let name = name.lowercased()
    let isJSONL = name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson")
    var content = bytes[...]
    if content.starts(with: [0xef, 0xbb, 0xbf]) { content = content.dropFirst(3) }
    var lines: [String] = []
    var number = 0
    for line in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      guard !line.allSatisfy({ $0 == 0x20 || (0x09...0x0d).contains($0) }) else { continue }
      if isJSONL {
        lines.append(try Self.text(ofObject: line, path, number))
      } else {
        let end = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        guard let text = String(validating: end, as: UTF8.self) else { throw Self.notUTF8(path, line: number) }
        lines.append(text)
      }
    }
    self.lines = lines
  }

  static func notUTF8(_ path: String, line: Int? = nil) -> InputFileError {
    InputFileError(
      file: path, place: line.map { "line \($0)" }, problem: "expected UTF-8 text, found other bytes",
      advice: "convert the file to UTF-8")
  }

  private static func text(
    ofObject line: ArraySlice<UInt8>, _ path: String, _ number: Int
  ) throws(InputFileError) -> String {
    let value: JSONValue
    do {
      value = try JSONValue(parsing: Array(line))
    } catch {
      throw InputFileError(file: path, place: "line \(number), byte \(error.offset)", problem: error.problem)
    }
    guard let text = value.object?["text"] else {
      throw InputFileError(
        file: path, place: "line \(number)",
        problem: "expected an object with the member \"text\", found \(value.kind)")
    }
    guard let text = text.string else {
      throw InputFileError(file: path, place: "line \(number), text", problem: "expected text, found \(text.kind)")
    }
    return text
  }
}
