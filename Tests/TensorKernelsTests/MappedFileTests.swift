import Foundation
import TensorKernels
import Testing

@Suite("Mapped files")
struct MappedFileTests {
  @Test("give back the bytes that were written")
  func bytes() throws {
    let file = try TemporaryFile(bytes: Array(0...255))
    #expect(try file.mapped.count == 256)
    #expect(try file.mapped.bytes(in: 0..<256) == Array(0...255))
    #expect(try file.mapped.bytes(in: 17..<20) == [17, 18, 19])
    #expect(try file.mapped.bytes(in: 256..<256) == [])
  }

  @Test("may be empty")
  func empty() throws {
    let file = try TemporaryFile(bytes: [])
    #expect(try file.mapped.count == 0)
    #expect(try file.mapped.bytes(in: 0..<0) == [])
    #expect(try file.mapped.floats(at: 0, count: 0, as: .float64) == [])
  }

  @Test("keep their content for a reader although the path is gone")
  func unlinked() throws {
    let file = try TemporaryFile(bytes: [1, 2, 3])
    let mapped = try file.mapped
    try FileManager.default.removeItem(atPath: file.path)
    #expect(mapped.bytes(in: 0..<3) == [1, 2, 3])
  }

  @Test("have numbers that lie evenly apart, and keep them when their memory is given back")
  func strided() throws {
    let numbers = (0..<1000).map { Float($0) }
    let bytes = numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) } }
    let mapped = try TemporaryFile(bytes: [0xFF] + bytes).mapped
    let whole = mapped.floats(at: 1, count: 1000, as: .float32)
    #expect(whole == numbers)
    mapped.releasePages()
    #expect(mapped.floats(at: 1 + 4 * 3, count: 5, stride: 7, as: .float32) == [3, 10, 17, 24, 31])
    #expect(mapped.floats(at: 1 + 4 * 999, count: 1, stride: 50, as: .float32) == [999])
    #expect(mapped.floats(at: 1, count: 3, stride: 0, as: .float32) == [0, 0, 0])
    mapped.releasePages()
    #expect(mapped.floats(at: 1, count: 1000, as: .float32) == numbers)
    #expect(mapped.floats(at: 1, count: 500, stride: 2, as: .bfloat16).count == 500)
    try TemporaryFile(bytes: []).mapped.releasePages()
  }

  @Test("that do not exist, or are folders, are errors that name the path")
  func unreadable() throws {
    let folder = NSTemporaryDirectory()
    let missing = try #require(throws: MappedFileError.self) { try MappedFile(path: folder + "/no such file") }
    #expect(missing.description == folder + "/no such file: cannot open the file: No such file or directory")
    let directory = try #require(throws: MappedFileError.self) { try MappedFile(path: folder) }
    #expect(directory.description == folder + ": cannot read the file: it is not a regular file")
  }

  @Test("hold numbers of every type at every offset", arguments: 0..<9)
  func numbers(offset: Int) throws {
    let values: [Double] = [0, -1.5, 3.25, 0.0078125, -65504]
    let encodings: [(ElementType, [UInt8])] = [
      (.float32, values.flatMap { littleEndian(Float($0).bitPattern) }),
      (.float16, values.flatMap { littleEndian(Float16($0).bitPattern) }),
      (.float64, values.flatMap { littleEndian($0.bitPattern) }),
    ]
    for (type, bytes) in encodings {
      let file = try TemporaryFile(bytes: Array(repeating: 0xff, count: offset) + bytes).mapped
      #expect(file.floats(at: offset, count: values.count, as: type) == values.map { Float($0) }, "\(type)")
      #expect(file.doubles(at: offset, count: values.count, as: type) == values, "\(type)")
      let matrix = ConstantMatrix(mapped: file, byteOffset: offset, rows: 5, columns: 1, elementType: type)
      #expect(matrix.copyOfElements() == values.map { Float($0) }, "\(type)")
    }
  }

  /// Bit patterns and values from the definition of bfloat16: a binary32 without its last 16 bits.
  @Test("hold bfloat16")
  func bfloat16() throws {
    let patterns: [UInt16] = [0x3f80, 0xc000, 0x3f81, 0x7f7f, 0x0001]
    let file = try TemporaryFile(bytes: patterns.flatMap(littleEndian)).mapped
    let expected: [Float] = [1, -2, 1.0078125, 0x1.fep127, 0x1p-133]
    #expect(file.floats(at: 0, count: 5, as: .bfloat16) == expected)
    #expect(file.doubles(at: 0, count: 5, as: .bfloat16) == expected.map(Double.init))
  }

  @Test("round binary64 to the nearest binary32")
  func rounding() throws {
    let file = try TemporaryFile(bytes: littleEndian((1 + 0x1p-24 + 0x1p-40).bitPattern)).mapped
    #expect(file.floats(at: 0, count: 1, as: .float64) == [1 + 0x1p-23])
    #expect(file.doubles(at: 0, count: 1, as: .float64) == [1 + 0x1p-24 + 0x1p-40])
  }

  @Test("give matrices that outlive every other reference to them")
  func lifetime() throws {
    let numbers = (0..<6).map { Float($0) }
    let matrix = ConstantMatrix(
      mapped: try TemporaryFile(bytes: numbers.flatMap { littleEndian($0.bitPattern) }).mapped,
      byteOffset: 0, rows: 2, columns: 3, elementType: .float32)
    #expect(matrix.copyOfElements() == numbers)
    #expect(matrix[1, 0] == 3)
    #expect(matrix.copyOfRow(1) == [3, 4, 5])
  }
}

private func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
  stride(from: 0, to: Number.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: number >> Number($0)) }
}

/// A file that is removed with its last reference.
private final class TemporaryFile {
  let path = NSTemporaryDirectory() + "/mapped-\(UUID().uuidString)"

  init(bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  var mapped: MappedFile {
    get throws { try MappedFile(path: path) }
  }
}
