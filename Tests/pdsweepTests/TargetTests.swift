import Foundation
import Testing

/// `pdsweep target`, and how targets are found by name.
@Suite(.serialized)
struct TargetTests {
  private struct List: Decodable {
    struct Target: Decodable {
      struct Decomposition: Decodable {
        let file: String
        let languages: [String]
        let selected: [String: [String]]
      }

      let name: String
      let folder: String
      let bytes: Int
      let packed: String?
      let decompositions: [Decomposition]
    }

    let targets: [Target]
  }

  private static let languages = ["english", "german", "french", "spanish", "italian"]

  private static func list(
    in laboratory: Laboratory, environment: [String: String] = [:]
  ) async throws -> [List.Target] {
    let outcome = try await Command.run(["target", "list", "--json"], in: laboratory, environment: environment)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try JSONDecoder().decode(List.self, from: Data(outcome.output.utf8)).targets
  }

  /// Expects status 2 and one line that says certain things.
  private static func expectRefusal(
    _ outcome: Command.Outcome, says fragments: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.status == 2, sourceLocation: sourceLocation)
    #expect(outcome.errors.hasPrefix("pdsweep: error: "), "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
    for fragment in fragments {
      #expect(outcome.errors.contains(fragment), "\(outcome.errors)", sourceLocation: sourceLocation)
    }
  }

  /// Harvests the laboratory's decomposition and packs its target into `shelf/small`.
  private static func pack(_ laboratory: Laboratory) async throws -> Command.Outcome {
    let harvest = try await Command.run(
      [
        "harvest", "target/decomposition.safetensors", "--corpus", "german=de.txt", "--corpus", "english=en.txt",
        "--tokens", "200", "--examples", "1",
      ], in: laboratory)
    #expect(harvest.status == 0, "\(harvest.errors)")
    try laboratory.write("{\"stage\":\"one\"}\n{\"stage\":\"two\"}\n", to: "stages.jsonl")
    return try await Command.run(
      ["target", "pack", "target", "--output", "shelf/small", "--note", "sweep.yaml", "--note", "stages.jsonl"],
      in: laboratory)
  }

  // MARK: The built-in target

  @Test
  func theBuiltInTargetIsWholeAndFoundByItsName() async throws {
    let laboratory = try Laboratory(empty: ())
    // Every file was held against its digest.
    let target = try #require(try await Self.list(in: laboratory).first { $0.name == "reference" })
    #expect(target.packed != nil)
    #expect(target.bytes < 25_000_000)
    #expect(!target.decompositions.isEmpty)
    for decomposition in target.decompositions { #expect(decomposition.languages == Self.languages) }
    let path = try await Command.run(["target", "path", "reference"], in: laboratory)
    #expect(path.status == 0 && path.output == target.folder + "\n")
  }

  @Test
  func theDemoSweepFitsTheBuiltInTarget() async throws {
    let laboratory = try Laboratory(empty: ())
    for (seed, name) in ["de", "en", "fr", "es", "it"].enumerated() {
      var made = MadeUpLanguage(seed: UInt64(seed))
      try laboratory.write(made.text(lines: 6000), to: "\(name).txt")
    }
    var root = URL(filePath: #filePath)
    for _ in 0..<3 { root.deleteLastPathComponent() }
    let demo = root.appending(path: "sweeps/demo.yaml")
    let plan = try await Command.run(["plan", demo.path, "--corpora", ".", "--json"], in: laboratory)
    #expect(plan.status == 0, "\(plan.errors)")
    // What it selects as German is what the target names German.
    struct Plan: Decodable {
      struct Selection: Decodable {
        struct Member: Decodable {
          let subcomponent: String
        }
        let methods: [String]
        let decomposition: String
        let subcomponents: [Member]
      }
      let selections: [Selection]
    }
    let selections = try JSONDecoder().decode(Plan.self, from: Data(plan.output.utf8)).selections
    let scalar = try #require(selections.first { $0.methods.contains("one-scalar") })
    let target = try #require(try await Self.list(in: laboratory).first { $0.name == "reference" })
    let decomposition = try #require(target.decompositions.first { $0.file == scalar.decomposition })
    #expect(scalar.subcomponents.map(\.subcomponent) == decomposition.selected["german"])
  }

  @Test
  func aProgramThatIsCarriedAwayFindsTargetsBesideItOrTellsWhereItLooked() async throws {
    let laboratory = try Laboratory()
    let bin = laboratory.folder.appending(path: "carried/bin")
    let program = bin.appending(path: "pdsweep")
    try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: Command.program, to: program)
    try laboratory.edit("sweep.yaml", "target: target", "target: small")
    let places = ["pdsweep_pdsweep.resources/Targets", "../share/pdsweep/targets"].map {
      bin.appending(path: $0).standardizedFileURL.path
    }

    for arguments in [["target", "list"], ["target", "path", "small"], ["plan", "sweep.yaml"]] {
      let outcome = try await Command(arguments, of: program, in: laboratory).outcome()
      Self.expectRefusal(outcome, says: places[0], places[1])
    }
    for place in places {
      let folder = URL(filePath: place).appending(path: "small")
      try FileManager.default.createDirectory(
        at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: laboratory.folder.appending(path: "target"), to: folder)
      let path = try await Command(["target", "path", "small"], of: program, in: laboratory).outcome()
      #expect(path.output == folder.path + "\n", "\(path.errors)")
      let plan = try await Command(["plan", "sweep.yaml"], of: program, in: laboratory).outcome()
      #expect(plan.status == 0, "\(plan.errors)")
      try FileManager.default.removeItem(at: folder)
    }
  }

  @Test
  func theTargetPathComesBeforeTheBuiltInTargets() async throws {
    let laboratory = try Laboratory()
    let folder = laboratory.folder.appending(path: "shelf/reference")
    try FileManager.default.createDirectory(at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: laboratory.folder.appending(path: "target"), to: folder)
    let environment = ["PDSWEEP_TARGET_PATH": "none:shelf"]
    let path = try await Command.run(["target", "path", "reference"], in: laboratory, environment: environment)
    #expect(path.output.hasSuffix("/shelf/reference\n"), "\(path.output) \(path.errors)")
    #expect(try await Self.list(in: laboratory, environment: environment).map(\.packed) == [nil])
    let plan = try await Command.run(
      ["plan", "sweep.yaml", "--target", "reference"], in: laboratory, environment: environment)
    #expect(plan.status == 0 && plan.output.contains("/shelf/reference/model.safetensors"), "\(plan.errors)")

    let mistyped = try await Command.run(["plan", "sweep.yaml", "--target", "referense"], in: laboratory)
    Self.expectRefusal(mistyped, says: "target: expected a model folder at ", "did you mean `reference`?")
    let unknown = try await Command.run(["target", "path", "refrence"], in: laboratory)
    Self.expectRefusal(unknown, says: "expected the name of a target", "did you mean `reference`?")
  }

  // MARK: Packing

  @Test
  func aPackedTargetSaysWhatItIsMadeOfAndNoticesDamage() async throws {
    let laboratory = try Laboratory()
    let packed = try await Self.pack(laboratory)
    #expect(packed.status == 0, "\(packed.errors)")
    #expect(packed.output.hasPrefix("small  "))
    let shelf = ["PDSWEEP_TARGET_PATH": "shelf"]
    #expect(try await Self.list(in: laboratory, environment: shelf).map(\.name) == ["reference", "small"])
    let text = try laboratory.read("shelf/small/provenance.json")
    let provenance = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let files = try #require(provenance["files"] as? [String: String])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: laboratory.folder.appending(path: "shelf/small").path)
        .sorted() == (files.keys + ["provenance.json"]).sorted())
    let notes = try #require(provenance["notes"] as? [String: Any])
    #expect(notes["sweep.yaml"] as? String == (try laboratory.read("sweep.yaml")))
    #expect((notes["stages.jsonl"] as? [[String: String]])?.map { $0["stage"] } == ["one", "two"])

    // Packed again from the same files it is the same.
    #expect(try await Self.pack(laboratory).status == 0)
    #expect(try laboratory.read("shelf/small/provenance.json") == text)

    try laboratory.edit("shelf/small/model_config.yaml", "block_size: 64", "block_size: 32")
    let damaged = try await Command.run(["target", "list"], in: laboratory, environment: shelf)
    Self.expectRefusal(damaged, says: "shelf/small/model_config.yaml: expected SHA-256 ")
    #expect(damaged.output.hasPrefix("reference  "))
    try FileManager.default.removeItem(at: laboratory.folder.appending(path: "shelf/small/tokenizer.json"))
    try laboratory.edit("shelf/small/model_config.yaml", "block_size: 32", "block_size: 64")
    let missing = try await Command.run(["target", "list"], in: laboratory, environment: shelf)
    Self.expectRefusal(missing, says: "shelf/small/tokenizer.json: expected a file, as provenance.json says")
  }

  @Test
  func whatDoesNotBelongTogetherIsNotPacked() async throws {
    let laboratory = try Laboratory()
    #expect(try await Self.pack(laboratory).status == 0)
    func pack(_ arguments: String...) async throws -> Command.Outcome {
      try await Command.run(["target", "pack", "target"] + arguments, in: laboratory)
    }
    let before = try laboratory.read("shelf/small/provenance.json")

    Self.expectRefusal(
      try await pack("--output", "shelf"), says: "shelf: expected no folder, or a target packed before")
    Self.expectRefusal(try await pack("--output", "./target"), says: "expected another folder than the model's")
    Self.expectRefusal(
      try await pack("--output", "new", "--decomposition", "none.safetensors"), says: "target/none.safetensors")
    Self.expectRefusal(
      try await pack("--output", "new", "--decomposition", "../x.safetensors"), says: "the names of files")
    Self.expectRefusal(
      try await pack("--output", "new", "--note", "sweep.yaml", "--note", "./sweep.yaml"), says: "sweep.yaml twice")
    try laboratory.write("{\"stage\":", to: "broken.jsonl")
    Self.expectRefusal(
      try await pack("--output", "new", "--note", "broken.jsonl"), says: "broken.jsonl: expected JSON on every line")

    // The harvest is of the decomposition as it was.
    let file = laboratory.folder.appending(path: "target/decomposition.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count - 4] ^= 1
    try bytes.write(to: file)
    Self.expectRefusal(
      try await pack("--output", "shelf/small"),
      says: "decomposition.harvest.json: expected a file that belongs to decomposition.safetensors")
    try laboratory.write("{}", to: "target/decomposition.harvest.json")
    Self.expectRefusal(
      try await pack("--output", "shelf/small"), says: "expected a harvest as `pdsweep harvest` writes it")

    #expect(try laboratory.read("shelf/small/provenance.json") == before)
    #expect(!FileManager.default.fileExists(atPath: laboratory.folder.appending(path: "new").path))
    let hidden = try FileManager.default.contentsOfDirectory(atPath: laboratory.folder.path).filter {
      $0.hasPrefix(".")
    }
    #expect(hidden.isEmpty)
  }
}
