import Foundation
import LanguageModel
import SettingsFiles
import Synchronization
import TensorKernels
import Testing

@testable import ParameterDecomposition

@Suite("Pretraining")
struct PretrainingTests {
  /// Runs a training, up to a number of steps if one is given.
  @discardableResult
  private func run(_ training: Pretraining, upTo last: Int? = nil) throws -> (Pretraining.Outcome, [Double]) {
    let step = Mutex(0)
    var losses: [Double] = []
    let outcome = try training.run(shouldStop: { step.withLock { $0 >= last ?? .max } }) { event in
      switch event {
      case .resumed(let number): step.withLock { $0 = number }
      case .stepped(let made):
        step.withLock { $0 = made.step }
        losses.append(made.loss)
      case .measured: break
      }
    }
    return (outcome, losses)
  }

  private func record(_ outcome: Pretraining.Outcome) throws -> PretrainingRecord {
    guard case .finished(let record, already: false) = outcome else {
      throw Unexpected(what: "\(outcome)")
    }
    return record
  }

  private struct Unexpected: Error {
    let what: String
  }

  @Test("a model learns more than how frequent its tokens are")
  func learns() throws {
    let workshop = try Workshop()
    let inputs = try workshop.inputs(steps: 150)
    let (outcome, _) = try run(workshop.training(inputs, output: "model", threads: 2))
    let record = try record(outcome)
    for language in inputs.languages {
      var counts: [Int32: Int] = [:]
      for token in language.tokens { counts[token, default: 0] += 1 }
      let entropy = counts.values.reduce(0.0) { sum, count in
        let part = Double(count) / Double(language.tokens.count)
        return sum - part * log(part)
      }
      let name = language.name
      let first = try #require(record.measurements.first?.validation[name])
      let last = try #require(record.measurements.last?.validation[name])
      #expect(abs(first - log(257)) < 0.1, "untrained, it guesses")
      #expect(last < entropy - 0.4, "\(name): \(last) nats, unigram entropy \(entropy)")
      #expect(try #require(record.test[name]) < entropy - 0.4)
    }
    #expect(record.measurements.map(\.step) == Array(stride(from: 0, through: 150, by: 10)))
    let trees = try #require(record.corpora["trees"]), metals = try #require(record.corpora["metals"])
    #expect(trees.tokensSeen + metals.tokensSeen == 150 * Workshop.batch * Workshop.context)
    #expect(abs(Double(trees.tokensSeen) / Double(metals.tokensSeen) - 2) < 0.05)

    // The folder is a target: what is written is what was measured.
    let path = workshop.folder.appending(path: "model")
    let configuration = try ModelConfiguration(file: path.appending(path: "model_config.yaml").path)
    #expect(configuration == inputs.configuration)
    let model = try TargetModel(
      checkpoint: path.appending(path: "model.safetensors").path, configuration: configuration)
    let measured = try #require(inputs.test.crossEntropies(of: model, threads: 1) { false })
    #expect(inputs.named(measured) == record.test)
    #expect(try workshop.bytes("model/tokenizer.json") == workshop.bytes("tokenizer.json"))
  }

