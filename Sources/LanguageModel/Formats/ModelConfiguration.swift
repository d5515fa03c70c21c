internal import Yams

/// The sizes and constants of a target model of the `LlamaSimpleMLP` family.
public struct ModelConfiguration: Sendable, Hashable {
  /// The longest sequence the model was trained on (`block_size`).
  public var blockSize: Int
  /// Positions its rotary tables were made for (`n_ctx`); at least ``blockSize``.
  public var context: Int
  /// V (`vocab_size`).
  public var vocabularySize: Int
  /// Number of blocks (`n_layer`).
  public var layers: Int
  /// Number of query heads (`n_head`).
  public var heads: Int
  /// Number of key and value heads (`n_key_value_heads`); divides ``heads``.
  public var keyValueHeads: Int
  /// Width of the residual stream (`n_embd`); a multiple of ``heads``.
  public var width: Int
  /// Width inside the MLP (`n_intermediate`).
  public var intermediate: Int
  /// Base of the rotary frequencies (`rotary_base`).
  public var rotaryBase: Double
  /// Whether rotary pairs are neighbours (2j, 2j + 1) rather than (j, j + half) (`rotary_adjacent_pairs`).
  public var rotaryAdjacentPairs: Bool
  /// Added to the mean square in RMSNorm (`rms_norm_eps`).
  public var rmsNormEpsilon: Double

  /// Creates a configuration.
  public init(
    blockSize: Int, context: Int, vocabularySize: Int, layers: Int, heads: Int, keyValueHeads: Int, width: Int,
    intermediate: Int, rotaryBase: Double = 10_000, rotaryAdjacentPairs: Bool = false, rmsNormEpsilon: Double = 1e-6
  ) {
    self.blockSize = blockSize
    self.context = context
    self.vocabularySize = vocabularySize
    self.layers = layers
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.width = width
    self.intermediate = intermediate
    self.rotaryBase = rotaryBase
    self.rotaryAdjacentPairs = rotaryAdjacentPairs
    self.rmsNormEpsilon = rmsNormEpsilon
  }

  /// Dimensions of a head; even.
  public var headDimension: Int { width / heads }
  /// Dimensions of all key heads, and of all value heads.
  public var keyValueWidth: Int { headDimension * keyValueHeads }
}

extension ModelConfiguration {
  /// Reads `model_config.yaml`, or the same keys in JSON (`config.json`).
  ///
  /// Sizes must be there; `n_ctx`, `rotary_base`, `rotary_adjacent_pairs`, `rms_norm_eps` and the switches have the
  /// family's defaults. `rotary_dim` and `flash_attention` do not change what the family computes and are ignored,
  /// as are keys that are unknown here: published checkpoints carry more.
  public init(file: String) throws(InputFileError) {
    let reader = try ConfigurationReader(file: file)
    try reader.require("model_type", equals: "LlamaSimpleMLP")
    for (key, meaning) in [("mlp_bias", "biases"), ("attn_bias", "biases")] {
      try reader.require(key, equals: false, otherwise: "models with \(meaning) are not supported")
    }
    try reader.require(
      "use_grouped_query_attention", equals: true,
      otherwise: "models with one merged query, key and value matrix are not supported")
    blockSize = try reader.size("block_size")
    context = try reader.size("n_ctx", default: blockSize)
    vocabularySize = try reader.size("vocab_size")
    layers = try reader.size("n_layer")
    heads = try reader.size("n_head")
    keyValueHeads = try reader.size("n_key_value_heads")
    width = try reader.size("n_embd")
    intermediate = try reader.size("n_intermediate")
    rotaryBase = try reader.positive("rotary_base", default: 10_000)
    rotaryAdjacentPairs = try reader.bool("rotary_adjacent_pairs", default: false)
    rmsNormEpsilon = try reader.positive("rms_norm_eps", default: 1e-6)

    try reader.check("n_embd", width % heads == 0, "a multiple of n_head, \(heads)", width)
    try reader.check("n_embd", headDimension % 2 == 0, "an even number of dimensions a head", headDimension)
    try reader.check("n_key_value_heads", heads % keyValueHeads == 0, "a divisor of n_head, \(heads)", keyValueHeads)
    try reader.check("n_ctx", context >= blockSize, "at least block_size, \(blockSize)", context)
  }
}

