import Foundation
import ParameterDecomposition
import Testing

@Suite("A folder that is written")
struct WholeFolderTests {
  private struct Stop: Error {}

  @Test("takes the place of an older one as a whole, and leaves nothing beside it")
  func takesThePlaceOfAnOlderOne() throws {
    try inTemporaryFolder { folder in
      let place = folder.appending(path: "edits")
      for name in ["first", "second"] {
        try WholeFolder.write(to: place) { try Data(name.utf8).write(to: $0.appending(path: name)) }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["second"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["edits"])
    }
  }

  @Test("leaves an older one as it was when it cannot be filled")
  func leavesAnOlderOne() throws {
    try inTemporaryFolder { folder in
      let place = folder.appending(path: "edits")
      try WholeFolder.write(to: place) { try Data("first".utf8).write(to: $0.appending(path: "first")) }
      #expect(throws: Stop.self) {
        try WholeFolder.write(to: place) { scratch in
          try Data("half".utf8).write(to: scratch.appending(path: "half"))
          throw Stop()
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["first"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["edits"])
    }
  }

  private func inTemporaryFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }
}
