internal import ContentHash
internal import LanguageModel

/// Continues prompts: by the base and by edited models from the same seed, so that they differ by the edit alone.
struct Continuation {
  let model: TargetModel
  let tokenizer: Tokenizer
  /// The token that every prompt stands behind; a continuation ends where the model says it again.
  let start: Int
  /// Tokens at most.
  let tokens: Int
  /// 0 = always the likeliest token.
  let temperature: Double
  let seed: UInt64

  /// The tokens that the model sees for a prompt.
  ///
  /// - Throws: `InputFileError` where they leave no room in the model's context.
  func input(_ prompt: String) throws(InputFileError) -> [Int] {
    let input = [start] + tokenizer.encode(prompt)
    let context = model.configuration.context
    guard input.count < context else {
      throw InputFileError(
        file: "prompt", place: prompt.prefix(40).description.printable,
        problem: "expected fewer tokens than the model's context of \(context), found \(input.count)",
        advice: "shorten it")
    }
    return input
  }

  /// Continues a prompt.
  ///
  /// - Parameters:
  ///   - input: the tokens of the prompt.
  ///   - number: the prompt's place among several: each draws by itself.
  ///   - say: gets the text as it comes, whole characters at a time.
  /// - Returns: all of the text.
  @discardableResult
  func run(_ input: [Int], number: Int, edit: (any Edit)?, say: (String) -> Void = { _ in }) -> String {
    var random = SplitMix64(seed: SHA256Digest(of: "continuation \(seed) \(number)").leadingWord)
    var decoder = StreamingDecoder(tokenizer, skippingSpecialTokens: true)
    var text = ""
    func add(_ part: String) {
      text += part
      say(part)
    }
    _ = Generator(model: model, edit: edit).generate(
      prompt: input, count: tokens,
      sampling: temperature == 0 ? .greedy : .random(temperature: temperature, topP: 1), using: &random, stop: start
    ) { token, _ in
      if token != start { add(decoder.append(token)) }
    }
    add(decoder.finish())
    return text
  }
}
