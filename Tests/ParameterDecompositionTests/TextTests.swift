import Foundation
import LanguageModel
import Testing

@testable import ParameterDecomposition

@Suite("Training text")
struct TextTests {
  private func stream(_ count: Int, context: Int, seed: String = "s") -> LanguageStream {
    LanguageStream(tokens: (0..<Int32(count)).map { $0 }, context: context, start: -1, seed: seed)
  }

  @Test("every pass predicts every token at most once, and leaves out less than a window", arguments: [30, 31, 39])
  func passes(count: Int) {
    var stream = stream(count, context: 10)
    #expect(stream.windowsPerPass == 3)
    var offsets: Set<Int> = []
    for pass in 0..<20 {
      let windows = (0..<3).map { stream.window(3 * pass + $0) }
      #expect(Set(windows.flatMap(\.targets)).count == 30)
      for window in windows {
        #expect(window.inputs == [-1] + window.targets.dropLast())
        #expect(zip(window.targets, window.targets.dropFirst()).allSatisfy { ($0 + 1) % count == $1 })
        offsets.insert(window.targets[0])
      }
    }
    #expect(offsets.count > 10, "windows are cut elsewhere in every pass")
  }

  @Test("a window depends on its number and the seed alone")
  func numbers() {
    var (forwards, alone) = (stream(95, context: 10), stream(95, context: 10))
    let windows = (0..<40).map { forwards.window($0) }
    for number in [39, 0, 17, 18, 9] { #expect(alone.window(number) == windows[number]) }
    var other = stream(95, context: 10, seed: "t")
    #expect((0..<9).map { other.window($0) } != Array(windows[..<9]))
  }

  @Test("a text that held-out lines cut has a start token before every part")
  func startTokens() throws {
    let workshop = try Workshop()
    let tokenizer = try Tokenizer(path: workshop.folder.appending(path: "tokenizer.json").path)
    let corpus = try Corpus(path: workshop.folder.appending(path: "trees.txt").path)
    let tokens = LanguageStream.tokens(of: corpus, tokenizer: tokenizer, start: 256)
    let parts = tokens.split(separator: 256, omittingEmptySubsequences: false).map {
      tokenizer.decode($0.map(Int.init))
    }
    let blocks = corpus.blocks(of: .train)
    #expect(blocks.count == 5)
    #expect(parts == [""] + blocks.map { corpus.lines[$0].joined(separator: "\n") })
  }

  @Test("languages come in their shares at every moment, and skipping is as good as drawing")
  func mixture() {
    let shares = [3.0, 1, 0.5]
    func mixture() -> TextMixture {
      TextMixture(streams: (0..<3).map { stream(40, context: 10, seed: "\($0)") }, shares: shares)
    }
    var drawn = mixture()
    var draws: [(language: Int, window: TokenWindow)] = []
    for number in 1...200 {
      let draw = drawn.next()
      draws.append((draw.language, draw.window))
      for (count, share) in zip(drawn.counts, shares) {
        #expect(abs(Double(count) - share / 4.5 * Double(number)) < 1.5)
      }
    }
    for skipped in [0, 1, 77, 199] {
      var other = mixture()
      other.skip(skipped)
      let next = other.next()
      #expect(next.language == draws[skipped].language && next.window == draws[skipped].window)
    }
  }
}
