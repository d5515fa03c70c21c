import ContentHash
import Foundation
import SweepCore
import SweepStore
import Testing

@testable import pdsweep

/// Archives of stores: what goes in comes out, and nothing that a bundle says leads anywhere else.
@Suite struct BundleTests {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "pdsweep-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func path(_ name: String) -> URL { folder.appending(path: name) }

  /// A bundle of a store with one sweep, of which a cell is completed.
  private func bundle() async throws -> (file: URL, cells: [Cell]) {
    let digest = SHA256Digest(of: "a file")
    let cells = (0..<3).map { index in
      Cell(
        index: index, method: "scan",
        specification: CellSpecification(
          target: TargetReference(weights: digest, configuration: digest, tokenizer: digest, decomposition: digest),
          corpora: [CorpusReference(name: "german", role: .forget, text: digest, cut: nil)], start: "\n",
          evaluation: EvaluationSettings(tokensPerCorpus: 512, context: 128),
          edit: .prefactors(subcomponents: ["h.0.mlp.c_fc:1"], alphas: .fixed(Double(index))), training: nil, seed: 0))
    }
    let losses = SplitLosses(validation: 4.25, test: 4.5)
    let result = CellResult(
      evaluations: [
        EvaluationPoint(step: 0, corpora: [CorpusScore(name: "german", role: .forget, base: losses, edited: losses)])
      ], steps: [], edit: .prefactors(alphas: [0]), forgetTokens: 0, retainTokens: 0)
    let report = AttemptReport(wallSeconds: 1, tokensPerSecond: 2, host: "here", engineVersion: "1")
    let store = try SweepStore(path: path("store.sqlite").path)
    let open = try store.begin(
      SweepDescription(name: "trial", digest: digest, file: "sweep: trial\n", vocabularySize: 10, goal: SweepGoal()),
      cells: cells)
    let delivered = DeliveredResult(
      fingerprint: cells[0].fingerprint, result: CanonicalJSON.encode(result), report: CanonicalJSON.encode(report))
    try await store.commit(
      StoreBatch([
        .leased(AttemptID(1), CellID(0), WorkerID("w")), .result(AttemptID(1), delivered),
        .outcome(CellID(0), .completed),
      ]), in: open.places, at: Date())
    // The store is still open, its write-ahead log not folded in.
    let manifest = try BundleWriter(StoreReader(path: path("store.sqlite").path), to: path("a.tar")).write()
    #expect(manifest.sweeps.map(\.completed) == [1])
    return (path("a.tar"), cells)
  }

