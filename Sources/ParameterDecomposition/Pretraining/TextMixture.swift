internal import LanguageModel

/// Mixes languages by their shares: at every window the language comes next that is furthest behind its share, so that
/// the numbers of windows never stray from the shares by more than a few windows.
///
/// Which window comes when is determined by the streams and the shares; after `n` draws a mixture is the same whether
/// it drew or skipped them.
struct TextMixture {
  /// A window with its language.
  struct Draw {
    /// The index of the language.
    let language: Int
    let window: TokenWindow
  }

  private(set) var streams: [LanguageStream]
  /// Windows drawn so far, by language.
  private(set) var counts: [Int]
  private let shares: [Double]

  /// Mixes streams by weights above 0.
  init(streams: [LanguageStream], shares: [Double]) {
    precondition(streams.count == shares.count && !streams.isEmpty, "one share a stream")
    self.streams = streams
    let sum = shares.reduce(0, +)
    self.shares = shares.map { $0 / sum }
    counts = shares.map { _ in 0 }
  }

  /// Draws the next window.
  mutating func next() -> Draw {
    let language = advance()
    return Draw(language: language, window: streams[language].window(counts[language] - 1))
  }

  /// Passes over windows.
  mutating func skip(_ number: Int) {
    for _ in 0..<number { _ = advance() }
  }

  /// Counts one more window of the language that is furthest behind; of equals the first.
  private mutating func advance() -> Int {
    let total = Double(counts.reduce(0, +) + 1)
    var furthest = 0
    var lag = -Double.infinity
    for (language, share) in shares.enumerated() {
      let behind = share * total - Double(counts[language])
      if behind > lag { (furthest, lag) = (language, behind) }
    }
    counts[furthest] += 1
    return furthest
  }
}
