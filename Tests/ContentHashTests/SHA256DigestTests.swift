import Foundation
import Testing

@testable import ContentHash

@Suite("SHA-256 digests")
struct SHA256DigestTests {
  /// Vectors of FIPS 180-4 (NIST's examples).
  @Test(
    "agree with the published vectors",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ])
  func publishedVectors(text: String, expected: String) {
    #expect(SHA256Digest(of: text).hexadecimal == expected)
  }

  @Test("of a file are those of its bytes, also across chunk borders")
  func files() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("sha256-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: url) }
    let bytes = (0..<(1 << 20) + 17).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try Data(bytes).write(to: url)
    #expect(try SHA256Digest(ofFile: url) == SHA256Digest(of: bytes))
  }

  @Test("survive their text form, and refuse other text")
  func textForm() throws {
    let digest = SHA256Digest(of: "pdsweep")
    #expect(SHA256Digest(hexadecimal: digest.hexadecimal) == digest)
    #expect(try JSONDecoder().decode(SHA256Digest.self, from: JSONEncoder().encode(digest)) == digest)
    #expect(SHA256Digest(hexadecimal: String(digest.hexadecimal.dropLast())) == nil)
    #expect(SHA256Digest(hexadecimal: "g" + digest.hexadecimal.dropFirst()) == nil)
    #expect(SHA256Digest(of: "abc").leadingWord == 0xba78_16bf_8f01_cfea)
    #expect(SHA256Digest(bytes: digest.bytes) == digest)
    #expect(SHA256Digest(bytes: Array(digest.bytes.dropLast())) == nil)
    #expect(SHA256Digest(bytes: [UInt8](0..<32))?.hexadecimal.hasPrefix("0001020304050607") == true)
    #expect(SHA256Digest(bytes: [UInt8](0..<32))?.bytes == [UInt8](0..<32))
  }

  @Test("by the processor's instructions are libsodium's, for every length and however the bytes are cut")
  func instructions() throws {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ $0 / 7) }
    var random = SystemRandomNumberGenerator()
    for length in 0...1000 {
      var library = SHA256Hasher(usingInstructions: false)
      library.update(Array(bytes.prefix(length)))
      var parts = SHA256Hasher(usingInstructions: SHA256Hasher.hasInstructions)
      var rest = bytes.prefix(length)
      while !rest.isEmpty {
        let part = rest.prefix(Int.random(in: 0...200, using: &random))
        parts.update(Array(part))
        rest = rest.dropFirst(part.count)
      }
      #expect(parts.finish() == library.finish(), "\(length) bytes")
    }
  }
}
