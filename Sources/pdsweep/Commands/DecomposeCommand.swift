internal import ArgumentParser
internal import Foundation
internal import ParameterDecomposition
internal import SettingsFiles
internal import TensorKernels

/// `pdsweep decompose`.
struct DecomposeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decompose",
    abstract: "Decompose weight matrices of a model into rank-1 subcomponents.",
    discussion: """
      A recipe in YAML says what is decomposed and how; paths in it are relative to its own folder:

        decompose: decomposition-ica            # the name of the result
        model: target                           # the model's folder
        sites: [h.1.mlp.c_fc, h.1.attn.v_proj]  # or: all
        method: ica                             # or: svd, neurons
        corpora: {german: de.txt, english: {text: en.txt, share: 3}}
        ica: {tokens: 16384, seeds: [0, 1, 2], ridge: 1e-4, iterations: 200}
        start: "<|endoftext|>"                  # windows begin with this token
        context: 128                            # tokens of a window (the model's)
        evaluation: {tokens_per_corpus: 4096}

      Methods, all exact:
        ica      directions along which the site's inputs on training text are least
                 like a normal distribution
        svd      singular vectors, largest first
        neurons  rows or columns of the matrix as they are: the neurons of the MLP,
                 the dimensions of the heads

      A text's share is its weight in the tokens that ica looks at, 1 if not given. Use those that the model was trained \
      with: what is rare in the text stands out, and in equal shares no language is. Each start takes seconds where the \
      matrix has 128 inputs and minutes where it has 512; last_change says how much still moved when it ended.

      Writes NAME.safetensors (SITE.V and SITE.U) into the model folder and NAME.provenance.json beside it. Prints for \
      each site the number of subcomponents and the faithfulness, the mean square of (V U)^T - W; then the \
      cross-entropy of the model put together from its subcomponents beside that of the base, on validation text.

      EXAMPLES
        pdsweep decompose ica.yaml
        pdsweep decompose ica.yaml --model models/small --corpora texts \\
            --output ica.safetensors --threads 2
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

  @Option(help: "Threads of the BLAS.")
  var threads = 1

  @Flag(help: "Print one JSON object instead of tables.")
  var json = false

  func validate() throws {
    guard (1...256).contains(threads) else {
      throw ValidationError("expected --threads from 1 to 256, found \(threads)")
    }
  }

  func run() throws {
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
    let provenance = try run.run(to: output, program: "pdsweep \(PDSweep.version)") { site in
      let notes = site.notes.sorted { $0.key < $1.key }.map { "  \($0) \(Self.short($1))" }.joined()
      write("\(site.site): \(site.subcomponents) subcomponents, faithfulness \(Self.short(site.faithfulness))\(notes)")
    }
    for corpus in provenance.corpora {
      write(
        "\(corpus.corpus): cross-entropy \(Self.nats(corpus.decomposed)), base \(Self.nats(corpus.base)), on "
          + "\(corpus.tokens) tokens")
    }
    write(output)
    if let failure { throw failure }
    if json { try Terminal.write(json: provenance) }
  }

  private static func short(_ number: Double) -> String { String(format: "%.3g", number) }
  private static func nats(_ number: Double) -> String { String(format: "%.5f", number) }
}
