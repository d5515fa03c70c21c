/// A weight matrix that can be decomposed and edited, by its place in the model.
///
/// Written `h.2.mlp.down_proj`. Ordered as the forward pass meets them.
public struct Site: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Which matrix of a block.
  public enum Kind: Int, Sendable, Hashable, CaseIterable {
    /// Residual stream to queries.
    case query
    /// Residual stream to keys.
    case key
    /// Residual stream to values.
    case value
    /// Attention output to residual stream.
    case output
    /// Residual stream to MLP.
    case expand
    /// MLP to residual stream.
    case contract

    /// The name within a block: `mlp.down_proj`.
    public var path: String {
      switch self {
      case .query: "attn.q_proj"
      case .key: "attn.k_proj"
      case .value: "attn.v_proj"
      case .output: "attn.o_proj"
      case .expand: "mlp.c_fc"
      case .contract: "mlp.down_proj"
      }
    }
  }

  /// The block, from 0.
  public let layer: Int
  /// Which of its matrices.
  public let kind: Kind

  /// Creates a site.
  public init(layer: Int, kind: Kind) {
    self.layer = layer
    self.kind = kind
  }

  /// Reads `h.2.mlp.down_proj`; `nil` for anything else.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "h", let layer = canonicalIndex(parts[1]),
      let kind = Kind.allCases.first(where: { $0.path == parts[2] })
    else { return nil }
    self.init(layer: layer, kind: kind)
  }

  /// `h.2.mlp.down_proj`.
  public var description: String { "h.\(layer).\(kind.path)" }

  /// The name of its matrix in a checkpoint: `h.2.mlp.down_proj.weight`.
  public var weightName: String { description + ".weight" }

  /// Orders by block, then by place within the block.
  public static func < (left: Site, right: Site) -> Bool {
    (left.layer, left.kind.rawValue) < (right.layer, right.kind.rawValue)
  }
}

/// A subcomponent by name: `h.2.mlp.down_proj:2359`.
public struct SubcomponentName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The matrix that it is a part of.
  public let site: Site
  /// Its number within the site, from 0.
  public let index: Int

  /// Creates a name.
  public init(site: Site, index: Int) {
    self.site = site
    self.index = index
  }

  /// Reads `h.2.mlp.down_proj:2359`; `nil` for anything else.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let site = Site(parts[0]), let index = canonicalIndex(parts[1]) else { return nil }
    self.init(site: site, index: index)
  }

  /// `h.2.mlp.down_proj:2359`.
  public var description: String { "\(site):\(index)" }

  /// Orders by site, then by number.
  public static func < (left: SubcomponentName, right: SubcomponentName) -> Bool {
    (left.site, left.index) < (right.site, right.index)
  }
}

extension ModelConfiguration {
  /// Every site of the model, in order.
  public var sites: [Site] {
    (0..<layers).flatMap { layer in Site.Kind.allCases.map { Site(layer: layer, kind: $0) } }
  }

  /// The size of a site's matrix W `[d_out, d_in]`.
  public func shape(of site: Site) -> (outputs: Int, inputs: Int) {
    switch site.kind {
    case .query, .output: (width, width)
    case .key, .value: (keyValueWidth, width)
    case .expand: (intermediate, width)
    case .contract: (width, intermediate)
    }
  }
}

/// A number in its one canonical form: decimal digits without sign or leading zeros.
private func canonicalIndex(_ text: some StringProtocol) -> Int? {
  guard let value = Int(text), value >= 0, text == "\(value)" else { return nil }
  return value
}
