internal import ArgumentParser
internal import Foundation
internal import ParameterDecomposition
internal import SettingsFiles
internal import Synchronization
internal import TensorKernels

/// `pdsweep decompose`.
struct DecomposeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decompose",
    abstract: "Decompose weight matrices of a model into rank-1 subcomponents.",
    discussion: """
      A recipe in YAML says what is decomposed and how; paths in it are relative to its own folder:

        decompose: decomposition-ica            # the name of the result
        model: target                           # the model's folder
        sites: [h.1.mlp.c_fc, h.1.attn.v_proj]  # or: all
        method: ica                             # or: svd, neurons, vpd
        corpora: {german: de.txt, english: {text: en.txt, share: 3}}
        ica: {tokens: 16384, seeds: [0, 1, 2], ridge: 1e-4, iterations: 200}
        start: "<|endoftext|>"                  # windows begin with this token
        context: 128                            # tokens of a window (the model's)
        evaluation: {tokens_per_corpus: 4096}

      Methods; the first three are exact and take each matrix by itself:
        ica      directions along which the site's inputs on training text are least
                 like a normal distribution
        svd      singular vectors, largest first
        neurons  rows or columns of the matrix as they are: the neurons of the MLP,
                 the dimensions of the heads
        vpd      subcomponents of which few at a time matter to what the model says,
                 and functions that say which; all sites are trained together

      A text's share is its weight in the tokens that ica and vpd look at, 1 if not given. What is on for about a fifth \
      of the tokens is nearly invisible to ica, and what is rare stands out: to find languages, give the same small share \
      to each but the main one. Each start of ica takes seconds where the matrix has 128 inputs and minutes where it has \
      512; last_change says how much still moved when it ended.

      The settings of vpd, of which `steps`, `learning_rate` and `importance.weight` have to be there; the others may \
      be left out and are then as shown, or as in parentheses:

        vpd:
          steps: 4000
          batch: 8                        # windows of a step
          seed: 0
          start: ica                      # as the section ica says; or: random
          subcomponents: {c_fc: 256}      # or one number (as many as inputs)
          hidden: 64                      # units of each importance function
          learning_rate: 1e-3             # of V and U
          importance_learning_rate: 1e-3  # (learning_rate)
          final_learning_rate: 0.1        # a part of the first
          betas: [0.9, 0.99]
          clip_norm: none                 # of the gradients of V and U
          sources: [0, 1]                 # r of masks m = g + (1 - g) r
          stochastic: {weight: 0.5}       # random r, on random sites in every token
          adversarial: {weight: 0.5, learning_rate: 0.01, warm_up: 0}
          importance:
            {weight: 1e-4, ramp: 0, powers: [2, 0.4], annealing: 1, frequency: 0.2}
          faithfulness: 1e5
          checkpoints: {every: 500}

      A random start wants at least twice as many subcomponents as inputs: with as many, the directions nearly depend on \
      each other, and what is made of them is so large that the least mask shows. `adversarial.warm_up` is the number of \
      steps that the adversary takes before each step of the training, besides the one that goes with it. \
      `importance.ramp` is the part of the steps in which the weight rises, `annealing` that in which the power of the \
      importances goes from the first to the last.

      Writes NAME.safetensors (SITE.V and SITE.U) into the model folder and NAME.provenance.json beside it; vpd also \
      NAME.importance.safetensors and, while it is at work, NAME.checkpoint.safetensors. Whatever ends vpd (Ctrl-C, \
      SIGTERM, a crash), the same command carries it on, and the files come out the same byte for byte, on any number of \
      threads. Prints each site when it is done; then, measured on validation text, the tables of `pdsweep evaluate`: how \
      many subcomponents matter a token, and what is left of the model under masks. They stand in NAME.provenance.json.

      EXAMPLES
        pdsweep decompose ica.yaml
        pdsweep decompose ica.yaml --model models/small --corpora texts \\
            --output ica.safetensors --threads 2

      EXIT STATUS
        0    the decomposition is written
        1    vpd diverged
        2    bad input
        130  stopped by Ctrl-C (143 by SIGTERM); vpd has written a checkpoint
      """
  )

  @Argument(help: "The recipe.", completion: .file(extensions: ["yaml", "yml"]))
  var recipe: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write the decomposition here instead of into the model folder.", valueName: "file"))
  var output: String?

  @Option(
    help: ArgumentHelp("Use this model in place of the recipe's.", valueName: "folder"), completion: .directory)
  var model: String?

  @Option(
    help: ArgumentHelp("Find the texts in this folder, by their file names.", valueName: "folder"),
    completion: .directory)
  var corpora: String?

  @Option(help: "Threads to compute on. More than 4 are of no use to vpd.")
  var threads = 1

  @Flag(help: "Write no progress.")
  var quiet = false

  @Flag(help: "Print one JSON object instead of tables.")
  var json = false

  func validate() throws {
    guard (1...256).contains(threads) else {
      throw ValidationError("expected --threads from 1 to 256, found \(threads)")
    }
  }

  func run() async throws {
    let display = ProgressDisplay(style: quiet || json ? .silent : .suitable)
    let interruption = Mutex<Interruption?>(nil)
    do {
      let provenance = try await OwnThread.run { [self] in
        let interruptions = Interruptions { signal in interruption.withLock { $0 = signal } }
        defer { withExtendedLifetime(interruptions) {} }
        return try decompose(display) { interruption.withLock { $0 != nil } }
      }
      display.end()
      if json { try Terminal.write(json: provenance) }
    } catch let divergence as VPD.Divergence {
      display.end()
      Terminal.writeError("pdsweep: error: \(divergence)")
      throw ExitCode(1)
    } catch let stopped as DecompositionControl.Stopped {
      display.end()
      Terminal.writeError(
        "pdsweep: stopped behind step \(stopped.step) of \(stopped.steps); a checkpoint is written, and the same command "
          + "carries the decomposition on")
      throw ExitCode(interruption.withLock { $0 }?.exitStatus ?? 1)
    }
  }

  /// All of it, on the calling thread.
  private func decompose(
    _ display: ProgressDisplay, shouldStop: @escaping () -> Bool
  ) throws -> DecompositionProvenance {
    Product.setThreads(threads)
    let run = try DecompositionRun(
      DecompositionRecipe(contentsOf: URL(fileURLWithPath: recipe)), model: model, corpora: corpora)
    let output = output ?? run.defaultOutput
    guard case .folder = FileKind(of: URL(fileURLWithPath: output).deletingLastPathComponent()) else {
      throw ValidationError("--output: expected a file in a folder that exists, found \(output)")
    }
    var failure: OutputError?
    func write(_ line: String) {
      guard !json, failure == nil else { return }
      do { try Terminal.write(line + "\n") } catch { failure = error }
    }
    let clock = ContinuousClock()
    let start = clock.now
    let report = DecompositionReport(run.recipe, display: display) { clock.now - start }
    let provenance = try run.run(
      to: output, program: "pdsweep \(PDSweep.version)",
      control: DecompositionControl(threads: threads, shouldStop: shouldStop) { report.take($0) }
    ) { site in
      display.end()
      let notes = site.notes.sorted { $0.key < $1.key }.map { "  \($0) \(Self.short($1))" }.joined()
      write("\(site.site): \(site.subcomponents) subcomponents, faithfulness \(Self.short(site.faithfulness))\(notes)")
    }
    write("\n" + EvaluationTables.text([(provenance.name, provenance.evaluation)]))
    write(output)
    if let failure { throw failure }
    return provenance
  }

  private static func short(_ number: Double) -> String { String(format: "%.3g", number) }
}
