/// Learns a byte-level BPE tokenizer from text.
///
/// Words are those of GPT-2's expression (``WordScanner``); nothing is merged across them. The result depends on how
/// often each word occurs and on nothing else: not on the order of the texts, not on a seed.
public struct TokenizerTrainer {
  /// The token that separates documents. Its id is 0.
  public static let endOfText = "<|endoftext|>"
  /// The fewest tokens that a vocabulary can have: the separator and every byte.
  public static let fewestTokens = 257

  private var words = WordCounts()

  /// Creates a trainer that has seen nothing.
  public init() {}

  /// Bytes of text seen.
  public var bytes: Int { words.bytes }
  /// Different words seen.
  public var distinctWords: Int { words.occurrences.count }

  /// Looks at one more text.
  public mutating func add(_ text: String) {
    words.add(text)
  }

  /// Learns a vocabulary of at most `vocabularySize` tokens; fewer, if no pair of tokens is left that occurs
  /// `minimumFrequency` times.
  ///
  /// Ids: the separator, the bytes in the order of their stand-ins (``ByteAlphabet``), the merged tokens in the order
  /// in which they were learned.
  public func train(vocabularySize: Int, minimumFrequency: Int) -> TrainedTokenizer {
    precondition(vocabularySize >= Self.fewestTokens, "a vocabulary holds the separator and every byte")
    let alphabet = ByteAlphabet.scalars.sorted()
    var tokens = [Self.endOfText] + alphabet.map { String($0) }
    let ids = Dictionary(uniqueKeysWithValues: zip(alphabet, 1...))
    let byteIDs = ByteAlphabet.scalars.map { ids[$0] ?? 0 }
    var training = BytePairTraining(
      words.occurrences.map { word, count in (word.map { byteIDs[Int($0)] }, count) })
    let merges = training.learn(
      vocabularySize - tokens.count, firstID: tokens.count, minimumFrequency: minimumFrequency)
    for merge in merges { tokens.append(tokens[merge.left] + tokens[merge.right]) }
    return TrainedTokenizer(tokens: tokens, merges: merges.map { [tokens[$0.left], tokens[$0.right]] })
  }
}

/// A vocabulary with its merges.
public struct TrainedTokenizer: Sendable, Hashable {
  /// Every token as vocabularies write it ("Ġthe"), by its id.
  public let tokens: [String]
  /// The pairs of tokens that become one, in the order in which they are applied.
  public let merges: [[String]]

  /// Writes it as a Hugging Face `tokenizer.json`, as the `tokenizers` library does, with a newline at the end. The
  /// file replaces an older one only when it is complete.
  public func write(to path: String) throws(InputFileError) {
    let added =
      "{\"id\":0,\"content\":\(Self.text(TokenizerTrainer.endOfText)),\"single_word\":false,\"lstrip\":false,"
      + "\"rstrip\":false,\"normalized\":false,\"special\":true}"
    let byteLevel = { (prefix: Bool) in
      "{\"type\":\"ByteLevel\",\"add_prefix_space\":\(prefix),\"trim_offsets\":true,\"use_regex\":true}"
    }
    let vocabulary = tokens.enumerated().map { "\(Self.text($1)):\($0)" }.joined(separator: ",")
    let pairs = merges.map { "[\($0.map(Self.text).joined(separator: ","))]" }.joined(separator: ",")
    let document =
      "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[\(added)],\"normalizer\":null,"
      + "\"pre_tokenizer\":\(byteLevel(false)),\"post_processor\":null,\"decoder\":\(byteLevel(true)),"
      + "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":null,"
      + "\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":false,"
      + "\"vocab\":{\(vocabulary)},\"merges\":[\(pairs)]}}\n"
    try writeFile(path, Array(document.utf8))
  }

  /// A token in JSON's quotes. Stand-ins for bytes are printable: no other characters need an escape.
  private static func text(_ token: String) -> String {
    var text = "\""
    for scalar in token.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { text += "\\" }
      text.unicodeScalars.append(scalar)
    }
    return text + "\""
  }
}
