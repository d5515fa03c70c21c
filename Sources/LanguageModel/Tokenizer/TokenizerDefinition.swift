/// What a byte-level BPE tokenizer consists of, checked and ready for use.
struct TokenizerDefinition: Sendable {
  /// What is done to a text between added tokens before its words are merged.
  enum Step: Sendable {
    /// Puts a space before it unless it begins with one.
    case prefixSpace
    /// Splits it into words; see ``WordScanner``.
    case splitWords
  }

  /// Whether text is brought into Unicode's composed form first.
  let composes: Bool
  /// The steps in their order.
  let steps: [Step]
  /// Added tokens by ascending id.
  let addedTokens: [AddedTokens.Token]
  /// Every token as the file writes it; added tokens by their pattern.
  let tokenTexts: [Int: String]
  /// Every token as the bytes it decodes to.
  let tokenBytes: [Int: [UInt8]]
  /// The token of each byte; `nil` where the vocabulary lacks it.
  let byteIDs: [Int?]
  /// What stands for bytes that the vocabulary lacks; without it they are dropped.
  let unknownID: Int?
  /// Whether neighbouring unknown bytes become one token.
  let fusesUnknown: Bool
  /// Words that are tokens as they are, where the file asks to try these before merging.
  let wholeWords: [[UInt8]: Int]?
  /// The merges.
  let merges: BytePairMerges

  /// The ids of one word.
  func ids(ofWord word: ArraySlice<UInt8>) -> [Int] {
    if let wholeWords, let id = wholeWords[Array(word)] { return [id] }
    var ids: [Int] = []
    ids.reserveCapacity(word.count)
    var afterUnknown = false
    for byte in word {
      if let id = byteIDs[Int(byte)] {
        ids.append(id)
        afterUnknown = false
      } else if let unknownID {
        if !(afterUnknown && fusesUnknown) { ids.append(unknownID) }
        afterUnknown = true
      }
    }
    return merges.apply(to: ids)
  }
}
