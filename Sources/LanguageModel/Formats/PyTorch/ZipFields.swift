/// Reads the fields of a record of a zip archive one after the other.
struct ZipFields {
  /// What the record is, for messages.
  let place: String
  private let path: String
  private let content: ArraySlice<UInt8>
  private var position: Int

  init(_ content: [UInt8], path: String, place: String) {
    self.init(content[...], path: path, place: place)
  }

  private init(_ content: ArraySlice<UInt8>, path: String, place: String) {
    self.content = content
    self.path = path
    self.place = place
    position = content.startIndex
  }

  /// Whether nothing is left.
  var isAtEnd: Bool { position == content.endIndex }

  /// The next bytes.
  mutating func bytes(_ count: Int) throws(InputFileError) -> ArraySlice<UInt8> {
    guard count <= content.endIndex - position else {
      throw problem("\(count) more bytes", "\(content.endIndex - position)")
    }
    defer { position += count }
    return content[position..<position + count]
  }

  /// The next number of a width in bytes, least significant byte first. What no `Int` can hold is its largest.
  mutating func number(_ width: Int) throws(InputFileError) -> Int {
    Int(clamping: littleEndian(try bytes(width)))
  }

  /// The next bytes as a record of their own.
  mutating func fields(_ count: Int, place: String) throws(InputFileError) -> ZipFields {
    ZipFields(try bytes(count), path: path, place: place)
  }

  /// The next bytes as the name of an entry: a relative path that stays where it is.
  mutating func name(_ count: Int) throws(InputFileError) -> String {
    guard let name = String(validating: try bytes(count), as: UTF8.self) else {
      throw problem("names in UTF-8", "other bytes")
    }
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    let isPlain = name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\\" && $0.value != 0x7F }
    // A folder's name ends with a slash.
    guard isPlain, !name.isEmpty, !parts.contains("."), !parts.contains(".."), !parts.dropLast().contains("") else {
      throw problem("names of files in the archive", quoted(name))
    }
    return name
  }

  /// Checks the four bytes that a record begins with.
  mutating func expect(signature: String) throws(InputFileError) {
    let found = try bytes(4)
    guard found.elementsEqual(signature.utf8) else {
      throw problem(
        "the signature \(Self.hexadecimal(signature.utf8))", "\(Self.hexadecimal(found))")
    }
  }

  /// A record that is not as it should be.
  func problem(_ expected: String, _ found: String) -> InputFileError {
    InputFileError(
      file: path, place: place, problem: "expected \(expected), found \(found)", advice: ZipArchive.advice)
  }

  private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}
