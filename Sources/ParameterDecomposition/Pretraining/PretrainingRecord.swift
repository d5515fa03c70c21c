public import ContentHash
internal import Foundation
internal import LanguageModel

/// Where a model came from and what its training came to: `pretraining.json`.
///
/// Holds nothing that changes from run to run, such as times: the same recipe on the same files gives the same bytes.
public struct PretrainingRecord: Codable, Sendable, Hashable {
  /// A measurement in the course of the training.
  public struct Measurement: Codable, Sendable, Hashable {
    /// Updates made before.
    public var step: Int
    /// Tokens predicted in them.
    public var tokens: Int
    /// Mean cross-entropy on training text since the last measurement, by language, nats; languages that were not
    /// seen since are left out.
    public var training: [String: Double]
    /// Mean cross-entropy on the validation split, by language, nats.
    public var validation: [String: Double]
  }

  /// A language of the mixture.
  public struct Language: Codable, Sendable, Hashable {
    /// Its weight in the mixture, relative to the other languages'.
    public var share: Double
    /// The digest of the text file.
    public var textSha256: SHA256Digest
    /// The digest of the file that cuts it; `nil` for the standard cut.
    public var cutSha256: SHA256Digest?
    /// Tokens of the training lines.
    public var trainingTokens: Int
    /// Tokens predicted in training.
    public var tokensSeen: Int
  }

  /// Version of this form.
  public var format = 1
  /// The program that trained.
  public var program: String
  /// The name that the recipe gives.
  public var name: String
  /// The digest of all that the result depends on.
  public var identity: SHA256Digest
  /// The model's sizes.
  public var model: PretrainingRecipe.Shape
  /// V.
  public var vocabulary: Int
  /// Number of weights.
  public var parameters: Int
  /// How it was trained.
  public var training: PretrainingRecipe.Training
  /// How it was measured.
  public var evaluation: PretrainingRecipe.Evaluation
  /// The digest of `tokenizer.json`.
  public var tokenizerSha256: SHA256Digest
  /// The text, by language.
  public var corpora: [String: Language]
  /// The course of the training; the last is the finished model's.
  public var measurements: [Measurement]
  /// Mean cross-entropy of the finished model on the test split, by language, nats.
  public var test: [String: Double]

  /// The text of the file.
  var json: [UInt8] {
    RecordJSON.encode(self, formatting: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
      + [UInt8(ascii: "\n")]
  }

  /// The same on one line.
  public var jsonLine: String {
    String(decoding: RecordJSON.encode(self, formatting: [.sortedKeys, .withoutEscapingSlashes]), as: UTF8.self)
      + "\n"
  }
}

extension PretrainingInputs {
  /// The digest of all that the result of the training depends on: two trainings of one identity give the same model.
  var identity: SHA256Digest {
    struct Identity: Encodable {
      struct Language: Encodable {
        let name: String
        let share: Double
        let text: SHA256Digest
        let cut: SHA256Digest?
      }
      let name: String
      let start: String
      let shape: PretrainingRecipe.Shape
      let training: PretrainingRecipe.Training
      let evaluation: PretrainingRecipe.Evaluation
      let tokenizer: SHA256Digest
      let languages: [Language]
    }
    return SHA256Digest(
      of: RecordJSON.encode(
        Identity(
          name: recipe.name, start: Self.startText, shape: recipe.shape, training: recipe.training,
          evaluation: recipe.evaluation, tokenizer: SHA256Digest(of: tokenizerBytes),
          languages: languages.map { .init(name: $0.name, share: $0.share, text: $0.text, cut: $0.cut) }),
        formatting: [.sortedKeys, .withoutEscapingSlashes]))
  }

  /// The record of a finished training.
  func record(
    program: String, parameters: Int, windows: [Int], measurements: [PretrainingRecord.Measurement], test: [Double]
  ) -> PretrainingRecord {
    PretrainingRecord(
      program: program, name: recipe.name, identity: identity, model: recipe.shape,
      vocabulary: configuration.vocabularySize, parameters: parameters, training: recipe.training,
      evaluation: recipe.evaluation, tokenizerSha256: SHA256Digest(of: tokenizerBytes),
      corpora: named(
        zip(languages, windows).map { language, windows in
          PretrainingRecord.Language(
            share: language.share, textSha256: language.text, cutSha256: language.cut,
            trainingTokens: language.tokens.count, tokensSeen: windows * recipe.shape.context)
        }), measurements: measurements, test: named(test))
  }
}
