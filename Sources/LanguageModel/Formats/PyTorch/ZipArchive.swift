internal import TensorKernels

/// A zip archive whose entries stand in it as they are, as `torch.save` writes them. Mapped.
///
/// Nothing is believed that can be checked when it is opened: every entry is stored, not compressed or encrypted; its
/// bytes lie before the central directory and overlap no other entry's; what stands before and behind them says the
/// same as the directory; names are unique and lead nowhere. So the entries together are no larger than the file.
/// Format: APPNOTE.TXT of PKWARE, with its 64-bit extension.
struct ZipArchive: Sendable {
  /// A file in the archive.
  struct Entry: Sendable, Hashable {
    /// Its name, with the folders that it is in.
    let name: String
    /// Its bytes, counted from the start of the archive.
    let bytes: Range<Int>
    /// Their CRC-32.
    let checksum: UInt32
  }

  /// The mapped archive.
  let file: MappedFile
  /// The entries, by ascending place.
  let entries: [Entry]
  private let indices: [String: Int]

  /// Opens an archive and checks its layout, but no checksum.
  init(_ file: MappedFile) throws(InputFileError) {
    let records = try ZipDirectory(file).records
    var entries: [Entry] = []
    var indices: [String: Int] = [:]
    var end = 0
    for record in records.sorted(by: { $0.start < $1.start }) {
      guard record.start >= end else {
        throw InputFileError(
          file: file.path, place: "entry \(quoted(record.name))",
          problem: "expected its first byte at \(end) or behind, where the entry before ends, found \(record.start): "
            + "they overlap", advice: Self.advice)
      }
      let entry = try record.entry(in: file)
      end = entry.bytes.upperBound
      guard indices.updateValue(entries.count, forKey: entry.name) == nil else {
        throw InputFileError(
          file: file.path, place: "entry \(quoted(entry.name))",
          problem: "expected a name of its own for each entry, found it twice", advice: Self.advice)
      }
      entries.append(entry)
    }
    self.file = file
    self.entries = entries
    self.indices = indices
  }

  /// The entry of a name; `nil` if there is none.
  subscript(name: String) -> Entry? {
    indices[name].map { entries[$0] }
  }

  /// Holds the bytes of an entry against its checksum, a mebibyte at a time.
  func requireIntact(_ entry: Entry) throws(InputFileError) {
    var checksum = CRC32()
    var start = entry.bytes.lowerBound
    while start < entry.bytes.upperBound {
      let end = min(start + 1 << 20, entry.bytes.upperBound)
      checksum.update(file.bytes(in: start..<end))
      file.releasePages()
      start = end
    }
    guard checksum.value == entry.checksum else {
      throw InputFileError(
        file: file.path, place: "entry \(quoted(entry.name))",
        problem: "expected the CRC-32 \(String(entry.checksum, radix: 16)), found "
          + String(checksum.value, radix: 16), advice: Self.advice)
    }
  }

  static let advice = "the file is damaged, cut off or was not written by torch.save: get it again"
}
