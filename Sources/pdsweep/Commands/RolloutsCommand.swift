internal import ArgumentParser
internal import Foundation
internal import LanguageModel
internal import SweepCore
internal import SweepReport

/// `pdsweep rollouts`.
struct RolloutsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollouts",
    abstract: "Show what a sweep's edits do to text, token by token.",
    discussion: """
      Takes one edit of each method: the middle one of those that tokens-to-target chose for the method's seeds, or \
      where most seeds never reach the goal the best by itself (see `pdsweep edits`); with --cell the finished edits of \
      those cells. They are trained again and have to be the recorded ones to the last bit. Writes a JSON file with

        prompts    beginnings of lines of the test split of every corpus (or those of
                   --prompts), and what the base model continues them with
        windows    held-out text of every corpus, token by token, with the base
                   model's cross-entropy
        edits      for each edit its continuations of the prompts from the same seed,
                   cross-entropy and KL(base || edited) of every token of the windows,
                   and how that KL is distributed over the test text of each corpus,
                   in nats

      The same results give the same bytes. The file is replaced as a whole.

      EXAMPLES
        pdsweep rollouts demo.sqlite --corpora corpora --output rollouts.json
        pdsweep rollouts demo.sqlite --corpora corpora --cell 3 --prompts prompts.txt \\
            --temperature 0 --output rollouts.json

      EXIT STATUS
        0    the file is written
        1    an edit came out otherwise than it is recorded
        2    bad input
        130  stopped by Ctrl-C (143 by SIGTERM); nothing is written
      """
  )

  @OptionGroup var replay: ReplayOptions

  @Option(help: ArgumentHelp("Continue these texts instead, one a line.", valueName: "file"), completion: .file())
  var prompts: String?

  @Option(help: "Prompts of each corpus.")
  var promptsPerCorpus = 2

  @Option(help: "Tokens of each of these prompts.")
  var promptTokens = 16

  @OptionGroup var sampling: SamplingOptions

  @Option(help: "Windows of each corpus that are told token by token.")
  var windows = 1

  @Option(help: "Tokens of each of these windows at most.")
  var windowTokens = 256

  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"))
  var output = RolloutDocument.fileName

  func validate() throws {
    try DecompositionTextOptions.check("prompts-per-corpus", promptsPerCorpus, 0...1000)
    try DecompositionTextOptions.check("prompt-tokens", promptTokens, 1...10_000)
    try DecompositionTextOptions.check("windows", windows, 0...1000)
    try DecompositionTextOptions.check("window-tokens", windowTokens, 1...1_000_000)
  }

  func run() async throws {
    let display = ProgressDisplay(style: replay.quiet ? .silent : .suitable)
    do {
      let file = output
      try await InterruptibleWork.run { [self] isCancelled in
        let settings = RolloutRun.Settings(
          promptsPerCorpus: promptsPerCorpus, promptTokens: promptTokens,
          prompts: try prompts.map(SamplingOptions.prompts) ?? [], windowsPerCorpus: windows,
          windowTokens: windowTokens,
          sampling: .init(tokens: sampling.tokens, temperature: sampling.temperature, seed: UInt64(sampling.seed)))
        let sweep = try replay.sweep(choosing: \.representatives)
        let engine = try sweep.load()
        let run = RolloutRun(sweep.sweep, on: engine, settings, isCancelled: isCancelled)
        let edits = try sweep.train(on: engine, display: display, isCancelled: isCancelled)
        let (begun, display) = (ContinuousClock.now, ProgressDisplay(style: display.style))
        defer { display.end() }
        let document = try run.document(edits) { what, done, all in
          display.show(what, ended: done, of: all, after: ContinuousClock.now - begun)
        }
        try writeFile(file, Array(document.json().utf8))
      }
      try Terminal.write(file + "\n")
    } catch let fault as ReplayFault {
      Terminal.writeError("pdsweep: error: \(fault)")
      throw ExitCode(1)
    }
  }
}
