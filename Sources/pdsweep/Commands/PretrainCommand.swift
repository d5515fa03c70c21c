internal import ArgumentParser
internal import Foundation
internal import ParameterDecomposition
internal import SettingsFiles
internal import Synchronization

/// `pdsweep pretrain`.
struct PretrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Train a target model from scratch, or carry its training on.",
    discussion: """
      The recipe is a YAML file: the model's sizes, a tokenizer, texts by language with their shares, and how to train. \
      Paths in it are relative to its folder. The texts are those of `pdsweep corpus`, cut as a sweep cuts them: the \
      model never sees a held-out line.

        pretrain: small                     # the model's name
        tokenizer: tokenizer.json           # its size is the vocabulary
        model: {layers: 4, width: 128, heads: 4, intermediate: 512, context: 128}
                                            # key_value_heads (heads)
                                            # rotary_base (10000)
        corpora:
          english: {text: en.txt, share: 3} # of the windows (1); text may recur
          german:  {text: de.txt, share: 1}
        training:
          tokens: 50000000                  # or steps
          batch: 16                         # windows of a step
          learning_rate: 3e-3
          warm_up: 100                      # steps (0)
          schedule: cosine                  # or linear
          final_learning_rate: 0.1          # a part of learning_rate
          seed: 0
          betas: [0.9, 0.95]
          epsilon: 1e-8
          weight_decay: 0.1                 # on matrices only
          clip_norm: 1                      # or none
        evaluation: {every: 500, tokens_per_corpus: 16384}
        checkpoints: {every: 500}

      All but `pretrain`, `tokenizer`, `model`, `corpora`, `tokens` or `steps`, `batch` and `learning_rate` may be left \
      out; the values above are then those in parentheses or those shown from `schedule` on.

      Neighbouring lines of a text are joined by line breaks, as in the windows of a sweep. <|endoftext|> stands before \
      every stretch of training text that held-out text does not interrupt, and begins every window, so that the model \
      knows the token that sweeps begin theirs with. Every pass over a text sees each token once, in windows that are \
      cut and ordered anew.

      Writes a model folder: model.safetensors, model_config.yaml, tokenizer.json, and pretraining.json, which holds the \
      recipe, the digests of the files and the losses. Before that there is checkpoint.safetensors. Whatever ends the \
      command (Ctrl-C, SIGTERM, a crash), the same command carries the training on, and the files come out the same \
      byte for byte, on any number of threads.

      EXAMPLES
        pdsweep pretrain small.yaml --output models/small
        pdsweep pretrain small.yaml --corpora texts --tokenizer tokenizer.json

      EXIT STATUS
        0    the model is written
        1    the training diverged
        2    bad input: nothing was computed
        130  stopped by Ctrl-C (143 by SIGTERM); a checkpoint is written
      """
  )

  @Argument(help: "The recipe, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
  var recipe: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The model folder to write. (default: the model's name)", valueName: "folder"),
    completion: .directory)
  var output: String?

  @Option(
    help: ArgumentHelp("Use this tokenizer instead of the recipe's.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var tokenizer: String?

  @Option(
    help: ArgumentHelp("Find the texts in this folder, by their file names.", valueName: "folder"),
    completion: .directory)
  var corpora: String?

  @Option(
    help: ArgumentHelp(
      "Threads to compute on. More than the windows of a batch, or than 8, are of no use. (default: cores)",
      valueName: "number"))
  var threads: Int?

  @Flag(help: "Write nothing but problems.")
  var quiet = false

  @Flag(help: "At the end print one JSON object instead of a line.")
  var json = false

  func validate() throws {
    guard let threads, !(1...256).contains(threads) else { return }
    throw ValidationError("expected --threads from 1 to 256, found \(threads)")
  }

  func run() async throws {
    let file = URL(fileURLWithPath: recipe)
    let recipe = try PretrainingRecipe(contentsOf: file)
    let folder = PretrainingFolder(path: output ?? recipe.name)
    let display = ProgressDisplay(style: quiet ? .silent : .suitable)
    let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    let interruption = Mutex<Interruption?>(nil)
    let outcome: Pretraining.Outcome
    do {
      outcome = try await OwnThread.run { [tokenizer, corpora, quiet] in
        let inputs = try PretrainingInputs(recipe: recipe, file: file, tokenizer: tokenizer, corpora: corpora)
        let training = Pretraining(
          inputs, folder: folder, threads: threads, program: "pdsweep \(PDSweep.version)")
        let interruptions = Interruptions { signal in interruption.withLock { $0 = signal } }
        defer { withExtendedLifetime(interruptions) {} }
        let clock = ContinuousClock()
        let start = clock.now
        let report = PretrainingReport(recipe, display: display) { clock.now - start }
        return try training.run(shouldStop: { interruption.withLock { $0 != nil } }) { event in
          if !quiet { report.take(event) }
        }
      }
    } catch let divergence as Pretraining.Divergence {
      display.end()
      Terminal.writeError("pdsweep: error: \(divergence)")
      throw ExitCode(1)
    }
    display.end()
    switch outcome {
    case .stopped(let step):
      Terminal.writeError(
        "pdsweep: stopped behind step \(step) of \(recipe.training.steps); a checkpoint is written, and the same command "
          + "carries the training on")
      throw ExitCode(interruption.withLock { $0 }?.exitStatus ?? 1)
    case .finished(let record, let already):
      if already, !quiet { display.remark("the model is finished already: nothing was computed") }
      try Terminal.write(json ? record.jsonLine : summary(of: record, in: folder))
    }
  }

  private func summary(of record: PretrainingRecord, in folder: PretrainingFolder) -> String {
    let test = record.test.sorted { $0.key < $1.key }.map { "\($0.key) " + String(format: "%.3f", $0.value) }
    return "\(folder.url.relativePath): \(record.parameters) weights, vocabulary \(record.vocabulary), trained for "
      + "\(record.training.steps) steps; cross-entropy on the test split, nats: \(test.joined(separator: ", "))\n"
  }
}
