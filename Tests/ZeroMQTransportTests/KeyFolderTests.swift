import Foundation
import Testing

@testable import ZeroMQTransport

/// Keys on disk.
@Suite struct KeyFolderTests {
  private let scratch = ScratchFolder()
  private var folder: KeyFolder { scratch.keys }
  private let noon = Date(timeIntervalSince1970: 1_780_000_000)

  private func name(_ text: String) throws -> WorkerKeyName { try WorkerKeyName(text) }

  @Test("A new key is listed, and its file holds what the worker needs, for its owner's eyes only")
  func add() throws {
    let file = try folder.add(name("anna"), at: noon)
    let other = try folder.add(name("bert-2.b_c"), at: noon)
    let key = try WorkerKey(file: file)
    #expect(key.name.description == "anna")
    #expect(key.coordinator == (try folder.coordinatorKeys().publicKey))
    let admitted = try folder.admitted()
    #expect(admitted.map(\.name.description) == ["anna", "bert-2.b_c"])
    #expect(admitted.map(\.publicKey) == [key.pair.publicKey, try WorkerKey(file: other).pair.publicKey])
    #expect(admitted[0].made == "2026-05-28T20:26:40Z")
    #expect(try scratch.mode("") == 0o700)
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      #expect(try scratch.mode(file) == 0o600, "\(file)")
    }
    let keys = [key.pair, try WorkerKey(file: other).pair, try folder.coordinatorKeys()]
    #expect(Set(keys.map(\.secretKey.text)).count == 3)
  }

  @Test("A revoked key is neither listed nor left lying about, and its name is free again")
  func revoke() throws {
    let old = try WorkerKey(file: folder.add(name("anna"), at: noon))
    _ = try folder.add(name("bert"), at: noon)
    try folder.revoke(name("anna"))
    #expect(try folder.admitted().map(\.name.description) == ["bert"])
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/anna.key"))
    #expect(throws: KeyError.unknownName("anna", folder: folder.path, known: ["bert"])) {
      try folder.revoke(name("anna"))
    }
    let new = try WorkerKey(file: folder.add(name("anna"), at: noon))
    #expect(new.pair.publicKey != old.pair.publicKey)
    #expect(new.coordinator == old.coordinator)
  }

  @Test("A name that is taken is refused, and nothing is changed")
  func nameTaken() throws {
    let key = try WorkerKey(file: folder.add(name("anna"), at: noon))
    #expect(throws: KeyError.nameTaken("anna", folder: folder.path)) { try folder.add(name("anna"), at: noon) }
    #expect(try WorkerKey(file: folder.path + "/anna.key").pair.publicKey == key.pair.publicKey)
    #expect(try folder.admitted().count == 1)
  }

  @Test("Names that are no names of files, and the coordinator's, are refused")
  func names() throws {
    for text in [
      "", ".", "..", ".hidden", "-x", "a/b", "a b", "a\n", "é", "coordinator", String(repeating: "a", count: 65),
    ] {
      #expect(throws: KeyError.badName(text)) { try WorkerKeyName(text) }
    }
    for text in ["a", "9", "node-1.cluster_b", String(repeating: "a", count: 64)] {
      #expect(try WorkerKeyName(text).description == text)
    }
  }

  @Test("Keys made at the same time are all listed")
  func concurrency() async throws {
    let folder = folder
    try await withThrowingTaskGroup { group in
      for index in 0..<24 {
        group.addTask { _ = try folder.add(WorkerKeyName("w\(index)"), at: Date()) }
      }
      try await group.waitForAll()
    }
    #expect(Set(try folder.admitted().map(\.name.description)) == Set((0..<24).map { "w\($0)" }))
    let coordinator = try folder.coordinatorKeys().publicKey
    for index in 0..<24 { #expect(try WorkerKey(file: "\(folder.path)/w\(index).key").coordinator == coordinator) }
  }

  @Test("A secret that others may read is refused, and so is a list that they may write")
  func exposed() throws {
    let file = try folder.add(name("anna"), at: noon)
    for mode in [0o640, 0o604, 0o660, 0o610] {
      try scratch.chmod("anna.key", mode)
      #expect(throws: KeyError.exposed(path: file, mode: UInt32(mode))) { try WorkerKey(file: file) }
      try scratch.chmod("coordinator.key", mode)
      #expect(throws: KeyError.exposed(path: folder.path + "/coordinator.key", mode: UInt32(mode))) {
        try folder.coordinatorKeys()
      }
    }
    try scratch.chmod("admitted", 0o644)
    #expect(try folder.admitted().count == 1)
    try scratch.chmod("admitted", 0o664)
    #expect(throws: KeyError.exposed(path: folder.path + "/admitted", mode: 0o664)) { try folder.admitted() }
  }

  @Test("What is not there is named, with what to do")
  func missing() throws {
    #expect(throws: KeyError.noCoordinatorKey(folder: folder.path)) { try folder.admitted() }
    #expect(throws: KeyError.noCoordinatorKey(folder: folder.path)) { try folder.coordinatorKeys() }
    #expect(throws: KeyError.noCoordinatorKey(folder: folder.path)) { try folder.revoke(name("anna")) }
    #expect(throws: KeyError.missing(path: folder.path + "/anna.key")) {
      try WorkerKey(file: folder.path + "/anna.key")
    }
    #expect(throws: KeyError.self) { try KeyFolder("/dev/null").add(name("anna"), at: noon) }
    #expect(throws: KeyError.self) { try WorkerKey(file: "/dev/null") }
    #expect(throws: KeyError.self) { try WorkerKey(file: "/") }
  }

  @Test("A damaged file is refused with the line, whatever is in it")
  func damage() throws {
    let file = try folder.add(name("anna"), at: noon)
    _ = try folder.add(name("bert"), at: noon)
    let key = try scratch.read("anna.key")
    let list = try scratch.read("admitted")
    let worker = key.split(separator: "\n")[2]
    for (text, line) in [
      ("", 1), (key + "more: 1\n", 5), (key.replacing("secret: ", with: "secret:"), 3), (key + worker + "\n", 5),
      (key.replacing("name: anna", with: "name: an/na"), 5), (key.replacing("secret: ", with: "secret: x"), 5),
    ] {
      try scratch.write(text, to: "anna.key")
      #expect { try WorkerKey(file: file) } throws: { isMalformed($0, line: line) }
    }
    let first = list.split(separator: "\n")[1]
    for (text, line) in [
      (list + first + "\n", 4), (list + "cleo\n", 4), (list.replacing("anna ", with: "bert "), 3),
      (list.replacing(" 2026", with: "2026"), 2),
    ] {
      try scratch.write(text, to: "admitted")
      #expect { try folder.admitted() } throws: { isMalformed($0, line: line) }
    }
    // Whatever else: an error or keys, never a trap.
    var random = SystemRandomNumberGenerator()
    for _ in 0..<300 {
      for (text, name) in [(key, "anna.key"), (list, "admitted")] {
        var bytes = Array(text.utf8)
        for _ in 0..<3 {
          bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        try scratch.write(bytes: bytes, to: name)
      }
      _ = try? WorkerKey(file: file)
      _ = try? folder.admitted()
    }
  }

  @Test("Every error is one line that names the place, and no error shows a secret")
  func errorsAreLines() throws {
    let errors: [KeyError] = [
      .badName("a b"), .nameTaken("a", folder: "/k"), .unknownName("a", folder: "/k", known: ["b", "c"]),
      .unknownName("a", folder: "/k", known: []), .noCoordinatorKey(folder: "/k"), .missing(path: "/k/a.key"),
      .exposed(path: "/k/a.key", mode: 0o644), .malformed(path: "/k/a.key", line: 3, expected: "`secret: ...`"),
      .system(path: "/k", operation: "write", reason: "no space"), .unsupported,
    ]
    for error in errors {
      #expect(!error.description.contains("\n"))
      #expect(error.localizedDescription == error.description)
    }
    #expect(KeyError.exposed(path: "/k/a.key", mode: 0o644).description.contains("found permissions 644"))
    let secret = try CurveKeyPair.make().secretKey
    #expect(!"\(secret) \(String(describing: secret))".contains(secret.text))
  }

  private func isMalformed(_ error: any Error, line: Int) -> Bool {
    guard case .malformed(_, line, _) = error as? KeyError else { return false }
    return true
  }
}

/// A folder for keys that is not there yet, and removed at the end.
final class ScratchFolder: Sendable {
  let keys = KeyFolder(
    FileManager.default.temporaryDirectory.appending(path: "pdsweep-keys-\(UUID().uuidString)").path)

  deinit {
    try? FileManager.default.removeItem(atPath: keys.path)
  }

  /// Makes a key and returns what the worker has.
  func key(_ name: String) throws -> WorkerKey {
    try WorkerKey(file: keys.add(WorkerKeyName(name), at: Date()))
  }

  func mode(_ name: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: keys.path + "/" + name)
    return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
  }

  func chmod(_ name: String, _ mode: Int) throws {
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: keys.path + "/" + name)
  }

  func read(_ name: String) throws -> String {
    try String(contentsOfFile: keys.path + "/" + name, encoding: .utf8)
  }

  func write(_ text: String, to name: String) throws {
    try write(bytes: Array(text.utf8), to: name)
  }

  /// Replaces what is in a file, which keeps its permissions.
  func write(bytes: [UInt8], to name: String) throws {
    let file = try FileHandle(forWritingTo: URL(filePath: keys.path + "/" + name))
    try file.truncate(atOffset: 0)
    try file.write(contentsOf: Data(bytes))
    try file.close()
  }
}
