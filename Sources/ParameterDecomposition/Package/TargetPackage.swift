internal import ContentHash
public import Foundation
internal import LanguageModel

/// A model folder with its decompositions and harvests, checked and ready to be written as a target that can be given
/// away: one folder whose provenance says what belongs to it and how it was made.
public struct TargetPackage {
  private let folder: TargetFolder
  private let decompositions: [(files: DecompositionFiles, known: TargetProvenance.Decomposition)]
  private let pretraining: JSONTree?
  private let notes: [String: JSONTree]

  /// Reads a model folder.
  ///
  /// - Parameters:
  ///   - model: the folder.
  ///   - decompositions: the decompositions to take, by file name; all that lie there if empty.
  ///   - notes: files that tell of the making: JSON, JSON lines (`.jsonl`) or other text.
  /// - Throws: an `InputFileError` for the first file that is wrong or belongs to others.
  public init(model: String, decompositions names: [String], notes: [String]) throws {
    folder = try TargetFolder(path: model)
    let root = URL(fileURLWithPath: model, isDirectory: true)
    let chosen =
      names.isEmpty
      ? try DecompositionFiles.all(in: model)
      : names.map { DecompositionFiles(path: root.appendingPathComponent($0).path) }
    decompositions = try chosen.map { [folder] in ($0, try Self.checked($0, of: folder)) }
    pretraining = try Self.pretraining(root.appendingPathComponent("pretraining.json").path, of: folder)
    var texts: [String: JSONTree] = [:]
    for note in notes {
      let name = URL(fileURLWithPath: note).lastPathComponent
      guard texts.updateValue(try Self.note(note), forKey: name) == nil else {
        throw InputFileError(
          file: note, problem: "expected a name of its own for each note, found \(name) twice",
          advice: "rename one of them")
      }
    }
    self.notes = texts
  }

  /// Writes the target. Its folder appears as a whole, and takes the place only of a target that was packed before.
  ///
  /// - Parameters:
  ///   - output: the folder; its name is the target's.
  ///   - program: the program and its version, for the provenance.
  /// - Throws: an `InputFileError` if the folder cannot be written, or holds something else.
  public func write(to output: URL, program: String) throws -> TargetProvenance {
    let manager = FileManager.default
    let output = output.standardizedFileURL
    if manager.fileExists(atPath: output.path), try TargetProvenance(folder: output) == nil {
      throw InputFileError(
        file: output.path, problem: "expected no folder, or a target packed before, found something else",
        advice: "choose another name, or remove it")
    }
    return try WholeFolder.write(to: output) { scratch in
      var files: [String: SHA256Digest] = [:]
      for path in paths {
        let copy = scratch.appendingPathComponent(URL(fileURLWithPath: path).lastPathComponent)
        try manager.copyItem(atPath: path, toPath: copy.path)
        files[copy.lastPathComponent] = try SHA256Digest(ofFile: copy)
      }
      let provenance = TargetProvenance(
        name: output.lastPathComponent, program: program, files: files, pretraining: pretraining,
        decompositions: Dictionary(uniqueKeysWithValues: decompositions.map { ($0.files.name, $0.known) }),
        notes: notes)
      try writeFile(
        scratch.appendingPathComponent(TargetProvenance.fileName).path, TargetJSON.text(of: provenance))
      return provenance
    }
  }

  /// The files that belong to the target.
  private var paths: [String] {
    let model = URL(fileURLWithPath: folder.path, isDirectory: true)
    return TargetFolder.fileNames.map { model.appendingPathComponent($0).path }
      + decompositions.flatMap { part in
        [part.files.path] + [part.files.harvest, part.files.importance].filter(DecompositionFiles.exists)
      }
  }

  // MARK: What belongs together

  private static func checked(
    _ files: DecompositionFiles, of folder: TargetFolder
  ) throws -> TargetProvenance.Decomposition {
    _ = try ImportanceFile.read(
      beside: Decomposition(path: files.path, configuration: folder.model.configuration))
    let digest = try SHA256Digest(ofFile: URL(fileURLWithPath: files.path))
    var known = TargetProvenance.Decomposition()
    if DecompositionFiles.exists(files.record) {
      struct Record: Decodable {
        let inputs: [String: SHA256Digest]
        let output: SHA256Digest
      }
      let expected = "the provenance of a decomposition as `pdsweep decompose` writes it"
      let record = try TargetJSON.read(Record.self, files.record, expected: expected)
      try require(record.output == digest, files.record, files.name)
      try require(record.inputs["weights"] == folder.digests["weights"], files.record, "this model")
      known.record = try TargetJSON.read(JSONTree.self, files.record, expected: expected)
    }
    if DecompositionFiles.exists(files.evaluation) {
      struct Record: Decodable {
        let inputs: [String: SHA256Digest]
      }
      let expected = "an evaluation as `pdsweep evaluate` writes it"
      let record = try TargetJSON.read(Record.self, files.evaluation, expected: expected)
      try require(record.inputs["decomposition"] == digest, files.evaluation, files.name)
      try require(record.inputs["weights"] == folder.digests["weights"], files.evaluation, "this model")
      known.evaluation = try TargetJSON.read(JSONTree.self, files.evaluation, expected: expected)
    }
    if DecompositionFiles.exists(files.harvest) {
      let harvest = try HarvestRecord(path: files.harvest)
      try require(harvest.provenance.inputs["decomposition"] == digest, files.harvest, files.name)
      try require(harvest.provenance.inputs["weights"] == folder.digests["weights"], files.harvest, "this model")
      known.languages = harvest.provenance.languages
      known.selected = harvest.selected
    }
    return known
  }

  private static func pretraining(_ path: String, of folder: TargetFolder) throws -> JSONTree? {
    guard DecompositionFiles.exists(path) else { return nil }
    struct Record: Decodable {
      let tokenizer_sha256: SHA256Digest
    }
    let expected = "the record of a training as `pdsweep pretrain` writes it"
    let record = try TargetJSON.read(Record.self, path, expected: expected)
    try require(record.tokenizer_sha256 == folder.digests["tokenizer"], path, "this tokenizer")
    return try TargetJSON.read(JSONTree.self, path, expected: expected)
  }

  private static func require(_ belongs: Bool, _ path: String, _ other: String) throws(InputFileError) {
    guard !belongs else { return }
    throw InputFileError(
      file: path, problem: "expected a file that belongs to \(other), found one that was made of another",
      advice: "make it again")
  }

  private static func note(_ path: String) throws(InputFileError) -> JSONTree {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw InputFileError(
        file: path, problem: "expected a note in UTF-8: \(error.localizedDescription)", advice: "check the path")
    }
    switch URL(fileURLWithPath: path).pathExtension {
    case "json": return try TargetJSON.decode(JSONTree.self, Data(text.utf8), path: path, expected: "JSON")
    case "jsonl":
      var lines: [JSONTree] = []
      for line in text.split(separator: "\n") {
        lines.append(
          try TargetJSON.decode(JSONTree.self, Data(line.utf8), path: path, expected: "JSON on every line"))
      }
      return .list(lines)
    case _: return .text(text)
    }
  }
}
