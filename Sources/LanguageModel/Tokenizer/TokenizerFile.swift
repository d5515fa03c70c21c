/// Reads the parts of a `tokenizer.json` and refuses, by key, whatever ``Tokenizer`` would not do exactly as the
/// reference implementation does.
///
/// Passed over: `version`; `truncation` and `padding`, which shape batches and not a text's tokens; and
/// `post_processor`, which only adds tokens around a text or trims offsets.
struct TokenizerFile {
  private let root: JSONPlace

  init(path: String) throws(InputFileError) {
    do {
      root = JSONPlace(file: path, path: "", value: try JSONValue(parsing: try readFile(path)))
    } catch let error as JSONSyntaxError {
      throw InputFileError(
        file: path, place: "byte \(error.offset)", problem: error.problem,
        advice: "the file is damaged or not a tokenizer.json: get it again")
    } catch let error as InputFileError {
      throw error
    } catch {
      preconditionFailure("an error of no kind that is thrown here: \(error)")
    }
  }

  /// The whole definition.
  func definition() throws(InputFileError) -> TokenizerDefinition {
    let composes = try normalizes(root.member("normalizer"))
    let steps = try self.steps(root.member("pre_tokenizer"))
    try requireByteLevelDecoder(root.member("decoder"))

    let model = root.member("model")
    try requirePlainBytePairs(model)
    let vocabulary = try self.vocabulary(model.member("vocab"))
    let merges = try self.merges(model.member("merges"), vocabulary)
    let added = try addedTokens(root.member("added_tokens"), vocabulary, composes: composes)

    var texts = Dictionary(uniqueKeysWithValues: vocabulary.tokens.map { ($0.id, $0.text) })
    for token in added { texts[token.id] = token.pattern }
    let byteIDs = ByteAlphabet.scalars.map { vocabulary[String($0)] }
    return TokenizerDefinition(
      composes: composes,
      steps: steps,
      addedTokens: added,
      tokenTexts: texts,
      tokenBytes: texts.mapValues { ByteAlphabet.bytes(of: $0) ?? Array($0.utf8) },
      byteIDs: byteIDs,
      unknownID: try unknown(model.member("unk_token"), vocabulary, lacksBytes: byteIDs.contains(nil)),
      fusesUnknown: try model.member("fuse_unk").bool(default: false),
      wholeWords: try model.member("ignore_merges").bool(default: false) ? vocabulary.words : nil,
      merges: merges)
  }

  // MARK: Around the model

  private func normalizes(_ place: JSONPlace) throws(InputFileError) -> Bool {
    guard !place.isNull else { return false }
    switch try place.member("type").string() {
    case "NFC":
      return true
    case "Sequence":
      var composes = false
      for part in try place.member("normalizers").elements() where try normalizes(part) { composes = true }
      return composes
    case let type:
      throw place.member("type").unsupported("NFC, a Sequence of these, or null", found: type)
    }
  }

  private func steps(_ place: JSONPlace) throws(InputFileError) -> [TokenizerDefinition.Step] {
    var steps: [TokenizerDefinition.Step] = []
    var parts = [place]
    if place.member("type").value?.string == "Sequence" { parts = try place.member("pretokenizers").elements() }
    for (index, part) in parts.enumerated() {
      switch try part.member("type").string() {
      case "ByteLevel":
        guard index == parts.count - 1 else {
          throw part.problem("expected ByteLevel last: what follows it would see bytes rather than text")
        }
        if try part.member("add_prefix_space").bool() { steps.append(.prefixSpace) }
        if try part.member("use_regex").bool(default: true) { steps.append(.splitWords) }
      case "Split" where index < parts.count - 1:
        try requireWordPattern(part)
        steps.append(.splitWords)
      case let type:
        throw part.member("type").unsupported(
          index == parts.count - 1 ? "ByteLevel, alone or at the end of a Sequence" : "Split or ByteLevel",
          found: type)
      }
    }
    guard !parts.isEmpty else { throw place.problem("expected a ByteLevel pre-tokenizer, found an empty Sequence") }
    return steps
  }

