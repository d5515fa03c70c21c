import ContentHash
import Foundation
import Testing

@testable import LanguageModel

@Suite("Corpora")
struct CorpusTests {
  private let folder: TemporaryFolder
  private let tokenizer: Tokenizer
  private let start: Int

  init() throws {
    folder = try TemporaryFolder()
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden/tokenizer/tokenizer.json").path
    tokenizer = try Tokenizer(path: path)
    start = try tokenizer.startToken("<|endoftext|>")
  }

  /// Lines of different lengths, each telling its number.
  private func lines(_ count: Int) -> [String] {
    (0..<count).map { "Line \($0) of the book" + String(repeating: ", and on", count: $0 % 5) + "." }
  }

  private func corpus(_ count: Int) throws -> Corpus {
    try Corpus(path: folder.write("book.txt", lines(count).joined(separator: "\n") + "\n"))
  }

  private func text(_ window: TokenWindow) -> String { tokenizer.decode(window.targets) }

  @Test("are cut in the standard way where no cut stands beside them", arguments: [20, 79, 80, 161, 22113])
  func standardCut(count: Int) throws {
    let corpus = try corpus(count)
    #expect(corpus.lines == lines(count))
    let heldOut = corpus.cut.validation + corpus.cut.test
    #expect(heldOut.allSatisfy { $0.count == max(1, count / 80) })
    #expect(corpus.cut.validation.map(\.lowerBound) == [count * 15 / 100, count * 65 / 100])
    #expect(corpus.cut.test.map(\.lowerBound) == [count * 40 / 100, count * 90 / 100])
    // Every line is in exactly one part.
    let all = Corpus.Split.allCases.flatMap { corpus.blocks(of: $0) }.flatMap { Array($0) }
    #expect(all.sorted() == Array(0..<count))
  }

  @Test("may have empty lines, Windows line ends and a byte-order mark, or be JSONL")
  func forms() throws {
    let expected = lines(30)
    let windows = try folder.write("w.txt", "\u{feff}" + expected.joined(separator: "\r\n\r\n \t\r\n"))
    #expect(try Corpus(path: windows).lines == expected)
    let jsonl = try folder.write(
      "j.jsonl", expected.map { "{\"id\": 1, \"text\": \"\($0)\\nand more\"}" }.joined(separator: "\n"))
    #expect(try Corpus(path: jsonl).lines == expected.map { $0 + "\nand more" })
  }

  @Test("use the cut beside them, and refuse one that is not theirs")
  func storedCut() throws {
    let path = try folder.write("de.txt", lines(100).joined(separator: "\n"))
    let digest = SHA256Digest(of: lines(100).joined(separator: "\n"))
    func cut(
      version: Int = 1, digest: String? = nil, lines: Int = 100, validation: String = "[[10,20]]",
      test: String = "[[20,25],[90,100]]"
    ) throws {
      _ = try folder.write(
        "de.cut.json",
        """
        {"version":\(version),"text":{"sha256":"\(digest ?? SHA256Digest(of: self.lines(100).joined(separator: "\n"))
          .hexadecimal)","lines":\(lines)},"validation":\(validation),"test":\(test)}
        """)
    }
    try cut()
    let corpus = try Corpus(path: path)
    #expect(corpus.blocks(of: .validation) == [10..<20])
    #expect(corpus.blocks(of: .test) == [20..<25, 90..<100])
    #expect(corpus.blocks(of: .train) == [0..<10, 25..<90])

    let refusals: [(() throws -> Void, String, String)] = [
      ({ try cut(version: 2) }, "version", "expected 1, found 2"),
      ({ try cut(digest: String(repeating: "0", count: 64)) }, "text.sha256", "expected \(digest)"),
      ({ try cut(digest: "x") }, "", "expected 64 hexadecimal digits"),
      ({ try cut(lines: 99) }, "text.lines", "expected 100"),
      ({ try cut(validation: "[[10,21]]") }, "validation, test", "expected disjoint blocks"),
      ({ try cut(validation: "[]") }, "validation", "found none"),
      ({ try cut(validation: "[[10]]") }, "validation", "found [10]"),
      ({ try cut(validation: "[[20,10]]") }, "validation", "found [20, 10]"),
      ({ try cut(test: "[[90,101]]") }, "test", "end <= 100"),
      ({ try cut(test: "[[-1,1]]") }, "test", "found [-1, 1]"),
      ({ try cut(test: "3") }, "", "expected a cut of version 1"),
      ({ _ = try self.folder.write("de.cut.json", "{") }, "", "expected a cut of version 1"),
    ]
    for (write, place, reason) in refusals {
      try write()
      let error = try #require(throws: InputFileError.self, "\(reason)") { try Corpus(path: path) }
      #expect(error.file == folder.path("de.cut.json"))
      #expect(error.place ?? "" == place)
      #expect(error.problem.contains(reason), "\(error)")
      #expect(!error.description.contains("\n"))
    }
  }

