internal import ArgumentParser
internal import Foundation
internal import LanguageModel

/// `pdsweep tokenizer`.
struct TokenizerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer", abstract: "Make a tokenizer.", subcommands: [TokenizerTrainCommand.self])
}

/// `pdsweep tokenizer train`.
struct TokenizerTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Learn a byte-level BPE tokenizer from corpora.",
    discussion: """
      Writes a Hugging Face tokenizer.json: GPT-2's words, no normalizer, <|endoftext|> as token 0, every byte a token, \
      and merges of the most frequent pairs. Of equally frequent pairs the one with the lowest ids is merged first, so \
      that the tokenizers library learns the same from the same text; the order of the corpora does not matter.

      Only training lines are looked at, never those that a corpus's cut holds out. FILE=SHARE looks at a share of \
      them (0.2: every fifth line): the larger a language's share of the text, the more tokens become its words. \
      Prints how many tokens each corpus's validation lines take.

      EXAMPLES
        pdsweep tokenizer train --output tokenizer.json --vocabulary 4096 \\
            --corpus corpora/en.txt
        pdsweep tokenizer train --output tokenizer.json --vocabulary 4096 \\
            --corpus en.txt --corpus de.txt=0.25
      """
  )

  /// A corpus and how much of it is looked at.
  struct Source: ExpressibleByArgument, Equatable {
    let path: String
    let share: Double

    /// Reads `FILE` or `FILE=SHARE`; what stands behind the last `=` is a share if it is a number.
    init?(argument: String) {
      let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
      if parts.count > 1, let share = parts.last.flatMap({ Double($0) }) {
        path = parts.dropLast().joined(separator: "=")
        self.share = share
      } else {
        path = argument
        share = 1
      }
    }
  }

  @Option(name: .shortAndLong, help: "The tokenizer.json to write.")
  var output: String

  @Option(
    help: ArgumentHelp("A corpus, and how much of it to look at; may be repeated.", valueName: "file[=share]"))
  var corpus: [Source]

  @Option(help: ArgumentHelp("Tokens to learn, <|endoftext|> and the 256 bytes among them.", valueName: "number"))
  var vocabulary: Int

  @Option(help: ArgumentHelp("Merge no pair that occurs less often.", valueName: "number"))
  var minimumFrequency = 2

  @Flag(help: "Print one JSON object instead of lines.")
  var json = false

  func validate() throws {
    guard (TokenizerTrainer.fewestTokens...1_000_000).contains(vocabulary) else {
      throw ValidationError(
        "--vocabulary: expected a number from \(TokenizerTrainer.fewestTokens) to 1000000, found \(vocabulary)")
    }
    guard minimumFrequency >= 1 else {
      throw ValidationError("--minimum-frequency: expected a number from 1, found \(minimumFrequency)")
    }
    let place = URL(fileURLWithPath: output).standardizedFileURL.resolvingSymlinksInPath()
    var seen: Set<URL> = []
    for source in corpus {
      guard source.share > 0, source.share <= 1 else {
        throw ValidationError("--corpus \(source.path): expected a share above 0 and up to 1, found \(source.share)")
      }
      let url = URL(fileURLWithPath: source.path).standardizedFileURL.resolvingSymlinksInPath()
      guard url != place else {
        throw ValidationError("--output: expected another file than the corpora, found \(output)")
      }
      guard seen.insert(url).inserted else {
        throw ValidationError("--corpus: expected each file once, found \(source.path) again")
      }
    }
  }

  func run() throws {
    let corpora = try corpus.map { (source: $0, corpus: try Corpus(path: $0.path)) }
    var trainer = TokenizerTrainer()
    for (source, corpus) in corpora { trainer.add(corpus, share: source.share) }
    let trained = trainer.train(vocabularySize: vocabulary, minimumFrequency: minimumFrequency)
    try trained.write(to: output)
    let tokenizer = try Tokenizer(path: output)
    let report = TokenizerReport(
      output: output, tokens: trained.tokens.count, trainingBytes: trainer.bytes, trainingWords: trainer.distinctWords,
      corpora: corpora.map { source, corpus in
        .init(
          path: source.path, share: source.share,
          validationTokensPerByte: tokenizer.tokensPerByte(of: corpus, .validation))
      })
    guard !json else { return try Terminal.write(json: report) }
    try Terminal.write(report.text(asked: vocabulary, minimumFrequency: minimumFrequency))
  }
}

/// What `tokenizer train` prints.
private struct TokenizerReport: Encodable {
  struct Corpus: Encodable {
    let path: String
    let share: Double
    let validationTokensPerByte: Double

    enum CodingKeys: String, CodingKey {
      case path, share
      case validationTokensPerByte = "validation_tokens_per_byte"
    }
  }

  let output: String
  let tokens: Int
  let trainingBytes: Int
  let trainingWords: Int
  let corpora: [Corpus]

  enum CodingKeys: String, CodingKey {
    case output, tokens, corpora
    case trainingBytes = "training_bytes"
    case trainingWords = "training_words"
  }

  func text(asked: Int, minimumFrequency: Int) -> String {
    var text = "\(output): \(tokens) tokens from \(trainingBytes) bytes of training text"
    if tokens < asked {
      text += "; not \(asked): no pair is left that occurs \(minimumFrequency) times"
    }
    let width = corpora.map(\.path.count).max() ?? 0
    for corpus in corpora {
      let path = corpus.path.padding(toLength: width, withPad: " ", startingAt: 0)
      let perByte = corpus.validationTokensPerByte
      text += "\n  \(path)  "
      text += String(format: "%.4f tokens a byte of validation text (%.2f bytes a token)", perByte, 1 / perByte)
    }
    return text + "\n"
  }
}
