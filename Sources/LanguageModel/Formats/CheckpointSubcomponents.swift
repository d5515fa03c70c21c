/// The subcomponents of a decomposition in a checkpoint: tensors `V` and `U` under the names of sites, as they are
/// (`h.0.mlp.c_fc.V`) or with dashes for dots, as the published ones have it (`_components.h-0-mlp-c_fc.V`), behind any
/// prefix.
public struct CheckpointSubcomponents: Sendable {
  /// The factors of one site.
  public struct Factors: Sendable {
    /// The site.
    public let site: Site
    /// V `[d_in, C]`.
    let read: CheckpointFile.Tensor
    /// U `[C, d_out]`.
    let write: CheckpointFile.Tensor

    /// C.
    public var count: Int { write.shape[0] }
  }

  /// The checkpoint.
  public let file: CheckpointFile
  /// The decomposed sites, in the model's order.
  public let sites: [Factors]
  /// Tensors that are no subcomponents, such as those of the network that says which ones matter.
  public let others: [CheckpointFile.Tensor]

  /// Finds the subcomponents and checks their shapes, and with these which way round they are.
  public init(_ file: CheckpointFile, configuration: ModelConfiguration) throws(InputFileError) {
    // The name of a site's V and U without their last letter.
    var names: [Site: String] = [:]
    var others: [CheckpointFile.Tensor] = []
    for tensor in file.tensors {
      guard tensor.name.hasSuffix(".V") || tensor.name.hasSuffix(".U"), let site = Self.site(tensor.name.dropLast(2))
      else {
        others.append(tensor)
        continue
      }
      guard site.layer < configuration.layers else {
        throw InputFileError(
          file: file.path, place: tensor.name,
          problem: "expected a layer below \(configuration.layers), found \(site.layer)",
          advice: "check that the decomposition and the model belong together")
      }
      let name = String(tensor.name.dropLast())
      guard names.updateValue(name, forKey: site) ?? name == name else {
        throw InputFileError(
          file: file.path, place: tensor.name, problem: "expected each site once, found \(site) under two names",
          advice: "write those that are meant to a file of their own")
      }
    }
    guard !names.isEmpty else {
      throw InputFileError(
        file: file.path,
        problem: "expected tensors such as _components.h-0-mlp-c_fc.V or h.0.mlp.c_fc.V, found none among "
          + "\(file.tensors.count)", advice: "check that this is a decomposition")
    }
    var sites: [Factors] = []
    for (site, name) in names.sorted(by: { $0.key < $1.key }) {
      let shape = configuration.shape(of: site)
      let reason = "the model's \(site) of [\(shape.outputs), \(shape.inputs)]"
      let write = try file.tensor(name + "U", shape: [nil, shape.outputs], reason)
      let read = try file.tensor(name + "V", shape: [shape.inputs, write.shape[0]], reason)
      sites.append(Factors(site: site, read: read, write: write))
    }
    self.file = file
    self.sites = sites
    self.others = others
  }

  /// Writes `decomposition.safetensors`, a new file, as `Decomposition` reads it.
  ///
  /// - Parameter model: the model that it is of. Weights that stand beside the subcomponents must be its own.
  /// - Returns: the tensors that were neither copied nor found to be the model's.
  /// - Throws: if a number is not finite, the weights are another model's, or the file cannot be written.
  public func write(to path: String, of model: CheckpointWeights) throws(InputFileError) -> [CheckpointFile.Tensor] {
    let same = Set(try model.requireSame(in: file, among: others).map(\.name))
    try file.requireIntact(sites.flatMap { [$0.read, $0.write] })
    try SafetensorsFile.write(
      copies: sites.flatMap { site in
        [("V", site.read), ("U", site.write)].map { part, tensor in
          SafetensorsFile.Copy(name: "\(site.site).\(part)", source: file, tensor: tensor)
        }
      }, to: path)
    return others.filter { !same.contains($0.name) }
  }

  /// The site that a name ends with.
  private static func site(_ name: Substring) -> Site? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if let last = parts.last, let site = Site(last.replacing("-", with: ".")) { return site }
    return Site(parts.suffix(4).joined(separator: "."))
  }
}
