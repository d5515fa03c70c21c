internal import TensorKernels

/// The weights of a target model in a checkpoint: under the names of the published ones, behind one prefix whatever it
/// is (`model.`, `target_model.`, `_orig_mod.` and so on).
public struct CheckpointWeights: Sendable {
  /// The checkpoint.
  public let file: CheckpointFile
  /// The weights by their names without the prefix, in the model's order.
  public let weights: [(name: String, tensor: CheckpointFile.Tensor)]
  /// Tensors that are no weights of the model.
  public let others: [CheckpointFile.Tensor]
  /// The vocabulary projection, where it is kept beside the embedding.
  private let head: CheckpointFile.Tensor?

  /// Finds the weights and checks their shapes.
  public init(_ file: CheckpointFile, configuration: ModelConfiguration) throws(InputFileError) {
    let prefixes = Self.prefixes(in: file)
    guard let prefix = prefixes.first else {
      throw InputFileError(
        file: file.path,
        problem: "expected the weights of a model, among them \(Self.anchor), found none among "
          + "\(file.tensors.count) tensors", advice: "check that this is the model's checkpoint")
    }
    guard prefixes.count == 1 else {
      throw InputFileError(
        file: file.path,
        problem: "expected the weights of one model, found those of \(prefixes.count): "
          + prefixes.map { quoted($0 + Self.anchor) }.joined(separator: ", "),
        advice: "write those that are meant to a file of their own")
    }
    var weights: [(name: String, tensor: CheckpointFile.Tensor)] = []
    for (name, shape) in configuration.weightShapes {
      weights.append((name, try file.tensor(prefix + name, shape: shape, "the model's configuration")))
    }
    if file[prefix + "lm_head.weight"] != nil {
      let shape = [configuration.vocabularySize, configuration.width]
      head = try file.tensor(prefix + "lm_head.weight", shape: shape, "the model's configuration")
    } else {
      head = nil
    }
    self.file = file
    self.weights = weights
    let used = Set(weights.map { prefix + $0.name } + [prefix + "lm_head.weight"])
    others = file.tensors.filter { !used.contains($0.name) }
  }

  /// Writes `model.safetensors`, a new file, as `TargetModel` reads it.
  ///
  /// - Throws: if a number is not finite, the head is not the embedding, or the file cannot be written.
  public func write(to path: String) throws(InputFileError) {
    try file.requireIntact(weights.map(\.tensor))
    // The embedding is the first.
    let embedding = weights[0].tensor
    if let head, !head.isSameView(as: embedding) {
      try file.requireIntact([head])
      guard try file.equal(head, file, embedding) else {
        throw InputFileError(
          file: file.path, place: head.name, problem: "expected the numbers of \(embedding.name), found others",
          advice: "only models with a tied embedding are supported")
      }
    }
    try SafetensorsFile.write(
      copies: weights.map { SafetensorsFile.Copy(name: $0.name, source: file, tensor: $0.tensor) }, to: path)
  }

  /// Checks that a model that another checkpoint keeps beside its own tensors is this one.
  ///
  /// - Returns: the tensors there that are this model's.
  func requireSame(
    in other: CheckpointFile, among candidates: [CheckpointFile.Tensor]
  ) throws(InputFileError) -> [CheckpointFile.Tensor] {
    var same: [CheckpointFile.Tensor] = []
    let byName = Dictionary(uniqueKeysWithValues: candidates.map { ($0.name, $0) })
    for prefix in Self.prefixes(in: other) {
      for (name, tensor) in weights + [("lm_head.weight", head ?? weights[0].tensor)] {
        guard let copy = byName[prefix + name] else { continue }
        try other.requireIntact([copy])
        guard copy.shape == tensor.shape, try file.equal(tensor, other, copy) else {
          throw InputFileError(
            file: other.path, place: copy.name,
            problem: "expected the numbers of \(name) in \(file.path), found others",
            advice: "check that the decomposition and the model belong together")
        }
        same.append(copy)
      }
    }
    return same
  }

  private static let anchor = "wte.weight"

  /// What stands before the name of an embedding.
  private static func prefixes(in file: CheckpointFile) -> [String] {
    file.tensors.map(\.name).filter { $0 == anchor || $0.hasSuffix("." + anchor) }
      .map { String($0.dropLast(anchor.count)) }
  }
}

extension CheckpointFile {
  /// The tensor of a name, which must have this shape; `nil` extents may be anything but 0.
  func tensor(_ name: String, shape: [Int?], _ reason: String) throws(InputFileError) -> Tensor {
    guard let tensor = self[name] else {
      throw InputFileError(
        file: path, place: name, problem: "expected this tensor, found no such tensor among \(tensors.count)",
        advice: "check that this is the right file, and that it fits \(reason)")
    }
    func fits(_ found: [Int]) -> Bool {
      found.count == shape.count
        && zip(found, shape).allSatisfy { found, expected in expected.map { $0 == found } ?? (found > 0) }
    }
    guard fits(tensor.shape) else {
      let expected = shape.map { $0.map { "\($0)" } ?? "any" }.joined(separator: ", ")
      let isTransposed = fits(tensor.shape.reversed())
      throw InputFileError(
        file: path, place: name,
        problem: "expected shape [\(expected)] by \(reason), found \(tensor.shape)"
          + (isTransposed ? ", transposed" : ""),
        advice: isTransposed
          ? "write it again with this tensor transposed" : "check that the files belong together")
    }
    guard tensor.type.real != nil else {
      throw InputFileError(
        file: path, place: name,
        problem: "expected elements of type F32, F16, BF16 or F64, found \(tensor.type.rawValue)")
    }
    return tensor
  }

  /// Whether two tensors of one shape hold the same numbers.
  func equal(_ tensor: Tensor, _ other: CheckpointFile, _ otherTensor: Tensor) throws(InputFileError) -> Bool {
    var own = try pieces(of: tensor)
    var others = try other.pieces(of: otherTensor)
    while let piece = try own.next() {
      guard try others.next() == piece else { return false }
    }
    return true
  }
}

extension ModelConfiguration {
  /// The shapes of all weights under the names that checkpoints give them, in the model's order.
  var weightShapes: [(name: String, shape: [Int])] {
    let matrices = sites.map { site in
      let shape = shape(of: site)
      return (site.weightName, [shape.outputs, shape.inputs])
    }
    let norms = (0..<layers).flatMap { layer in
      [("h.\(layer).rms_1.weight", [width]), ("h.\(layer).rms_2.weight", [width])]
    }
    return [("wte.weight", [vocabularySize, width])] + norms + matrices + [("ln_f.weight", [width])]
  }
}
