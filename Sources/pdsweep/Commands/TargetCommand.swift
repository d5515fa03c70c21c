internal import ArgumentParser
internal import Foundation
internal import ParameterDecomposition

/// `pdsweep target`.
struct TargetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "target",
    abstract: "Find the targets that sweep files name, or pack one of your own.",
    discussion: """
      A target is a folder with a model, its tokenizer and its decompositions. A sweep file names it by its path, or by \
      a name that is looked up in the folders of PDSWEEP_TARGET_PATH (separated by colons) and then among the targets \
      that come with the program.

      EXAMPLES
        pdsweep target list
        pdsweep target path reference
        pdsweep target pack models/small --output targets/small
      """,
    subcommands: [TargetListCommand.self, TargetPathCommand.self, TargetPackCommand.self])
}

/// `pdsweep target list`.
struct TargetListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the targets that can be named, and what they hold.",
    discussion: """
      Prints of each its folder, the model's shape, its decompositions with their sites and numbers of subcomponents, \
      the languages of their harvests and the subcomponents that stand for each (see `pdsweep target pack --help`). Of \
      a packed target every file is held against its digest.

      EXIT STATUS
        0  all are whole
        2  one is damaged; the others are listed all the same
      """
  )

  @Flag(help: "Print one JSON object instead of text.")
  var json = false

  func run() throws {
    struct Document: Encodable {
      let targets: [TargetSummary]
    }
    var found: [TargetSummary] = []
    var problem: (any Error)?
    for (name, folder) in TargetShelves.targets() {
      do { found.append(try TargetSummary(name: name, folder: folder)) } catch { problem = problem ?? error }
    }
    if json {
      try Terminal.write(json: Document(targets: found))
    } else {
      try Terminal.write(found.map(\.text).joined(separator: "\n"))
    }
    if let problem { throw problem }
    guard found.isEmpty, !json else { return }
    let places = TargetShelves.all.map(\.path).joined(separator: ", ")
    throw ValidationError(
      "expected targets at \(places), found none; list folders that hold some in PDSWEEP_TARGET_PATH")
  }
}

/// `pdsweep target path`.
struct TargetPathCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "path", abstract: "Print the folder of the target of a name.",
    discussion: """
      EXAMPLES
        pdsweep harvest mine.safetensors --model "$(pdsweep target path reference)" \\
            --corpus german=de.txt --corpus english=en.txt
      """)

  @Argument(help: "The name.")
  var name: String

  func run() throws {
    try Terminal.write(TargetShelves.folder(named: name).path + "\n")
  }
}

/// `pdsweep target pack`.
struct TargetPackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Make a target that can be given away from a model folder.",
    discussion: """
      Takes the model, its tokenizer, its decompositions and what stands beside each (NAME.harvest.json, \
      NAME.importance.safetensors), checks that they belong together, and copies them into a folder with \
      provenance.json: the digest of every file, what pretrain, decompose and evaluate have said, and the notes: \
      recipes, commands, times, where the text is from.

      It also says which subcomponents stand for each language of a harvest, by one rule for all languages: those whose \
      label is the language and nothing else, at the site of the most selective of them. Nothing looks at labels before \
      that. In a sweep, `alphas: shared` scales several together by one number.

      The folder appears as a whole; it takes the place of an older one only if that is a packed target too.

      EXAMPLES
        pdsweep target pack models/small --output targets/small
        pdsweep target pack models/small --output targets/small \\
            --decomposition decomposition-ica.safetensors --note ica.yaml
        PDSWEEP_TARGET_PATH=targets pdsweep run sweep.yaml --target small
      """
  )

  @Argument(help: "The model folder.", completion: .directory)
  var model: String

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The folder to write; its name is the target's.", valueName: "folder"),
    completion: .directory)
  var output: String

  @Option(
    help: ArgumentHelp(
      "A decomposition to take; may be repeated. [default: all in the model folder]", valueName: "file"))
  var decomposition: [String] = []

  @Option(
    help: ArgumentHelp(
      "A file to put into provenance.json: JSON (.json), JSON lines (.jsonl) or other text; may be repeated.",
      valueName: "file"))
  var note: [String] = []

  func validate() throws {
    let name = URL(fileURLWithPath: output).standardizedFileURL.lastPathComponent
    guard !name.hasPrefix("."), name != "/" else {
      throw ValidationError("--output: expected a folder with a name, found \(output)")
    }
    guard place(output) != place(model) else {
      throw ValidationError("--output: expected another folder than the model's, found \(output)")
    }
    for (position, name) in decomposition.enumerated() {
      guard !name.contains("/"), !decomposition[..<position].contains(name) else {
        throw ValidationError(
          "--decomposition: expected the names of files in the model folder, each once, found \(name)")
      }
    }
  }

  private func place(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
  }

  func run() throws {
    let folder = URL(fileURLWithPath: output, isDirectory: true).standardizedFileURL
    _ = try TargetPackage(model: model, decompositions: decomposition, notes: note).write(
      to: folder, program: "pdsweep \(PDSweep.version)")
    try Terminal.write(TargetSummary(name: folder.lastPathComponent, folder: folder).text)
  }
}

extension TargetSummary {
  /// The model in a line.
  var model: String {
    "\(parameters) weights: layers \(layers), width \(width), heads \(heads), intermediate \(intermediate), "
      + "context \(context), vocabulary \(vocabulary)"
  }

  /// Some lines for people.
  fileprivate var text: String {
    let size = String(format: "%.1f MB", Double(bytes) / 1e6)
    var lines = [
      "\(name)  \(folder)",
      "  \(model)",
      "  " + (packed.map { "packed by \($0), all files as they were, \(size)" } ?? "not packed, \(size)"),
    ]
    for decomposition in decompositions {
      lines.append("  \(decomposition.file): \(decomposition.shape)")
      if decomposition.importance { lines.append("    with an importance function") }
      if !decomposition.languages.isEmpty {
        let words = decomposition.languages.map { language in
          decomposition.selected[language].map { "\(language) (\($0.joined(separator: " ")))" } ?? language
        }
        lines.append("    harvest of " + words.joined(separator: ", "))
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension TargetSummary.Decomposition {
  /// The sites one by one where they are few.
  fileprivate var shape: String {
    let counts = sites.map(\.subcomponents)
    guard sites.count > 4, let fewest = counts.min(), let most = counts.max() else {
      return sites.map { "\($0.site) (\($0.subcomponents))" }.joined(separator: ", ")
    }
    let each = fewest == most ? "\(fewest)" : "\(fewest) to \(most)"
    return "\(sites.count) sites of \(each) subcomponents, \(counts.reduce(0, +)) in all"
  }
}