extension ModelConfiguration {
  /// The text of a `model_config.yaml` that ``init(file:)`` reads back, with all keys of the published ones.
  public var yaml: String {
    """
    model_type: LlamaSimpleMLP
    block_size: \(blockSize)
    n_ctx: \(context)
    vocab_size: \(vocabularySize)
    n_layer: \(layers)
    n_head: \(heads)
    n_key_value_heads: \(keyValueHeads)
    n_embd: \(width)
    n_intermediate: \(intermediate)
    mlp_bias: false
    attn_bias: false
    use_grouped_query_attention: true
    rotary_adjacent_pairs: \(rotaryAdjacentPairs)
    rotary_dim: \(headDimension)
    rotary_base: \(Self.number(rotaryBase))
    rms_norm_eps: \(Self.number(rmsNormEpsilon))
    flash_attention: false

    """
  }

  /// The shortest form that reads back exactly. YAML 1.1 takes an exponent for a number's only behind a point.
  private static func number(_ value: Double) -> String {
    let text = "\(value)"
    guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
    return String(text[..<exponent]) + ".0" + text[exponent...]
  }
}

/// Reads typed values by key, with errors that name the file and the key.
private struct ConfigurationReader {
  /// Far beyond any model of the family; keeps products of two sizes within an `Int`.
  static let largestSize = 1 << 28

  let file: String
  private let members: [String: Node]

  init(file: String) throws(InputFileError) {
    self.file = file
    let bytes = try readFile(file)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw InputFileError(file: file, problem: "expected UTF-8 text, found other bytes")
    }
    let node: Node?
    do {
      node = try Yams.compose(yaml: text)
    } catch {
      let line = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
      throw InputFileError(file: file, problem: "expected YAML: \(line)")
    }
    guard let mapping = node?.mapping else {
      throw InputFileError(
        file: file, problem: "expected a mapping of keys to values, found \(node.map(Self.kind) ?? "nothing")")
    }
    members = Dictionary(mapping.compactMap { key, value in key.string.map { ($0, value) } }) { first, _ in first }
  }

  func require(_ key: String, equals expected: String) throws(InputFileError) {
    guard let node = members[key] else { throw missing(key) }
    try check(key, node.scalar?.string == expected, quoted(expected), Self.kind(node))
  }

  func require(_ key: String, equals expected: Bool, otherwise reason: String) throws(InputFileError) {
    guard try bool(key, default: expected) == expected else {
      throw InputFileError(file: file, place: key, problem: "expected \(expected), found \(!expected): \(reason)")
    }
  }

  func size(_ key: String, default fallback: Int? = nil) throws(InputFileError) -> Int {
    guard let node = members[key] else {
      if let fallback { return fallback }
      throw missing(key)
    }
    guard let value = Self.plain(node).flatMap({ Int($0) }), (1...Self.largestSize).contains(value) else {
      throw wrong(key, "a whole number from 1 to \(Self.largestSize)", node)
    }
    return value
  }

  func positive(_ key: String, default fallback: Double) throws(InputFileError) -> Double {
    guard let node = members[key] else { return fallback }
    guard let value = Self.plain(node).flatMap({ Double($0) }), value > 0, value.isFinite else {
      throw wrong(key, "a positive number", node)
    }
    return value
  }

  func bool(_ key: String, default fallback: Bool) throws(InputFileError) -> Bool {
    guard let node = members[key] else { return fallback }
    switch Self.plain(node)?.lowercased() {
    case "true": return true
    case "false": return false
    default: throw wrong(key, "true or false", node)
    }
  }

  func check(
    _ key: String, _ holds: Bool, _ expected: String, _ found: some CustomStringConvertible
  ) throws(InputFileError) {
    guard holds else {
      throw InputFileError(file: file, place: key, problem: "expected \(expected), found \(found)")
    }
  }

  private func missing(_ key: String) -> InputFileError {
    InputFileError(file: file, place: key, problem: "expected this key, found no such key")
  }

  private func wrong(_ key: String, _ expected: String, _ node: Node) -> InputFileError {
    InputFileError(file: file, place: key, problem: "expected \(expected), found \(Self.kind(node))")
  }

  /// The text of a scalar without quotes: quoted numbers are text.
  private static func plain(_ node: Node) -> String? {
    guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return nil }
    return scalar.string
  }

  private static func kind(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar): quoted(scalar.string)
    case .sequence: "a sequence"
    case .mapping: "a mapping"
    case .alias: "an alias"
    }
  }
}