  /// A Split that leaves exactly the words of ``WordScanner``.
  private func requireWordPattern(_ place: JSONPlace) throws(InputFileError) {
    let pattern = place.member("pattern").member("Regex")
    guard try pattern.string() == WordScanner.pattern else {
      throw pattern.unsupported("GPT-2's expression", found: try pattern.string())
    }
    let behavior = try place.member("behavior").string()
    let inverted = try place.member("invert").bool(default: false)
    guard behavior == "Isolated" || (behavior == "Removed" && inverted) else {
      throw place.member("behavior").unsupported("Isolated, or Removed with invert", found: behavior)
    }
  }

  private func requireByteLevelDecoder(_ place: JSONPlace) throws(InputFileError) {
    if place.member("type").value?.string == "Sequence" {
      let parts = try place.member("decoders").elements()
      guard let only = parts.first, parts.count == 1 else {
        throw place.member("decoders").problem("expected one ByteLevel decoder, found \(parts.count) decoders")
      }
      return try requireByteLevelDecoder(only)
    }
    let type = try place.member("type").string()
    guard type == "ByteLevel" else { throw place.member("type").unsupported("ByteLevel", found: type) }
  }

  private func addedTokens(
    _ place: JSONPlace, _ vocabulary: Vocabulary, composes: Bool
  ) throws(InputFileError) -> [AddedTokens.Token] {
    guard !place.isNull else { return [] }
    var tokens: [AddedTokens.Token] = []
    var ids: [[UInt8]: Int] = [:]
    var composition = CanonicalComposition()
    for element in try place.elements() {
      let content = try element.member("content").string()
      let normalized = try element.member("normalized").bool()
      let token = AddedTokens.Token(
        id: try element.member("id").natural(), content: content,
        pattern: composes && normalized ? composition.normalize(content) : content,
        singleWord: try element.member("single_word").bool(), leftStrip: try element.member("lstrip").bool(),
        rightStrip: try element.member("rstrip").bool(), normalized: normalized,
        special: try element.member("special").bool())
      let key = Array(token.content.utf8)
      guard !key.isEmpty else { throw element.member("content").problem("expected text, found none") }
      guard ids[key] == nil else {
        throw element.member("content").problem("expected no second token \(quoted(token.content))")
      }
      // The reference implementation numbers tokens that the vocabulary lacks after all others, in their order.
      let next = max(vocabulary.tokens.count, (ids.values.max() ?? -1) + 1)
      let expected = vocabulary[token.content] ?? next
      guard token.id == expected else {
        throw element.member("id").problem(
          "expected \(expected), the id that \(quoted(token.content)) gets by the vocabulary and the order of added "
            + "tokens, found \(token.id)")
      }
      ids[key] = token.id
      tokens.append(token)
    }
    return tokens.sorted { $0.id < $1.id }
  }

  // MARK: The model

  private func requirePlainBytePairs(_ model: JSONPlace) throws(InputFileError) {
    let type = model.member("type")
    guard type.isNull ? !model.member("merges").isNull : try type.string() == "BPE" else {
      throw type.unsupported("BPE", found: try type.string())
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] where !model.member(key).isNull {
      let text = try model.member(key).string()
      guard text.isEmpty else { throw model.member(key).unsupported("null", found: text) }
    }
    guard try !model.member("byte_fallback").bool(default: false) else {
      throw model.member("byte_fallback").problem("expected false, found true: not supported")
    }
    guard model.member("dropout").isNull || model.member("dropout").value?.number == 0 else {
      throw model.member("dropout").problem("expected null, found dropout: its ids would be random")
    }
  }

  /// The tokens of the model, found by their exact text.
  private struct Vocabulary {
    let tokens: [(text: String, id: Int)]
    private let ids: [[UInt8]: Int]

    init(_ tokens: [(text: String, id: Int)]) {
      self.tokens = tokens
      ids = Dictionary(uniqueKeysWithValues: tokens.map { (Array($0.text.utf8), $0.id) })
    }

    subscript(text: String) -> Int? { ids[Array(text.utf8)] }

    /// Tokens that stand for bytes, by these.
    var words: [[UInt8]: Int] {
      Dictionary(tokens.compactMap { text, id in ByteAlphabet.bytes(of: text).map { ($0, id) } }) { first, _ in first }
    }
  }

