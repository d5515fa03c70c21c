internal import ArgumentParser
internal import Foundation
internal import LanguageModel

/// How prompts are continued.
struct SamplingOptions: ParsableArguments {
  @Option(help: "Tokens of a continuation at most.")
  var tokens = 64

  @Option(help: "The temperature; 0 = always the likeliest token.")
  var temperature = 0.8

  @Option(help: "Chooses the tokens; the same for the base model and the edited one.")
  var seed = 0

  func validate() throws {
    try DecompositionTextOptions.check("tokens", tokens, 1...1_000_000)
    try DecompositionTextOptions.check("seed", seed, 0...1_000_000_000)
    guard temperature == 0 || (0.01...100).contains(temperature) else {
      throw ValidationError("--temperature: expected 0, or a number from 0.01 to 100, found \(temperature)")
    }
  }

  /// Prompts in a file, one a line; empty lines are left out.
  static func prompts(in path: String) throws -> [String] {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw InputFileError(
        file: path, problem: "expected prompts in UTF-8, one a line: \(error.localizedDescription)",
        advice: "check the path")
    }
    let prompts = text.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
    guard !prompts.isEmpty else {
      throw InputFileError(file: path, problem: "expected prompts, one a line, found none", advice: "check the path")
    }
    return prompts
  }
}
