import LanguageModel
import Testing

@Suite("Model configurations")
struct ModelConfigurationTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private static let valid = [
    "model_type": "LlamaSimpleMLP", "block_size": "48", "n_ctx": "64", "vocab_size": "211", "n_layer": "3",
    "n_head": "6", "n_key_value_heads": "2", "n_embd": "48", "n_intermediate": "96", "rotary_base": "10000",
    "rotary_adjacent_pairs": "true", "rms_norm_eps": "1.0e-06", "mlp_bias": "false", "attn_bias": "false",
    "use_grouped_query_attention": "true", "rotary_dim": "64", "flash_attention": "false", "some_other_key": "[1, 2]",
  ]

  private func read(_ change: [String: String?] = [:]) throws -> ModelConfiguration {
    var keys = Self.valid
    for (key, value) in change { keys[key] = value }
    let yaml = keys.map { "\($0): \($1)\n" }.joined()
    return try ModelConfiguration(file: folder.write("model_config.yaml", yaml))
  }

  private static let expected = ModelConfiguration(
    blockSize: 48, context: 64, vocabularySize: 211, layers: 3, heads: 6, keyValueHeads: 2, width: 48,
    intermediate: 96, rotaryBase: 10_000, rotaryAdjacentPairs: true, rmsNormEpsilon: 1e-6)

  @Test("are read from YAML and from JSON")
  func bothForms() throws {
    #expect(try read() == Self.expected)
    let members = Self.valid.map { key, value in
      key == "model_type" ? "\"\(key)\": \"\(value)\"" : "\"\(key)\": \(value)"
    }
    let json = try folder.write("config.json", "{\n  \(members.joined(separator: ",\n  "))\n}\n")
    #expect(try ModelConfiguration(file: json) == Self.expected)
  }

  @Test("are read as they were written")
  func written() throws {
    var small = Self.expected
    small.rotaryBase = 12_345.678
    small.rmsNormEpsilon = 2.5e-7
    for configuration in [Self.expected, small] {
      #expect(try ModelConfiguration(file: folder.write("model_config.yaml", configuration.yaml)) == configuration)
    }
    #expect(Self.expected.yaml.contains("rms_norm_eps: 1.0e-06\n"), "a number in YAML 1.1 too")
  }

  @Test("have the family's defaults for what may be left out")
  func defaults() throws {
    let configuration = try read([
      "n_ctx": nil, "rotary_base": nil, "rotary_adjacent_pairs": nil, "rms_norm_eps": nil, "mlp_bias": nil,
      "attn_bias": nil, "use_grouped_query_attention": nil,
    ])
    var expected = Self.expected
    expected.context = 48
    expected.rotaryAdjacentPairs = false
    #expect(configuration == expected)
  }

  @Test("know the shapes of their sites")
  func shapes() {
    #expect(Self.expected.headDimension == 8)
    #expect(Self.expected.sites.count == 18)
    #expect(Self.expected.sites == Self.expected.sites.sorted())
    let shapes = Site.Kind.allCases.map { Self.expected.shape(of: Site(layer: 0, kind: $0)) }
    #expect(shapes.map(\.outputs) == [48, 16, 16, 48, 96, 48])
    #expect(shapes.map(\.inputs) == [48, 48, 48, 48, 48, 96])
  }

  @Test(
    "with a missing key, a wrong type or an impossible value are refused by key",
    arguments: [
      ("model_type", "GPT2", "expected \"LlamaSimpleMLP\", found \"GPT2\""),
      ("model_type", nil, "expected this key"),
      ("n_embd", nil, "expected this key"),
      ("n_embd", "50", "a multiple of n_head, 6, found 50"),
      ("n_embd", "18", "an even number of dimensions a head, found 3"),
      ("n_embd", "'48'", "a whole number from 1"),
      ("n_embd", "48.0", "a whole number from 1"),
      ("n_embd", "[48]", "a whole number from 1 to 268435456, found a sequence"),
      ("n_layer", "0", "a whole number from 1"),
      ("n_layer", "-1", "a whole number from 1"),
      ("vocab_size", "99999999999999999999", "a whole number from 1"),
      ("n_key_value_heads", "4", "a divisor of n_head, 6, found 4"),
      ("n_ctx", "32", "at least block_size, 48, found 32"),
      ("mlp_bias", "true", "biases are not supported"),
      ("attn_bias", "true", "biases are not supported"),
      ("attn_bias", "1", "expected true or false, found \"1\""),
      ("use_grouped_query_attention", "false", "merged query, key and value"),
      ("rotary_base", "0", "a positive number"),
      ("rms_norm_eps", "nan", "a positive number"),
      ("rms_norm_eps", ".inf", "a positive number"),
    ])
  func refusals(key: String, value: String?, reason: String) throws {
    let error = try #require(throws: InputFileError.self) { try read([key: value]) }
    #expect(error.place == key)
    #expect(error.problem.contains(reason))
  }

  @Test(
    "that are not a YAML mapping are refused in one line",
    arguments: ["", "- a\n- b\n", "a: [1\n", "a: 1\na: 2\n", "just text", "\u{0}"])
  func notMappings(text: String) throws {
    let path = try folder.write("model_config.yaml", text)
    let error = try #require(throws: InputFileError.self) { try ModelConfiguration(file: path) }
    #expect(!error.description.contains("\n"))
  }

  @Test("that are not UTF-8, or missing, are refused")
  func unreadable() throws {
    let path = try folder.write("model_config.yaml", [0x61, 0x3a, 0xff])
    #expect(throws: InputFileError.self) { try ModelConfiguration(file: path) }
    let error = try #require(throws: InputFileError.self) { try ModelConfiguration(file: folder.path("none")) }
    #expect(error.problem == "cannot open the file: No such file or directory")
  }
}
