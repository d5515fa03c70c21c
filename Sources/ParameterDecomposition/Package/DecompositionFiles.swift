internal import Foundation
internal import LanguageModel

/// The decompositions of a model folder and the files that stand beside each.
struct DecompositionFiles {
  /// `NAME.safetensors`.
  let path: String

  init(path: String) {
    self.path = path
  }

  /// The file's name.
  var name: String { URL(fileURLWithPath: path).lastPathComponent }

  /// What `pdsweep decompose` said.
  var record: String { DecompositionProvenance.path(beside: path) }
  /// What `pdsweep evaluate` said.
  var evaluation: String { EvaluationRecord.path(beside: path) }
  /// What `pdsweep harvest` found.
  var harvest: String { HarvestRecord.path(beside: path) }
  /// The importance function.
  var importance: String { ImportanceFile.path(beside: path) }

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// The decompositions that lie in a model folder, by name.
  static func all(in folder: String) throws(InputFileError) -> [DecompositionFiles] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw InputFileError(
        file: folder, problem: "cannot look into the folder: \(error.localizedDescription)",
        advice: "check the path and its permissions")
    }
    let root = URL(fileURLWithPath: folder, isDirectory: true)
    return names.sorted().filter { name in
      guard name.hasSuffix(".safetensors"), !name.hasPrefix("."), name != "model.safetensors" else { return false }
      return !name.hasSuffix(".importance.safetensors") && !name.hasSuffix("checkpoint.safetensors")
    }.map { DecompositionFiles(path: root.appendingPathComponent($0).path) }
  }
}
