/// The content of a key file: lines `field: value`, and lines that begin with `#`, which are for people.
struct KeyFields {
  private let path: String
  private var values: [String: String] = [:]
  private let end: Int

  /// Reads a file that only its owner may read.
  ///
  /// - Throws: ``KeyError`` if it has other fields than `names`, or lines that are none.
  init(file path: String, names: [String]) throws(KeyError) {
    self.path = path
    let lines = try PrivateFile.lines(of: path)
    end = lines.count
    for (index, line) in lines.enumerated() where !line.isEmpty && !line.hasPrefix("#") {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      guard parts.count == 2, parts[1].hasPrefix(" "), names.contains(name), values[name] == nil else {
        throw .malformed(
          path: path, line: index + 1,
          expected: "one line each of " + names.map { "`\($0): ...`" }.joined(separator: ", "))
      }
      values[name] = String(parts[1].dropFirst())
    }
  }

  /// The value of a field.
  ///
  /// - Throws: ``KeyError/malformed(path:line:expected:)`` if there is none, or `read` makes nothing of it.
  func read<Value>(_ name: String, _ expected: String, _ read: (String) -> Value?) throws(KeyError) -> Value {
    guard let text = values[name], let value = read(text) else {
      throw .malformed(path: path, line: end, expected: "`\(name):` with \(expected)")
    }
    return value
  }
}
