internal import ArgumentParser
internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition
internal import TensorKernels

/// `pdsweep generate`.
struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continue prompts with a model, before and after an edit.",
    discussion: """
      Prints each prompt, what the model continues it with and, with --edit, what the edited model does from the same \
      seed, as it comes. A continuation ends early where the model ends its text, or with its context.

      EXAMPLES
        pdsweep generate --target reference --prompt "Der alte Mann" --prompt "The old"
        pdsweep generate --target reference --edit edits/NAME --prompts prompts.txt \\
            --tokens 100 --temperature 0 --json
      """
  )

  @OptionGroup var options: EditOptions

  @Option(help: ArgumentHelp("The edit: a folder of `pdsweep edits`.", valueName: "folder"), completion: .directory)
  var edit: String?

  @Option(help: ArgumentHelp("A text to continue; may be repeated.", valueName: "text"))
  var prompt: [String] = []

  @Option(help: ArgumentHelp("A file of texts to continue, one a line.", valueName: "file"), completion: .file())
  var prompts: String?

  @OptionGroup var sampling: SamplingOptions

  @Option(help: "Text of the token that prompts stand behind. [default: the edit's, or <|endoftext|>]")
  var start: String?

  @Option(help: "Threads of the BLAS.")
  var threads = 1

  @Flag(help: "Print one JSON object a prompt, when it is complete, instead of text.")
  var json = false

  func validate() throws {
    try DecompositionTextOptions.check("threads", threads, 1...256)
    guard !prompt.isEmpty || prompts != nil else {
      throw ValidationError("expected a text to continue: --prompt TEXT or --prompts FILE")
    }
    guard edit != nil || options.decomposition == nil else {
      throw ValidationError("--decomposition: expected an --edit that names subcomponents, found none")
    }
  }

  func run() async throws {
    try await OwnThread.run { [self] in try generate() }
  }

  private func generate() throws {
    Product.setThreads(threads)
    let texts = try prompt + (prompts.map(SamplingOptions.prompts) ?? [])
    let target = try options.openTarget()
    let loaded = try edit.map { try options.load($0, for: target) }
    let continuation = Continuation(
      model: target.model, tokenizer: target.tokenizer,
      start: try target.tokenizer.startToken(start ?? loaded?.file.start ?? "<|endoftext|>"), tokens: sampling.tokens,
      temperature: sampling.temperature, seed: UInt64(sampling.seed))
    // What cannot be continued is told before anything is printed.
    let inputs = try texts.map(continuation.input)
    for (number, (text, input)) in zip(texts, inputs).enumerated() {
      guard !json else {
        let base = continuation.run(input, number: number, edit: nil)
        let edited = loaded.map { continuation.run(input, number: number, edit: $0.edit) }
        try Terminal.write(json: Document(prompt: text, base: base, edited: edited))
        continue
      }
      try Terminal.write((number == 0 ? "" : "\n") + "> \(text.shown)\n")
      try stream(loaded == nil ? "" : "base:   ") { continuation.run(input, number: number, edit: nil, say: $0) }
      if let loaded {
        try stream("edited: ") { continuation.run(input, number: number, edit: loaded.edit, say: $0) }
      }
    }
  }

  /// Prints a continuation as it comes.
  private func stream(_ title: String, _ body: ((String) -> Void) -> Void) throws {
    var failure: OutputError?
    func write(_ text: String) {
      guard failure == nil else { return }
      do { try Terminal.write(text) } catch { failure = error }
    }
    write(title)
    body { write($0.shown) }
    write("\n")
    if let failure { throw failure }
  }

  private struct Document: Encodable {
    let prompt: String
    let base: String
    /// Absent without an edit.
    let edited: String?
  }
}

extension String {
  /// The text as a terminal can show it in one paragraph: line breaks as ⏎, nothing else that would move the cursor.
  fileprivate var shown: String { replacing("\n", with: "⏎").printable }
}
