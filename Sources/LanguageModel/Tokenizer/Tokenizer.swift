/// A byte-level BPE tokenizer read from a Hugging Face `tokenizer.json`.
///
/// Ids and decoded text equal those of the `tokenizers` library (with `add_special_tokens = False`: tokens that a
/// post-processor would put around a text are left to whoever builds windows).
public struct Tokenizer: Sendable {
  /// The path it was read from.
  public let path: String
  /// One more than the largest id; a model needs at least so many rows of embedding.
  public let idLimit: Int

  private let definition: TokenizerDefinition
  /// Added tokens to be found before and after normalization.
  private let rawTokens, normalizedTokens: AddedTokens
  private let specialIDs: Set<Int>

  /// Reads a tokenizer file.
  ///
  /// - Throws: an error that names the key, for anything that would need a tokenizer of another kind.
  public init(path: String) throws(InputFileError) {
    let definition = try TokenizerFile(path: path).definition()
    self.path = path
    self.definition = definition
    idLimit = (definition.tokenTexts.keys.max() ?? -1) + 1
    rawTokens = AddedTokens(definition.addedTokens.filter { !$0.normalized })
    normalizedTokens = AddedTokens(definition.addedTokens.filter(\.normalized))
    let specialTexts = Set(definition.addedTokens.filter(\.special).map { Array($0.content.utf8) })
    specialIDs = Set(definition.tokenTexts.filter { specialTexts.contains(Array($0.value.utf8)) }.keys)
  }

  /// The ids of a text.
  ///
  /// Time is linear in the text, up to a logarithm of its longest word.
  public func encode(_ text: String) -> [Int] {
    var ids: [Int] = []
    var cache: [ArraySlice<UInt8>: [Int]] = [:]
    var composition = CanonicalComposition()
    for piece in rawTokens.split(Array(text.utf8)[...]) {
      guard case .text(let raw) = piece else {
        if case .token(let id) = piece { ids.append(id) }
        continue
      }
      let normalized = definition.composes ? composition.normalize(raw) : raw
      for piece in normalizedTokens.split(normalized) {
        switch piece {
        case .token(let id): ids.append(id)
        case .text(let text): encode(text, applying: definition.steps[...], into: &ids, &cache)
        }
      }
    }
    return ids
  }

  /// The text of ids. Bytes that are not UTF-8 become U+FFFD, one for each maximal part of a sequence; ids that no
  /// token has are passed over.
  public func decode(_ ids: some Sequence<Int>, skippingSpecialTokens: Bool = false) -> String {
    String(decoding: ids.flatMap { bytes(of: $0, skippingSpecialTokens: skippingSpecialTokens) }, as: UTF8.self)
  }

  /// The token of an id as the vocabulary writes it ("Ġthe"); `nil` if there is none.
  public func token(of id: Int) -> String? {
    definition.tokenTexts[id]
  }

  /// The bytes that a token stands for; none for an unknown id.
  func bytes(of id: Int, skippingSpecialTokens: Bool) -> [UInt8] {
    skippingSpecialTokens && specialIDs.contains(id) ? [] : definition.tokenBytes[id] ?? []
  }

  /// Applies the remaining steps before merging, then merges each word.
  private func encode(
    _ text: ArraySlice<UInt8>, applying steps: ArraySlice<TokenizerDefinition.Step>, into ids: inout [Int],
    _ cache: inout [ArraySlice<UInt8>: [Int]]
  ) {
    guard let step = steps.first else { return appendWord(text, to: &ids, &cache) }
    switch step {
    case .prefixSpace:
      let prefixed = text.first == 0x20 ? text : ([0x20] + text)[...]
      encode(prefixed, applying: steps.dropFirst(), into: &ids, &cache)
    case .splitWords:
      var scanner = WordScanner(text)
      while let word = scanner.next() {
        encode(word, applying: steps.dropFirst(), into: &ids, &cache)
      }
    }
  }

  /// Words recur, so their ids are kept for the rest of the text; long ones are too rare to be worth the memory.
  private func appendWord(
    _ word: ArraySlice<UInt8>, to ids: inout [Int], _ cache: inout [ArraySlice<UInt8>: [Int]]
  ) {
    if word.count > 64 {
      ids += definition.ids(ofWord: word)
    } else if let known = cache[word] {
      ids += known
    } else {
      let found = definition.ids(ofWord: word)
      cache[word] = found
      ids += found
    }
  }
}