  private func vocabulary(_ place: JSONPlace) throws(InputFileError) -> Vocabulary {
    guard let members = place.value?.object?.members, !members.isEmpty else {
      throw place.problem("expected an object of tokens and their ids, found \(place.found)")
    }
    var tokens: [(text: String, id: Int)] = []
    var ids: Set<Int> = []
    for (text, value) in members {
      guard let id = value.integer, (0..<JSONPlace.largestIndex).contains(id) else {
        throw place.problem("expected an id for \(quoted(text)), found \(value.kind)")
      }
      guard ids.insert(id).inserted else {
        throw place.problem("expected one token for every id, found \(id) a second time, for \(quoted(text))")
      }
      tokens.append((text, id))
    }
    return Vocabulary(tokens)
  }

  /// Merges in either form: `["a", "b"]`, or `"a b"` as older files have it.
  private func merges(_ place: JSONPlace, _ vocabulary: Vocabulary) throws(InputFileError) -> BytePairMerges {
    var merges: [BytePairMerges.Pair: BytePairMerges.Merge] = [:]
    var rank = 0
    for element in try place.elements() {
      let parts: [String]
      switch element.value {
      case .string(let line):
        // A line of the format that came before tokenizer.json.
        if line.hasPrefix("#version") { continue }
        parts = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      case .array(let values):
        parts = values.compactMap(\.string)
      default:
        parts = []
      }
      guard parts.count == 2 else { throw element.problem("expected two tokens, found \(element.found)") }
      guard let left = vocabulary[parts[0]], let right = vocabulary[parts[1]], let id = vocabulary[parts[0] + parts[1]]
      else {
        throw element.problem(
          "expected two tokens of the vocabulary that join to one, found \(quoted(parts[0])) and \(quoted(parts[1]))")
      }
      merges[.init(left: left, right: right)] = .init(rank: rank, id: id)
      rank += 1
    }
    return BytePairMerges(merges)
  }

  private func unknown(
    _ place: JSONPlace, _ vocabulary: Vocabulary, lacksBytes: Bool
  ) throws(InputFileError) -> Int? {
    guard !place.isNull else { return nil }
    let text = try place.string()
    guard let id = vocabulary[text] else {
      guard lacksBytes else { return nil }
      throw place.problem("expected a token of the vocabulary, which lacks some bytes, found \(quoted(text))")
    }
    return id
  }
}

/// A value of a JSON file together with the way to it, for messages.
private struct JSONPlace {
  /// Ids beyond this are no ids of any tokenizer.
  static let largestIndex = 1 << 28

  let file: String
  let path: String
  /// `nil` where the document holds nothing.
  let value: JSONValue?

  /// Whether there is nothing here, or `null`.
  var isNull: Bool {
    switch value {
    case nil, .null: true
    default: false
    }
  }

  /// What is here, for messages.
  var found: String { value?.kind ?? "nothing" }

  func member(_ key: String) -> JSONPlace {
    JSONPlace(file: file, path: path.isEmpty ? key : "\(path).\(key)", value: value?.object?[key])
  }

  func elements() throws(InputFileError) -> [JSONPlace] {
    guard let array = value?.array else { throw problem("expected an array, found \(found)") }
    return array.enumerated().map { JSONPlace(file: file, path: "\(path)[\($0)]", value: $1) }
  }

  func string() throws(InputFileError) -> String {
    guard let string = value?.string else { throw problem("expected text, found \(found)") }
    return string
  }

  func natural() throws(InputFileError) -> Int {
    guard let number = value?.integer, (0..<Self.largestIndex).contains(number) else {
      throw problem("expected a whole number from 0, found \(found)")
    }
    return number
  }

  func bool() throws(InputFileError) -> Bool {
    guard let bool = value?.bool else { throw problem("expected true or false, found \(found)") }
    return bool
  }

  func bool(default fallback: Bool) throws(InputFileError) -> Bool {
    isNull ? fallback : try bool()
  }

  func problem(_ problem: String) -> InputFileError {
    InputFileError(file: file, place: path.isEmpty ? nil : path, problem: problem)
  }

  func unsupported(_ expected: String, found: String) -> InputFileError {
    InputFileError(
      file: file, place: path, problem: "expected \(expected), found \(quoted(found))",
      advice: "only byte-level BPE tokenizers as GPT-2 and GPT-NeoX have them are supported")
  }
}