  @Test("a bundle holds the store as it is, its sweep files and its exports, and comes out whole")
  func roundTrip() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let (file, cells) = try await bundle()
    let manifest = try BundleReader(path: file.path).unpack(into: path("out"))
    let names = try FileManager.default.subpathsOfDirectory(atPath: path("out").path).sorted()
    #expect(
      names == [
        "bundle.json", "store.sqlite", "trial", "trial.yaml", "trial/cells.csv", "trial/frontier.csv",
        "trial/frontier.json", "trial/frontier.svg", "trial/provenance.csv", "trial/steps.csv", "trial/windows.csv",
      ])
    #expect(try String(contentsOf: path("out/trial.yaml"), encoding: .utf8) == "sweep: trial\n")
    #expect(manifest.inputs.map(\.role).contains("corpus:german"))
    let store = try SweepStore(path: path("out/store.sqlite").path)
    let open = try store.begin(
      SweepDescription(
        name: "trial", digest: SHA256Digest(of: "a file"), file: "", vocabularySize: 10, goal: SweepGoal()),
      cells: cells)
    #expect(open.sweeps[0].stored.cells.map(\.state) == [.completed, .pending, .pending])
    #expect(open.nextAttempt == AttemptID(2))
    #expect(throws: BundleError.self, "what is there is not written over") {
      try BundleReader(path: file.path).unpack(into: path("out"))
    }
  }

  @Test("an older archive is replaced, also where a link leads to it; nothing else is written over")
  func replacing() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let (file, _) = try await bundle()
    try Data("an older one".utf8).write(to: file)
    let link = path("link.tar")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    let reader = try StoreReader(path: path("store.sqlite").path)
    _ = try BundleWriter(reader, to: link).write()
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == file.path)
    #expect(throws: Never.self) { try BundleReader(path: file.path).unpack(into: path("again")) }

    let kept = path("kept")
    try FileManager.default.createDirectory(at: kept, withIntermediateDirectories: false)
    try Data("precious".utf8).write(to: kept.appending(path: "notes"))
    for place in [kept, folder, path("store.sqlite"), URL(fileURLWithPath: "/dev/null")] {
      #expect(throws: BundleError.self, "\(place.path)") { try BundleWriter(reader, to: place).write() }
    }
    #expect(try String(contentsOf: kept.appending(path: "notes"), encoding: .utf8) == "precious")
    #expect(throws: Never.self) { try StoreReader(path: path("store.sqlite").path).sweeps() }
  }

  @Test("the archive is one that other programs read")
  func otherPrograms() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let (file, _) = try await bundle()
    let tar = Process()
    tar.executableURL = URL(fileURLWithPath: "/bin/tar")
    tar.arguments = ["-xf", file.path, "-C", folder.path]
    try tar.run()
    tar.waitUntilExit()
    #expect(tar.terminationStatus == 0)
    #expect(try String(contentsOf: path("trial.yaml"), encoding: .utf8) == "sweep: trial\n")
  }

  @Test("a bundle that ends early, or of which one byte is another, is refused and leaves nothing behind")
  func damage() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let (file, _) = try await bundle()
    let whole = try Data(contentsOf: file)
    var places = Array(stride(from: 0, to: whole.count, by: whole.count / 37))
    places.append(whole.count - 1025)
    for place in places {
      var changed = whole
      changed[place] ^= 0x41
      expectRefusal(changed, "byte \(place) is another")
      expectRefusal(whole.prefix(place), "it ends after \(place) bytes")
    }
  }

  private func expectRefusal(_ content: Data, _ what: Comment) {
    let file = path("b.tar")
    #expect(throws: Never.self) { try content.write(to: file) }
    do {
      _ = try BundleReader(path: file.path).unpack(into: path("b"))
      Issue.record(what)
      try? FileManager.default.removeItem(at: path("b"))
    } catch let error as BundleError {
      #expect(!error.description.contains("\n"))
    } catch {
      #expect(error is StoreError, "\(error)")
    }
    #expect(!FileManager.default.fileExists(atPath: path("b").path))
    let left = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    #expect(!left.contains { $0.hasPrefix(".b.") })
  }

  @Test(
    "names that lead out of the folder, into hidden files or to one file twice are refused",
    arguments: [
      ["../escaped"], ["/etc/escaped"], ["a/../../escaped"], [".hidden"], ["a/.ssh"], ["a/b/c"], ["a//b"], [""],
      ["store.sqlite", "store.sqlite"], ["bundle.json"], ["a\\b"], ["a b"], ["a\nb"],
    ])
  func hostileNames(names: [String]) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let content = Data("x".utf8)
    let members = names.map { BundleManifest.Member(name: $0, size: 1, sha256: SHA256Digest(of: content)) }
    let manifest = BundleManifest(
      format: BundleManifest.format, store: names[0], sweeps: [], members: members, inputs: [],
      environment: .here(at: Date()))
    var archive = Data()
    let json = Data(CanonicalJSON.encode(manifest))
    for (name, bytes) in [(BundleManifest.name, json)] + names.map({ ($0, content) }) {
      let header = TarHeader(name: name, size: bytes.count)
      archive += Data(header.block) + bytes + Data(count: header.padding)
    }
    archive += Data(count: 1024)
    try archive.write(to: path("hostile.tar"))
    let error = #expect(throws: BundleError.self) {
      try BundleReader(path: path("hostile.tar").path).unpack(into: path("out"))
    }
    #expect(error?.description.contains("found") == true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["hostile.tar"])
  }

  @Test("a header that is no plain file's is refused", arguments: ["link", "checksum", "magic", "long name", "size"])
  func headers(_ kind: String) throws {
    var block = TarHeader(name: "a", size: 5).block
    switch kind {
    case "link": block[156] = UInt8(ascii: "2")
    case "checksum": block[0] = UInt8(ascii: "b")
    case "magic": block[257] = 0
    case "long name": block[345] = UInt8(ascii: "p")
    default: block[124] = UInt8(ascii: "9")
    }
    if kind != "checksum", kind != "magic" {
      block.replaceSubrange(148..<156, with: "        ".utf8)
      let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
      let field = String(repeating: "0", count: 6 - sum.count) + sum
      block.replaceSubrange(148..<154, with: field.utf8)
      block[154] = 0
    }
    #expect(throws: TarProblem.self) { try TarHeader(block: block) }
    #expect(try TarHeader(block: TarHeader(name: "a", size: 5).block) == TarHeader(name: "a", size: 5))
    #expect(try TarHeader(block: [UInt8](repeating: 0, count: 512)) == nil)
  }
}
