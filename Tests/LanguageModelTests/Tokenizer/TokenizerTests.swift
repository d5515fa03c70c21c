import Foundation
import Testing

@testable import LanguageModel

@Suite("Tokenizers")
struct TokenizerTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  /// All bytes and some merges; text of the file with a change.
  private func document(
    normalizer: String = "null",
    preTokenizer: String = #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#,
    decoder: String = #"{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}"#,
    added: String = "[]", model: String = "", vocabulary: [String] = [], merges: String = "[]"
  ) -> String {
    let tokens = ByteAlphabet.scalars.map { String($0) } + vocabulary
    let entries = tokens.enumerated().map { index, token in
      "\"\(token == "\"" || token == "\\" ? "\\" + token : token)\":\(index)"
    }
    return """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":\(added),"normalizer":\(normalizer),
      "pre_tokenizer":\(preTokenizer),"post_processor":null,"decoder":\(decoder),
      "model":{"type":"BPE",\(model)"vocab":{\(entries.joined(separator: ","))},"merges":\(merges)}}
      """
  }

  private func tokenizer(_ document: String) throws -> Tokenizer {
    try Tokenizer(path: folder.write("tokenizer.json", document))
  }

  @Test("a word of any length is merged, and as its merges say")
  func longWords() throws {
    let powers = (1...6).map { String(repeating: "a", count: 1 << $0) }
    let pairs = (0...5).map { exponent in
      let half = String(repeating: "a", count: 1 << exponent)
      return "[\"\(half)\",\"\(half)\"]"
    }
    let tokenizer = try tokenizer(document(vocabulary: powers, merges: "[\(pairs.joined(separator: ","))]"))
    let count = 64 * 300 + 63
    let ids = tokenizer.encode(String(repeating: "a", count: count))
    let texts = try ids.map { try #require(tokenizer.token(of: $0)) }
    #expect(texts.prefix(300).allSatisfy { $0.count == 64 })
    #expect(texts.dropFirst(300).map(\.count) == [32, 16, 8, 4, 2, 1])
    #expect(tokenizer.decode(ids) == String(repeating: "a", count: count))
  }

  @Test("merging agrees with looking for the best pair again and again, by seed", arguments: 0..<20)
  func bruteForce(seed: Int) {
    var generator = SplitMix64(seed: UInt64(seed))
    var merges: [BytePairMerges.Pair: BytePairMerges.Merge] = [:]
    for rank in 0..<40 {
      let pair = BytePairMerges.Pair(
        left: .random(in: 0..<8 + rank, using: &generator), right: .random(in: 0..<8 + rank, using: &generator))
      if merges[pair] == nil { merges[pair] = .init(rank: rank, id: 8 + rank) }
    }
    for length in 0..<60 {
      let word = (0..<length).map { _ in Int.random(in: 0..<8, using: &generator) }
      var expected = word
      while true {
        let candidates = expected.indices.dropLast().compactMap { position in
          merges[.init(left: expected[position], right: expected[position + 1])].map { ($0, position) }
        }
        guard let (merge, position) = candidates.min(by: { ($0.0.rank, $0.1) < ($1.0.rank, $1.1) }) else { break }
        expected.replaceSubrange(position...position + 1, with: [merge.id])
      }
      #expect(BytePairMerges(merges).apply(to: word) == expected, "seed \(seed), \(word)")
    }
  }

  @Test("the words of a text are the whole text, whatever it holds", arguments: 0..<20)
  func words(seed: Int) {
    var generator = SplitMix64(seed: UInt64(seed))
    var text = String.UnicodeScalarView()
    for _ in 0..<400 {
      let limit = [0x80, 0x300, 0x3000, 0x110000].randomElement(using: &generator) ?? 0x80
      if let scalar = Unicode.Scalar(UInt32.random(in: 0..<UInt32(limit), using: &generator)) { text.append(scalar) }
    }
    let bytes = Array(String(text).utf8)
    var scanner = WordScanner(bytes[...])
    var joined: [UInt8] = []
    while let word = scanner.next() {
      #expect(!word.isEmpty)
      #expect(String(validating: word, as: UTF8.self) != nil)
      joined += word
    }
    #expect(joined == bytes)
  }

  @Test("scalars have the classes of Unicode 16")
  func classes() {
    #expect("aßЖ中ºʰ".unicodeScalars.allSatisfy { WordScanner.classify($0) == .letter })
    #expect("7½٣Ⅻ²".unicodeScalars.allSatisfy { WordScanner.classify($0) == .number })
    #expect(
      " \t\n\r\u{b}\u{c}\u{85}\u{a0}\u{1680}\u{2003}\u{2028}\u{3000}".unicodeScalars
        .allSatisfy { WordScanner.classify($0) == .space })
    #expect("_-'\u{301}\u{200b}😀\u{0}\u{ffff}".unicodeScalars.allSatisfy { WordScanner.classify($0) == .other })
    // Assigned as a letter in Unicode 17, and in Unicode 16.
    #expect(WordScanner.classify("\u{a7ce}") == .other)
    #expect(WordScanner.classify("\u{a7da}") == .letter)
  }

  @Test("composition agrees with Unicode's on text without Hangul, by seed", arguments: 0..<10)
  func composition(seed: Int) {
    var generator = SplitMix64(seed: UInt64(seed))
    let bases =
      Array("aeouAEcnz".unicodeScalars) + ["\u{1e9b}", "\u{212b}", "\u{e9}", "\u{1ea5}", "\u{915}", "\u{5e9}"]
    let marks = (0x300..<0x330).compactMap(Unicode.Scalar.init) + ["\u{93c}", "\u{5c1}", "\u{5bc}", "\u{345}"]
    var composition = CanonicalComposition()
    for _ in 0..<50 {
      var text = String.UnicodeScalarView()
      for _ in 0..<12 {
        if let scalar = (Bool.random(using: &generator) ? bases : marks).randomElement(using: &generator) {
          text.append(scalar)
        }
      }
      let expected = String(text).precomposedStringWithCanonicalMapping
      #expect(Array(composition.normalize(String(text)).utf8) == Array(expected.utf8), "\(text.map(\.value))")
    }
  }

  /// Mistakes of Foundation's composition that must not be ours: Hangul that does not end the text, a code point
  /// before the first trailing consonant, and a vowel of Kannada whose parts are themselves composed.
  @Test(
    "every composition is found wherever it stands",
    arguments: [
      ("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}x", "\u{d55c}\u{adf8}x"),
      ("\u{b7b4}\u{11a7}", "\u{b7b4}\u{11a7}"), ("\u{cc6}\u{cc2}\u{cd5}", "\u{ccb}"), ("\u{cca}\u{cd5}", "\u{ccb}"),
    ])
  func compositionAnywhere(text: String, expected: String) {
    var composition = CanonicalComposition()
    #expect(composition.normalize(text).utf8.elementsEqual(expected.utf8))
  }

  /// This would take minutes if the work grew with the square of the text.
  @Test("long text that is not composed takes time in proportion")
  func longUncomposedText() throws {
    let tokenizer = try tokenizer(document(normalizer: #"{"type":"NFC"}"#))
    let ids = tokenizer.encode(String(repeating: "e\u{301}\u{2013}a ", count: 10_000))
    #expect(ids.count == 10_000 * 7)
    #expect(tokenizer.decode(ids).utf8.elementsEqual(String(repeating: "\u{e9}\u{2013}a ", count: 10_000).utf8))
  }

  @Test("text comes out of a stream as soon as its bytes are complete")
  func streaming() throws {
    let tokenizer = try tokenizer(document())
    let ids = Array("aé€😀".utf8).map(Int.init)
    func id(_ byte: Int) throws -> Int {
      try #require((0..<256).first { tokenizer.token(of: $0) == String(ByteAlphabet.scalars[byte]) })
    }
    var decoder = StreamingDecoder(tokenizer)
    let parts = try ids.map { decoder.append(try id($0)) }
    #expect(parts == ["a", "", "é", "", "", "€", "", "", "", "😀"])
    #expect(decoder.finish() == "")
    _ = decoder.append(try id(0xe2))
    #expect(decoder.append(try id(0x41)) == "\u{fffd}A")
    _ = decoder.append(try id(0xf0))
    #expect(decoder.finish() == "\u{fffd}")
  }

  @Test("the largest id bounds the embedding that is needed")
  func idLimit() throws {
    let added = #"""
      [{"id":257,"content":"<x>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}]
      """#
    let tokenizer = try tokenizer(document(added: added, vocabulary: ["ab"]))
    #expect(tokenizer.idLimit == 258)
    #expect(tokenizer.encode("<x>") == [257])
    #expect(tokenizer.token(of: 258) == nil)
    #expect(tokenizer.decode([257, 999], skippingSpecialTokens: true) == "")
  }

  @Test("a tokenizer of another kind is refused by key")
  func unsupported() throws {
    let byteLevel = #"{"type":"ByteLevel","add_prefix_space":false}"#
    let added = { (id: Int, content: String) in
      "{\"id\":\(id),\"content\":\"\(content)\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
        + "\"normalized\":false,\"special\":false}"
    }
    let refusals: [(document: String, place: String, problem: String)] = [
      (document(normalizer: #"{"type":"Lowercase"}"#), "normalizer.type", "found \"Lowercase\""),
      (
        document(normalizer: #"{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"NFKC"}]}"#),
        "normalizer.normalizers[1].type", "found \"NFKC\""
      ),
      (document(preTokenizer: "null"), "pre_tokenizer.type", "found nothing"),
      (document(preTokenizer: #"{"type":"Metaspace"}"#), "pre_tokenizer.type", "found \"Metaspace\""),
      (document(preTokenizer: #"{"type":"ByteLevel"}"#), "pre_tokenizer.add_prefix_space", "true or false"),
      (document(preTokenizer: #"{"type":"Sequence","pretokenizers":[]}"#), "pre_tokenizer", "an empty Sequence"),
      (
        document(preTokenizer: "{\"type\":\"Sequence\",\"pretokenizers\":[\(byteLevel),\(byteLevel)]}"),
        "pre_tokenizer.pretokenizers[0]", "expected ByteLevel last"
      ),
      (
        document(
          preTokenizer: #"{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\d"},"#
            + #""behavior":"Isolated","invert":false},"# + byteLevel + "]}"),
        "pre_tokenizer.pretokenizers[0].pattern.Regex", "GPT-2's expression"
      ),
      (document(decoder: "null"), "decoder.type", "expected text, found nothing"),
      (document(decoder: #"{"type":"WordPiece"}"#), "decoder.type", "expected ByteLevel"),
      (document(model: #""byte_fallback":true,"#), "model.byte_fallback", "expected false"),
      (document(model: #""dropout":0.1,"#), "model.dropout", "expected null"),
      (document(model: #""end_of_word_suffix":"</w>","#), "model.end_of_word_suffix", "found \"</w>\""),
      (document(merges: #"["ab"]"#), "model.merges[0]", "expected two tokens, found \"ab\""),
      (document(merges: #"[["a","b","c"]]"#), "model.merges[0]", "expected two tokens"),
      (document(merges: #"[["a","b"]]"#), "model.merges[0]", "that join to one"),
      (document(merges: "3"), "model.merges", "expected an array"),
      (document(vocabulary: ["a"]), "byte", "occurs twice"),
      (document(added: "[\(added(300, "<x>"))]"), "added_tokens[0].id", "expected 256"),
      (document(added: "[\(added(0, "a"))]"), "added_tokens[0].id", "found 0"),
      (document(added: "[\(added(256, ""))]"), "added_tokens[0].content", "found none"),
      (
        document(added: "[\(added(256, "<x>")),\(added(257, "<x>"))]"), "added_tokens[1].content", "no second token"
      ),
      (#"{"model":{"type":"Unigram"}}"#, "pre_tokenizer.type", "found nothing"),
      (
        "{\"pre_tokenizer\":\(byteLevel),\"decoder\":\(byteLevel),\"model\":{\"type\":\"Unigram\"}}", "model.type",
        "expected BPE, found \"Unigram\""
      ),
      (
        "{\"pre_tokenizer\":\(byteLevel),\"decoder\":\(byteLevel),\"model\":{\"merges\":[],\"vocab\":{\"a\":0,\"b\":0}}}",
        "model.vocab", "found 0 a second time"
      ),
      ("[]", "pre_tokenizer.type", "found nothing"),
      ("", "byte 0", "expected a value"),
    ]
    for (document, place, problem) in refusals {
      let error = try #require(throws: InputFileError.self, "\(place)") { try tokenizer(document) }
      #expect(error.place?.hasPrefix(place) == true, "\(error)")
      #expect(error.problem.contains(problem), "\(error)")
      #expect(!error.description.contains("\n"))
    }
  }

  @Test("every cut of a file is refused")
  func truncations() throws {
    let bytes = Array(document(merges: "[]").utf8)
    for length in stride(from: 0, to: bytes.count, by: 97) {
      let path = try folder.write("cut.json", Array(bytes.prefix(length)))
      #expect(throws: InputFileError.self, "\(length) bytes") { try Tokenizer(path: path) }
    }
  }
}
