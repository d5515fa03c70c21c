public import ContentHash
internal import Foundation
public import LanguageModel

/// A harvest as a JSON file: what it was made of and by which rules, and one line for each subcomponent. Says nothing of
/// the machine or the time.
public struct HarvestFile {
  /// What a harvest was made of.
  public struct Provenance: Sendable, Hashable, Encodable {
    /// The program and its version.
    public var program: String
    /// The files that it depends on, by what they are for.
    public var inputs: [String: SHA256Digest]
    /// The languages, in the order in which they were given.
    public var languages: [String]
    /// Training tokens of each.
    public var tokens: Int
    /// Chose them.
    public var seed: Int
    /// Tokens of a window.
    public var context: Int
    /// The text of the token that every window begins with.
    public var start: String
    let labelGap = SubcomponentLabel.gap
    let labelRareDensity = SubcomponentLabel.rareDensity

    enum CodingKeys: String, CodingKey {
      case program, inputs, languages, tokens, seed, context, start
      case labelGap = "label_gap"
      case labelRareDensity = "label_rare_density"
    }

    /// Gathers what a harvest is made of.
    public init(
      program: String, inputs: [String: SHA256Digest], languages: [String], tokens: Int, seed: Int, context: Int,
      start: String
    ) {
      self.program = program
      self.inputs = inputs
      self.languages = languages
      self.tokens = tokens
      self.seed = seed
      self.context = context
      self.start = start
    }
  }

  private var bytes: [UInt8] = []
  private var isEmpty = true
  private let encoder = JSONEncoder()

  /// Begins a file.
  public init(_ provenance: Provenance) throws {
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    bytes = Array("{\"provenance\":".utf8) + (try encoder.encode(provenance)) + Array(",\"subcomponents\":[".utf8)
  }

  /// Adds subcomponents.
  public mutating func append(_ subcomponents: [SubcomponentHarvest]) throws {
    for subcomponent in subcomponents {
      bytes += Array((isEmpty ? "\n" : ",\n").utf8) + (try encoder.encode(subcomponent))
      isEmpty = false
    }
  }

  /// Writes the file; it replaces an older one only when it is complete.
  public func write(to path: String) throws(InputFileError) {
    try writeFile(path, bytes + Array("\n]}\n".utf8))
  }
}
