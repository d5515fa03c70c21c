internal import ArgumentParser
internal import Foundation
internal import LanguageModel
internal import SweepCore

/// The sweep file, and what may stand in place of the files that it names.
struct SweepFileOptions: ParsableArguments {
  @Argument(help: "The sweep file.", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(
    help: ArgumentHelp(
      "Use this target model in place of the sweep file's.",
      discussion: """
        A folder, or a name to look up in the folders of PDSWEEP_TARGET_PATH (separated by colons). It holds \
        model.safetensors, model_config.yaml, tokenizer.json and the decompositions.
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

  /// Reads the sweep file.
  func spec() throws(SweepSpecError) -> SweepSpec {
    try SweepSpec(contentsOf: URL(fileURLWithPath: file))
  }

  /// Finds and digests the files of a sweep, and checks that they fit each other.
  func resolve(_ spec: SweepSpec) throws -> ResolvedSweep {
    let resolver = SweepResolver(
      sweepFile: URL(fileURLWithPath: file), target: target, corpora: corpora,
      targetPath: ProcessInfo.processInfo.environment[SweepResolver.targetPathVariable])
    let sweep = try resolver.resolve(spec)
    try SweepCheck(sweep, file: file).run()
    return sweep
  }

  /// The size of the vocabulary of a sweep's target.
  func vocabularySize(of sweep: ResolvedSweep) throws -> Int {
    try ModelConfiguration(file: sweep.files.configuration.path).vocabularySize
  }
}
