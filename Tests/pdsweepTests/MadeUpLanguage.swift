import Foundation
import LanguageModel

/// A language that nobody speaks: words of its own syllables, some common and most rare, of which each likes certain
/// others behind it. Languages share most of their letters, so that text must be read to tell which one it is.
struct MadeUpLanguage {
  private let words: [String]
  private let followers: [[Int]]
  private var generator: SplitMix64

  init(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    let consonants = "bdfgklmnprstvz".shuffled(using: &generator).prefix(8)
    let vowels = "aeiou".shuffled(using: &generator).prefix(4)
    let syllables = consonants.flatMap { consonant in vowels.map { "\(consonant)\($0)" } }
    var words: [String] = []
    while words.count < 80 {
      let length = [1, 2, 2, 3][Int.random(in: 0..<4, using: &generator)]
      let word = (0..<length).map { _ in syllables[Int.random(in: 0..<syllables.count, using: &generator)] }.joined()
      if !words.contains(word) { words.append(word) }
    }
    followers = words.map { _ in (0..<6).map { _ in Int.random(in: 0..<80, using: &generator) } }
    self.words = words
    self.generator = generator
  }

  /// Different lines, each of one sentence.
  mutating func text(lines: Int) -> String {
    var found: Set<String> = []
    var text = ""
    while found.count < lines {
      let sentence = sentence()
      guard sentence.utf8.count >= 60, found.insert(sentence).inserted else { continue }
      text += sentence + "\n"
    }
    return text
  }

  private mutating func sentence() -> String {
    var word = anyWord()
    var sentence = words[word].prefix(1).uppercased() + words[word].dropFirst()
    for _ in 0..<Int.random(in: 12...16, using: &generator) {
      let isExpected = Double.random(in: 0..<1, using: &generator) < 0.6
      word = isExpected ? followers[word][Int.random(in: 0..<6, using: &generator)] : anyWord()
      sentence += " " + words[word]
    }
    return sentence + "."
  }

  /// A word, the first ones more often than the last: by Zipf's law.
  private mutating func anyWord() -> Int {
    let size = Double(words.count + 1)
    return min(words.count, Int(exp(Double.random(in: 0..<1, using: &generator) * log(size)))) - 1
  }
}
