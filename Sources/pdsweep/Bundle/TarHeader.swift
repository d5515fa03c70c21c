/// The header of a file in a tar archive of the POSIX kind (ustar): a block of 512 bytes before the file's content,
/// which is filled up to whole blocks. Two empty blocks end an archive.
struct TarHeader: Hashable {
  static let blockSize = 512
  /// The largest file: 11 octal digits.
  static let sizeLimit = 1 << 33

  /// The file's name, with slashes between folders; at most 100 bytes.
  let name: String
  /// The file's size, bytes.
  let size: Int

  /// Bytes between the end of the content and the next header.
  var padding: Int { (Self.blockSize - size % Self.blockSize) % Self.blockSize }

  /// The header's block. Files belong to nobody and are as old as the epoch, so that equal files make equal archives.
  var block: [UInt8] {
    precondition(name.utf8.count <= 100 && size < Self.sizeLimit, "\(name) does not fit the header")
    var block = [UInt8](repeating: 0, count: Self.blockSize)
    func put(_ text: String, at offset: Int) {
      block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
    }
    put(name, at: 0)
    put("0000644\0" + "0000000\0" + "0000000\0", at: 100)
    put(Self.octal(size, digits: 11) + "\0" + Self.octal(0, digits: 11) + "\0", at: 124)
    put("        0", at: 148)
    put("ustar\0" + "00", at: 257)
    put(Self.octal(Self.checksum(of: block), digits: 6) + "\0 ", at: 148)
    return block
  }

  init(name: String, size: Int) {
    self.name = name
    self.size = size
  }

  /// Reads a block; `nil` for an empty one.
  ///
  /// - Throws: `TarProblem` for anything but the header of a plain file.
  init?(block: [UInt8]) throws(TarProblem) {
    precondition(block.count == Self.blockSize)
    guard block.contains(where: { $0 != 0 }) else { return nil }
    guard block[257..<262].elementsEqual("ustar".utf8) else { throw TarProblem("found no ustar header") }
    var blank = block
    blank.replaceSubrange(148..<156, with: [UInt8](repeating: UInt8(ascii: " "), count: 8))
    guard Self.number(block[148..<156]) == Self.checksum(of: blank) else {
      throw TarProblem("found a header with a wrong checksum")
    }
    let name = block[0..<100].prefix { $0 != 0 }
    guard let name = String(validating: name, as: UTF8.self), block[345] == 0 else {
      throw TarProblem("found a file's name that is too long or no text")
    }
    guard block[156] == UInt8(ascii: "0") || block[156] == 0 else {
      throw TarProblem("found \(name.printable), which is no plain file")
    }
    guard let size = Self.number(block[124..<136]) else { throw TarProblem("found no size of \(name.printable)") }
    self.init(name: name, size: size)
  }

  private static func checksum(of block: [UInt8]) -> Int {
    block.reduce(0) { $0 + Int($1) }
  }

  private static func octal(_ number: Int, digits: Int) -> String {
    let text = String(number, radix: 8)
    return String(repeating: "0", count: digits - text.count) + text
  }

  /// The number that a field's octal digits say, which end with a space or zero byte.
  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
    return Int(String(decoding: digits, as: UTF8.self), radix: 8).flatMap { $0 >= 0 ? $0 : nil }
  }
}

/// Why bytes are no archive that can be read here.
struct TarProblem: Error, Hashable {
  /// What was found, in words that end a sentence.
  let found: String

  init(_ found: String) {
    self.found = found
  }
}
