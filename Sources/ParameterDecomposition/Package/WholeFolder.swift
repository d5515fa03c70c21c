public import Foundation
internal import LanguageModel
internal import TensorKernels

/// Writes folders that appear as a whole or not at all.
public enum WholeFolder {
  /// Has `fill` write into a folder of another name beside the place, and then gives it the name, in place of what has
  /// it. The place names a whole folder at every instant, but where the file system cannot exchange two names in one
  /// step: there it names none between two renames.
  ///
  /// - Throws: what `fill` throws, and an `InputFileError` if the folder cannot be written; nothing is left of it then.
  public static func write<Value>(to output: URL, _ fill: (URL) throws -> Value) throws -> Value {
    let manager = FileManager.default
    let output = output.standardizedFileURL
    func hidden() -> URL {
      output.deletingLastPathComponent().appendingPathComponent(
        ".\(output.lastPathComponent).\(UUID().uuidString)", isDirectory: true)
    }
    let scratch = hidden()
    do {
      try manager.createDirectory(at: scratch, withIntermediateDirectories: true)
      defer { try? manager.removeItem(at: scratch) }
      let value = try fill(scratch)
      guard manager.fileExists(atPath: output.path) else {
        try manager.moveItem(at: scratch, to: output)
        return value
      }
      if try FileReplacement.exchange(scratch.path, output.path) { return value }
      let older = hidden()
      try manager.moveItem(at: output, to: older)
      do {
        try manager.moveItem(at: scratch, to: output)
      } catch {
        try? manager.moveItem(at: older, to: output)
        throw error
      }
      try? manager.removeItem(at: older)
      return value
    } catch let error as MappedFileError {
      throw InputFileError(
        file: output.path, problem: "cannot write the folder: \(error.reason)",
        advice: "check the path, its permissions and the free space")
    } catch let error as CocoaError {
      throw InputFileError(
        file: output.path, problem: "cannot write the folder: \(error.localizedDescription)",
        advice: "check the path, its permissions and the free space")
    }
  }
}
