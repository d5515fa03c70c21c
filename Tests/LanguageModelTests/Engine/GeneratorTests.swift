import Foundation
import TensorKernels
import Testing

@testable import LanguageModel

@Suite("Generation")
struct GeneratorTests {
  @Test("with a cache gives the logits of a pass over the whole sequence, however it is cut")
  func cache() {
    var tiny = TinyModel(seed: 1)
    let tokens = tiny.tokens(24)
    for edit: (any Edit)? in [
      nil, tiny.lora(tiny.model.configuration.sites), tiny.prefactors([Site(layer: 1, kind: .key)]),
    ] {
      let whole = tiny.logits([tokens], edit: edit)
      for cuts in [[24], [1, 23], [5, 1, 1, 10, 7], Array(repeating: 1, count: 24)] {
        let generator = Generator(model: tiny.model, edit: edit)
        var end = 0
        for count in cuts {
          let logits = generator.append(Array(tokens[end..<end + count]))
          end += count
          #expect(generator.length == end)
          #expect(largestDifference(logits, whole.copyOfRow(end - 1)) < 1e-5)
        }
      }
    }
  }

  @Test("greedily takes the largest logit, and the lowest id among equals")
  func greedy() {
    var generator = SplitMix64(seed: 1)
    #expect(Generator.choose([0, 3, 1, 3], sampling: .greedy, using: &generator) == 1)
    #expect(Generator.choose([-5, -5], sampling: .greedy, using: &generator) == 0)
    var tiny = TinyModel(seed: 2)
    let prompt = tiny.tokens(4)
    var seen: [Int] = []
    let found = Generator(model: tiny.model).generate(
      prompt: prompt, count: 8, sampling: .greedy, using: &generator
    ) { token, logits in
      seen.append(token)
      #expect(logits[token] == logits.max())
    }
    #expect(found == seen && found.count == 8)
    var sequence = prompt
    for token in found {
      let row = tiny.logits([sequence]).copyOfRow(sequence.count - 1)
      #expect(largestDifference([row[token]], [row.max() ?? .nan]) < 1e-5)
      sequence.append(token)
    }
  }

  private let logits: [Float] = [1, 3, -2, 2.5, 0, -30]

  private func frequencies(_ sampling: Generator.Sampling, draws: Int) -> [Double] {
    var generator = SplitMix64(seed: 5)
    var counts = [Double](repeating: 0, count: logits.count)
    for _ in 0..<draws { counts[Generator.choose(logits, sampling: sampling, using: &generator)] += 1 }
    return counts.map { $0 / Double(draws) }
  }

  private func softmax(_ temperature: Double) -> [Double] {
    let weights = logits.map { exp(Double($0) / temperature) }
    return weights.map { $0 / weights.reduce(0, +) }
  }

  @Test("at random follows the softmax at its temperature", arguments: [0.5, 1, 2.5])
  func temperature(_ temperature: Double) {
    let draws = 20_000
    let found = frequencies(.random(temperature: temperature, topP: 1), draws: draws)
    for (frequency, p) in zip(found, softmax(temperature)) {
      #expect(abs(frequency - p) <= 4 * (p * (1 - p) / Double(draws)).squareRoot() + 1e-9, "four standard errors")
    }
  }

  @Test("at a temperature near 0 takes the largest")
  func cold() {
    #expect(frequencies(.random(temperature: 1e-6, topP: 1), draws: 100)[1] == 1)
  }

  @Test("restricted to a probability keeps the fewest of the likeliest tokens that reach it")
  func topP() {
    // In order of probability: 1 (0.54), 3 (0.33), 0 (0.07), 4 (0.03), 2 (0.004), 5.
    let p = softmax(1)
    for (limit, kept) in [(0.3, [1]), (p[1] - 1e-9, [1]), (p[1] + 1e-9, [1, 3]), (0.85, [1, 3]), (0.9, [0, 1, 3])] {
      let draws = 20_000
      let found = frequencies(.random(temperature: 1, topP: limit), draws: draws)
      let mass = kept.reduce(0) { $0 + p[$1] }
      for token in logits.indices {
        let expected = kept.contains(token) ? p[token] / mass : 0
        let spread = 4 * (expected * (1 - expected) / Double(draws)).squareRoot()
        #expect(abs(found[token] - expected) <= spread + 1e-9, "token \(token) under \(limit)")
      }
    }
  }

  @Test("is the same for the same seed, and another for another")
  func seeds() {
    var tiny = TinyModel(seed: 3)
    let prompt = tiny.tokens(2)
    func run(_ seed: UInt64) -> [Int] {
      var generator = SplitMix64(seed: seed)
      return Generator(model: tiny.model).generate(
        prompt: prompt, count: 20, sampling: .random(temperature: 1, topP: 0.95), using: &generator)
    }
    #expect(run(1) == run(1) && run(1) != run(2))
  }

  @Test("ends with the context: the last position still predicts one token")
  func context() {
    var tiny = TinyModel(seed: 4)
    var generator = SplitMix64(seed: 1)
    func count(_ prompt: Int, _ count: Int) -> Int {
      Generator(model: tiny.model).generate(
        prompt: tiny.tokens(prompt), count: count, sampling: .greedy, using: &generator
      ).count
    }
    #expect(count(20, 100) == 5 && count(24, 100) == 1 && count(25, 100) == 0 && count(20, 0) == 0)
  }

  @Test("ends behind the stop token, which is part of what it gives")
  func stop() throws {
    var tiny = TinyModel(seed: 5)
    let prompt = tiny.tokens(3)
    var generator = SplitMix64(seed: 1)
    let free = Generator(model: tiny.model).generate(
      prompt: prompt, count: 10, sampling: .greedy, using: &generator)
    let stop = try #require(free.last)
    let stopped = Generator(model: tiny.model).generate(
      prompt: prompt, count: 10, sampling: .greedy, using: &generator, stop: stop)
    #expect(stopped == Array(free.prefix(through: try #require(free.firstIndex(of: stop)))))
  }
}
