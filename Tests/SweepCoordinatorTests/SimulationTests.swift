import Foundation
import Testing

/// Whole sweeps in virtual time.
///
/// `PDSWEEP_SIMULATIONS=n` runs more of them, `PDSWEEP_SIMULATION_SEED=n` one again with its log.
@Suite struct SimulationTests {
  private static let blocks = 4

  @Test("sweeps whose coordinator, workers and connections die at any point lose nothing", arguments: 0..<blocks)
  func simulations(block: Int) async throws {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["PDSWEEP_SIMULATION_SEED"].flatMap(UInt64.init) {
      if block == 0 { _ = try await run(seed, printing: true) }
      return
    }
    let histories = environment["PDSWEEP_SIMULATIONS"].flatMap(Int.init) ?? 200
    var kills = 0
    for seed in stride(from: block, to: histories, by: Self.blocks) {
      guard let simulation = try await run(UInt64(seed), printing: false) else { return }
      kills += simulation.kills
    }
    #expect(kills > 0, "without deaths nothing was tested")
  }

  private func run(_ seed: UInt64, printing: Bool) async throws -> SimulatedSweep? {
    var simulation = try SimulatedSweep(seed: seed)
    do {
      try await simulation.run()
      if printing { print(simulation.log.joined(separator: "\n")) }
      return simulation
    } catch {
      if printing { print(simulation.log.joined(separator: "\n")) }
      Issue.record("\(error); replay with PDSWEEP_SIMULATION_SEED=\(seed)")
      return nil
    }
  }
}

/// SplitMix64 (Steele, Lea and Flood, doi 10.1145/2660193.2660195).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}
