import Foundation
import LanguageModel
import Testing

/// `pdsweep tokenizer train`, through the built program.
@Suite(.serialized)
struct TokenizerCommandTests {
  private func train(_ laboratory: Laboratory, _ arguments: String...) async throws -> Command.Outcome {
    try await Command.run(["tokenizer", "train", "--output", "new.json"] + arguments, in: laboratory)
  }

  @Test
  func aTokenizerIsLearnedFromCorporaAndTakesFewerTokensThanBytes() async throws {
    let laboratory = try Laboratory()
    let outcome = try await train(
      laboratory, "--vocabulary", "300", "--corpus", "de.txt=0.5", "--corpus", "en.txt", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    let tokenizer = try Tokenizer(path: laboratory.folder.appending(path: "new.json").path)
    #expect(tokenizer.idLimit == 300)
    #expect(report["tokens"] as? Int == 300)
    let corpora = try #require(report["corpora"] as? [[String: Any]])
    #expect(corpora.map { $0["path"] as? String } == ["de.txt", "en.txt"])
    #expect(corpora.map { $0["share"] as? Double } == [0.5, 1])
    for corpus in corpora { #expect(try #require(corpus["validation_tokens_per_byte"] as? Double) < 0.9) }
  }

  @Test
  func aVocabularyThatTheTextCannotFillIsTold() async throws {
    let laboratory = try Laboratory()
    let outcome = try await train(laboratory, "--vocabulary", "100000", "--corpus", "de.txt")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("not 100000: no pair is left that occurs 2 times"), "\(outcome.output)")
  }

  @Test(
    arguments: [
      (["--vocabulary", "256", "--corpus", "de.txt"], "expected a number from 257 to 1000000, found 256"),
      (["--vocabulary", "300", "--corpus", "de.txt=0"], "expected a share above 0 and up to 1, found 0.0"),
      (["--vocabulary", "300", "--corpus", "de.txt=nan"], "expected a share above 0 and up to 1, found nan"),
      (["--vocabulary", "300", "--corpus", "de.txt", "--corpus", "./de.txt"], "expected each file once"),
      (["--vocabulary", "300", "--corpus", "new.json"], "expected another file than the corpora"),
      (["--vocabulary", "300", "--corpus", "none.txt"], "none.txt: cannot open the file"),
      (["--vocabulary", "300", "--corpus", "de.txt", "--minimum-frequency", "0"], "a number from 1, found 0"),
      (["--vocabulary", "300"], "--corpus"),
    ])
  func badArgumentsAreRefused(arguments: [String], says: String) async throws {
    let laboratory = try Laboratory()
    let outcome = try await Command.run(["tokenizer", "train", "--output", "new.json"] + arguments, in: laboratory)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains(says), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: laboratory.folder.appending(path: "new.json").path))
  }
}
