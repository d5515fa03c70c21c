import TensorKernels
import Testing

@testable import LanguageModel

@Suite("Zip archives")
struct ZipArchiveTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func archive(_ bytes: [UInt8]) throws -> ZipArchive {
    try ZipArchive(MappedFile(path: folder.write("a.zip", bytes)))
  }

  private func failure(_ bytes: [UInt8]) throws -> InputFileError? {
    do {
      let archive = try archive(bytes)
      for entry in archive.entries { try archive.requireIntact(entry) }
      return nil
    } catch let error as InputFileError {
      #expect(!error.description.contains("\n"))
      return error
    }
  }

  private static let two = [
    ZipBuilder.Entry(name: "x/a", bytes: Array(0..<200)), ZipBuilder.Entry(name: "x/b", bytes: [1, 2, 3]),
  ]

  @Test("have the checksums of other programs")
  func checksums() {
    var checksum = CRC32()
    checksum.update(Array("123456789".utf8))
    #expect(checksum.value == 0xCBF4_3926)
    // In one go or byte by byte.
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    var (whole, parts) = (CRC32(), CRC32())
    whole.update(bytes)
    for byte in bytes { parts.update([byte]) }
    #expect(whole.value == parts.value)
  }

  @Test("are read in their plain form, in their 64-bit form, with descriptors and with a comment")
  func forms() throws {
    var forms = [ZipBuilder(Self.two)]
    forms.append(forms[0])
    forms[1].hasWideEnd = true
    for index in forms[1].entries.indices { forms[1].entries[index].isWide = true }
    forms.append(forms[0])
    for index in forms[2].entries.indices { forms[2].entries[index].flags = 0x0808 }
    forms.append(forms[0])
    forms[3].comment = Array("PK\u{5}\u{6} is how an archive ends".utf8)
    for form in forms {
      let bytes = form.archive
      let archive = try archive(bytes)
      #expect(archive.entries.map(\.name) == ["x/a", "x/b"])
      for (entry, expected) in zip(archive.entries, form.entries) {
        #expect(Array(bytes[entry.bytes]) == expected.bytes)
        try archive.requireIntact(entry)
      }
      #expect(archive["x/b"]?.bytes.count == 3 && archive["x"] == nil)
    }
  }

  @Test("that lie are refused")
  func lies() throws {
    var lies: [(String, ZipBuilder)] = []
    func lie(_ what: String, _ change: (inout ZipBuilder) -> Void) {
      var builder = ZipBuilder(Self.two)
      change(&builder)
      lies.append((what, builder))
    }
    lie("CRC-32") { $0.entries[1].checksum = 7 }
    lie("compression") { $0.entries[0].method = 8 }
    lie("encryption") { $0.entries[0].flags = 1 }
    lie("overlap") { $0.entries[1].directoryStart = 0 }
    lie("before the zip directory") { $0.entries[1].directoryStart = 1 << 30 }
    lie("before the zip directory") { $0.entries[1].directoryStart = 0xFFFF_FFFE }
    lie("another") { $0.entries[1].directoryCount = 2 }
    lie("another") { $0.entries[1].directoryCount = 1 << 31 }
    lie("before the zip directory") {
      $0.entries[1].flags = 8
      $0.entries[1].directoryCount = 1 << 31
    }
    lie("another") { $0.entries[0].directoryName = "x/c" }
    lie("found it twice") { $0.entries[0].name = "x/b" }
    lie("entries, found 2") { $0.entryCount = 3 }
    lie("again behind it") {
      $0.entries[0].flags = 8
      $0.entries[0].descriptor = Array(repeating: 1, count: 24)
    }
    for name in ["../a", "/a", "a/../../b", "a//b", "a/./b", "a\\b", "", "a\u{0}b", "a\nb"] {
      lie("names of files in the archive") { $0.entries[0].name = name }
    }
    for (what, builder) in lies {
      let error = try #require(try failure(builder.archive), "\(what)")
      #expect(error.description.contains(what), "\(error.description)")
    }
  }

  @Test("that are cut off, or begin or end with something else, are refused")
  func edges() throws {
    for hasWideEnd in [false, true] {
      var builder = ZipBuilder(Self.two)
      builder.hasWideEnd = hasWideEnd
      let whole = builder.archive
      #expect(try failure(whole) == nil)
      for count in 0..<whole.count { #expect(try failure(Array(whole.prefix(count))) != nil, "\(count) bytes") }
      #expect(try failure(whole + [0]) != nil)
      #expect(try failure([0] + whole) != nil)
    }
  }
}
