import Foundation
import Testing

/// Sweeps that choose their subcomponents, through the built program.
@Suite(.serialized)
struct SelectionCommandTests {
  private struct Run: Decodable {
    let digest: String
    let cells: [String: Int]
    let completed_in_this_run: Int
  }

  private static func run(_ laboratory: Laboratory) async throws -> Run {
    let outcome = try await Command.run(["run", "sweep.yaml", "--quiet", "--json", "--workers", "1"], in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try JSONDecoder().decode(Run.self, from: Data(outcome.output.utf8))
  }

  /// A laboratory whose sweep scales the subcomponents that matter most to German.
  private static func laboratory() async throws -> Laboratory {
    let laboratory = try Laboratory()
    let outcome = try await Command.run(
      [
        "harvest", "target/decomposition.safetensors", "--corpus", "german=de.txt", "--corpus", "english=en.txt",
        "--tokens", "200", "--examples", "0",
      ], in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    try laboratory.edit(
      "sweep.yaml", "[\"h.1.mlp.c_fc:3\"]", "{select: most-important, corpus: german, count: 2}")
    try laboratory.edit("sweep.yaml", "sites: all", "sites: of-selected")
    return laboratory
  }

  /// The subcomponents of the harvest by |attribution| to German.
  private static func ranking(_ laboratory: Laboratory) throws -> [Int] {
    struct Harvest: Decodable {
      struct Part: Decodable {
        let index: Int
        let attribution: [String: Double]
      }
      let subcomponents: [Part]
    }
    let text = try laboratory.read("target/decomposition.harvest.json")
    let parts = try JSONDecoder().decode(Harvest.self, from: Data(text.utf8)).subcomponents
    let sizes = parts.map { abs($0.attribution["german"] ?? 0) }
    #expect(Set(sizes).count == sizes.count && !sizes.contains(0))
    return parts.map(\.index).sorted { sizes[$0] > sizes[$1] }
  }

  @Test
  func aPlanShowsWhatIsChosenAndWhy() async throws {
    let laboratory = try await Self.laboratory()
    let ranking = try Self.ranking(laboratory)
    let plan = try await Command.run(["plan", "sweep.yaml"], in: laboratory)
    #expect(plan.status == 0, "\(plan.errors)")
    #expect(
      plan.output.contains(
        "\nSelections\n\none-scalar, lora, scan\ndecomposition.safetensors: most-important for german, by |attribution|\n"
      ), "\(plan.output)")
    let rows = plan.output.split(separator: "\n").filter { $0.hasPrefix("h.1.mlp.c_fc:") }
    #expect(rows.map { Int($0.dropFirst(13).prefix { $0 != " " }) } == ranking.prefix(2).map(\.self), "\(plan.output)")
    #expect(plan.output.contains("harvest:decomposition.safetensors"))
  }

  @Test
  func aSweepIsCarriedOnWhileItsChoiceStaysAndIsAnotherWhereItChanges() async throws {
    let laboratory = try await Self.laboratory()
    let first = try await Self.run(laboratory)
    #expect(first.completed_in_this_run == Laboratory.cells && first.cells["completed"] == Laboratory.cells)
    let again = try await Self.run(laboratory)
    #expect(again.digest == first.digest && again.completed_in_this_run == 0)

    // Another harvest that ranks others first: the LoRA's cells are the same, for the site is.
    let ranking = try Self.ranking(laboratory)
    var document = try #require(
      try JSONSerialization.jsonObject(
        with: Data(try laboratory.read("target/decomposition.harvest.json").utf8)) as? [String: Any])
    var parts = try #require(document["subcomponents"] as? [[String: Any]])
    parts[ranking[7]]["attribution"] = ["german": 1000.0, "english": 0.0]
    document["subcomponents"] = parts
    try laboratory.write(
      String(decoding: try JSONSerialization.data(withJSONObject: document), as: UTF8.self),
      to: "target/decomposition.harvest.json")
    let plan = try await Command.run(["plan", "sweep.yaml", "--store", "tiny.sqlite"], in: laboratory)
    #expect(
      plan.output.contains("h.1.mlp.c_fc:\(ranking[7])") && plan.output.contains("subcomponents"), "\(plan.output)")
    let other = try await Self.run(laboratory)
    #expect(other.digest != first.digest && other.cells["completed"] == Laboratory.cells)
    #expect(other.completed_in_this_run == Laboratory.cells - 6)
  }
}
