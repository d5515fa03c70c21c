import Foundation
import LanguageModel
import SweepReport
import Testing

/// Edits taken away from a finished sweep, through the built program.
@Suite(.serialized)
struct EditCommandTests {
  private struct Index: Decodable {
    struct Entry: Decodable {
      struct Record: Decodable {
        let method: String
        let cell: Int
        let chosenFor: [String]
      }

      let folder: String
      let kind: String
      let edit: Record
    }

    let edits: [Entry]
  }

  private struct Continued: Decodable {
    let prompt: String
    let base: String
    let edited: String?
  }

  /// A laboratory whose sweep has run.
  private func finished() async throws -> Laboratory {
    let laboratory = try Laboratory()
    let run = try await Command.run(["run", "sweep.yaml", "--quiet"], in: laboratory)
    try #require(run.status == 0, "\(run.errors)")
    return laboratory
  }

  private func succeed(_ arguments: [String], in laboratory: Laboratory) async throws -> String {
    let outcome = try await Command.run(arguments, in: laboratory)
    try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
    return outcome.output
  }

  private func refused(_ arguments: [String], in laboratory: Laboratory) async throws -> String {
    let outcome = try await Command.run(arguments, in: laboratory)
    #expect(outcome.status == 2 && outcome.output.isEmpty, "\(arguments)")
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    return outcome.errors
  }

  private func content(of folder: String, in laboratory: Laboratory) throws -> [String: Data] {
    let root = laboratory.folder.appending(path: folder)
    let names = try FileManager.default.subpathsOfDirectory(atPath: root.path)
    return Dictionary(
      uniqueKeysWithValues: try names.filter { !root.appending(path: $0).hasDirectoryPath && $0.contains(".") }.map {
        ($0, try Data(contentsOf: root.appending(path: $0)))
      })
  }

  private func continuations(_ arguments: [String], in laboratory: Laboratory) async throws -> [Continued] {
    let prompts = ["--prompt", "Der Uhrmacher", "--prompt", "The watchmaker", "--tokens", "12", "--temperature", "0"]
    return try await succeed(["generate", "--json"] + arguments + prompts, in: laboratory).split(separator: "\n").map {
      try JSONDecoder().decode(Continued.self, from: Data($0.utf8))
    }
  }

