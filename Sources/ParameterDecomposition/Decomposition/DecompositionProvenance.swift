public import ContentHash
internal import Foundation
internal import LanguageModel

/// Where a decomposition comes from and how good it is; a JSON file beside it. Says nothing of the machine or the time.
public struct DecompositionProvenance: Sendable, Hashable, Encodable {
  /// The settings that the result depends on.
  struct Settings: Hashable, Encodable {
    let method: String
    let ica: DecompositionRecipe.ICA?
    let vpd: VPDSettings?
    let start: String
    let context: Int?
    let shares: [String: Double]

    init(_ recipe: DecompositionRecipe) {
      method = recipe.method.name.rawValue
      switch recipe.method {
      case .ica(let settings): (ica, vpd) = (settings, nil)
      case .vpd(let settings, let start): (ica, vpd) = (settings.start == .ica ? start : nil, settings)
      case .svd, .neurons: (ica, vpd) = (nil, nil)
      }
      start = recipe.start
      context = recipe.context
      shares = Dictionary(uniqueKeysWithValues: recipe.corpora.map { ($0.name, $0.share) })
    }
  }

  /// The program and its version.
  public let program: String
  /// The decomposition's name.
  public let name: String
  let settings: Settings
  /// The files that the result depends on, by what they are for.
  public let inputs: [String: SHA256Digest]
  /// The decomposition file.
  public let output: SHA256Digest
  /// The sites, in the model's order.
  public let sites: [DecompositionRun.SiteReport]
  /// How good it is, on validation text.
  public let evaluation: DecompositionEvaluation

  init(
    program: String, recipe: DecompositionRecipe, inputs: [String: SHA256Digest], output: SHA256Digest,
    sites: [DecompositionRun.SiteReport], evaluation: DecompositionEvaluation
  ) {
    self.program = program
    name = recipe.name
    settings = Settings(recipe)
    self.inputs = inputs
    self.output = output
    self.sites = sites
    self.evaluation = evaluation
  }

  /// Where the provenance of a decomposition stands: `NAME.provenance.json` beside `NAME.safetensors`.
  public static func path(beside decomposition: String) -> String {
    URL(fileURLWithPath: decomposition).deletingPathExtension().path + ".provenance.json"
  }

  /// Writes it; the file replaces an older one only when it is complete.
  func write(beside decomposition: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    try writeFile(
      Self.path(beside: decomposition), Array(try encoder.encode(self)) + [UInt8(ascii: "\n")])
  }
}
