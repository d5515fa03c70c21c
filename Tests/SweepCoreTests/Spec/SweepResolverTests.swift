import ContentHash
import Foundation
import SettingsFiles
import SweepCore
import Testing

@Suite("Finding the files of a sweep")
struct SweepResolverTests {
  @Test("digests the target's files, the decompositions in use and the corpora with their cuts")
  func complete() throws {
    let folder = try SweepFolder()
    defer { folder.remove() }
    let sweep = try folder.resolver().resolve(folder.spec())

    #expect(sweep.files.weights.digest == SHA256Digest(of: "the weights"))
    #expect(sweep.files.weights.size == 11)
    #expect(sweep.files.weights.path == folder.path("small/model.safetensors"))
    #expect(sweep.files.configuration.digest == SHA256Digest(of: "the configuration"))
    #expect(sweep.files.tokenizer.digest == SHA256Digest(of: "the tokenizer"))
    #expect(sweep.files.decompositions.keys.sorted() == ["decomposition.safetensors", "other.safetensors"])
    #expect(sweep.files.corpora["german"]?.text.digest == SHA256Digest(of: "text of de"))
    #expect(sweep.files.corpora["german"]?.cut?.digest == SHA256Digest(of: "cut of de"))
    #expect(sweep.files.corpora["english"]?.cut == nil)
    #expect(sweep.cells.count == SweepPlan(sweep.spec).cells.count)
    #expect(sweep.cells.map(\.index) == Array(0..<sweep.cells.count))
    #expect(
      sweep.files.all.map(\.role) == [
        "weights", "configuration", "tokenizer", "decomposition:decomposition.safetensors",
        "decomposition:other.safetensors", "corpus:english", "corpus:french", "corpus:german", "corpus:spanish",
        "cut:german",
      ])
  }

  @Test("looks a target up by name beside the sweep file, then on the shelves in their order")
  func shelves() throws {
    let folder = try SweepFolder()
    defer { folder.remove() }
    try folder.move("small", to: "shelf/small")
    #expect(refusal { try folder.resolver().resolve(folder.spec()) }.contains("expected a model folder at"))
    try folder.write("another", to: "last/small/tokenizer.json")
    let shelves = ["/no/such/shelf", folder.path("shelf"), folder.path("last")]
    let sweep = try folder.resolver(shelves: shelves).resolve(folder.spec())
    #expect(sweep.files.tokenizer.path == folder.path("shelf/small/tokenizer.json"))
    #expect(sweep.files.tokenizer.digest == SHA256Digest(of: "the tokenizer"))

    try folder.move("shelf/small", to: "shelf/smale")
    try folder.delete("last/small")
    let line = refusal { try folder.resolver(shelves: shelves).resolve(folder.spec()) }
    #expect(line.contains("did you mean `smale`?"), "\(line)")
    for shelf in shelves { #expect(line.contains(shelf + "/small"), "\(line)") }
  }

  @Test("lets the caller put another target and another corpora folder in place")
  func overrides() throws {
    let folder = try SweepFolder()
    defer { folder.remove() }
    let before = try folder.resolver().resolve(folder.spec())
    try folder.move("small", to: "elsewhere/model")
    try folder.move("text", to: "elsewhere/texts")
    let sweep = try folder.resolver(
      target: folder.path("elsewhere/model"), corpora: folder.path("elsewhere/texts")
    ).resolve(folder.spec())
    #expect(sweep.files.corpora["german"]?.text.path == folder.path("elsewhere/texts/de.txt"))
    #expect(sweep.files.corpora["german"]?.cut != nil)
    #expect(sweep.digest == before.digest)
  }

  @Test(
    "refuses what is missing, empty or a folder, in one line with its key path and what to do",
    arguments: [
      ("small/model.safetensors", "target: expected a file, found no file at"),
      ("small/model_config.yaml", "target: expected a file, found no file at"),
      ("small/tokenizer.json", "target: expected a file, found no file at"),
      ("small/other.safetensors", "methods.several.decomposition: expected a file, found no file at"),
      ("text/en.txt", "corpora.retain.english: expected a file, found no file at"),
    ])
  func missing(file: String, says: String) throws {
    let folder = try SweepFolder()
    defer { folder.remove() }
    try folder.delete(file)
    let line = refusal { try folder.resolver().resolve(folder.spec()) }
    #expect(line.contains(says) && line.contains(folder.path(file)) && line.contains("; "), "\(line)")

    try folder.write("", to: file)
    #expect(refusal { try folder.resolver().resolve(folder.spec()) }.contains("found an empty one"))

    try folder.delete(file)
    try folder.write("x", to: file + "/inner")
    #expect(refusal { try folder.resolver().resolve(folder.spec()) }.contains("found a folder at"))
  }

  @Test("refuses an empty cut file, and one text under two names")
  func corpora() throws {
    let folder = try SweepFolder()
    defer { folder.remove() }
    try folder.write("text of de", to: "text/es.txt")
    let line = refusal { try folder.resolver().resolve(folder.spec()) }
    #expect(line.contains("corpora.observe.spanish: expected a text of its own, found the text of `german`"), "\(line)")
    try folder.write("text of es", to: "text/es.txt")
    try folder.write("", to: "text/de.cut.json")
    #expect(refusal { try folder.resolver().resolve(folder.spec()) }.contains("corpora.forget.german"))
  }

  @Test("names a sweep file that cannot be read")
  func unreadable() throws {
    let folder = try SweepFolder()
    defer { folder.remove() }
    let line = refusal { try SweepSpec(contentsOf: URL(fileURLWithPath: folder.path("no.yaml"))) }
    #expect(line.contains("found no file at \(folder.path("no.yaml"))"))
    #expect(refusal { try SweepSpec(contentsOf: URL(fileURLWithPath: folder.path("text"))) }.contains("found a folder"))
  }

  @Test("every sweep of the repository can be planned")
  func repository() throws {
    let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
    let sweeps = URL(fileURLWithPath: "../../../sweeps", relativeTo: root.appendingPathComponent("x"))
    let files = try FileManager.default.contentsOfDirectory(at: sweeps, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "yaml" }
    #expect(!files.isEmpty)
    for file in files {
      let plan = SweepPlan(try SweepSpec(contentsOf: file))
      #expect(!plan.cells.isEmpty, "\(file.lastPathComponent)")
    }
  }

  private func refusal<Value>(_ body: () throws -> Value) -> String {
    do {
      _ = try body()
      return "accepted"
    } catch {
      return "\(error)"
    }
  }
}
