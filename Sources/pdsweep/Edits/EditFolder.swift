internal import ContentHash
internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition
internal import SweepReport

/// A folder of edits: `edits.json`, which lists them, and a folder for each.
enum EditFolder {
  static let indexName = "edits.json"

  /// The content of `edits.json`.
  struct Index: Codable {
    static let schema = "pdsweep.edits/1"

    struct Entry: Codable {
      /// The edit's folder beside the index.
      let folder: String
      /// `prefactors`, `lora` or `full`.
      let kind: String
      let edit: EditRecord
    }

    var schema = Self.schema
    let sweep: String
    /// By method, in the sweep's order, then budget.
    let edits: [Entry]
  }

  /// Writes edits. The folder appears as a whole, and takes the place only of a folder of edits.
  ///
  /// - Throws: an `InputFileError` if it cannot be written, or something else is there.
  static func write(_ edits: [SweepReplay.Replayed], of replay: SweepReplay, to output: URL) throws -> Index {
    try check(output)
    return try WholeFolder.write(to: output) { scratch in
      var entries: [Index.Entry] = []
      for edit in edits {
        let folder = scratch.appendingPathComponent(edit.record.folderName, isDirectory: true)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let file = EditFile(edit, of: replay)
        try writeFile(folder.appendingPathComponent(EditFile.fileName).path, EditFile.bytes(of: file))
        if let lora = edit.edit as? LoRAEdit { try PEFTAdapter.write(lora, to: folder) }
        if let full = edit.edit as? FullEdit { try full.write(to: folder) }
        entries.append(
          .init(
            folder: edit.record.folderName, kind: file.kind, edit: edit.record))
      }
      let index = Index(sweep: replay.sweep.name, edits: entries)
      try writeFile(scratch.appendingPathComponent(indexName).path, EditFile.bytes(of: index))
      return index
    }
  }
}

extension EditFolder {
  /// Refuses to write where something else is.
  static func check(_ output: URL) throws(InputFileError) {
    let index = output.appendingPathComponent(indexName).path
    guard FileManager.default.fileExists(atPath: output.path), !FileManager.default.fileExists(atPath: index) else {
      return
    }
    throw InputFileError(
      file: output.path, problem: "expected no folder, or one of edits, found something else",
      advice: "choose another name, or remove it")
  }
}

extension EditRecord {
  /// The edit's folder: `lora-rank-1-16-tokens-cell-42`, of an edit along the way `...-cell-42-step-30`.
  fileprivate var folderName: String {
    "\(method)-\(tokenBudget)-tokens-cell-\(cell)" + (isFinal ? "" : "-step-\(step)")
  }
}

/// An edit that was read, with the target that it is for.
struct LoadedEdit {
  let file: EditFile
  let edit: any Edit

  /// Reads an edit for a target.
  ///
  /// - Parameters:
  ///   - path: a folder that `pdsweep edits` wrote, or the `edit.json` in it.
  ///   - decomposition: where the decomposition is; `nil` = in the target folder, under its own name.
  /// - Throws: an `InputFileError` for what is wrong with it, or does not belong to the target.
  init(path: String, target: TargetFolder, decomposition: String?) throws {
    let given = URL(fileURLWithPath: path)
    let place = given.lastPathComponent == EditFile.fileName ? given : given.appendingPathComponent(EditFile.fileName)
    file = try EditFile(path: place.path)
    let expected = file.target
    let pairs = [
      ("weights", expected.weights), ("configuration", expected.configuration), ("tokenizer", expected.tokenizer),
    ]
    for (name, digest) in pairs {
      guard let found = target.digests[name], found != digest else { continue }
      throw InputFileError(
        file: place.path, place: "target.\(name)",
        problem: "expected the target that the edit is for, with SHA-256 \(digest), found \(found) in \(target.path)",
        advice: "name that target")
    }
    if let prefactors = file.prefactors {
      edit = try Self.edit(prefactors, of: target, decomposition, place)
    } else if file.full != nil {
      edit = try FullEdit(folder: place.deletingLastPathComponent(), configuration: target.model.configuration)
    } else {
      edit = try PEFTAdapter.read(place.deletingLastPathComponent(), configuration: target.model.configuration)
    }
  }

  private static func edit(
    _ prefactors: EditFile.Prefactors, of target: TargetFolder, _ decomposition: String?, _ place: URL
  ) throws -> PrefactorEdit {
    let expected = prefactors.decomposition
    // A name, so that no file of edits leads out of the target's folder.
    let name = URL(fileURLWithPath: expected.name).lastPathComponent
    let path = decomposition ?? URL(fileURLWithPath: target.path, isDirectory: true).appendingPathComponent(name).path
    let opened = try Decomposition(path: path, configuration: target.model.configuration)
    let digest = try SHA256Digest(ofFile: URL(fileURLWithPath: path))
    guard digest == expected.sha256 else {
      throw InputFileError(
        file: path,
        problem: "expected the decomposition with SHA-256 \(expected.sha256) that the edit names, found \(digest)",
        advice: "say where it lies with --decomposition FILE")
    }
    func refusal(_ problem: String) -> InputFileError {
      InputFileError(file: place.path, place: "prefactors", problem: problem, advice: "write the edit again")
    }
    guard !prefactors.subcomponents.isEmpty else { throw refusal("expected subcomponents, found none") }
    let edit = PrefactorEdit(
      try prefactors.subcomponents.map { part in
        guard let name = SubcomponentName(part.name), Float(part.alpha).isFinite else {
          throw refusal("expected a subcomponent and its alpha, found \(part.name.printable) at \(part.alpha)")
        }
        return try opened.subcomponent(name)
      }, sharing: .separate)
    edit.alphas = prefactors.subcomponents.map(\.alpha)
    return edit
  }
}
