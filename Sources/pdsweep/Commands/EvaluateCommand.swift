internal import ArgumentParser
internal import Foundation
internal import LanguageModel
internal import ParameterDecomposition

/// `pdsweep evaluate`.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure how good decompositions of a model are.",
    discussion: """
      Runs the model on held-out text with masks m on the subcomponents of all sites at once, and one on what they leave \
      of each matrix, W - (V U)^T. g are the causal importances that a decomposition's importance function gives, from 0 \
      to 1 for each subcomponent in each token: NAME.importance.safetensors beside NAME.safetensors. A decomposition \
      without one is measured as far as that goes. Prints two tables in Markdown, over all decompositions. Of each site:

        subcomponents  how many there are, C
        nonzero        how many have g > 0 in a token, in the mean over the text
                       (all, where there is no importance function)
        active         how many have g > 0.5, likewise
        faithfulness   mean square of (V U)^T - W

      And of each text the cross-entropy, nats a token, with KL(base || masked) beside it, of

        base           the model as it is
        all            all subcomponents without the rest: m = 1, rest 0
        importance     what is important alone: m = g, rest 0
        stochastic     m = g + (1 - g) r with r random from 0 to 1, and as random a
                       mask of the rest
        shared         the same with one r for each subcomponent and position of a
                       window, the same in all windows, and such masks of the rest,
                       chosen against the model: from random ones on, projected
                       gradient ascent on KL(base || masked), every r moved by
                       --adversary-step-size as the sign of its gradient says; of all
                       that was tried the worst counts
        adversarial    likewise with r, and the mask of the rest, each token's own; of
                       all that was tried the worst of each window counts

      Writes the same with its provenance as NAME.evaluation.json beside each decomposition. The figures are the same on \
      any number of threads.

      EXAMPLES
        pdsweep evaluate target/decomposition-vpd.safetensors \\
            --corpus german=de.txt --corpus english=en.txt --threads 2
        pdsweep evaluate target/ica.safetensors target/svd.safetensors \\
            --split test --tokens 16384 --corpus german=de.txt >> results.md
      """
  )

  @Argument(help: "The decompositions, all of one model.", completion: .file(extensions: ["safetensors"]))
  var decompositions: [String]

  @OptionGroup var text: DecompositionTextOptions

  @Option(help: "The part of each text: validation or test.")
  var split = HeldOut.validation

  @Option(help: "Tokens to predict of each text, rounded up to whole windows.")
  var tokens = 4096

  @Option(help: "Steps of the adversary.")
  var adversarySteps = DecompositionEvaluation.Settings().adversarySteps

  @Option(help: "What a step of the adversary moves each r by.")
  var adversaryStepSize = DecompositionEvaluation.Settings().adversaryStepSize

  @Option(help: "Chooses the random masks.")
  var seed = 0

  @Option(help: "Threads to compute on.")
  var threads = 1

  @Flag(help: "Print a JSON array of one object for each decomposition.")
  var json = false

  /// A part of a text that models have not been trained on.
  enum HeldOut: String, ExpressibleByArgument, CaseIterable {
    case validation
    case test

    var split: Corpus.Split {
      switch self {
      case .validation: .validation
      case .test: .test
      }
    }
  }

  func validate() throws {
    try DecompositionTextOptions.check("threads", threads, 1...256)
    try DecompositionTextOptions.check("tokens", tokens, 1...1_000_000_000)
    try DecompositionTextOptions.check("seed", seed, 0...1_000_000_000)
    try DecompositionTextOptions.check("adversary-steps", adversarySteps, 0...100_000)
    guard adversaryStepSize > 0, adversaryStepSize <= 1 else {
      throw ValidationError(
        "--adversary-step-size: expected a number above 0, 1 at most, found \(adversaryStepSize)")
    }
    for (place, decomposition) in decompositions.enumerated() where decompositions[..<place].contains(decomposition) {
      throw ValidationError("expected each decomposition once, found \(decomposition) again")
    }
  }

  func run() throws {
    let (folder, context) = try text.target(of: decompositions[0])
    // All are opened before the first takes its time.
    let inputs = try decompositions.map { try DecompositionInput(path: $0, of: folder) }
    for decomposition in decompositions {
      try folder.refuse(
        output: EvaluationRecord.path(beside: decomposition), over: decompositions + text.corpus.map(\.path))
    }
    let (read, digests) = try text.text(for: folder, context: context)
    let windows = try read.corpora.map { part in
      (
        corpus: part.name,
        windows: try part.corpus.evaluationWindows(
          split.split, tokens: (tokens + context - 1) / context * context, context: context,
          tokenizer: read.tokenizer, start: read.start)
      )
    }
    var records: [(name: String, record: EvaluationRecord)] = []
    for (path, input) in zip(decompositions, inputs) {
      let evaluator = try DecompositionEvaluator(
        model: folder.model, decomposition: input.decomposition, importance: input.importance,
        settings: DecompositionEvaluation.Settings(
          adversarySteps: adversarySteps, adversaryStepSize: adversaryStepSize, seed: seed))
      guard let evaluation = try evaluator.evaluate(windows, threads: threads) else {
        preconditionFailure("nobody asks it to stop")
      }
      let record = EvaluationRecord(
        program: "pdsweep \(PDSweep.version)", inputs: digests.merging(input.digests) { other, _ in other },
        split: split.split, context: context, start: text.start,
        evaluation: evaluation)
      try record.write(beside: path)
      records.append((URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent, record))
    }
    if json {
      try Terminal.write(json: records.map(\.record))
    } else {
      try Terminal.write(EvaluationTables.text(records.map { ($0.name, $0.record.evaluation) }))
    }
  }
}
