public import Foundation
internal import LanguageModel

/// Writes folders that appear as a whole or not at all.
public enum WholeFolder {
  /// Has `fill` write into a folder of another name beside the place, and then gives it the name, in place of what has
  /// it.
  ///
  /// - Throws: what `fill` throws, and an `InputFileError` if the folder cannot be written; nothing is left of it then.
  public static func write<Value>(to output: URL, _ fill: (URL) throws -> Value) throws -> Value {
    let manager = FileManager.default
    let output = output.standardizedFileURL
    let scratch = output.deletingLastPathComponent().appendingPathComponent(
      ".\(output.lastPathComponent).\(UUID().uuidString)", isDirectory: true)
    do {
      try manager.createDirectory(at: scratch, withIntermediateDirectories: true)
      defer { try? manager.removeItem(at: scratch) }
      let value = try fill(scratch)
      if manager.fileExists(atPath: output.path) { try manager.removeItem(at: output) }
      try manager.moveItem(at: scratch, to: output)
      return value
    } catch let error as CocoaError {
      throw InputFileError(
        file: output.path, problem: "cannot write the folder: \(error.localizedDescription)",
        advice: "check the path, its permissions and the free space")
    }
  }
}
