public import TensorKernels

/// A LoRA (Hu et al., arXiv 2106.09685): W + (scale / rank) B A at each of its sites.
public final class LoRAEdit: Edit {
  /// Standard deviation of A's first values.
  public static let initialDeviation = 0.01

  /// The rank r.
  public let rank: Int
  /// The numerator of the factor; LoRA's own alpha.
  public let scale: Double
  /// A `[r, d_in]` and B of each site, in the sites' order. B is held transposed, `[r, d_out]`.
  public let parameters: [TrainableParameter]
  /// One change a site.
  public let deltas: [Site: any WeightDelta]
  /// The sites, in the model's order.
  public let sites: [Site]

  /// Creates an edit with B = 0, which changes nothing, and A ~ N(0, 0.01²) drawn from `generator` in the order of
  /// the sites, row by row.
  public convenience init(
    rank: Int, scale: Double, sites: [Site], configuration: ModelConfiguration,
    generator: inout some RandomNumberGenerator
  ) {
    var gaussian = GaussianSource()
    let factors = sites.map { site in
      let shape = configuration.shape(of: site)
      let a = (0..<rank * shape.inputs).map { _ in
        Float(gaussian.next(using: &generator) * Self.initialDeviation)
      }
      return Factors(
        site: site, a: Matrix(rows: rank, columns: shape.inputs, elements: a),
        b: Matrix(rows: shape.outputs, columns: rank))
    }
    self.init(factors, scale: scale)
  }

  /// The two factors of a site.
  public struct Factors {
    /// The site.
    public let site: Site
    /// A `[r, d_in]`.
    public let a: Matrix
    /// B `[d_out, r]`.
    public let b: Matrix

    /// Pairs factors.
    public init(site: Site, a: Matrix, b: Matrix) {
      precondition(a.rows == b.columns, "A and B of different ranks")
      self.site = site
      self.a = a
      self.b = b
    }
  }

  /// Creates an edit from given factors, which are copied.
  public init(_ factors: [Factors], scale: Double) {
    precondition(!factors.isEmpty && Set(factors.map(\.a.rows)).count == 1, "one rank for all sites")
    precondition(Set(factors.map(\.site)).count == factors.count, "one pair of factors a site")
    rank = factors[0].a.rows
    self.scale = scale
    sites = factors.map(\.site)
    var parameters: [TrainableParameter] = []
    var deltas: [Site: any WeightDelta] = [:]
    let factor = Float(scale / Double(rank))
    for part in factors {
      let a = TrainableParameter(name: "\(part.site).lora_A", value: Matrix(copying: part.a))
      let b = TrainableParameter(name: "\(part.site).lora_B", value: part.b.transposed())
      parameters += [a, b]
      deltas[part.site] = LowRankDelta(
        read: a.value, write: b.value,
        scales: Matrix(rows: 1, columns: rank, elements: [Float](repeating: factor, count: rank)),
        gradients: .init(read: a.gradient, write: b.gradient))
    }
    self.parameters = parameters
    self.deltas = deltas
  }

  /// The factors of each site, copied.
  public var factors: [Factors] {
    sites.enumerated().map { index, site in
      Factors(
        site: site, a: Matrix(copying: parameters[2 * index].value), b: parameters[2 * index + 1].value.transposed())
    }
  }

  /// Frobenius norm of each site's change.
  public var deltaNorms: [(site: Site, norm: Double)] {
    sites.map { ($0, deltas[$0]?.norm ?? 0) }
  }

  /// The changes read the parameters themselves: nothing to do.
  public func parametersChanged() {}

  /// Backward passes accumulate into the parameters' gradients themselves: nothing to do.
  public func collectGradients() {}

  /// Sets every gradient to zero.
  public func clearGradients() {
    for parameter in parameters { parameter.gradient.fill(0) }
  }

  /// The edit as it stands, apart from what becomes of this one.
  public func copy() -> any Edit { LoRAEdit(factors, scale: scale) }
}
