public import Foundation
internal import TensorKernels

/// LoRAs in the layout of Hugging Face's PEFT: a folder with `adapter_config.json` and `adapter_model.safetensors`.
///
/// PEFT adds lora_alpha / r x lora_B lora_A to the module of each name in `target_modules`, so that `lora_alpha` is the
/// edit's scale. Tensors are named `base_model.model.<site>.lora_A.weight` `[r, d_in]` and `...lora_B.weight`
/// `[d_out, r]`.
public enum PEFTAdapter {
  /// The names of the two files.
  public static let fileNames = (configuration: "adapter_config.json", weights: "adapter_model.safetensors")

  private static let prefix = "base_model.model."

  /// What `adapter_config.json` says; fields that PEFT fills in by itself are left out.
  private struct Configuration: Codable {
    var peft_type = "LORA"
    let r: Int
    let lora_alpha: Double
    var lora_dropout = 0.0
    let target_modules: [String]
    var bias = "none"
    var fan_in_fan_out = false
    var use_rslora = false
    var inference_mode = true
  }

  // MARK: - Writing

  /// Writes an edit into a folder that is there. Equal edits give equal bytes.
  ///
  /// - Throws: the file that cannot be written.
  public static func write(_ edit: LoRAEdit, to folder: URL) throws(InputFileError) {
    let tensors = edit.factors.flatMap { part in
      [("A", part.a), ("B", part.b)].map { letter, matrix in
        SafetensorsFile.Content(
          name: name(part.site, letter), shape: [matrix.rows, matrix.columns], elements: matrix.copyOfElements())
      }
    }
    // Loaders of the transformers family ask which framework a file is from.
    try SafetensorsFile.write(
      tensors, metadata: ["format": "pt"], to: folder.appendingPathComponent(fileNames.weights).path)
    let configuration = Configuration(
      r: edit.rank, lora_alpha: edit.scale, target_modules: edit.sites.sorted().map(\.description))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      let text = try encoder.encode(configuration)
      try writeFile(folder.appendingPathComponent(fileNames.configuration).path, Array(text) + [UInt8(ascii: "\n")])
    } catch let error as InputFileError {
      throw error
    } catch {
      preconditionFailure("a scale that JSON cannot hold: \(error)")
    }
  }

  // MARK: - Reading

  /// Reads the edit in a folder, for a model of a configuration.
  ///
  /// - Throws: what is missing, is not a plain LoRA of some of the model's sites, or does not fit them.
  public static func read(_ folder: URL, configuration: ModelConfiguration) throws(InputFileError) -> LoRAEdit {
    let settings = try settings(folder)
    let file = try SafetensorsFile(path: folder.appendingPathComponent(fileNames.weights).path)
    var sites: [Site] = []
    for module in settings.target_modules {
      guard let site = Site(module), configuration.sites.contains(site), !sites.contains(site) else {
        throw InputFileError(
          file: folder.appendingPathComponent(fileNames.configuration).path, place: "target_modules",
          problem: "expected sites of the model such as \(configuration.sites[0]), each once, found \(quoted(module))",
          advice: "check that the adapter and the model belong together")
      }
      sites.append(site)
    }
    var factors: [LoRAEdit.Factors] = []
    for site in sites.sorted() {
      let shape = configuration.shape(of: site)
      let a = try file.matrix(name(site, "A"), rows: settings.r, columns: shape.inputs)
      let b = try file.matrix(name(site, "B"), rows: shape.outputs, columns: settings.r)
      try file.requireFinite(a, name(site, "A"))
      try file.requireFinite(b, name(site, "B"))
      factors.append(LoRAEdit.Factors(site: site, a: Matrix(copying: a), b: Matrix(copying: b)))
    }
    let known = Set(factors.flatMap { [name($0.site, "A"), name($0.site, "B")] })
    if let other = file.tensors.first(where: { !known.contains($0.name) }) {
      throw InputFileError(
        file: file.path, place: other.name, problem: "expected the factors of target_modules only, found this tensor",
        advice: "check that the two files of the adapter belong together")
    }
    return LoRAEdit(factors, scale: settings.lora_alpha)
  }

  private static func settings(_ folder: URL) throws(InputFileError) -> Configuration {
    let path = folder.appendingPathComponent(fileNames.configuration).path
    let bytes = try readFile(path)
    let settings: Configuration
    do {
      settings = try JSONDecoder().decode(Configuration.self, from: Data(bytes))
    } catch {
      throw InputFileError(
        file: path, problem: "expected the settings of a PEFT adapter as `pdsweep edits` writes them, found others",
        advice: "write the edit again")
    }
    let isPlain =
      settings.peft_type == "LORA" && settings.bias == "none" && !settings.fan_in_fan_out && !settings.use_rslora
    guard isPlain, settings.r > 0, settings.lora_alpha.isFinite, !settings.target_modules.isEmpty else {
      throw InputFileError(
        file: path, problem: "expected a plain LoRA of a rank above 0 and of some modules, found another adapter",
        advice: "write the edit again")
    }
    return settings
  }

  private static func name(_ site: Site, _ letter: String) -> String { "\(prefix)\(site).lora_\(letter).weight" }
}
