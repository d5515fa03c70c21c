import Foundation
import Testing

/// `pdsweep pretrain` as a process.
@Suite(.serialized)
struct PretrainTests {
  private static let recipe = """
    pretrain: tiny
    tokenizer: target/tokenizer.json
    model: {layers: 1, width: 16, heads: 2, intermediate: 32, context: 16}
    corpora:
      german: {text: de.txt, share: 2}
      english: {text: en.txt, share: 1}
    training: {steps: 600, batch: 4, learning_rate: 1e-2, warm_up: 5}
    evaluation: {every: 100, tokens_per_corpus: 64}
    checkpoints: {every: 20}

    """

  private static func laboratory() throws -> Laboratory {
    let laboratory = try Laboratory()
    try laboratory.write(recipe, to: "recipe.yaml")
    return laboratory
  }

  /// The files of a model folder.
  private func files(_ name: String, _ laboratory: Laboratory) throws -> [String: Data] {
    let folder = laboratory.folder.appending(path: name)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return Dictionary(
      uniqueKeysWithValues: try names.map { ($0, try Data(contentsOf: folder.appending(path: $0))) })
  }

  private func train(_ output: String, _ laboratory: Laboratory, threads: Int = 1) async throws -> Command.Outcome {
    try await Command.run(
      ["pretrain", "recipe.yaml", "--output", output, "--threads", "\(threads)"], in: laboratory)
  }

  /// Trains, and sends a signal as soon as a condition of the shell's holds. A shell of its own watches for it: these
  /// tests may be kept waiting for longer than the training takes.
  private func interrupt(
    _ output: String, _ laboratory: Laboratory, with signal: String, once condition: String
  ) async throws -> (status: Int32, errors: String) {
    try laboratory.write(
      """
      "$1" pretrain recipe.yaml --output \(output) --threads 2 2> \(output).err &
      until \(condition) || [ -e \(output)/pretraining.json ]; do sleep 0.01; done
      kill -\(signal) $!
      wait $!
      """, to: "script.sh")
    let shell = try Command(
      ["script.sh", Command.program.path], of: URL(filePath: "/bin/sh"), in: laboratory)
    return (try await shell.outcome().status, try laboratory.read("\(output).err"))
  }

  @Test
  func whateverInterruptsItTheModelIsTheSame() async throws {
    let laboratory = try Self.laboratory()
    let outcome = try await train("whole", laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.hasPrefix("whole: "))
    #expect(outcome.output.contains("trained for 600 steps; cross-entropy on the test split, nats: english "))
    #expect(outcome.errors.contains("tiny: step 600/600 (100 %), loss "))
    #expect(outcome.errors.contains("pdsweep: step 100: validation german "))
    let whole = try files("whole", laboratory)
    #expect(whole.keys.sorted() == ["model.safetensors", "model_config.yaml", "pretraining.json", "tokenizer.json"])

    let stopped = try await interrupt("stopped", laboratory, with: "TERM", once: "grep -q 'tiny: step ' stopped.err")
    #expect(stopped.status == 143)
    #expect(stopped.errors.contains("pdsweep: stopped behind step "))
    #expect(stopped.errors.contains("a checkpoint is written, and the same command carries the training on"))
    #expect(try files("stopped", laboratory).keys.sorted() == ["checkpoint.safetensors"])

    let killed = try await interrupt("killed", laboratory, with: "KILL", once: "[ -e killed/checkpoint.safetensors ]")
    #expect(killed.status == 137)

    for name in ["stopped", "killed"] {
      let resumed = try await train(name, laboratory, threads: 3)
      #expect(resumed.status == 0 && resumed.errors.contains("pdsweep: going on behind step "), "\(resumed.errors)")
      #expect(try files(name, laboratory) == whole)
    }

    let again = try await train("whole", laboratory)
    #expect(again.status == 0 && again.output == outcome.output)
    #expect(again.errors == "pdsweep: the model is finished already: nothing was computed\n")
  }

  @Test
  func aScriptReadsTheRecordAndASweepPlansWithTheModel() async throws {
    let laboratory = try Self.laboratory()
    try laboratory.edit("recipe.yaml", "steps: 600", "steps: 30")
    // The sizes that the laboratory's decomposition is of.
    try laboratory.edit(
      "recipe.yaml", "layers: 1, width: 16, heads: 2, intermediate: 32",
      "layers: 2, width: 32, heads: 2, intermediate: 64")
    let outcome = try await Command.run(["pretrain", "recipe.yaml", "--quiet", "--json"], in: laboratory)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.hasPrefix("{\"corpora\":{\"english\":{") && outcome.output.hasSuffix("}\n"))
    #expect(outcome.output.count { $0 == "\n" } == 1)
    let record = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    let file = try JSONSerialization.jsonObject(with: Data(laboratory.read("tiny/pretraining.json").utf8))
    #expect(record as NSDictionary? == file as? NSDictionary)
    #expect((record?["test"] as? [String: Double])?.keys.sorted() == ["english", "german"])

    try laboratory.edit("sweep.yaml", "context: 32", "context: 16")
    try FileManager.default.copyItem(
      at: laboratory.folder.appending(path: "target/decomposition.safetensors"),
      to: laboratory.folder.appending(path: "tiny/decomposition.safetensors"))
    let plan = try await Command.run(["plan", "sweep.yaml", "--target", "tiny"], in: laboratory)
    #expect(plan.status == 0, "\(plan.errors)")
  }

  @Test
  func badInputIsToldInOneLineBeforeAnythingIsWritten() async throws {
    let mistakes: [(old: String, new: String, arguments: [String], says: [String])] = [
      ("steps: 600", "stepps: 600", [], ["recipe.yaml:7:12", "found `stepps`", "did you mean `steps`?"]),
      ("width: 16", "width: 15", [], ["recipe.yaml:3:", "model.width", "a multiple of heads (2)", "found 15"]),
      ("text: en.txt", "text: none.txt", [], ["corpora.english.text", "expected a file", "none.txt"]),
      ("text: en.txt", "text: none.txt", ["--corpora", "target"], ["corpora.german.text", "target/de.txt"]),
      ("tokens_per_corpus: 64", "tokens_per_corpus: 64000", [], ["de.txt: validation", "expected 4000 windows"]),
      ("steps: 600", "steps: 600", ["--tokenizer", "de.txt"], ["de.txt"]),
      ("steps: 600", "steps: 600", ["--output", "de.txt"], ["de.txt", "expected a folder"]),
      ("steps: 600", "steps: 600", ["--output", "target"], ["target/model.safetensors", "without a model"]),
      ("steps: 600", "steps: 600", ["--threads", "0"], ["--threads from 1"]),
    ]
    for mistake in mistakes {
      let laboratory = try Self.laboratory()
      try laboratory.edit("recipe.yaml", mistake.old, mistake.new)
      let before = try FileManager.default.subpathsOfDirectory(atPath: laboratory.folder.path).filter {
        !$0.hasSuffix(".out") && !$0.hasSuffix(".err")
      }.sorted()
      let outcome = try await Command.run(["pretrain", "recipe.yaml"] + mistake.arguments, in: laboratory)
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      #expect(outcome.errors.hasPrefix("pdsweep: error: ") && outcome.errors.count { $0 == "\n" } == 1)
      for part in mistake.says { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
      let after = try FileManager.default.subpathsOfDirectory(atPath: laboratory.folder.path).filter {
        !$0.hasSuffix(".out") && !$0.hasSuffix(".err")
      }.sorted()
      #expect(after == before)
    }
  }
}
