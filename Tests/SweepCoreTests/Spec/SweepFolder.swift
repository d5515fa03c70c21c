import Foundation
import SettingsFiles
import SweepCore

/// A folder with the fixture's sweep file and everything that it names.
struct SweepFolder {
  private let root: URL

  /// Makes the folder.
  ///
  /// - Parameter sweep: the text of the sweep file.
  init(sweep: String = SpecFixture.text) throws {
    root = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
      .appendingPathComponent("sweep-\(UUID().uuidString)", isDirectory: true)
    try write(sweep, to: "sweep.yaml")
    try write("the weights", to: "small/model.safetensors")
    try write("the configuration", to: "small/model_config.yaml")
    try write("the tokenizer", to: "small/tokenizer.json")
    try write("one decomposition", to: "small/decomposition.safetensors")
    try write("another", to: "small/other.safetensors")
    for language in ["de", "en", "fr", "es"] { try write("text of \(language)", to: "text/\(language).txt") }
    try write("cut of de", to: "text/de.cut.json")
  }

  func path(_ name: String) -> String { root.appendingPathComponent(name).path }

  func spec() throws -> SweepSpec { try SweepSpec(contentsOf: root.appendingPathComponent("sweep.yaml")) }

  func resolver(target: String? = nil, corpora: String? = nil, shelves: [String] = []) -> SweepResolver {
    SweepResolver(
      sweepFile: root.appendingPathComponent("sweep.yaml"), target: target, corpora: corpora,
      shelves: shelves.map { URL(fileURLWithPath: $0, isDirectory: true) })
  }

  func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

  func write(_ bytes: [UInt8], to name: String) throws {
    let url = root.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  func move(_ name: String, to other: String) throws {
    let url = root.appendingPathComponent(other)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.moveItem(at: root.appendingPathComponent(name), to: url)
  }

  func delete(_ name: String) throws { try FileManager.default.removeItem(at: root.appendingPathComponent(name)) }

  func remove() { try? FileManager.default.removeItem(at: root) }
}
