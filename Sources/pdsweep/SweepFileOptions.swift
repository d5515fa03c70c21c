internal import ArgumentParser
internal import Foundation
internal import LanguageModel
internal import SettingsFiles
internal import SweepCore
internal import SweepStore

/// What may stand in place of the files that sweep files name.
struct SweepInputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Use this target model in place of the sweep file's.",
      discussion: """
        A folder, or a name to look up in the folders of PDSWEEP_TARGET_PATH (separated by colons) and among the \
        targets that come with the program (see `pdsweep target list`). It holds model.safetensors, \
        model_config.yaml, tokenizer.json and the decompositions.
        """,
      valueName: "folder"),
    completion: .directory)
  var target: String?

  @Option(
    help: ArgumentHelp(
      "Find the corpora in this folder, by their file names.",
      discussion: "Otherwise their paths are relative to the sweep file's folder.",
      valueName: "folder"),
    completion: .directory)
  var corpora: String?

  /// Finds and digests the files of a sweep, and checks that they fit each other.
  func resolve(_ spec: SweepSpec, file: String) throws -> ResolvedSweep {
    let resolver = SweepResolver(
      sweepFile: URL(fileURLWithPath: file), target: target, corpora: corpora, shelves: TargetShelves.all)
    let sweep = try resolver.resolve(spec)
    try SweepCheck(sweep, file: file).run()
    return sweep
  }
}

/// One sweep file, and what may stand in place of the files that it names.
struct SweepFileOptions: ParsableArguments {
  @Argument(help: "The sweep file.", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @OptionGroup var inputs: SweepInputOptions
}

/// Sweep files, and what may stand in place of the files that they name.
struct SweepFilesOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "The sweep file, or several: their sweeps share the workers.",
      discussion: "Sweeps have equal shares; see `pdsweep prioritise`.", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var files: [String]

  @OptionGroup var inputs: SweepInputOptions

  /// Reads everything that the sweeps need.
  ///
  /// - Throws: the first thing that would keep one of them from running.
  func resolve() throws -> [SweepInput] {
    let sweeps = try files.map { try SweepInput(file: $0, inputs) }
    for (place, input) in sweeps.enumerated() {
      if let other = sweeps[..<place].first(where: { $0.description.name == input.description.name }) {
        throw ValidationError(
          "expected sweeps of different names, found \(input.description.name) in \(other.file) and in \(input.file)")
      }
    }
    return sweeps
  }
}

/// A sweep file with all that it needs, in the words of the store.
struct SweepInput: Sendable {
  /// The sweep file, as the user named it.
  let file: String
  /// What the sweep is computed from.
  let sweep: ResolvedSweep
  /// What the store keeps of it.
  let description: SweepDescription

  /// - Throws: the first thing that would keep the sweep from running.
  init(file: String, _ inputs: SweepInputOptions) throws {
    self.file = file
    let spec = try SweepSpec(contentsOf: URL(fileURLWithPath: file))
    sweep = try inputs.resolve(spec, file: file)
    description = SweepDescription(
      name: spec.name, digest: sweep.digest, file: try String(contentsOf: URL(fileURLWithPath: file), encoding: .utf8),
      vocabularySize: try ModelConfiguration(file: sweep.files.configuration.path).vocabularySize, goal: spec.goal,
      auditFraction: spec.auditFraction, selections: sweep.selections)
  }
}
