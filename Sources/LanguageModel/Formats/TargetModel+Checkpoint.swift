internal import TensorKernels

extension TargetModel {
  /// Reads `model.safetensors` in the published layout: `wte.weight`, `h.N.rms_1.weight`,
  /// `h.N.attn.{q,k,v,o}_proj.weight`, `h.N.rms_2.weight`, `h.N.mlp.{c_fc,down_proj}.weight`, `ln_f.weight`.
  ///
  /// The file stays mapped: F32 weights are used in place. `lm_head.weight` may be there, and must then equal
  /// `wte.weight`, for the embedding is tied.
  ///
  /// - Throws: ``InputFileError`` for a missing or mis-shaped tensor, an untied head, or a number that is not finite.
  public convenience init(
    checkpoint path: String, configuration: ModelConfiguration
  ) throws(InputFileError) {
    let file = try SafetensorsFile(path: path)
    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws(InputFileError) -> ConstantMatrix {
      let matrix = try file.matrix(name, rows: rows, columns: columns)
      try file.requireFinite(matrix, name)
      return matrix
    }
    func norm(_ name: String) throws(InputFileError) -> ConstantMatrix {
      let row = try file.row(name, count: configuration.width)
      try file.requireFinite(row, name)
      return row
    }
    let embedding = try matrix("wte.weight", configuration.vocabularySize, configuration.width)
    if file["lm_head.weight"] != nil {
      let head = try matrix("lm_head.weight", configuration.vocabularySize, configuration.width)
      if let (row, column) = embedding.firstDifference(from: head) {
        throw InputFileError(
          file: path, place: "lm_head.weight[\(row), \(column)]",
          problem: "expected \(embedding[row, column]) as in wte.weight, found \(head[row, column])",
          advice: "only models with a tied embedding are supported")
      }
    }
    var norms: [(attention: ConstantMatrix, feedForward: ConstantMatrix)] = []
    for layer in 0..<configuration.layers {
      norms.append((try norm("h.\(layer).rms_1.weight"), try norm("h.\(layer).rms_2.weight")))
    }
    var matrices: [Site: ConstantMatrix] = [:]
    for site in configuration.sites {
      let shape = configuration.shape(of: site)
      matrices[site] = try matrix(site.weightName, shape.outputs, shape.inputs)
    }
    self.init(
      configuration: configuration,
      weights: Weights(
        embedding: embedding, finalNorm: try norm("ln_f.weight"), norms: norms, matrices: matrices))
  }

  /// Writes `model.safetensors` as ``init(checkpoint:configuration:)`` reads it, with the tied `lm_head.weight`, which
  /// other programs look for.
  public func write(checkpoint path: String) throws(InputFileError) {
    var tensors = namedWeights.map { name, weight in
      let shape = Self.isNorm(name) ? [weight.columns] : [weight.rows, weight.columns]
      return SafetensorsFile.Content(name: name, shape: shape, elements: weight.copyOfElements())
    }
    tensors.append(
      SafetensorsFile.Content(
        name: "lm_head.weight", shape: [embedding.rows, embedding.columns], elements: embedding.copyOfElements()))
    try SafetensorsFile.write(tensors, to: path)
  }
}
