import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

@Suite("Safetensors")
struct SafetensorsTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func file(header: String, data: [UInt8], length: UInt64? = nil) throws -> String {
    let count = length ?? UInt64(header.utf8.count)
    let prefix = (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
    return try folder.write("x.safetensors", prefix + Array(header.utf8) + data)
  }

  private func failure(header: String, data: [UInt8], length: UInt64? = nil) throws -> InputFileError? {
    let path = try file(header: header, data: data, length: length)
    do throws(InputFileError) {
      _ = try SafetensorsFile(path: path)
      return nil
    } catch {
      #expect(!error.description.contains("\n"))
      #expect(error.file == path)
      return error
    }
  }

  @Test("what is written is read back, sorted by name, with its data aligned")
  func roundTrip() throws {
    let path = folder.path("a.safetensors")
    let tensors = [
      SafetensorsFile.Content(name: "b", shape: [2, 3], elements: [1, 2, 3, 4, 5, -0.5]),
      SafetensorsFile.Content(name: "a", shape: [1], elements: [.pi]),
      SafetensorsFile.Content(name: "\"ü\n", shape: [], elements: [7]),
      SafetensorsFile.Content(name: "empty", shape: [0, 4], elements: []),
    ]
    try SafetensorsFile.write(tensors, metadata: ["format": "pt"], to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == ["format": "pt"])
    #expect(Set(file.tensors.map(\.name)) == ["b", "a", "\"ü\n", "empty"])
    #expect(file.tensors.map(\.bytes.lowerBound).min().map { $0 % 8 } == 0)
    for tensor in tensors {
      let found = try #require(file[tensor.name])
      #expect(found.shape == tensor.shape)
      #expect(try file.floats(found) == tensor.elements)
    }
    let matrix = try file.matrix("b", rows: 2, columns: nil)
    #expect(matrix[1, 2] == -0.5)
    #expect(try file.row("a", count: 1)[0, 0] == .pi)

    try SafetensorsFile.write(tensors.reversed(), metadata: ["format": "pt"], to: folder.path("b.safetensors"))
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: path))
        == Data(contentsOf: URL(fileURLWithPath: folder.path("b.safetensors"))))
  }

  @Test("a file that cannot be written leaves the old one as it was")
  func failedWrite() throws {
    let path = folder.path("missing folder/a.safetensors")
    #expect(throws: InputFileError.self) {
      try SafetensorsFile.write([.init(name: "a", shape: [1], elements: [1])], to: path)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  /// I64 is read for what golden files store beside real numbers.
  @Test("integers are read exactly")
  func integers() throws {
    let header = #"{"n":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}"#
    let data: [UInt8] = [0xfe] + Array(repeating: 0xff, count: 7) + [0, 0, 0, 0, 0, 0, 0, 1]
    let file = try SafetensorsFile(path: file(header: header, data: data))
    let tensor = try #require(file["n"])
    #expect(try file.integers(tensor) == [-2, 1 << 56])
    let error = try #require(throws: InputFileError.self) { try file.floats(tensor) }
    #expect(error.place == "n")
    #expect(error.problem == "expected elements of type F32, F16, BF16 or F64, found I64")
  }

  @Test("data that is not aligned is converted, not refused")
  func misaligned() throws {
    let header = #"{"w":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}} "#
    #expect((header.utf8.count + 8) % 4 != 0)
    let file = try SafetensorsFile(path: file(header: header, data: [0, 0, 0x80, 0x3f]))
    #expect(try file.matrix("w", rows: 1, columns: 1)[0, 0] == 1)
  }

  @Test(
    "a header that lies is refused with the place and the reason",
    arguments: [
      (#"{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#, 4, "expected one of F64, F32"),
      (#"{"w":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "found nothing"),
      (#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "expected 8 bytes for F32 [2], found 4"),
      (#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "whole numbers from 0, found -1"),
      (#"{"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "found 1.5"),
      (#"{"w":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}"#, 4, "found 1"),
      (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 4, "two whole numbers"),
      (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "ascending"),
      (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3, "expected its end within"),
      (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "found 1 more bytes"),
      (#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "there is a hole"),
      (
        #"{"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
        6, "they overlap"
      ),
      (
        #"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        8, "occurs twice"
      ),
      (
        #"{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0,
        "expected a size that can be addressed"
      ),
      (
        #"{"w":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}"#, 0,
        "expected a place that can be addressed"
      ),
      (#"{"__metadata__":{"a":1}}"#, 0, "expected text, found 1"),
      (#"{"__metadata__":3}"#, 0, "expected an object of texts, found 3"),
      (#"[]"#, 0, "expected an object, found an array of 0"),
      (#"{"w":3}"#, 0, "expected one of F64"),
      (#"{"w""#, 0, "expected ':'"),
    ])
  func lies(header: String, dataBytes: Int, reason: String) throws {
    let error = try #require(try failure(header: header, data: Array(repeating: 0, count: dataBytes)))
    #expect(error.description.contains(reason))
  }

  @Test("a length beyond the file or the format's limit is refused before anything is allocated")
  func lengths() throws {
    for length: UInt64 in [3, 1 << 40, .max] {
      let error = try #require(try failure(header: "{}", data: [], length: length))
      #expect(error.place == "header")
    }
    let short = try folder.write("short", [1, 2, 3])
    let error = try #require(throws: InputFileError.self) { try SafetensorsFile(path: short) }
    #expect(error.problem == "expected at least 8 bytes, found 3")
  }

  @Test("double precision is kept, and stands before single precision, so that both are aligned")
  func doubles() throws {
    let path = folder.path("mixed")
    let numbers = [Double.pi, -0.1, .leastNonzeroMagnitude]
    try SafetensorsFile.write(
      [
        .init(name: "a", shape: [3], elements: [1, 2, 3]), .init(name: "b", shape: [3, 1], stored: .float64(numbers)),
        .init(name: "c", shape: [1], stored: .float64([7])),
      ], to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.tensors.map(\.name) == ["b", "c", "a"])
    #expect(file.tensors.map(\.type) == [.float64, .float64, .float32])
    #expect(file.tensors.allSatisfy { $0.bytes.lowerBound % $0.type.byteCount == 0 })
    #expect(try file.doubles(file.tensor("b", shape: [3, 1])) == numbers)
    #expect(try file.floats(file.tensor("a", shape: [3])) == [1, 2, 3])
  }

  @Test("every truncation of a file is refused")
  func truncations() throws {
    let path = folder.path("whole")
    try SafetensorsFile.write(
      [.init(name: "a", shape: [2], elements: [1, 2]), .init(name: "b", shape: [1, 1], elements: [3])], to: path)
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    for length in 0..<bytes.count {
      let cut = try folder.write("cut", Array(bytes.prefix(length)))
      #expect(throws: InputFileError.self, "\(length) bytes") { try SafetensorsFile(path: cut) }
    }
  }

  @Test("a missing tensor, a wrong shape and a NaN are told with their names and places")
  func tensors() throws {
    let path = folder.path("weights")
    try SafetensorsFile.write(
      [
        .init(name: "h.0.mlp.c_fc.weight", shape: [2, 2], elements: [1, 2, .nan, 4]),
        .init(name: "ln_f.weight", shape: [2], elements: [1, -.infinity]),
      ], to: path)
    let file = try SafetensorsFile(path: path)
    let missing = try #require(throws: InputFileError.self) {
      try file.matrix("h.0.mlp.c_fc.wieght", rows: 2, columns: 2)
    }
    #expect(missing.description.hasSuffix("the nearest name is h.0.mlp.c_fc.weight"))
    let shape = try #require(throws: InputFileError.self) {
      try file.matrix("h.0.mlp.c_fc.weight", rows: 3, columns: nil)
    }
    #expect(shape.problem == "expected shape [3, any], found [2, 2]")
    let matrix = try file.matrix("h.0.mlp.c_fc.weight", rows: 2, columns: 2)
    let notANumber = try #require(throws: InputFileError.self) {
      try file.requireFinite(matrix, "h.0.mlp.c_fc.weight")
    }
    #expect(notANumber.place == "h.0.mlp.c_fc.weight[1, 0]")
    #expect(notANumber.problem == "expected a finite number, found nan")
    let row = try file.row("ln_f.weight", count: 2)
    let infinite = try #require(throws: InputFileError.self) { try file.requireFinite(row, "ln_f.weight") }
    #expect(infinite.place == "ln_f.weight[1]")
  }
}
