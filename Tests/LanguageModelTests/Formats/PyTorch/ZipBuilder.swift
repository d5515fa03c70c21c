@testable import LanguageModel

/// A zip archive, put together entry by entry, right or wrong.
struct ZipBuilder {
  /// What an entry says of itself, where it is not the truth.
  struct Entry {
    var name: String
    var bytes: [UInt8]
    var flags = 0
    var method = 0
    var checksum: Int?
    var directoryName: String?
    var directoryStart: Int?
    var directoryCount: Int?
    var descriptor: [UInt8]?
    /// Whether sizes and place are in the directory's 64-bit field.
    var isWide = false
  }

  var entries: [Entry]
  var comment: [UInt8] = []
  var entryCount: Int?
  var hasWideEnd = false

  init(_ entries: [Entry]) {
    self.entries = entries
  }

  /// An archive as `torch.save` lays it out.
  init(pickle: [UInt8], storages: [String: [UInt8]] = [:]) {
    entries =
      [Entry(name: "x/data.pkl", bytes: pickle)]
      + storages.sorted { $0.key < $1.key }.map { Entry(name: "x/data/\($0.key)", bytes: $0.value) }
  }

  var archive: [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      var crc = CRC32()
      crc.update(entry.bytes)
      let checksum = Self.number(entry.checksum ?? Int(crc.value), 4)
      let (start, size) = (file.count, Self.number(entry.bytes.count, 4))
      let (name, own) = (Array((entry.directoryName ?? entry.name).utf8), Array(entry.name.utf8))
      let isLater = entry.flags & 8 != 0
      let head = Self.joined([0, 0], Self.number(entry.flags, 2), Self.number(entry.method, 2), [0, 0, 0, 0])
      let figures = Self.joined(checksum, size, size)
      file += Self.joined(Self.signature(3, 4), head, isLater ? Self.number(0, 12) : figures)
      file += Self.joined(Self.number(own.count, 2), [0, 0], own, entry.bytes)
      if isLater { file += entry.descriptor ?? Self.joined(Self.signature(7, 8), figures) }

      let stated = Self.number(entry.directoryCount ?? entry.bytes.count, entry.isWide ? 8 : 4)
      let place = Self.number(entry.directoryStart ?? start, entry.isWide ? 8 : 4)
      let extra = entry.isWide ? Self.joined([1, 0, 24, 0], stated, stated, place) : []
      let full = Self.number(0xFFFF_FFFF, 4)
      directory += Self.joined(Self.signature(1, 2), [0, 0], head, checksum)
      directory += entry.isWide ? Self.joined(full, full) : Self.joined(stated, stated)
      directory += Self.joined(Self.number(name.count, 2), Self.number(extra.count, 2), Self.number(0, 10))
      directory += Self.joined(entry.isWide ? full : place, name, extra)
    }
    return Self.joined(
      file, directory, end(start: file.count, count: directory.count), Self.number(comment.count, 2), comment)
  }

  private func end(start: Int, count: Int) -> [UInt8] {
    let entries = entryCount ?? entries.count
    guard hasWideEnd else {
      let (here, place) = (Self.number(entries, 2), Self.joined(Self.number(count, 4), Self.number(start, 4)))
      return Self.joined(Self.signature(5, 6), Self.number(0, 4), here, here, place)
    }
    let here = Self.number(entries, 8)
    let wide = Self.joined(
      Self.signature(6, 6), Self.number(44, 8), Self.number(0, 12), here, here, Self.number(count, 8),
      Self.number(start, 8))
    let locator = Self.joined(Self.signature(6, 7), Self.number(0, 4), Self.number(start + count, 8), Self.number(1, 4))
    return Self.joined(
      wide, locator, Self.signature(5, 6), Self.number(0, 4), Array(repeating: 0xFF, count: 12))
  }

  private static func signature(_ first: UInt8, _ second: UInt8) -> [UInt8] { Array("PK".utf8) + [first, second] }

  private static func number(_ value: Int, _ width: Int) -> [UInt8] { PickleProgram.number(value, width) }

  private static func joined(_ parts: [UInt8]...) -> [UInt8] { Array(parts.joined()) }
}
