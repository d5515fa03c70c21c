internal import ContentHash
public import Foundation
public import LanguageModel
internal import TensorKernels

/// A published model, with a decomposition of it if there is one, on the way into a model folder.
///
/// Checkpoints are copied a piece at a time, and factors multiplied site by site: memory holds the factors of one site
/// and what they make, whatever the size of the files.
public struct TargetImport {
  /// The files that are read.
  public struct Sources: Sendable, Hashable {
    /// The model's checkpoint: safetensors, or written by `torch.save`.
    public var model: String
    /// The model's `model_config.yaml`.
    public var configuration: String
    /// The model's `tokenizer.json`.
    public var tokenizer: String
    /// The decomposition's checkpoint: safetensors, or written by `torch.save`.
    public var decomposition: String?

    /// Names files.
    public init(model: String, configuration: String, tokenizer: String, decomposition: String?) {
      self.model = model
      self.configuration = configuration
      self.tokenizer = tokenizer
      self.decomposition = decomposition
    }
  }

  private let sources: Sources
  private let configuration: ModelConfiguration
  private let weights: CheckpointWeights
  private let subcomponents: CheckpointSubcomponents?

  /// Opens the files and checks that they fit each other, as far as can be told without reading their numbers.
  ///
  /// - Throws: an `InputFileError` for the first that is missing or wrong, or does not fit the others.
  public init(_ sources: Sources) throws(InputFileError) {
    self.sources = sources
    configuration = try ModelConfiguration(file: sources.configuration)
    try TargetFolder.requireFit(try Tokenizer(path: sources.tokenizer), configuration)
    weights = try CheckpointWeights(try CheckpointFile(path: sources.model), configuration: configuration)
    if let decomposition = sources.decomposition {
      subcomponents = try CheckpointSubcomponents(
        try CheckpointFile(path: decomposition), configuration: configuration)
    } else {
      subcomponents = nil
    }
  }

  /// Writes the model folder. It appears as a whole, or not at all.
  ///
  /// Process-wide effect: the BLAS takes one thread, for a product's last digits depend on their number.
  ///
  /// - Parameters:
  ///   - output: the folder, which must not be there.
  ///   - program: the program and its version, for the record.
  /// - Throws: an `InputFileError` if a number is not finite, the files belong to different models, or the folder is
  ///   there or cannot be written.
  public func write(to output: URL, program: String) throws -> ImportRecord {
    let output = output.standardizedFileURL
    guard !FileManager.default.fileExists(atPath: output.path) else {
      throw InputFileError(
        file: output.path, problem: "expected no file or folder of this name, found one",
        advice: "choose another name, or remove it")
    }
    return try WholeFolder.write(to: output) { scratch in
      func file(_ name: String) -> URL { scratch.appendingPathComponent(name) }
      for (source, name) in [(sources.configuration, "model_config.yaml"), (sources.tokenizer, "tokenizer.json")] {
        // What a link leads to, not the link.
        try writeFile(file(name).path, Array(try Data(contentsOf: URL(fileURLWithPath: source))))
      }
      try weights.write(to: file("model.safetensors").path)
      var record = ImportRecord(
        program: program, parameters: weights.weights.reduce(0) { $0 + $1.tensor.count },
        skipped: ImportRecord.groups(of: weights.others))
      record.inputs["model"] = try SHA256Digest(ofFile: URL(fileURLWithPath: sources.model))
      if let subcomponents {
        let path = file("decomposition.safetensors")
        let skipped = try subcomponents.write(to: path.path, of: weights)
        record.decomposition = ImportRecord.Decomposition(
          sites: try Self.faithfulness(of: path.path, model: file("model.safetensors").path, configuration),
          skipped: ImportRecord.groups(of: skipped))
        record.inputs["decomposition"] = try SHA256Digest(ofFile: URL(fileURLWithPath: subcomponents.file.path))
      }
      for name in try FileManager.default.contentsOfDirectory(atPath: scratch.path) {
        record.outputs[name] = try SHA256Digest(ofFile: file(name))
      }
      try record.write(into: scratch)
      return record
    }
  }

  /// How near each site's subcomponents come to its matrix, in the files that were written.
  private static func faithfulness(
    of decomposition: String, model: String, _ configuration: ModelConfiguration
  ) throws(InputFileError) -> [ImportRecord.Site] {
    Product.setThreads(1)
    let (factors, weights) = (try SafetensorsFile(path: decomposition), try SafetensorsFile(path: model))
    var reports: [ImportRecord.Site] = []
    for site in try Decomposition(path: decomposition, configuration: configuration).sites.map(\.site) {
      let shape = configuration.shape(of: site)
      let weight = try weights.matrix(site.weightName, rows: shape.outputs, columns: shape.inputs)
      let part = SiteDecomposition(
        site: site, read: Matrix(copying: try factors.matrix("\(site).V", rows: shape.inputs, columns: nil)),
        write: Matrix(copying: try factors.matrix("\(site).U", rows: nil, columns: shape.outputs)))
      let meanSquare = part.meanSquareError(from: weight)
      let distance = (meanSquare * Double(weight.rows * weight.columns)).squareRoot()
      let norm = Matrix(copying: weight).sumOfSquares.squareRoot()
      reports.append(
        ImportRecord.Site(
          site: "\(site)", subcomponents: part.count, distance: distance, norm: norm, meanSquare: meanSquare))
      factors.releasePages()
      weights.releasePages()
    }
    return reports
  }
}