  @Test("a training that was interrupted anywhere gives the files of one that was not, on any number of threads")
  func resumes() throws {
    let workshop = try Workshop()
    let inputs = try workshop.inputs()
    let (outcome, losses) = try run(workshop.training(inputs, output: "whole"))
    _ = try record(outcome)
    let whole = try workshop.model("whole")
    #expect(Set(whole.keys) == ["model.safetensors", "model_config.yaml", "tokenizer.json", "pretraining.json"])
    // Before the first step; within; at a measurement, 10; at a checkpoint, 8; when all steps are made.
    for (threads, stops) in [(2, [0, 1, 7]), (3, [8, 10, 11]), (8, [24])] {
      let name = "after-\(stops[0])"
      var all: [Double] = []
      for stop in stops {
        let (outcome, some) = try run(workshop.training(inputs, output: name, threads: threads), upTo: stop)
        guard case .stopped(stop) = outcome else { throw Unexpected(what: "\(outcome) at \(stop)") }
        all += some
      }
      let (outcome, rest) = try run(workshop.training(inputs, output: name))
      _ = try record(outcome)
      #expect(all + rest == losses)
      let files = try workshop.model(name)
      #expect(files.keys == whole.keys)
      for (file, bytes) in whole { #expect(files[file] == bytes, "\(file) of \(name)") }
    }
  }

  @Test("weight decay is for matrices alone")
  func decay() throws {
    var state = PretrainingState(try Workshop().inputs())
    let before = state.weights.parameters.map { $0.value.copyOfElements() }
    state.optimiser.update(state.weights.parameters)
    for (parameter, before) in zip(state.weights.parameters, before) {
      let factor: Float = TargetModel.isNorm(parameter.name) ? 1 : 1 - 2e-2 * 0.1
      #expect(zip(parameter.value.copyOfElements(), before).allSatisfy { abs($0 - $1 * factor) < 1e-7 })
    }
  }

  @Test("a finished training is not begun again")
  func finished() throws {
    let workshop = try Workshop()
    let inputs = try workshop.inputs(steps: 5)
    let first = try record(run(workshop.training(inputs, output: "model")).0)
    let (outcome, losses) = try run(workshop.training(inputs, output: "model"))
    guard case .finished(first, already: true) = outcome else { throw Unexpected(what: "\(outcome)") }
    #expect(losses.isEmpty)
  }

  @Test("another seed gives another model, another rhythm of checkpoints the same")
  func identity() throws {
    let workshop = try Workshop()
    let inputs = try workshop.inputs()
    #expect(try workshop.inputs("seed: 7", "seed: 8").identity != inputs.identity)
    #expect(try workshop.inputs("share: 2", "share: 3").identity != inputs.identity)
    #expect(try workshop.inputs("every: 8", "every: 5").identity == inputs.identity)
    let text = String(decoding: try workshop.bytes("trees.txt"), as: UTF8.self)
    try workshop.write(text + "One more line.\n", to: "trees.txt")
    #expect(try workshop.inputs().identity != inputs.identity)
  }

  @Test("a folder of another training, and one that holds something else, are refused and left as they are")
  func foreignFolders() throws {
    let workshop = try Workshop()
    let inputs = try workshop.inputs(steps: 5)
    let other = try workshop.inputs("seed: 7", "seed: 8", steps: 5)
    try run(workshop.training(inputs, output: "begun"), upTo: 2)
    try run(workshop.training(inputs, output: "finished"))
    try workshop.write("", to: "file")
    try FileManager.default.createDirectory(
      at: workshop.folder.appending(path: "foreign"), withIntermediateDirectories: true)
    try workshop.write("{}", to: "foreign/tokenizer.json")
    for (name, says) in [
      ("begun", "one of another training"), ("finished", "one of another training"), ("file", "a folder"),
      ("file/model", "a folder"), ("foreign", "a folder without a model"),
    ] {
      let before = try? workshop.model(name)
      let error = try #require(throws: InputFileError.self) { try run(workshop.training(other, output: name)) }
      #expect(error.description.contains(says), "\(error)")
      let after = try? workshop.model(name)
      #expect(after == before)
    }
  }

  @Test("a damaged checkpoint is refused, cut off wherever it may be")
  func damagedCheckpoint() throws {
    let workshop = try Workshop()
    let inputs = try workshop.inputs()
    try run(workshop.training(inputs, output: "model"), upTo: 2)
    let bytes = try workshop.bytes("model/checkpoint.safetensors")
    for length in stride(from: 0, to: bytes.count, by: bytes.count / 40) {
      try Data(bytes[..<length]).write(to: workshop.folder.appending(path: "model/checkpoint.safetensors"))
      #expect(throws: InputFileError.self, "\(length) bytes") { try run(workshop.training(inputs, output: "model")) }
    }
  }

  @Test("a learning rate beyond all measure ends the training, and leaves no model", arguments: [1, 24])
  func divergence(steps: Int) throws {
    let workshop = try Workshop()
    let inputs = try workshop.inputs("2e-2, warm_up: 3", "1e30", steps: steps)
    #expect(throws: Pretraining.Divergence.self) { try run(workshop.training(inputs, output: "model")) }
    #expect(try workshop.model("model").keys.allSatisfy { $0 == "checkpoint.safetensors" })
  }

  @Test(
    "files that do not fit the recipe are refused",
    arguments: [
      ("tokenizer: tokenizer.json", "tokenizer: none.json", "tokenizer: expected a file, found no file"),
      ("text: trees.txt", "text: none.txt", "corpora.trees.text: expected a file, found no file"),
      ("width: 16", "width: 8388608", "model: expected a model that can be trained in this machine's"),
      ("tokens_per_corpus: 64", "tokens_per_corpus: 6400", "trees.txt: validation: expected 400 windows of 16 tokens"),
      ("text: metals.txt", "text: copy.txt", "metals.text: expected a text of its own, found the text of `trees`"),
    ])
  func unfitFiles(old: String, new: String, says: String) throws {
    let workshop = try Workshop()
    try workshop.write(String(decoding: workshop.bytes("trees.txt"), as: UTF8.self), to: "copy.txt")
    let error = try #require(throws: (any Error).self) { try workshop.inputs(old, new) }
    #expect("\(error)".contains(says), "\(error)")
  }
}
