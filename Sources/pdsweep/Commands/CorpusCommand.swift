internal import ArgumentParser
internal import Foundation
internal import LanguageModel
internal import SweepCore

/// `pdsweep corpus`.
struct CorpusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "corpus",
    abstract: "Prepare a corpus: one paragraph a line, cut into train, validation and test.",
    discussion: """
      Reads HTML (.html, .htm, .xhtml), text (.txt, one paragraph a line) and JSONL (.jsonl, the member "text"), all \
      in UTF-8, from files or from whole folders in the order of their paths. From HTML it takes the paragraphs and \
      leaves markup, code listings and navigation. Short paragraphs and repeated ones are dropped.

      Writes the text and, beside it, its cut: NAME.cut.json, four blocks of lines that are held out from training.

      EXAMPLES
        pdsweep corpus --output corpora/en.txt doc/en
        pdsweep corpus --output corpora/de.txt --exclude corpora/en.txt doc/de
            (drops what is left untranslated)
      """
  )

  @Option(name: .shortAndLong, help: "The text file to write.")
  var output: String

  @Option(help: ArgumentHelp("Drop paragraphs that stand in this corpus; may be repeated.", valueName: "file"))
  var exclude: [String] = []

  @Option(help: ArgumentHelp("Drop paragraphs of fewer characters.", valueName: "number"))
  var minimumCharacters = 60

  @Flag(help: "Print one JSON object instead of a line.")
  var json = false

  @Argument(help: "Files and folders to read.")
  var inputs: [String]

  func validate() throws {
    guard minimumCharacters >= 0 else {
      throw ValidationError("--minimum-characters: expected a number from 0, found \(minimumCharacters)")
    }
    let place = URL(fileURLWithPath: output).standardizedFileURL.resolvingSymlinksInPath().path
    for input in inputs {
      let source = URL(fileURLWithPath: input).standardizedFileURL.resolvingSymlinksInPath().path
      guard place != source, !place.hasPrefix(source + "/") else {
        throw ValidationError("--output: expected a file apart from the inputs, found \(output), which \(input) holds")
      }
    }
  }

  func run() throws {
    var builder = try CorpusBuilder(minimumCharacters: minimumCharacters, excluding: exclude)
    for input in inputs { try builder.add(path: input) }
    try builder.write(to: output)
    let summary = builder.summary
    guard !json else {
      try Terminal.write(String(decoding: CanonicalJSON.encode(Document(output, summary)), as: UTF8.self) + "\n")
      return
    }
    try Terminal.write(
      "\(output): \(summary.lines) lines, \(summary.bytes) bytes, \(summary.characters) characters from "
        + "\(summary.files) files; dropped \(summary.short) short, \(summary.repeated) repeated, "
        + "\(summary.excluded) excluded paragraphs\n")
  }
}

/// What `corpus --json` prints.
private struct Document: Encodable {
  let output: String
  let files: Int
  let lines: Int
  let bytes: Int
  let characters: Int
  let short: Int
  let repeated: Int
  let excluded: Int

  init(_ output: String, _ summary: CorpusBuilder.Summary) {
    self.output = output
    files = summary.files
    lines = summary.lines
    bytes = summary.bytes
    characters = summary.characters
    short = summary.short
    repeated = summary.repeated
    excluded = summary.excluded
  }
}
