import Foundation
import Testing

@testable import LanguageModel

@Suite("JSON")
struct JSONValueTests {
  private func parse(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: Array(text.utf8))
  }

  private func problem(_ bytes: [UInt8]) -> JSONSyntaxError? {
    do {
      _ = try JSONValue(parsing: bytes)
      return nil
    } catch {
      return error
    }
  }

  @Test("values are read as what they are")
  func values() throws {
    let members = try #require(
      try parse(#" {"a": [1, -2.5e1, true, false, null], "b": {"c": "x"}, "d": 9223372036854775807} "#).object)
    #expect(members.members.map(\.key) == ["a", "b", "d"])
    let array = try #require(members["a"]?.array)
    #expect(array[0].integer == 1)
    #expect(array[1].number == -25)
    #expect(array[1].integer == nil)
    #expect(array[2].bool == true)
    #expect(array[3].bool == false)
    #expect(array[4].kind == "null")
    #expect(members["b"]?.object?["c"]?.string == "x")
    #expect(members["d"]?.integer == .max)
    #expect(members["e"] == nil)
  }

  @Test("escapes, also of scalars beyond the basic plane, become the characters they name")
  func escapes() throws {
    #expect(try parse(#""\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00""#).string == "\"\\/\u{8}\u{c}\n\r\té€😀")
    #expect(try parse("\"Ġé😀\"").string == "Ġé😀")
  }

  @Test("keys that differ only in their composition are different keys")
  func canonicalEquivalence() throws {
    let object = try #require(try parse("{\"\u{e9}\": 1, \"e\u{301}\": 2}").object)
    #expect(object["\u{e9}"]?.integer == 1)
    #expect(object["e\u{301}"]?.integer == 2)
  }

  @Test(
    "what the grammar does not allow is refused at its place",
    arguments: [
      ("", 0), ("{", 1), ("[1,]", 3), ("[1 2]", 3), ("{\"a\"}", 4), ("{\"a\":1,}", 7), ("{\"a\":1,\"a\":2}", 7),
      ("01", 1), ("-", 1), ("1.", 2), ("1e", 2), (".5", 0), ("+1", 0), ("tru", 0), ("nullx", 4), ("NaN", 0),
      ("1e999", 0), ("\"a", 0), ("\"\u{1}\"", 1), ("\"\\x\"", 2), ("\"\\u12g4\"", 5), ("\"\\ud800\"", 1),
      ("\"\\ud800\\u0041\"", 1), ("\"\\udc00\"", 1), ("1 2", 2), ("'a'", 0),
    ])
  func refusals(text: String, offset: Int) {
    #expect(problem(Array(text.utf8))?.offset == offset)
  }

  @Test("bytes that are not UTF-8 are refused")
  func notUTF8() {
    #expect(problem([0x22, 0xff, 0x22])?.problem.contains("UTF-8") == true)
  }

  @Test("deep nesting is refused, not a crash")
  func nesting() throws {
    #expect(try parse(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)).array?.count == 1)
    #expect(problem(Array(repeating: UInt8(ascii: "["), count: 100_000))?.offset == 64)
  }

  @Test("every truncation of a document is refused")
  func truncations() {
    let document = Array(#"{"a": [1, 2.5, "x\u00e9\n", {"b": null}], "c": true}"#.utf8)
    #expect(problem(document) == nil)
    for length in 0..<document.count {
      #expect(problem(Array(document.prefix(length))) != nil, "\(length) bytes")
    }
  }
}
