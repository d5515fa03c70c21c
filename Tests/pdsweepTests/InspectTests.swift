import Foundation
import Testing

/// `pdsweep inspect`, through the built program.
@Suite(.serialized)
struct InspectTests {
  private struct Document: Decodable {
    struct Subcomponent: Decodable, Equatable {
      struct Selectivity: Decodable, Equatable {
        let language: String
        let ratio: Double
      }

      struct Example: Decodable, Equatable {
        let language: String
        let token: String
        let before: String
        let after: String
        let activation: Double
      }

      let site: String
      let index: Int
      let label: String
      let strength: [String: Double]
      let attribution: [String: Double]
      let density: [String: Double]
      let selectivity: Selectivity
      let examples: [Example]
    }

    let decomposition: String
    let source: String
    let languages: [String]
    let tokens: Int
    struct Trace: Decodable {
      struct Token: Decodable {
        let text: String
        let activation: Double
      }

      let tokens: [Token]
      let place: Int
    }

    let traces: [Trace]?
    let subcomponent: Subcomponent?
    let subcomponents: [Subcomponent]?
  }

  private static let corpora = ["--corpus", "german=de.txt", "--corpus", "english=en.txt", "--tokens", "200"]

  /// A laboratory whose decomposition is harvested.
  private static func harvested() async throws -> (Laboratory, [Document.Subcomponent]) {
    struct Harvest: Decodable {
      let subcomponents: [Document.Subcomponent]
    }
    let laboratory = try Laboratory()
    let outcome = try await Command.run(["harvest", "target/decomposition.safetensors"] + corpora, in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let text = try laboratory.read("target/decomposition.harvest.json")
    return (laboratory, try JSONDecoder().decode(Harvest.self, from: Data(text.utf8)).subcomponents)
  }

  private static func inspect(_ arguments: [String], in laboratory: Laboratory) async throws -> String {
    let outcome = try await Command.run(["inspect", "--target", "target"] + arguments, in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return outcome.output
  }

  private static func document(_ arguments: [String], in laboratory: Laboratory) async throws -> Document {
    try JSONDecoder().decode(
      Document.self, from: Data(try await inspect(arguments + ["--json"], in: laboratory).utf8))
  }

  @Test
  func aSubcomponentIsWhatTheHarvestSaysOrTheSameTextShows() async throws {
    let (laboratory, harvest) = try await Self.harvested()
    let read = try await Self.document(["h.1.mlp.c_fc:3"], in: laboratory)
    #expect(read.source == "harvest" && read.languages == ["german", "english"] && read.tokens == 200)
    #expect(read.decomposition == "decomposition.safetensors")
    #expect(read.subcomponent == harvest[3])

    // The harvest need not be there.
    try FileManager.default.removeItem(at: laboratory.folder.appending(path: "target/decomposition.harvest.json"))
    let measured = try await Self.document(["h.1.mlp.c_fc:3", "--examples", "5"] + Self.corpora, in: laboratory)
    #expect(measured.source == "text")
    #expect(measured.subcomponent == harvest[3])
    #expect(read.traces == nil)
    let traces = try #require(measured.traces)
    #expect(traces.count == 5)
    let sizes = traces.map { abs($0.tokens[$0.place].activation) }
    #expect(sizes == sizes.sorted(by: >) && sizes.first == harvest[3].examples.first.map { abs($0.activation) })
  }

  @Test
  func aSubcomponentIsShownWithItsTokensInBracketsWhereNobodySeesColours() async throws {
    let (laboratory, harvest) = try await Self.harvested()
    let page = try await Self.inspect(["h.1.mlp.c_fc:3"], in: laboratory)
    #expect(!page.contains("\u{1B}"))
    #expect(page.hasPrefix("h.1.mlp.c_fc:3  decomposition.safetensors of target\n"))
    #expect(page.contains("\nlabel        \(harvest[3].label)\n"), "\(page)")
    #expect(page.contains("\nmeasured on  200 tokens of each language, by its harvest\n"), "\(page)")
    let lines = page.split(separator: "\n").map(String.init)
    for language in ["german", "english"] {
      let strength = try #require(harvest[3].strength[language])
      #expect(lines.contains { $0.hasPrefix(language) && $0.contains(String(format: "%.3g ", strength)) }, "\(page)")
    }
    let start = try #require(lines.firstIndex(of: "Strongest at"))
    let shown = lines[(start + 1)...]
    #expect(shown.count == 5)
    for (line, example) in zip(shown, harvest[3].examples) {
      #expect(line.hasPrefix(example.language) && line.count <= 80)
      #expect(line.contains("[\(example.token.replacing("\n", with: "⏎"))]"), "\(line)")
    }
    #expect(
      try await Self.inspect(["h.1.mlp.c_fc:3", "--examples", "2"], in: laboratory).split(separator: "\n").count
        == start + 3)
  }

  @Test
  func aSiteListsItsSubcomponentsTheMostSelectiveFirst() async throws {
    let (laboratory, harvest) = try await Self.harvested()
    let order = harvest.sorted { ($1.selectivity.ratio, $0.index) < ($0.selectivity.ratio, $1.index) }
    #expect(try await Self.document(["h.1.mlp.c_fc"], in: laboratory).subcomponents == order)
    let rows = try await Self.inspect(["h.1.mlp.c_fc"], in: laboratory).split(separator: "\n").suffix(harvest.count)
    #expect(rows.map { Int($0.drop { $0 == " " }.prefix { $0 != " " }) } == order.map(\.index))
    // One language has none to be compared with: there is nothing to put them in order by.
    let one = try await Self.inspect(
      ["h.1.mlp.c_fc", "--corpus", "german=de.txt", "--tokens", "200"], in: laboratory)
    #expect(one.contains("measured on 200 tokens of each text given") && !one.contains("all languages"), "\(one)")
  }

  @Test
  func aTargetListsItsSitesWithTheNumbersOfTheirLabels() async throws {
    let (laboratory, harvest) = try await Self.harvested()
    let page = try await Self.inspect([], in: laboratory)
    let row = try #require(page.split(separator: "\n").first { $0.hasPrefix("h.1.mlp.c_fc") })
    let german = harvest.count { $0.label == "german" }
    let english = harvest.count { $0.label == "english" }
    let numbers = [8, german, english, 8 - german - english].map { $0 == 0 ? "-" : "\($0)" }
    #expect(row.split(separator: " ").dropFirst().map(String.init) == ["8"] + numbers.dropFirst(), "\(page)")

    struct Target: Decodable {
      struct Summary: Decodable {
        let name: String
      }
      let target: Summary
      let labels: [String: [String: [String: Int]]]
    }
    let json = try await Self.inspect(["--json"], in: laboratory)
    let target = try JSONDecoder().decode(Target.self, from: Data(json.utf8))
    #expect(target.labels["decomposition.safetensors"]?["h.1.mlp.c_fc"]?.values.reduce(0, +) == 8)
  }

  @Test
  func theBuiltInTargetIsShownWhereNothingElseIsNamed() async throws {
    let laboratory = try Laboratory(empty: ())
    let page = try await Command.run(["inspect", "h.1.attn.o_proj:3"], in: laboratory)
    #expect(page.status == 0, "\(page.errors)")
    #expect(page.output.contains("label        german\n"), "\(page.output)")
    #expect(page.output.contains("12.37 times as strong in german as in any other language"))
    #expect(page.output.contains("The harvest holds no text: --corpus NAME=FILE"))
    let target = try await Command.run(["inspect"], in: laboratory)
    #expect(target.status == 0, "\(target.errors)")
    for name in ["decomposition-ica.safetensors", "decomposition-neurons.safetensors", "decomposition-svd.safetensors"]
    {
      #expect(target.output.contains("\n\(name)\n"), "\(target.output)")
    }
  }

  @Test(
    arguments: [
      (["h.1.mlp.c_fc:8"], "expected one of the 8 subcomponents of h.1.mlp.c_fc, found h.1.mlp.c_fc:8"),
      (["h.1.mlp.c_fc:x"], "choose an index from 0 to 7"), (["h.1.mlp.c_fc:"], "choose an index from 0 to 7"),
      (["h.1.mlp.cfc:3"], "did you mean h.1.mlp.c_fc?"), (["h.0.attn.q_proj"], "decomposed there: h.1.mlp.c_fc"),
      (["wte"], "expected a site that it decomposes"),
      (["h.1.mlp.c_fc"], "decomposition.harvest.json: expected what the subcomponents do, found no file; make it with"),
      (["h.1.mlp.c_fc", "--decomposition", "x.safetensors"], "x.safetensors"),
      (["--decomposition", "x.safetensors"], "it has decomposition.safetensors"),
      (["--corpus", "german=de.txt"], "--corpus: expected a subcomponent or a site to measure on it"),
      (["h.1.mlp.c_fc", "--corpus", "a=de.txt", "--corpus", "a=en.txt"], "a name and a file of its own"),
      (["h.1.mlp.c_fc", "--corpus", "a=no.txt"], "no.txt"),
      (["h.1.mlp.c_fc", "--corpus", "a=de.txt", "--tokens", "10000000"], "expected 10000000 tokens"),
      (["h.1.mlp.c_fc", "--target", "nowhere"], "expected the name of a target"),
      (["h.1.mlp.c_fc", "--target", "./nowhere"], "expected the name of a target"),
    ])
  func whatIsNotThereIsRefusedInOneLine(arguments: [String], says: String) async throws {
    let laboratory = try Laboratory()
    let options = arguments.contains("--target") ? [] : ["--target", "target"]
    let outcome = try await Command.run(["inspect"] + options + arguments, in: laboratory)
    #expect(outcome.status == 2 && outcome.output.isEmpty)
    #expect(outcome.errors.contains(says), "\(outcome.errors)")
    #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
  }

  @Test
  func aHarvestOfAnotherDecompositionIsRefused() async throws {
    let (laboratory, _) = try await Self.harvested()
    let file = laboratory.folder.appending(path: "target/decomposition.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count - 4] ^= 1
    try bytes.write(to: file)
    let outcome = try await Command.run(["inspect", "--target", "target", "h.1.mlp.c_fc:3"], in: laboratory)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("found one of another decomposition; make it again"), "\(outcome.errors)")
  }
}
