import Foundation
import LanguageModel
import Testing

/// The tokenizer against the reference implementation: ids and decoded text must be equal to the byte.
@Suite("Golden: tokenizer")
struct TokenizerGoldenTests {
  private struct Case: Decodable {
    let text: String?
    let ids: [Int]
    let decoded: String?
    let decoded_skip_special: String?
  }

  private func check(_ tokenizer: Tokenizer, _ golden: Case, _ name: String) {
    if let text = golden.text {
      #expect(tokenizer.encode(text) == golden.ids, "\(name): \(text.debugDescription)")
    }
    guard let decoded = golden.decoded ?? golden.text else {
      Issue.record("\(name): nothing to decode to")
      return
    }
    // Compared by bytes: strings that are only canonically equivalent are not what was decoded.
    #expect(Array(tokenizer.decode(golden.ids).utf8) == Array(decoded.utf8), "\(name): \(golden.ids)")
    #expect(
      Array(tokenizer.decode(golden.ids, skippingSpecialTokens: true).utf8)
        == Array((golden.decoded_skip_special ?? decoded).utf8), "\(name): \(golden.ids)")
    var decoder = StreamingDecoder(tokenizer)
    let parts = golden.ids.map { decoder.append($0) } + [decoder.finish()]
    #expect(Array(parts.joined().utf8) == Array(decoded.utf8), "\(name): \(golden.ids)")
  }

  @Test(
    "every case of the folder that PDSWEEP_GOLDEN names, with merges in either form",
    .enabled(if: GoldenFolder.external != nil),
    arguments: ["tokenizer/tokenizer.json", "tokenizer/tokenizer_legacy_merges.json"])
  func external(file: String) throws {
    let folder = try #require(GoldenFolder.external)
    let tokenizer = try Tokenizer(path: folder.url.appendingPathComponent(file).path)
    let golden = folder.cases(of: "tokenizer") + folder.cases(of: "detokenize")
    #expect(!golden.isEmpty)
    var rows: [String: [Case]] = [:]
    for entry in golden {
      if rows[entry.json] == nil { rows[entry.json] = try folder.read([Case].self, entry) }
      let index = try #require(entry.entry)
      check(tokenizer, try #require(rows[entry.json]?[index]), entry.id)
    }
    print("golden external tokenizer, \(file): \(golden.count) cases: exact")
  }

  /// The variants of `Golden/tokenizer/make.py`: each changes members of a tokenizer file.
  @Test("every variant of the small folder")
  func variants() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden/tokenizer")
    let temporary = try TemporaryFolder()
    let original = try Data(contentsOf: folder.appendingPathComponent("tokenizer.json"))
    let cases = try Data(contentsOf: folder.appendingPathComponent("cases.json"))
    let variants = try #require(try JSONSerialization.jsonObject(with: cases) as? [[String: Any]])
    #expect(variants.count > 10)
    var documents: [String: [String: Any]] = [:]
    for variant in variants {
      let name = try #require(variant["name"] as? String)
      var document = try #require(try JSONSerialization.jsonObject(with: original) as? [String: Any])
      if let basis = variant["basis"] as? String { document = try #require(documents[basis]) }
      for (path, value) in try #require(variant["changes"] as? [String: Any]) {
        set(path.split(separator: ".").map(String.init)[...], of: &document, to: value)
      }
      documents[name] = document
      let path = temporary.path("\(name).json")
      try JSONSerialization.data(withJSONObject: document).write(to: URL(fileURLWithPath: path))
      let tokenizer = try Tokenizer(path: path)
      let list = try #require(variant["cases"])
      let rows = try JSONDecoder().decode([Case].self, from: JSONSerialization.data(withJSONObject: list))
      #expect(rows.count > 10)
      for row in rows { check(tokenizer, row, name) }
    }
  }

  private func set(_ path: ArraySlice<String>, of object: inout [String: Any], to value: Any) {
    guard let key = path.first else { return }
    guard path.count > 1 else {
      object[key] = value
      return
    }
    var member = object[key] as? [String: Any] ?? [:]
    set(path.dropFirst(), of: &member, to: value)
    object[key] = member
  }
}
