internal import TensorKernels

/// The central directory of a zip archive: what stands at its end about its entries.
struct ZipDirectory {
  /// What the directory says of an entry.
  struct Record {
    let name: String
    let flags: Int
    let checksum: UInt32
    let count: Int
    /// Where its local header begins.
    let start: Int
    /// Where the directory begins, and so all entries have ended.
    let limit: Int
  }

  /// Real checkpoints have a hundred bytes for each tensor.
  static let largestDirectory = 1 << 24

  let records: [Record]

  init(_ file: MappedFile) throws(InputFileError) {
    let place = try Self.place(in: file)
    guard place.bytes.count <= Self.largestDirectory else {
      throw InputFileError(
        file: file.path, place: "zip directory",
        problem: "expected at most \(Self.largestDirectory) bytes, found \(place.bytes.count)",
        advice: ZipArchive.advice)
    }
    var reader = ZipFields(file.bytes(in: place.bytes), path: file.path, place: "zip directory")
    var records: [Record] = []
    while !reader.isAtEnd {
      records.append(try Self.record(&reader, limit: place.bytes.lowerBound))
    }
    guard records.count == place.entries else {
      throw reader.problem("\(place.entries) entries", "\(records.count)")
    }
    self.records = records
  }

  // MARK: The end of the archive

  /// Where the directory is, and how many entries it has.
  private static func place(in file: MappedFile) throws(InputFileError) -> (bytes: Range<Int>, entries: Int) {
    let end = try endRecord(in: file)
    var fields = ZipFields(
      file.bytes(in: end..<end + 22), path: file.path, place: "end of the zip directory")
    try fields.expect(signature: "PK\u{5}\u{6}")
    let (disk, firstDisk) = (try fields.number(2), try fields.number(2))
    let (here, entries) = (try fields.number(2), try fields.number(2))
    let (count, start) = (try fields.number(4), try fields.number(4))
    var (totals, limit) = ((entries: entries, count: count, start: start), end)
    if let wide = try wideEndRecord(before: end, in: file) {
      // The narrow record says the same, or that it cannot.
      guard entries == 0xFFFF || entries == wide.entries, count == 0xFFFF_FFFF || count == wide.count,
        start == 0xFFFF_FFFF || start == wide.start
      else { throw fields.problem("the same figures as in its 64-bit form", "others") }
      (totals, limit) = ((wide.entries, wide.count, wide.start), wide.limit)
    } else {
      guard disk == 0, firstDisk == 0, here == entries else { throw fields.problem("one file", "a part of several") }
    }
    guard totals.count <= limit, totals.start == limit - totals.count else {
      throw fields.problem(
        "the directory's \(totals.count) bytes to end at \(limit)", "that they begin at \(totals.start)")
    }
    return (totals.start..<limit, totals.entries)
  }

  /// Where the end record begins: 22 bytes and a comment that reaches to the end of the file.
  private static func endRecord(in file: MappedFile) throws(InputFileError) -> Int {
    let tail = file.bytes(in: max(0, file.count - 22 - 0xFFFF)..<file.count)
    for start in stride(from: tail.count - 22, through: 0, by: -1)
    where tail[start] == UInt8(ascii: "P") && tail[start..<start + 4].elementsEqual("PK\u{5}\u{6}".utf8) {
      if littleEndian(tail[start + 20..<start + 22]) == tail.count - start - 22 {
        return file.count - tail.count + start
      }
    }
    throw InputFileError(
      file: file.path, problem: "expected the directory of a zip archive at its end, found none",
      advice: ZipArchive.advice)
  }

  /// The figures of the 64-bit end record, and where it begins; `nil` if there is none.
  private static func wideEndRecord(
    before end: Int, in file: MappedFile
  ) throws(InputFileError) -> (entries: Int, count: Int, start: Int, limit: Int)? {
    let locator = end - 20
    guard locator >= 0, file.bytes(in: locator..<locator + 4).elementsEqual("PK\u{6}\u{7}".utf8) else { return nil }
    var fields = ZipFields(
      file.bytes(in: locator..<end), path: file.path, place: "64-bit end of the zip directory")
    try fields.expect(signature: "PK\u{6}\u{7}")
    _ = try fields.number(4)
    let start = try fields.number(8)
    // Fixed fields, and room for what other programs may add.
    guard start < locator, (56...1 << 16).contains(locator - start) else {
      throw fields.problem("it before byte \(locator)", "byte \(start)")
    }
    fields = ZipFields(file.bytes(in: start..<locator), path: file.path, place: "64-bit end of the zip directory")
    try fields.expect(signature: "PK\u{6}\u{6}")
    guard try fields.number(8) == locator - start - 12 else {
      throw fields.problem("it to end at \(locator)", "not so")
    }
    _ = try fields.number(4)
    let (disk, firstDisk) = (try fields.number(4), try fields.number(4))
    let (here, entries) = (try fields.number(8), try fields.number(8))
    guard disk == 0, firstDisk == 0, here == entries else { throw fields.problem("one file", "a part of several") }
    return (entries, try fields.number(8), try fields.number(8), start)
  }

