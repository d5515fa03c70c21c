import Testing

@testable import ZeroMQTransport

/// Whom a running coordinator admits, without sockets.
@Suite struct KeyRingTests {
  private let start = ContinuousClock.now

  private func entry(_ name: String, _ key: CurvePublicKey) throws -> AdmittedKey {
    AdmittedKey(name: try WorkerKeyName(name), publicKey: key, made: "today")
  }

  @Test("A key that leaves the list is revoked; the others keep their numbers")
  func revocation() throws {
    let keys = try (0..<3).map { _ in try CurveKeyPair.make().publicKey }
    let (anna, bert, cleo) = (try entry("anna", keys[0]), try entry("bert", keys[1]), try entry("cleo", keys[2]))
    var ring = KeyRing()
    #expect(ring.replace(with: [anna, bert]) == [])
    let number = try #require(ring.number(of: keys[1]))
    #expect(ring.standing(number) == .admitted("bert"))
    #expect(ring.replace(with: [anna, cleo]) == ["bert"])
    #expect(ring.number(of: keys[1]) == nil)
    #expect(ring.standing(number) == .revoked)
    #expect(ring.number(of: keys[0]) == 0)
    #expect(ring.replace(with: [anna, cleo]) == [])
  }

  @Test("A number is never given out twice: not to another key, not to the same key listed again")
  func numbers() throws {
    let keys = try (0..<4).map { _ in try CurveKeyPair.make().publicKey }
    var ring = KeyRing()
    var seen: Set<Int> = []
    for round in 0..<20 {
      _ = ring.replace(with: [try entry("w", keys[round % 4])])
      let number = try #require(ring.number(of: keys[round % 4]))
      #expect(seen.insert(number).inserted)
    }
    for number in seen.sorted().dropLast() { #expect(ring.standing(number) == .revoked) }
    #expect(ring.standing(20) == nil)
    #expect(ring.standing(-1) == nil)
  }

  @Test("A key under another name is another worker's: the old one is revoked")
  func renaming() throws {
    let key = try CurveKeyPair.make().publicKey
    var ring = KeyRing()
    _ = ring.replace(with: [try entry("anna", key)])
    #expect(ring.replace(with: [try entry("bert", key)]) == ["anna"])
    #expect(ring.number(of: key).flatMap(ring.standing) == .admitted("bert"))
  }

  @Test("Only a whole question about a listed key is answered with its number")
  func answers() throws {
    let pair = try CurveKeyPair.make()
    var ring = KeyRing()
    _ = ring.replace(with: [try entry("anna", pair.publicKey)])
    func question(_ change: (inout [[UInt8]]) -> Void = { _ in }) throws -> [[UInt8]] {
      var frames = ["1.0", "7", "pdsweep", "10.0.0.9", "", "CURVE"].map { Array($0.utf8) }
      frames.append(try bytes(of: pair.publicKey))
      change(&frames)
      return frames
    }
    #expect(
      Doorkeeper.answer(try question(), ring)
        == .init(frames: ["1.0", "7", "200", "", "0", ""].map { Array($0.utf8) }, refused: nil))
    let refused = [
      try question { $0[6][0] ^= 1 }, try question { $0[6].removeLast() }, try question { $0[5] = Array("PLAIN".utf8) },
      try question { $0[5] = Array("NULL".utf8) }, try question { $0[0] = Array("2.0".utf8) },
      try question { $0.append([]) }, try question { $0.removeLast() },
    ]
    for frames in refused {
      let answer = Doorkeeper.answer(frames, ring)
      #expect(answer.frames[1...2] == [Array("7".utf8), Array("400".utf8)])
      #expect(answer.frames[4] == [])
      #expect(answer.refused == "10.0.0.9")
    }
    #expect(Doorkeeper.answer([], ring).frames.count == 6)
  }

  @Test("A list is looked at once a second, and one that cannot be read changes nothing")
  func watching() throws {
    let scratch = ScratchFolder()
    let anna = try scratch.key("anna").pair.publicKey
    var watch = try KeyWatch(scratch.keys, at: start)
    _ = try scratch.key("bert")
    #expect(watch.look(at: start + .milliseconds(999)) == [])
    #expect(watch.pause(at: start + .milliseconds(400)) == .milliseconds(600))
    #expect(watch.look(at: start + .seconds(1)) == [])
    #expect(watch.ring.standing(1) == .admitted("bert"))
    try scratch.keys.revoke(WorkerKeyName("anna"))
    #expect(watch.look(at: start + .seconds(2)) == [.revoked("anna")])
    #expect(watch.ring.number(of: anna) == nil)
    try scratch.chmod("admitted", 0o666)
    let exposed = KeyError.exposed(path: scratch.keys.path + "/admitted", mode: 0o666)
    #expect(watch.look(at: start + .seconds(3)) == [.unreadable(exposed)])
    #expect(watch.look(at: start + .seconds(4)) == [], "told once")
    try scratch.chmod("admitted", 0o600)
    try scratch.keys.revoke(WorkerKeyName("bert"))
    #expect(watch.look(at: start + .seconds(5)) == [.revoked("bert")])
  }

  /// The 32 bytes of a key, decoded by hand: Z85 counts 85 characters, five to four bytes, most significant first.
  private func bytes(of key: CurvePublicKey) throws -> [UInt8] {
    let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8)
    let digits = try key.description.utf8.map { UInt32(try #require(alphabet.firstIndex(of: $0))) }
    return stride(from: 0, to: 40, by: 5).flatMap { start in
      let word = digits[start..<start + 5].reduce(0) { $0 * 85 + $1 }
      return (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * UInt32($0))) }
    }
  }
}
