import Foundation
import Testing

/// Bad input gets one line that says what is wrong, exit status 2, and leaves nothing behind.
@Suite(.serialized)
struct BadInputTests {
  /// A way to spoil a laboratory, and what `run` says to it.
  struct Spoilage: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var says: [String]
    var arguments: [String] = []
    var spoil: @Sendable (Laboratory) throws -> Void

    init(
      _ description: String, says: String..., arguments: [String] = [],
      spoil: @escaping @Sendable (Laboratory) throws -> Void = { _ in }
    ) {
      testDescription = description
      self.says = says
      self.arguments = arguments
      self.spoil = spoil
    }
  }

  static let spoilages: [Spoilage] = [
    // The sweep file.
    Spoilage("a sweep file that is not there", says: "sweep.yaml", "no file") { try $0.remove("sweep.yaml") },
    Spoilage("an empty sweep file", says: "sweep.yaml") { try $0.write("", to: "sweep.yaml") },
    Spoilage("a wrong key", says: "sweep.yaml:16:", "methods.one-scalar", "found `optimizer`", "`optimiser`?") {
      try $0.edit("sweep.yaml", "    edit: prefactors\n", "    edit: prefactors\n    optimizer: solve\n")
    },
    Spoilage("a subcomponent that does not exist", says: "h.1.mlp.c_fc:8", "0 to 7") {
      try $0.edit("sweep.yaml", "c_fc:3", "c_fc:8")
    },
    Spoilage("a site that is not decomposed", says: "h.0.mlp.c_fc:3", "h.1.mlp.c_fc") {
      try $0.edit("sweep.yaml", "h.1.mlp.c_fc:3", "h.0.mlp.c_fc:3")
    },
    Spoilage("windows longer than the context", says: "evaluation.context", "64", "128") {
      try $0.edit("sweep.yaml", "tokens_per_corpus: 64, context: 32", "tokens_per_corpus: 128, context: 128")
    },

    // The model.
    Spoilage("no model folder", says: "target", "model folder") { try $0.remove("target") },
    Spoilage("no weights", says: "model.safetensors") { try $0.remove("target/model.safetensors") },
    Spoilage("empty weights", says: "model.safetensors", "empty") {
      try $0.truncate("target/model.safetensors", to: 0)
    },
    Spoilage("weights that are cut off", says: "model.safetensors") {
      try $0.truncate("target/model.safetensors", to: 30_000)
    },
    Spoilage("weights cut off in the header", says: "model.safetensors") {
      try $0.truncate("target/model.safetensors", to: 100)
    },
    Spoilage("weights of another shape", says: "model.safetensors", "wte.weight", "[300, 32]", "[257, 32]") {
      try $0.edit("target/model_config.yaml", "vocab_size: 257", "vocab_size: 300")
    },
    Spoilage("a weight that is not a number", says: "model.safetensors", "wte.weight", "nan") {
      try $0.overwriteEnd(of: "target/model.safetensors", with: [0, 0, 0xC0, 0x7F])
    },
    Spoilage("a configuration of another kind", says: "model_config.yaml", "model_type") {
      try $0.edit("target/model_config.yaml", "LlamaSimpleMLP", "Llama")
    },
    Spoilage("an unknown tokenizer type", says: "tokenizer.json", "model.type", "WordPiece") {
      try $0.edit("target/tokenizer.json", "\"type\":\"BPE\"", "\"type\":\"WordPiece\"")
    },
    Spoilage("a tokenizer that is cut off", says: "tokenizer.json") {
      try $0.truncate("target/tokenizer.json", to: 1000)
    },
    Spoilage("a decomposition that is cut off", says: "decomposition.safetensors") {
      try $0.truncate("target/decomposition.safetensors", to: 1000)
    },

    // The texts.
    Spoilage("no corpus", says: "de.txt", "corpora.forget.german") { try $0.remove("de.txt") },
    Spoilage("a corpus without enough held-out text", says: "de.txt", "validation", "expected 128 windows") {
      try $0.edit("sweep.yaml", "tokens_per_corpus: 64", "tokens_per_corpus: 4096")
    },
    Spoilage("a corpus of a few lines", says: "en.txt", "at least 20 lines", "found 19") {
      try $0.shorten("en.txt", to: 19)
    },
    Spoilage("a corpus without enough training text", says: "de.txt", "train", "100000 tokens") {
      try $0.edit("sweep.yaml", "token_budget: [1, 4, 16]", "token_budget: [1, 4, 100000]")
    },
    Spoilage("a corpus that is no text", says: "fr.txt", "UTF-8") { try $0.overwriteEnd(of: "fr.txt", with: [0xFF]) },

    // Where to write.
    Spoilage("a store in a folder that is not there", says: "nowhere", arguments: ["--store", "nowhere/a.sqlite"]),
    Spoilage(
      "a store that is no database", says: "en.txt", "expected a store of pdsweep", arguments: ["--store", "en.txt"]),
    Spoilage(
      "an output folder that is a file", says: "--output en.txt", "a file", arguments: ["--output", "en.txt"]),

    // Arguments.
    Spoilage("no workers", says: "--workers", "found 0", arguments: ["--workers", "0"]),
    Spoilage("an unknown option", says: "--wrokers", arguments: ["--wrokers", "2"]),
  ]

  @Test(arguments: spoilages)
  func badInputOfARunIsToldInOneLine(_ spoilage: Spoilage) async throws {
    let laboratory = try Laboratory()
    try spoilage.spoil(laboratory)
    let before = try laboratory.content
    let run = try await Command.run(["run", "sweep.yaml"] + spoilage.arguments, in: laboratory)
    Self.expectOneLine(run, says: spoilage.says)
    #expect(run.output.isEmpty)
    #expect(try laboratory.content == before, "something was written")
  }

  @Test
  func aPortInUseIsTold() async throws {
    let laboratory = try Laboratory(steps: Laboratory.endless)
    let first = try Command(["coordinator", "sweep.yaml", "--listen", "tcp://127.0.0.1:0"], in: laboratory)
    try await first.untilIt("listens") { try first.errors.contains("may connect to") }
    let address = String(try #require(try first.errors.firstMatch(of: /tcp:\/\/[0-9.]+:[0-9]+/)).output)
    let second = try await Command.run(
      ["coordinator", "sweep.yaml", "--listen", address, "--store", "second.sqlite"], in: laboratory)
    Self.expectOneLine(second, says: [address, "free port"])
    #expect(!FileManager.default.fileExists(atPath: laboratory.folder.appending(path: "second.sqlite").path))
    first.signal(SIGTERM)
    #expect(try await first.outcome().status == 143)
  }

  @Test(arguments: ["tcp://0.0.0.0:0", "tcp://*:0"])
  func anOpenAddressIsRefusedUnlessSaidToBeMeant(_ address: String) async throws {
    let laboratory = try Laboratory()
    let run = try await Command.run(["coordinator", "sweep.yaml", "--listen", address], in: laboratory)
    Self.expectOneLine(run, says: ["loopback", "--insecure"])
  }

  @Test
  func aStoreOfANewerVersionIsLeftAlone() async throws {
    let laboratory = try Laboratory()
    let run = try await Command.run(["run", "sweep.yaml", "--quiet", "--json"], in: laboratory)
    #expect(run.status == 0, "\(run.errors)")
    // SQLite keeps the number that an application gives its schema in bytes 60 to 63 of the file.
    try laboratory.overwrite("tiny.sqlite", at: 60, with: [0, 0, 0, 99])
    let before = try laboratory.content
    for command in [["run", "sweep.yaml"], ["frontier"], ["status"], ["export", "--output", "out"]] {
      let outcome = try await Command.run(command, in: laboratory)
      Self.expectOneLine(outcome, says: ["tiny.sqlite", "version 99", "newer pdsweep"])
      #expect(try laboratory.content == before)
    }
  }

  @Test
  func commandsThatReadAStoreSayWhatIsWrongWithIt() async throws {
    let laboratory = try Laboratory()
    let none = try await Command.run(["frontier"], in: laboratory)
    Self.expectOneLine(none, says: ["expected one store", "found none"])
    let missing = try await Command.run(["status", "missing.sqlite"], in: laboratory)
    Self.expectOneLine(missing, says: ["missing.sqlite", "no file"])
    let text = try await Command.run(["export", "en.txt", "--output", "out"], in: laboratory)
    Self.expectOneLine(text, says: ["en.txt", "expected a store of pdsweep"])
    try laboratory.write("", to: "empty.sqlite")
    let empty = try await Command.run(["frontier", "empty.sqlite"], in: laboratory)
    Self.expectOneLine(empty, says: ["empty.sqlite", "empty"])
    let plan = try await Command.run(["plan", "sweep.yaml", "--store", "missing.sqlite"], in: laboratory)
    Self.expectOneLine(plan, says: ["missing.sqlite"])
  }

  @Test
  func aSweepThatIsNotInTheStoreIsTold() async throws {
    let laboratory = try Laboratory()
    let run = try await Command.run(["run", "sweep.yaml", "--quiet", "--json"], in: laboratory)
    #expect(run.status == 0, "\(run.errors)")
    let other = try await Command.run(["frontier", "--sweep", "large"], in: laboratory)
    Self.expectOneLine(other, says: ["named large", "only tiny"])
  }

  @Test(arguments: ["127.0.0.1:5555", "tcp://127.0.0.1:0", "tcp://127.0.0.1:99999", "tcp://nowhere.invalid:5555"])
  func anAddressThatCannotBeACoordinatorsIsTold(_ address: String) async throws {
    let laboratory = try Laboratory()
    let worker = try await Command.run(["worker", "--connect", address], in: laboratory)
    Self.expectOneLine(worker, says: ["expected"])
  }

  /// Expects status 2 and one line on standard error that says certain things.
  private static func expectOneLine(
    _ outcome: Command.Outcome, says fragments: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.status == 2, "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.errors.hasPrefix("pdsweep: error: "), "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
    for fragment in fragments {
      #expect(outcome.errors.contains(fragment), "\(outcome.errors)", sourceLocation: sourceLocation)
    }
  }
}

