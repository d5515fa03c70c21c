import Foundation
import Testing

@testable import LanguageModel

@Suite("Tokenizer training")
struct TokenizerTrainingTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  /// What the reference implementation learned; `Golden/tokenizer/make.py` recorded it.
  private struct Case: Decodable {
    let texts: [String]
    let vocabulary: Int
    let minimum_frequency: Int
    let merges: [[String]]
  }

  private func golden(_ name: String) throws -> Data {
    try Data(
      contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden/tokenizer/\(name)"))
  }

  private func trained(_ texts: [String], _ vocabulary: Int, _ minimumFrequency: Int) -> TrainedTokenizer {
    var trainer = TokenizerTrainer()
    for text in texts { trainer.add(text) }
    return trainer.train(vocabularySize: vocabulary, minimumFrequency: minimumFrequency)
  }

  @Test("learns the merges of the reference implementation, ties included")
  func goldenMerges() throws {
    let cases = try JSONDecoder().decode([Case].self, from: golden("training.json"))
    #expect(cases.count > 10)
    for golden in cases {
      let trained = trained(golden.texts, golden.vocabulary, golden.minimum_frequency)
      #expect(trained.merges == golden.merges, "\(golden.texts)")
      #expect(trained.tokens.count == 257 + golden.merges.count)
      // Equal texts in another order are the same text.
      #expect(self.trained(golden.texts.reversed(), golden.vocabulary, golden.minimum_frequency) == trained)
    }
  }

  @Test("writes the file that the reference implementation writes")
  func goldenFile() throws {
    let cases = try JSONDecoder().decode([Case].self, from: golden("training.json"))
    let first = try #require(cases.first)
    let path = folder.path("tokenizer.json")
    try trained(first.texts, first.vocabulary, first.minimum_frequency).write(to: path)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == golden("tokenizer.json"))
  }

  @Test("agrees with counting every pair again before every merge, by seed", arguments: 0..<40)
  func bruteForce(seed: Int) {
    var generator = SplitMix64(seed: UInt64(seed))
    // Few letters: many overlaps and ties.
    let letters = Int.random(in: 1...4, using: &generator)
    let words = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
      let length = Int.random(in: 0...40, using: &generator)
      let tokens = (0..<length).map { _ in Int.random(in: 0..<letters, using: &generator) }
      return (tokens: tokens, count: Int.random(in: 1...3, using: &generator))
    }
    let minimum = Int.random(in: 0...4, using: &generator)

    var expected: [BytePairMerges.Pair] = []
    var current = words
    while expected.count < 200 {
      var counts: [BytePairMerges.Pair: Int] = [:]
      for (tokens, count) in current {
        for (left, right) in zip(tokens, tokens.dropFirst()) {
          counts[.init(left: left, right: right), default: 0] += count
        }
      }
      let best = counts.min { ($1.value, $0.key.left, $0.key.right) < ($0.value, $1.key.left, $1.key.right) }
      guard let (pair, count) = best, count >= minimum else { break }
      for index in current.indices {
        var position = 0
        while position + 1 < current[index].tokens.count {
          if current[index].tokens[position] == pair.left, current[index].tokens[position + 1] == pair.right {
            current[index].tokens.replaceSubrange(position...position + 1, with: [letters + expected.count])
          }
          position += 1
        }
      }
      expected.append(pair)
    }

    var training = BytePairTraining(words)
    #expect(training.learn(200, firstID: letters, minimumFrequency: minimum) == expected, "seed \(seed)")
  }

  @Test("gives a tokenizer that reads text as it was learned, and any other text too")
  func use() throws {
    let path = folder.path("tokenizer.json")
    let text = "ab ab ab abc abc \"quoted\" \\ back\\slash"
    let trained = trained([text], 300, 2)
    try trained.write(to: path)
    let tokenizer = try Tokenizer(path: path)
    #expect(tokenizer.idLimit == trained.tokens.count)
    #expect(tokenizer.encode("<|endoftext|>") == [0])
    #expect(tokenizer.encode(" ab").count == 1)
    for text in [text, "größer 日本 \u{0} \r\n\t", ""] { #expect(tokenizer.decode(tokenizer.encode(text)) == text) }
    #expect(Set(trained.tokens).count == trained.tokens.count)
  }

  @Test("looks at training lines only, at an even share of them, and at the first in any case")
  func shares() throws {
    func corpus(_ replaced: [Int: String] = [:]) throws -> Corpus {
      let lines = (0..<100).map { replaced[$0] ?? "the \($0)th line" }
      return try Corpus(path: folder.write("text.txt", lines.joined(separator: "\n")))
    }
    func bytes(_ corpus: Corpus, share: Double) -> (TrainedTokenizer, Int) {
      var trainer = TokenizerTrainer()
      trainer.add(corpus, share: share)
      return (trainer.train(vocabularySize: 300, minimumFrequency: 1), trainer.bytes)
    }
    let plain = try corpus()
    let heldOut = (plain.cut.validation + plain.cut.test).flatMap { Array($0) }
    let others = Dictionary(uniqueKeysWithValues: heldOut.map { ($0, "zzzz zzzz zzzz zzzz zzzz zzzz") })
    let (whole, wholeBytes) = bytes(plain, share: 1)
    #expect(try bytes(corpus(others), share: 1) == (whole, wholeBytes))
    #expect(try bytes(corpus([50: "zzzz zzzz zzzz zzzz zzzz zzzz"]), share: 1).0 != whole)

    // Lines 0, 4, 8, ... of 96 training lines, all of two or three characters more or less.
    let quarter = bytes(plain, share: 0.25).1
    #expect(abs(quarter * 4 - wholeBytes) < 100, "\(quarter) of \(wholeBytes)")
    #expect(bytes(plain, share: 1e-9).1 == plain.lines[0].utf8.count)
  }

  @Test("tells how many tokens held-out text takes")
  func tokensPerByte() throws {
    let corpus = try Corpus(path: folder.write("text.txt", (0..<40).map { _ in "abab" }.joined(separator: "\n")))
    let path = folder.path("tokenizer.json")
    try trained(["abab"], 257, 1).write(to: path)
    #expect(try Tokenizer(path: path).tokensPerByte(of: corpus, .validation) == 1)
    try trained(["abab"], 259, 1).write(to: path)
    #expect(try Tokenizer(path: path).tokensPerByte(of: corpus, .validation) == 0.25)
  }
}
