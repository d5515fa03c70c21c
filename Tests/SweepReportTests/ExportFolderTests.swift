import Foundation
import SweepReport
import Testing

@Suite struct ExportFolderTests {
  /// Runs a test in a folder of its own.
  static func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "export-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  @Test func writesEveryFileAndNothingElseAndReplacesOldOnes() throws {
    try Self.withFolder { folder in
      let out = folder.appending(path: "deep/down")
      let files = SmallSweep.report().exportedFiles()
      try ExportFolder.write(SmallSweep.report([]).exportedFiles(), to: out)
      let places = try ExportFolder.write(files, to: out)
      let names = [
        "cells.csv", "steps.csv", "frontier.csv", "windows.csv", "frontier.json", "frontier.svg", "provenance.csv",
      ]
      #expect(places.map(\.lastPathComponent) == names)
      #expect(try FileManager.default.contentsOfDirectory(atPath: out.path).sorted() == names.sorted())
      for (file, place) in zip(files, places) {
        #expect(try Data(contentsOf: place) == Data(file.text.utf8), "\(file.name)")
      }
    }
  }

  @Test func saysInOneLineWhatCannotBeWritten() throws {
    try Self.withFolder { folder in
      let file = folder.appending(path: "taken")
      try Data("x".utf8).write(to: file)
      let files = SmallSweep.report().exportedFiles()
      let under = #expect(throws: ExportError.self) { try ExportFolder.write(files, to: file) }
      #expect(
        under?.description
          == "cannot make the folder \(file.path): a file stands where a folder should; choose another folder")
      #expect(try Data(contentsOf: file) == Data("x".utf8))

      let obstacle = folder.appending(path: "out/frontier.csv")
      try FileManager.default.createDirectory(at: obstacle, withIntermediateDirectories: true)
      let blocked = #expect(throws: ExportError.self) {
        try ExportFolder.write(files, to: folder.appending(path: "out"))
      }
      #expect(blocked?.path == obstacle.path)
      #expect(
        blocked?.description
          == "cannot write \(obstacle.path): a folder stands where the file should; remove it or choose another folder")
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "out").path)
      #expect(left.sorted() == ["cells.csv", "frontier.csv", "steps.csv"])
    }
  }
}