extension Laboratory {
  /// Everything in the folder by name, but what processes write to their standard streams and what goes with an
  /// open store.
  fileprivate var content: [String: Data] {
    get throws {
      var content: [String: Data] = [:]
      for case let name as String in FileManager.default.enumerator(atPath: folder.path) ?? .init() {
        guard ![".out", ".err", "-wal", "-shm", ".lock"].contains(where: { name.hasSuffix($0) }) else { continue }
        content[name] = (try? Data(contentsOf: folder.appending(path: name))) ?? Data()
      }
      return content
    }
  }

  fileprivate func remove(_ name: String) throws {
    try FileManager.default.removeItem(at: folder.appending(path: name))
  }

  /// Cuts a file off after so many bytes.
  fileprivate func truncate(_ name: String, to bytes: UInt64) throws {
    let file = try FileHandle(forUpdating: folder.appending(path: name))
    try file.truncate(atOffset: bytes)
    try file.close()
  }

  /// Keeps the first lines of a file.
  fileprivate func shorten(_ name: String, to lines: Int) throws {
    try write(read(name).split(separator: "\n").prefix(lines).joined(separator: "\n"), to: name)
  }

  fileprivate func overwrite(_ name: String, at offset: UInt64, with bytes: [UInt8]) throws {
    let file = try FileHandle(forUpdating: folder.appending(path: name))
    try file.seek(toOffset: offset)
    try file.write(contentsOf: Data(bytes))
    try file.close()
  }

  fileprivate func overwriteEnd(of name: String, with bytes: [UInt8]) throws {
    let size = try Data(contentsOf: folder.appending(path: name)).count
    try overwrite(name, at: UInt64(size - bytes.count), with: bytes)
  }
}