  @Test("that cannot be read are told in one line, with the line number")
  func refusals() throws {
    let refusals: [(String, [UInt8], String)] = [
      ("a.txt", [], "expected lines of text, found none"), ("a.txt", Array(" \n\n".utf8), "found none"),
      ("a.txt", Array("one\ntwo".utf8), "at least 20 lines"),
      ("a.txt", Array("one\n".utf8) + [0xc3], "line 2: expected UTF-8 text"),
      ("a.jsonl", Array("{\"text\":\"x\"}\n{\"text\":1}".utf8), "line 2, text: expected text, found 1"),
      ("a.jsonl", Array("{\"txt\":\"x\"}".utf8), "line 1: expected an object with the member \"text\""),
      ("a.jsonl", Array("\n{\"text\":\"x\"".utf8), "line 2, byte 11: expected ','"),
    ]
    for (name, bytes, reason) in refusals {
      let path = try folder.write(name, bytes)
      let error = try #require(throws: InputFileError.self) { try Corpus(path: path) }
      #expect(error.description.contains(reason), "\(error)")
    }
  }

  @Test("give evaluation windows of exactly the tokens asked for, from the held-out lines, evenly spaced")
  func evaluation() throws {
    let corpus = try corpus(2000)
    for split in [Corpus.Split.validation, .test] {
      let whole = corpus.blocks(of: split).map { corpus.lines[$0].joined(separator: "\n") }
      var all: [TokenWindow] = []
      for block in whole {
        let ids = tokenizer.encode(block)
        for first in stride(from: 0, through: ids.count - 16, by: 16) {
          all.append(TokenWindow(start: start, predicting: Array(ids[first..<first + 16])))
        }
      }
      let everything = try corpus.evaluationWindows(
        split, tokens: all.count * 16, context: 16, tokenizer: tokenizer, start: start)
      #expect(everything == all)
      let some = try corpus.evaluationWindows(split, tokens: 5 * 16, context: 16, tokenizer: tokenizer, start: start)
      let places = some.compactMap { all.firstIndex(of: $0) }
      #expect(places == (0..<5).map { $0 * all.count / 5 })
      #expect(some.allSatisfy { $0.inputs == [start] + $0.targets.dropLast() && $0.targets.count == 16 })
      let error = try #require(throws: InputFileError.self) {
        try corpus.evaluationWindows(
          split, tokens: (all.count + 1) * 16, context: 16, tokenizer: tokenizer, start: start)
      }
      #expect(error.place == split.rawValue)
      #expect(error.problem == "expected \(all.count + 1) windows of 16 tokens, found \(all.count)")
    }
  }

  @Test("give exactly the training tokens asked for; a larger draw begins with a smaller one's", arguments: 0..<5)
  func draws(seed: Int) throws {
    let corpus = try corpus(400)
    let training = Set(corpus.blocks(of: .train).flatMap { corpus.lines[$0] })
    var previous: [Int] = []
    for tokens in [1, 4, 16, 37, 64, 256, 1024] {
      let windows = try corpus.draw(
        tokens: tokens, seed: UInt64(seed), purpose: "forget", context: 24, tokenizer: tokenizer, start: start)
      let predicted = windows.flatMap(\.targets)
      #expect(predicted.count == tokens)
      #expect(Array(predicted.prefix(previous.count)) == previous)
      previous = predicted
      for window in windows {
        #expect(window.inputs == [start] + window.targets.dropLast())
        #expect(window.targets.count <= 24)
        // Each window begins at the beginning of a training line, and whole lines in it are training lines.
        let parts = text(window).split(separator: "\n").map(String.init)
        #expect(parts.dropLast().allSatisfy { training.contains($0) })
        #expect(training.contains { line in parts.last.map { line.hasPrefix($0) } ?? false })
      }
    }
    #expect(
      try corpus.draw(
        tokens: 64, seed: UInt64(seed), purpose: "retain", context: 24, tokenizer: tokenizer, start: start
      )
      .flatMap(\.targets) != Array(previous.prefix(64)))
  }

  @Test("never give the same line twice, and give all of them before they run out")
  func exhaustion() throws {
    let corpus = try corpus(60)
    let error = try #require(throws: InputFileError.self) {
      try corpus.draw(tokens: 100_000, seed: 1, purpose: "x", context: 4096, tokenizer: tokenizer, start: start)
    }
    let words = error.problem.split(separator: " ")
    let found = try #require(words.compactMap { Int($0) }.dropFirst().first)
    let windows = try corpus.draw(
      tokens: found, seed: 1, purpose: "x", context: 4096, tokenizer: tokenizer, start: start)
    let drawn = windows.flatMap { text($0).split(separator: "\n").map(String.init) }
    #expect(drawn.sorted() == corpus.blocks(of: .train).flatMap { corpus.lines[$0] }.sorted())
  }

  @Test("start with text that is one token")
  func startToken() throws {
    #expect(try tokenizer.startToken("\n") == tokenizer.encode("\n").first)
    for text in ["", "two tokens\n"] {
      let error = try #require(throws: InputFileError.self) { try tokenizer.startToken(text) }
      #expect(error.problem.hasPrefix("expected text of exactly one token, found"))
      #expect(!error.description.contains("\n"))
    }
  }
}
