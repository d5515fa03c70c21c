public import ContentHash
internal import Foundation
public import LanguageModel

/// An evaluation as a JSON file: what it was made of, and its figures. Says nothing of the machine or the time.
public struct EvaluationRecord: Sendable, Hashable, Encodable {
  /// The program and its version.
  public let program: String
  /// The files that it depends on, by what they are for.
  public let inputs: [String: SHA256Digest]
  /// The part of the corpora.
  public let split: String
  /// Tokens of a window.
  public let context: Int
  /// The text of the token that every window begins with.
  public let start: String
  /// The figures.
  public let evaluation: DecompositionEvaluation

  /// Gathers what an evaluation is made of.
  public init(
    program: String, inputs: [String: SHA256Digest], split: Corpus.Split, context: Int, start: String,
    evaluation: DecompositionEvaluation
  ) {
    self.program = program
    self.inputs = inputs
    self.split = split.rawValue
    self.context = context
    self.start = start
    self.evaluation = evaluation
  }

  /// Where the evaluation of a decomposition stands: `NAME.evaluation.json` beside `NAME.safetensors`.
  public static func path(beside decomposition: String) -> String {
    URL(fileURLWithPath: decomposition).deletingPathExtension().path + ".evaluation.json"
  }

  /// Writes it; the file replaces an older one only when it is complete.
  public func write(beside decomposition: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    try writeFile(Self.path(beside: decomposition), Array(try encoder.encode(self)) + [UInt8(ascii: "\n")])
  }
}
