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

  @Test("has the place name one whole folder or the other, never none")
  func isNeverMissing() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let place = folder.appending(path: "edits")
    let file = place.appending(path: "file").path
    let write = { try WholeFolder.write(to: place) { try Data("whole".utf8).write(to: $0.appending(path: "file")) } }
    try write()
    let looks = Task.detached {
      var missed = 0
      while !Task.isCancelled { missed += FileManager.default.fileExists(atPath: file) ? 0 : 1 }
      return missed
    }
    for _ in 0..<500 { try write() }
    looks.cancel()
    #expect(await looks.value == 0)
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
