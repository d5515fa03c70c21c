internal import ArgumentParser
internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition
internal import SweepReport

/// `pdsweep apply`.
struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Merge an edit into a model's weights.",
    discussion: """
      Writes a model folder in which the edit is part of the weights, for any program that runs such models: \
      model.safetensors (F32) with W + ΔW at each edited site, model_config.yaml and tokenizer.json as they were, and \
      applied-edit.json, which says what was merged into what. The edit has to be one for this very target: the \
      SHA-256 of its files are compared. Decompositions are not copied, for they are not the new weights'.

      EXAMPLES
        pdsweep apply edits/NAME --target reference --output without-german
        pdsweep run sweep.yaml --target without-german
      """
  )

  @Argument(help: "The edit: a folder of `pdsweep edits`.", completion: .directory)
  var path: String

  @OptionGroup var edit: EditOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder to write.", valueName: "folder"), completion: .directory)
  var output: String

  @Flag(help: "Print one JSON object instead of the folder.")
  var json = false

  func run() async throws {
    struct Document: Encodable {
      let output: String
      let edit: String
      let sites: [String]
    }
    let document = try await OwnThread.run { [self] in
      let output = URL(fileURLWithPath: output, isDirectory: true)
      guard !FileManager.default.fileExists(atPath: output.path) else {
        throw InputFileError(
          file: output.path, problem: "expected no file or folder yet, found one",
          advice: "choose another name, or remove it")
      }
      let target = try edit.openTarget()
      let loaded = try edit.load(path, for: target)
      let merged = target.model.merging(loaded.edit)
      if let site = merged.firstNonFiniteSite {
        throw InputFileError(
          file: path, place: "\(site)", problem: "expected weights that stay finite numbers, found others once merged",
          advice: "choose an edit of smaller numbers")
      }
      try WholeFolder.write(to: output) { scratch in
        try merged.write(checkpoint: scratch.appendingPathComponent("model.safetensors").path)
        for name in ["model_config.yaml", "tokenizer.json"] {
          let file = URL(fileURLWithPath: target.path, isDirectory: true).appendingPathComponent(name)
          try FileManager.default.copyItem(at: file.resolvingSymlinksInPath(), to: scratch.appendingPathComponent(name))
        }
        try writeFile(
          scratch.appendingPathComponent("applied-edit.json").path, EditFile.bytes(of: loaded.file))
      }
      return Document(
        output: output.relativePath, edit: loaded.file.edit.fingerprint,
        sites: loaded.edit.deltas.keys.sorted().map(\.description))
    }
    if json { try Terminal.write(json: document) } else { try Terminal.write(document.output + "\n") }
  }
}

/// A target and an edit that is made for it.
struct EditOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The target model: a folder, or a name.", discussion: "See `pdsweep target list`.", valueName: "folder"),
    completion: .directory)
  var target: String

  @Option(
    help: ArgumentHelp(
      "The decomposition whose subcomponents the edit scales.",
      discussion: "Otherwise it is looked for in the target folder.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var decomposition: String?

  /// Reads the target.
  func openTarget() throws -> TargetFolder {
    try TargetFolder(path: TargetShelves.folder(target).path)
  }

  /// Reads an edit for the target.
  func load(_ path: String, for target: TargetFolder) throws -> LoadedEdit {
    try LoadedEdit(path: path, target: target, decomposition: decomposition)
  }
}
