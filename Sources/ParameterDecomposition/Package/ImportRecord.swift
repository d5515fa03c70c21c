public import ContentHash
internal import Foundation
internal import LanguageModel

/// What was imported: `import.json` in the model folder, and beside the decomposition the part that is about it. Says
/// nothing of the machine or the time.
public struct ImportRecord: Sendable, Hashable, Encodable {
  /// A site.
  public struct Site: Sendable, Hashable, Encodable {
    /// Such as `h.1.mlp.c_fc`.
    public let site: String
    /// C.
    public let subcomponents: Int
    /// ||W - (V U)ᵀ||, Frobenius.
    public let distance: Double
    /// ||W||, Frobenius.
    public let norm: Double
    /// Mean over the elements of the square of W - (V U)ᵀ.
    public let meanSquare: Double

    enum CodingKeys: String, CodingKey {
      case site, subcomponents, distance, norm
      case meanSquare = "mean_square"
    }
  }

  /// Tensors whose names begin alike.
  public struct Group: Sendable, Hashable, Encodable {
    /// The name up to its first dot.
    public let name: String
    /// How many there are.
    public let tensors: Int
    /// Bytes that they take.
    public let bytes: Int
  }

  /// The decomposition.
  public struct Decomposition: Sendable, Hashable, Encodable {
    /// Its sites, in the model's order.
    public let sites: [Site]
    /// Tensors of its checkpoint that were left behind, by name.
    public let skipped: [Group]
  }

  /// The program and its version.
  public let program: String
  /// Number of weights.
  public let parameters: Int
  /// Tensors of the model's checkpoint that were left behind, by name.
  public let skipped: [Group]
  /// The decomposition; `nil` where there is none.
  public internal(set) var decomposition: Decomposition?
  /// The checkpoints that were read, by what they are for.
  public internal(set) var inputs: [String: SHA256Digest] = [:]
  /// The files of the folder, but for those that hold this.
  public internal(set) var outputs: [String: SHA256Digest] = [:]

  init(program: String, parameters: Int, skipped: [Group]) {
    self.program = program
    self.parameters = parameters
    self.skipped = skipped
  }

  /// Groups tensors by the beginning of their names.
  static func groups(of tensors: [CheckpointFile.Tensor]) -> [Group] {
    Dictionary(grouping: tensors) { String($0.name.prefix { $0 != "." }) }.sorted { $0.key < $1.key }.map {
      Group(name: $0.key, tensors: $0.value.count, bytes: $0.value.reduce(0) { $0 + $1.byteCount })
    }
  }

  /// What `pdsweep target pack` looks for beside a decomposition: what it was made of, and what became of it.
  private struct Provenance: Encodable {
    let program: String
    let inputs: [String: SHA256Digest]
    let output: SHA256Digest
    let imported: Decomposition
  }

  /// Writes it into a folder.
  func write(into folder: URL) throws(InputFileError) {
    try writeFile(folder.appendingPathComponent("import.json").path, TargetJSON.text(of: self))
    guard let decomposition, let output = outputs["decomposition.safetensors"] else { return }
    var inputs: [String: SHA256Digest] = [:]
    inputs["weights"] = outputs["model.safetensors"]
    inputs["checkpoint"] = self.inputs["decomposition"]
    let path = folder.appendingPathComponent("decomposition.safetensors").path
    try writeFile(
      DecompositionProvenance.path(beside: path),
      TargetJSON.text(of: Provenance(program: program, inputs: inputs, output: output, imported: decomposition)))
  }
}
