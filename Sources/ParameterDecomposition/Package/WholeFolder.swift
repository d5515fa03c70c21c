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
      // Removing takes a while; renaming does not, and until the new one has the name the older one is whole.
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
    } catch let error as CocoaError {
      throw InputFileError(
        file: output.path, problem: "cannot write the folder: \(error.localizedDescription)",
        advice: "check the path, its permissions and the free space")
    }
  }
}
