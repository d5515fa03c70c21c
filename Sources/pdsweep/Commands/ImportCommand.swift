internal import ArgumentParser
internal import Foundation
internal import ParameterDecomposition

/// `pdsweep import`.
struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Make a model folder of a published model and its decomposition.",
    discussion: """
      Reads the checkpoint of a model, its model_config.yaml and its tokenizer.json, and the checkpoint of its \
      decomposition, and writes a folder that sweeps, harvest and evaluate take: model.safetensors, model_config.yaml, \
      tokenizer.json, decomposition.safetensors, and import.json with digests and figures.

      A checkpoint is a safetensors file or one of torch.save (.pt, .pth). Of the latter only tensors are read: nothing \
      in it is ever run, and a file that asks for anything else is refused with what it asks for and where. Tensors \
      may be kept under any prefix, in F32, F16, BF16 or F64, and are written in F32. Of a decomposition the factors \
      are read, _components.h-0-mlp-c_fc.V and .U or h.0.mlp.c_fc.V and .U; what else there is, such as the network \
      of causal importances, is skipped and named. Weights of the model beside the factors must be this model's. \
      Files may be larger than memory.

      Prints of each site how near its subcomponents come to its matrix: the distance, which is the Frobenius norm of \
      W - (V U)^T, also as a share of that of W, and the mean square. The folder appears as a whole or not at all.

      EXAMPLES
        pdsweep import model_step_99999.safetensors \\
            --decomposition model_400000.pth --output targets/published
        pdsweep harvest targets/published/decomposition.safetensors \\
            --corpus german=de.txt --corpus english=en.txt
        pdsweep target pack targets/published --output shelf/published \\
            --note targets/published/import.json
      """
  )

  @Argument(help: "The model's checkpoint.", completion: .file())
  var model: String

  @Option(
    help: ArgumentHelp(
      "The model's configuration. [default: model_config.yaml beside the model]", valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp("The model's tokenizer. [default: tokenizer.json beside the model]", valueName: "file"))
  var tokenizer: String?

  @Option(help: ArgumentHelp("The decomposition's checkpoint.", valueName: "file"))
  var decomposition: String?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The folder to write; it must not be there.", valueName: "folder"),
    completion: .directory)
  var output: String

  @Flag(help: "Print one JSON object instead of text.")
  var json = false

  func validate() throws {
    let name = URL(fileURLWithPath: output).standardizedFileURL.lastPathComponent
    guard !name.hasPrefix("."), name != "/" else {
      throw ValidationError("--output: expected a folder with a name, found \(output.printable)")
    }
  }

  func run() throws {
    let beside = URL(fileURLWithPath: model).deletingLastPathComponent()
    let sources = TargetImport.Sources(
      model: model, configuration: config ?? beside.appendingPathComponent("model_config.yaml").relativePath,
      tokenizer: tokenizer ?? beside.appendingPathComponent("tokenizer.json").relativePath,
      decomposition: decomposition)
    let record = try TargetImport(sources).write(
      to: URL(fileURLWithPath: output, isDirectory: true), program: "pdsweep \(PDSweep.version)")
    for site in record.decomposition?.sites ?? [] where site.distance >= site.norm {
      Terminal.writeError(
        "pdsweep: \(site.site): the subcomponents are no nearer to the matrix than nothing is; check that the "
          + "decomposition and the model belong together")
    }
    if json { try Terminal.write(json: record) } else { try Terminal.write(record.text(folder: output)) }
  }
}

extension ImportRecord {
  /// Some lines for people.
  fileprivate func text(folder: String) -> String {
    var text = "\(folder): \(parameters) weights"
    if let decomposition {
      text += ", \(decomposition.sites.reduce(0) { $0 + $1.subcomponents }) subcomponents at "
      text += "\(decomposition.sites.count) sites\n"
      var table = MarkdownTable(
        ["site", "subcomponents", "distance", "share", "mean square"], textColumns: 1)
      for site in decomposition.sites {
        table.append([
          site.site, "\(site.subcomponents)", String(format: "%.3g", site.distance),
          String(format: "%.2g", site.distance / site.norm), String(format: "%.2g", site.meanSquare),
        ])
      }
      text += table.text
    } else {
      text += "\n"
    }
    for (file, groups) in [("model", skipped), ("decomposition", decomposition?.skipped ?? [])] {
      for group in groups {
        let size = String(format: "%.1f MB", Double(group.bytes) / 1e6)
        let count = group.tensors == 1 ? "1 tensor" : "\(group.tensors) tensors"
        text += "skipped in the \(file)'s checkpoint: \(group.name.printable), \(count), \(size)\n"
      }
    }
    return text
  }
}
