internal import ArgumentParser
internal import Foundation

/// What `run` and `coordinator` share.
struct SweepRunOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The store: an SQLite file that keeps every attempt and result.",
      discussion: """
        By default NAME.sqlite in the working directory, where NAME is the sweep's; of several sweeps the first one's. \
        It is made if it is not there; one that is there is carried on, and cells that it has results of are not \
        computed again.
        """,
      valueName: "file"),
    completion: .file(extensions: ["sqlite"]))
  var store: String?

  @Option(
    help: ArgumentHelp(
      "Export into this folder once every cell has ended.",
      discussion: "The files are those of `pdsweep export`; of several sweeps, each in a folder of the sweep's name.",
      valueName: "folder"),
    completion: .directory)
  var output: String?

  @Flag(help: "Write nothing but problems.")
  var quiet = false

  @Flag(help: "At the end print one JSON object for each sweep instead of the frontiers.")
  var json = false

  /// The store of a sweep.
  func storePath(sweep: String) -> String { store ?? "\(sweep).sqlite" }

  /// Refuses a folder that an export could not be written into, before anything is computed.
  func checkOutput() throws(OutputFolderError) {
    guard let output else { return }
    var folder = URL(fileURLWithPath: output).standardizedFileURL
    let manager = FileManager.default
    while !manager.fileExists(atPath: folder.path), folder.path != "/" { folder.deleteLastPathComponent() }
    let type = (try? manager.attributesOfItem(atPath: folder.resolvingSymlinksInPath().path))?[.type]
    guard type as? FileAttributeType == .typeDirectory else {
      throw OutputFolderError(output: output, found: "a file at \(folder.path)")
    }
    guard manager.isWritableFile(atPath: folder.path) else {
      throw OutputFolderError(output: output, found: "\(folder.path), which may not be written to")
    }
  }
}

/// An export could not be written there.
struct OutputFolderError: Error, CustomStringConvertible {
  let output: String
  let found: String

  /// One line for people.
  var description: String {
    "--output \(output): expected a folder that can be written to, found \(found); name another"
  }
}
