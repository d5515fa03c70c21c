public import TensorKernels

/// The rank-1 parts of some weight matrices: W = (V U)^T at every site, with V `[d_in, C]` and U `[C, d_out]`.
///
/// Mapped: opening one reads its header only, and a direction is read when it is asked for. C differs by site.
public struct Decomposition: Sendable {
  /// The factors of one site.
  public struct Factors: Sendable {
    /// The site.
    public let site: Site
    /// V `[d_in, C]`: column c is the read direction of subcomponent c.
    public let read: ConstantMatrix
    /// U `[C, d_out]`: row c is the write direction of subcomponent c.
    public let write: ConstantMatrix

    /// C.
    public var count: Int { write.rows }
  }

  /// The path as it was given.
  public let path: String
  /// The decomposed sites, in the model's order.
  public let sites: [Factors]

  /// Opens `decomposition.safetensors` and checks that its tensors `<site>.V` and `<site>.U` fit the model.
  /// Tensors of other names are ignored.
  public init(path: String, configuration: ModelConfiguration) throws(InputFileError) {
    let file = try SafetensorsFile(path: path)
    var sites: [Factors] = []
    for tensor in file.tensors where tensor.name.hasSuffix(".V") || tensor.name.hasSuffix(".U") {
      let name = tensor.name.dropLast(2)
      guard let site = Site(name), site.layer < configuration.layers else {
        throw InputFileError(
          file: path, place: tensor.name,
          problem: "expected a site of the model such as \(configuration.sites[0]), with a layer below "
            + "\(configuration.layers), found \(quoted(name))",
          advice: "check that the decomposition and the model belong together")
      }
      guard !sites.contains(where: { $0.site == site }) else { continue }
      let shape = configuration.shape(of: site)
      let write = try file.matrix("\(site).U", rows: nil, columns: shape.outputs)
      let read = try file.matrix("\(site).V", rows: shape.inputs, columns: write.rows)
      sites.append(Factors(site: site, read: read, write: write))
    }
    guard !sites.isEmpty else {
      throw InputFileError(
        file: path, problem: "expected tensors <site>.V and <site>.U, found none among \(file.tensors.count)",
        advice: "check that this is a decomposition")
    }
    self.path = path
    self.sites = sites.sorted { $0.site < $1.site }
  }

  private init(path: String, sites: [Factors]) {
    self.path = path
    self.sites = sites
  }

  /// The same with one of its sites alone.
  public func only(_ site: Site) -> Decomposition {
    let kept = sites.filter { $0.site == site }
    precondition(!kept.isEmpty, "\(site) is not decomposed")
    return Decomposition(path: path, sites: kept)
  }

  /// The factors of a site; `nil` if it is not decomposed.
  public subscript(site: Site) -> Factors? {
    sites.first { $0.site == site }
  }

  /// V[:, c] `[d_in]` and U[c, :] `[d_out]` of a subcomponent.
  ///
  /// - Throws: if there is no such subcomponent, or one of its numbers is not finite.
  public func directions(
    of subcomponent: SubcomponentName
  ) throws(InputFileError) -> (read: [Float], write: [Float]) {
    guard let factors = self[subcomponent.site] else {
      let known = sites.map { "\($0.site)" }.joined(separator: ", ")
      throw InputFileError(
        file: path, place: "\(subcomponent)", problem: "expected a decomposed site, found \(subcomponent.site)",
        advice: "decomposed here: \(known)")
    }
    let index = subcomponent.index
    guard index < factors.count else {
      throw InputFileError(
        file: path, place: "\(subcomponent)",
        problem: "expected an index from 0 to \(factors.count - 1), found \(index)")
    }
    let read = (0..<factors.read.rows).map { factors.read[$0, index] }
    let write = factors.write.copyOfRow(index)
    for (part, numbers) in [("V", read), ("U", write)] {
      if let place = numbers.firstIndex(where: { !$0.isFinite }) {
        let at = part == "V" ? "[\(place), \(index)]" : "[\(index), \(place)]"
        throw InputFileError(
          file: path, place: "\(subcomponent.site).\(part)\(at)",
          problem: "expected a finite number, found \(numbers[place])",
          advice: "the file is damaged or its training diverged: get or make it again")
      }
    }
    return (read, write)
  }
}