  @Test func winningEditsAreWrittenMergedAndTried() async throws {
    let laboratory = try await finished()
    let names = try await succeed(["edits", "--output", "edits"], in: laboratory)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let index = try decoder.decode(Index.self, from: Data(laboratory.read("edits/edits.json").utf8))
    #expect(Set(index.edits.map(\.edit.method)) == ["one-scalar", "lora", "scan"])
    #expect(index.edits.allSatisfy { !$0.edit.chosenFor.isEmpty })
    #expect(names.split(separator: "\n").count == index.edits.count)

    // The same results give the same bytes, and take the place of older edits only.
    _ = try await succeed(["edits", "tiny.sqlite", "--output", "again"], in: laboratory)
    _ = try await succeed(["edits", "tiny.sqlite", "--output", "again"], in: laboratory)
    let (files, again) = try (content(of: "edits", in: laboratory), content(of: "again", in: laboratory))
    #expect(files == again && files.count > index.edits.count)
    #expect(try await refused(["edits", "--output", "target"], in: laboratory).contains("found something else"))

    for kind in ["prefactors", "lora"] {
      let edit = "edits/" + (try #require(index.edits.last { $0.kind == kind })).folder
      let merged = "merged-\(kind)"
      _ = try await succeed(["apply", edit, "--target", "target", "--output", merged], in: laboratory)
      let tried = try await continuations(["--target", "target", "--edit", edit], in: laboratory)
      let plain = try await continuations(["--target", "target"], in: laboratory)
      let whole = try await continuations(["--target", merged], in: laboratory)
      #expect(tried.map(\.base) == plain.map(\.base) && plain.allSatisfy { $0.edited == nil })
      #expect(tried.map(\.edited) == whole.map(\.base))

      // The merged model is another target than the edit's.
      let mistaken = ["apply", edit, "--target", merged, "--output", "twice"]
      #expect(try await refused(mistaken, in: laboratory).contains("expected the target that the edit is for"))
      let over = ["apply", edit, "--target", "target", "--output", merged]
      #expect(try await refused(over, in: laboratory).contains("expected no file or folder yet"))
    }
    let first = "edits/\(index.edits[0].folder)"
    let shown = try await succeed(
      ["generate", "--target", "target", "--edit", first, "--prompt", "Der", "--tokens", "3"], in: laboratory)
    #expect(shown.hasPrefix("> Der\nbase:   ") && shown.contains("\nedited: "))
  }

  @Test func aFullFineTuneIsSweptWrittenAndMergedLikeAnyOtherEdit() async throws {
    let laboratory = try Laboratory()
    let method = "  one-scalar:\n"
    try laboratory.edit(
      "sweep.yaml", method,
      "  whole: {edit: full, sites: [h.1.mlp.c_fc, h.0.attn.v_proj], "
        + "grid: {learning_rate: [1e-3], retain_weight: [1], steps: [4]}}\n" + method)
    let run = try await Command.run(["run", "sweep.yaml", "--quiet"], in: laboratory)
    try #require(run.status == 0, "\(run.errors)")
    // Every cell is trained again and must come to the recorded norms, digit by digit.
    _ = try await succeed(["edits", "--output", "edits"], in: laboratory)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let index = try decoder.decode(Index.self, from: Data(laboratory.read("edits/edits.json").utf8))
    let edit = "edits/" + (try #require(index.edits.last { $0.kind == "full" })).folder
    let file = try SafetensorsFile(path: laboratory.folder.appending(path: "\(edit)/full.safetensors").path)
    #expect(Set(file.tensors.map(\.name)) == ["h.0.attn.v_proj.delta", "h.1.mlp.c_fc.delta"])
    for tensor in file.tensors { #expect(try file.floats(tensor).contains { $0 != 0 }, "\(tensor.name)") }
    _ = try await succeed(["apply", edit, "--target", "target", "--output", "merged"], in: laboratory)
    let tried = try await continuations(["--target", "target", "--edit", edit], in: laboratory)
    let whole = try await continuations(["--target", "merged"], in: laboratory)
    #expect(tried.map(\.edited) == whole.map(\.base))
    _ = try await succeed(["export", "--output", "results"], in: laboratory)
    #expect(try laboratory.read("results/cells.csv").contains("h.0.attn.v_proj="))
  }

  @Test func filesThatAreNotTheSweepsAreRefused() async throws {
    let laboratory = try await finished()
    let missing = try await refused(["edits", "--output", "out", "--cell", "99"], in: laboratory)
    #expect(missing.contains("--cell: expected a completed cell of tiny, found 99, which is none of its cells"))
    try laboratory.edit("de.txt", "Uhrmacher", "Fuhrmann")
    let changed = try await refused(["edits", "--output", "out"], in: laboratory)
    #expect(changed.contains("corpus:german: expected the file with SHA-256 "))
    #expect(changed.contains("say where it lies with --corpora FOLDER"))
    let moved = try await refused(["rollouts", "--corpora", "nowhere", "--output", "out.json"], in: laboratory)
    #expect(moved.contains("tiny.sqlite: corpora.forget.german: expected a file"))
    for name in ["out", "out.json"] {
      #expect(!FileManager.default.fileExists(atPath: laboratory.folder.appending(path: name).path))
    }
  }

  @Test func rolloutsTellWhatEditsDoToText() async throws {
    let laboratory = try await finished()
    let arguments = ["rollouts", "--tokens", "8", "--prompt-tokens", "4", "--window-tokens", "20", "--quiet"]
    for name in ["a.json", "b.json"] { _ = try await succeed(arguments + ["--output", name], in: laboratory) }
    #expect(try laboratory.read("a.json") == laboratory.read("b.json"))
    let document = try RolloutDocument(contentsOf: laboratory.folder.appending(path: "a.json"))
    #expect(document.corpora.map(\.name) == ["german", "english", "french"])
    #expect(document.prompts.map(\.corpus) == ["german", "german", "english", "english", "french", "french"])
    #expect(document.edits.map(\.edit.method) == ["one-scalar", "lora", "scan"])
    #expect(document.windows.map(\.tokens.count) == [20, 20, 20])
    let german = try laboratory.read("de.txt")
    #expect(german.contains(document.windows[0].tokens.joined().replacing("\u{FFFD}", with: "")))
    #expect(document.prompts.filter { $0.corpus == "german" }.allSatisfy { german.contains("\n" + $0.text) })
    for edited in document.edits {
      // Every token of the test split is counted: 64 of each corpus.
      #expect(edited.divergences.allSatisfy { $0.below + $0.counts.reduce(0, +) + $0.above == 64 })
      #expect(edited.windows[0].crossEntropies != document.windows[0].base)
    }

    try laboratory.write("Der Zug\n\nDas Kind\n", to: "prompts.txt")
    let more = ["--prompts", "prompts.txt", "--cell", "0", "--output", "c.json"]
    _ = try await succeed(arguments + more, in: laboratory)
    let given = try RolloutDocument(contentsOf: laboratory.folder.appending(path: "c.json"))
    #expect(given.prompts.map(\.text) == ["Der Zug", "Das Kind"])
    #expect(given.edits.map(\.edit.chosenFor) == [["chosen-by-hand"]])
  }
}