  // MARK: Entries

  private static func record(_ reader: inout ZipFields, limit: Int) throws(InputFileError) -> Record {
    try reader.expect(signature: "PK\u{1}\u{2}")
    _ = try reader.number(4)
    let (flags, method) = (try reader.number(2), try reader.number(2))
    _ = try reader.number(4)
    let checksum = try reader.number(4)
    var (stored, count) = (try reader.number(4), try reader.number(4))
    let (nameCount, extraCount, commentCount) = (try reader.number(2), try reader.number(2), try reader.number(2))
    let disk = try reader.number(2)
    _ = try reader.number(6)
    var start = try reader.number(4)
    let name = try reader.name(nameCount)
    var extra = try reader.fields(extraCount, place: "entry \(quoted(name))")
    _ = try reader.bytes(commentCount)
    while !extra.isAtEnd {
      let (kind, size) = (try extra.number(2), try extra.number(2))
      var field = try extra.fields(size, place: extra.place)
      guard kind == 1 else { continue }
      // What did not fit into the 32-bit fields, in this order.
      if count == 0xFFFF_FFFF { count = try field.number(8) }
      if stored == 0xFFFF_FFFF { stored = try field.number(8) }
      if start == 0xFFFF_FFFF { start = try field.number(8) }
    }
    // 0x0001 is encryption; 0x0008 announces a descriptor behind the bytes, 0x0800 names in UTF-8.
    guard flags & ~0x0808 == 0 else { throw extra.problem("no encryption and no patches", "flags \(flags)") }
    guard method == 0, stored == count else {
      throw extra.problem("bytes as they are", "compression method \(method), \(stored) bytes for \(count)")
    }
    guard disk == 0 else { throw extra.problem("one file", "a part of several") }
    return Record(
      name: name, flags: flags, checksum: UInt32(truncatingIfNeeded: checksum), count: count, start: start,
      limit: limit)
  }
}

extension ZipDirectory.Record {
  /// Finds the entry's bytes behind its local header, which must say the same as the directory.
  func entry(in file: MappedFile) throws(InputFileError) -> ZipArchive.Entry {
    let place = "entry \(quoted(name))"
    func range(_ start: Int, _ count: Int) throws(InputFileError) -> Range<Int> {
      guard start <= limit, count <= limit - start else {
        throw InputFileError(
          file: file.path, place: place,
          problem: "expected it before the zip directory at byte \(limit), found that it ends behind",
          advice: ZipArchive.advice)
      }
      return start..<start + count
    }
    var header = ZipFields(file.bytes(in: try range(start, 30)), path: file.path, place: place)
    try header.expect(signature: "PK\u{3}\u{4}")
    _ = try header.number(2)
    let (ownFlags, ownMethod) = (try header.number(2), try header.number(2))
    _ = try header.number(4)
    let (ownChecksum, ownStored, ownCount) = (try header.number(4), try header.number(4), try header.number(4))
    let (nameCount, extraCount) = (try header.number(2), try header.number(2))
    var names = ZipFields(file.bytes(in: try range(start + 30, nameCount)), path: file.path, place: place)
    guard ownFlags == flags, ownMethod == 0, try names.name(nameCount) == name else {
      throw header.problem("a local header as the directory has it", "another")
    }
    if flags & 0x0008 == 0 {
      guard ownChecksum == Int(checksum), [count, 0xFFFF_FFFF].contains(ownStored), ownCount == ownStored else {
        throw header.problem("a local header as the directory has it", "another")
      }
    }
    let bytes = try range(start + 30 + nameCount + extraCount, count)
    if flags & 0x0008 != 0 { try requireDescriptor(behind: bytes, in: file, place) }
    return ZipArchive.Entry(name: name, bytes: bytes, checksum: checksum)
  }

  /// Checks what stands behind the bytes: checksum and sizes again, with or without a signature.
  private func requireDescriptor(
    behind bytes: Range<Int>, in file: MappedFile, _ place: String
  ) throws(InputFileError) {
    let found = file.bytes(in: bytes.upperBound..<min(bytes.upperBound + 24, limit))
    func number(_ value: UInt64, _ width: Int) -> [UInt8] {
      (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
    for signature in [Array("PK\u{7}\u{8}".utf8), []] {
      for width in [4, 8] {
        let sizes = number(UInt64(count), width)
        if found.starts(with: signature + number(UInt64(checksum), 4) + sizes + sizes) { return }
      }
    }
    throw InputFileError(
      file: file.path, place: place, problem: "expected its checksum and size again behind it, found something else",
      advice: ZipArchive.advice)
  }
}
