internal import SettingsFiles

/// A weight matrix that can be edited, by its path: `h.2.mlp.down_proj`. Ordered as the model applies them.
public struct SitePath: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The matrices of a block, in the order of the forward pass.
  public enum Matrix: String, Sendable, Hashable, CaseIterable {
    /// Queries.
    case query = "attn.q_proj"
    /// Keys.
    case key = "attn.k_proj"
    /// Values.
    case value = "attn.v_proj"
    /// The attention's output.
    case output = "attn.o_proj"
    /// Into the MLP's hidden layer.
    case expand = "mlp.c_fc"
    /// Out of the MLP's hidden layer.
    case contract = "mlp.down_proj"
  }

  /// The block, from 0.
  public let block: Int
  /// The matrix within the block.
  public let matrix: Matrix

  /// Creates a name.
  public init(block: Int, matrix: Matrix) {
    self.block = block
    self.matrix = matrix
  }

  /// Parses a path; `nil` for anything but `h.N.attn.{q,k,v,o}_proj` and `h.N.mlp.{c_fc,down_proj}`.
  public init?(_ path: some StringProtocol) {
    let parts = path.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "h", let block = Int(canonical: parts[1]),
      let matrix = Matrix(rawValue: String(parts[2]))
    else { return nil }
    self.init(block: block, matrix: matrix)
  }

  /// The path.
  public var description: String { "h.\(block).\(matrix.rawValue)" }

  /// What a path looks like, for error messages.
  static let syntax = "h.N.attn.{q,k,v,o}_proj or h.N.mlp.{c_fc,down_proj}"

  /// The valid path nearest to a mistyped one; `nil` if none is near.
  static func suggestion(for path: some StringProtocol) -> String? {
    let block = path.drop { !$0.isASCII || !$0.isNumber }.prefix { $0.isASCII && $0.isNumber }
    let candidates = Matrix.allCases.map { SitePath(block: Int(block) ?? 0, matrix: $0).description }
    return NearestName.suggestion(for: String(path), among: candidates)
  }

  /// Orders by block, then as the forward pass goes.
  public static func < (left: SitePath, right: SitePath) -> Bool {
    (left.block, left.matrix.place) < (right.block, right.matrix.place)
  }
}

extension SitePath.Matrix {
  /// Position in the forward pass.
  fileprivate var place: Int { Self.allCases.firstIndex(of: self) ?? Self.allCases.count }
}

/// A rank-1 part of a decomposed site: `h.2.mlp.down_proj:2359`.
public struct SubcomponentPath: Sendable, Hashable, CustomStringConvertible {
  /// The matrix that it is a part of.
  public let site: SitePath
  /// Its index in the decomposition, from 0.
  public let index: Int

  /// Creates a name.
  public init(site: SitePath, index: Int) {
    self.site = site
    self.index = index
  }

  /// Parses `site:index`; `nil` for anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let site = SitePath(parts[0]), let index = Int(canonical: parts[1]) else { return nil }
    self.init(site: site, index: index)
  }

  /// `site:index`.
  public var description: String { "\(site):\(index)" }
}

extension SubcomponentPath: Codable {
  /// Reads `site:index`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let path = SubcomponentPath(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected SITE:INDEX")
    }
    self = path
  }

  /// Writes `site:index`.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

extension [SubcomponentPath] {
  /// Their sites, each once, in the model's order.
  var sites: [SitePath] { Set(map(\.site)).sorted() }
}

extension Int {
  /// Parses decimal digits without sign or leading zero, so that a number has one spelling.
  init?(canonical digits: some StringProtocol) {
    guard digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let value = Int(digits),
      digits.utf8.count == 1 || digits.utf8.first != UInt8(ascii: "0")
    else { return nil }
    self = value
  }
}
