internal import ArgumentParser
internal import Foundation
internal import SweepStore

/// `pdsweep bundle`.
struct BundleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bundle",
    abstract: "Write a store with its sweep files and results as one archive.",
    discussion: """
      The archive (tar) holds the store as of this moment, whether or not its sweeps still run, every sweep file, the \
      files of `pdsweep export`, and bundle.json: the digests of all these, of the model and the corpora that cells are \
      computed from, and where the bundle was made. `pdsweep unbundle` takes it apart on another machine, which can \
      carry the sweeps on if it has that model and those corpora.

      EXAMPLES
        pdsweep bundle demo.sqlite --output demo.tar
      """
  )

  @OptionGroup var store: BundledStore

  @Option(name: .shortAndLong, help: ArgumentHelp("The archive; replaced if it is there.", valueName: "file"))
  var output: String

  @Flag(help: "Print bundle.json instead of a line.")
  var json = false

  func validate() throws {
    guard !output.isEmpty else { throw ValidationError("expected --output with the name of a file, found nothing") }
  }

  func run() throws {
    let reader = try StoreReader(path: store.store)
    let manifest = try BundleWriter(reader, to: URL(fileURLWithPath: output)).write()
    guard !json else { return try Terminal.write(json: manifest) }
    let sweeps = manifest.sweeps.map { "\($0.name) (\($0.completed) of \($0.cells) cells completed)" }
    try Terminal.write("Wrote: \(output): \(sweeps.joined(separator: ", "))".printable + "\n")
  }
}

/// A store that is named.
struct BundledStore: ParsableArguments {
  @Argument(help: "The store.", completion: .file(extensions: ["sqlite"]))
  var store: String
}

/// `pdsweep unbundle`.
struct UnbundleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unbundle",
    abstract: "Take a bundle apart, to carry its sweeps on.",
    discussion: """
      Writes the files of a bundle into a new folder, and nowhere else, after checking each by its digest. Prints the \
      commands that carry the sweeps on: name the folder that holds their corpora, and the model with --target where \
      the sweep file does not find it.

      EXAMPLES
        pdsweep unbundle demo.tar --output demo
        pdsweep run demo/demo.yaml --store demo/store.sqlite \\
            --target models/small --corpora text
      """
  )

  @Argument(help: "The archive that `pdsweep bundle` wrote.", completion: .file(extensions: ["tar"]))
  var file: String

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder to make.", valueName: "folder"))
  var output: String

  @Flag(help: "Print bundle.json instead of the commands.")
  var json = false

  func run() throws {
    let manifest = try BundleReader(path: file).unpack(into: URL(fileURLWithPath: output, isDirectory: true))
    guard !json else { return try Terminal.write(json: manifest) }
    let lines = manifest.sweeps.map { sweep in
      "pdsweep run \(output)/\(sweep.file) --store \(output)/\(manifest.store) --corpora FOLDER\n"
    }
    try Terminal.write(lines.joined())
  }
}
