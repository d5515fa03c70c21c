import Foundation
import TensorKernels
import Testing

@Suite("Replaced files")
struct FileReplacementTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "replaced-\(UUID().uuidString)")

  private func inFolder(_ body: (URL) throws -> Void) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  @Test("have their new bytes, and nothing else is left in the folder")
  func replaced() throws {
    try inFolder { folder in
      let path = folder.appending(path: "a").path
      for bytes in [[1, 2, 3], [], [UInt8](repeating: 7, count: 1 << 20), [9]] {
        try FileReplacement.write(bytes, to: path)
        #expect(try Array(Data(contentsOf: URL(filePath: path))) == bytes)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a"])
    }
  }

  @Test("written in pieces hold them all, and take the place of none that is there")
  func streams() throws {
    try inFolder { folder in
      let path = folder.appending(path: "a").path
      let stream = try FileStream(path: path)
      try stream.append([1, 2, 3] as [UInt8])
      try stream.append([1.5, -2] as [Float])
      try stream.append([] as [UInt8])
      try stream.finish()
      let expected: [UInt8] = [1, 2, 3, 0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0]
      #expect(try Array(Data(contentsOf: URL(filePath: path))) == expected)
      let error = try #require(throws: MappedFileError.self) { try FileStream(path: path) }
      #expect(error.description == "\(path): cannot write the file: File exists")
      #expect(try Array(Data(contentsOf: URL(filePath: path))) == expected)
    }
  }

  @Test("that cannot be written are errors that name the path, and leave nothing behind")
  func failures() throws {
    try inFolder { folder in
      let missing = folder.appending(path: "none/a").path
      let error = try #require(throws: MappedFileError.self) { try FileReplacement.write([1], to: missing) }
      #expect(error.description == "\(missing): cannot write the file: No such file or directory")
      // A folder cannot be replaced by a file.
      let occupied = folder.appending(path: "b").path
      try FileManager.default.createDirectory(atPath: occupied, withIntermediateDirectories: true)
      #expect(throws: MappedFileError.self) { try FileReplacement.write([1], to: occupied) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["b"])
    }
  }
}
