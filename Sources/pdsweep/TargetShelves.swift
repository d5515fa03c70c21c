internal import ArgumentParser
internal import Foundation
internal import SettingsFiles
internal import SweepCore

/// The folders in which targets are looked up by name.
enum TargetShelves {
  /// Those of `PDSWEEP_TARGET_PATH` in its order, then where the targets that come with the program may lie.
  static var all: [URL] {
    let path = ProcessInfo.processInfo.environment[SweepResolver.targetPathVariable] ?? ""
    return path.split(separator: ":").map { URL(fileURLWithPath: String($0), isDirectory: true) } + builtIn
  }

  /// Beside the program, in the folder that `swift build` makes there and that is carried along with it; and where
  /// programs are installed. Links to the program are followed. The bundle that the build makes would be found by
  /// Foundation as well, but not without a trap where it is missing.
  private static var builtIn: [URL] {
    let folder = ChildProcess.program.resolvingSymlinksInPath().deletingLastPathComponent()
    return ["pdsweep_pdsweep.resources/Targets", "../share/pdsweep/targets"].map {
      folder.appendingPathComponent($0, isDirectory: true).standardizedFileURL
    }
  }

  /// The targets on all shelves by name: of several with one name, the first.
  static func targets() -> [(name: String, folder: URL)] {
    var found: [String: URL] = [:]
    for shelf in all {
      for name in (try? FileManager.default.contentsOfDirectory(atPath: shelf.path)) ?? [] {
        let folder = shelf.appendingPathComponent(name, isDirectory: true)
        let model = folder.appendingPathComponent("model_config.yaml").path
        guard found[name] == nil, !name.hasPrefix("."), FileManager.default.fileExists(atPath: model) else { continue }
        found[name] = folder
      }
    }
    return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// The folder of a target: one at this path, or the one of this name on the shelves.
  ///
  /// - Throws: `ValidationError` if there is none.
  static func folder(_ target: String) throws -> URL {
    let direct = URL(fileURLWithPath: target, isDirectory: true)
    if case .folder = FileKind(of: direct) { return direct }
    return try folder(named: target)
  }

  /// The folder of the target of a name.
  ///
  /// - Throws: `ValidationError` if there is none.
  static func folder(named name: String) throws -> URL {
    let targets = targets()
    if let target = targets.first(where: { $0.name == name }) { return target.folder }
    let places = all.map(\.path).joined(separator: ", ")
    let meant = NearestName.suggestion(for: name, among: targets.map(\.name)).map { "; did you mean `\($0)`?" }
    throw ValidationError(
      "expected the name of a target at \(places), found \(name.printable)\(meant ?? "; see `pdsweep target list`")")
  }
}
