import Foundation
import SweepCore
import SweepReport
import Testing

/// What `rollouts.json` holds, and what is refused of it.
@Suite struct RolloutDocumentTests {
  private static func document() -> RolloutDocument {
    let sweep = SmallSweep.report()
    let edits = sweep.analysis.winners.map { choice in
      RolloutDocument.EditedModel(
        edit: EditRecord(choice.point, reasons: choice.reasons, in: sweep), continuations: ["\n\"Ja\u{7}"],
        windows: [.init(crossEntropies: [3.5, 7.0625], divergences: [0.25, 4])],
        divergences: [
          .init([0.25, 4], edges: RolloutDocument.divergenceEdges), .init([], edges: RolloutDocument.divergenceEdges),
        ])
    }
    return RolloutDocument(
      sweep: "small", sampling: .init(tokens: 8, temperature: 0.8, seed: 1),
      corpora: [.init(name: "german", role: .forget), .init(name: "english", role: .retain)],
      prompts: [.init(corpus: "german", text: "Der ", base: "Zug")],
      windows: [.init(corpus: "german", tokens: ["Ä", ""], base: [3.25, 2])], edits: edits)
  }

  private func read(_ text: String) throws -> RolloutDocument {
    let file = FileManager.default.temporaryDirectory.appending(path: "rollouts-\(UUID().uuidString).json")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(text.utf8).write(to: file)
    return try RolloutDocument(contentsOf: file)
  }

  @Test func aFileReadsAsItWasWrittenAndIsWrittenAlikeTwice() throws {
    let document = Self.document()
    #expect(document.edits.count > 1)
    #expect(try read(document.json()) == document)
    #expect(document.json() == Self.document().json())
    #expect(document.json().contains("\"schema\":\"pdsweep.rollouts/1\""))
    #expect(document.json().contains("\"removal\":{\"test\":4.25,\"validation\":4}"))
  }

  @Test func divergencesAreCountedInQuartersOfADecade() {
    let edges = RolloutDocument.divergenceEdges
    #expect(edges.count == 27 && edges[0] == 1e-5 && edges[4] == 1e-4 && edges[20] == 1)
    #expect(zip(edges, edges.dropFirst()).allSatisfy { $0 < $1 })
    let histogram = RolloutDocument.Histogram([-1e-7, 0, 1, 1.5, 1.8, 100], edges: edges)
    #expect(histogram.below == 2)
    #expect(histogram.counts[20] == 2 && histogram.counts[21] == 1)
    #expect(histogram.above == 1)
    #expect(histogram.below + histogram.counts.reduce(0, +) + histogram.above == 6)
    #expect(histogram.mean == 17.3833)
  }

  @Test(arguments: [
    ("pdsweep.rollouts/1", "pdsweep.rollouts/9", "found the schema pdsweep.rollouts/9"),
    ("\"base\":[3.25,2]", "\"base\":[3.25]", "found 1 losses of the 2 tokens of window 0"),
    ("\"cross_entropies\":[3.5,7.0625]", "\"cross_entropies\":[3.5]", "without the losses of all tokens"),
    ("\"continuations\":[\"\\n\\\"Ja\\u0007\"]", "\"continuations\":[]", "without all continuations"),
    ("\"divergence_edges\":[1e-05,", "\"divergence_edges\":[2e-05,2e-05,", "edges of bins that do not ascend"),
    ("\"temperature\":0.8", "\"temperature\":\"hot\"", "found other content (at sampling.temperature)"),
    ("{\"corpora\"", "[{\"corpora\"", "found other content (at the beginning)"),
  ])
  func aFileThatContradictsItselfIsRefused(old: String, new: String, reason: String) throws {
    let text = Self.document().json()
    try #require(text.contains(old), "\(text)")
    let error = try #require(throws: RolloutFileError.self) { try read(text.replacing(old, with: new)) }
    #expect(error.description.contains(reason), "\(error)")
    #expect(!error.description.contains("\n"))
  }
}
