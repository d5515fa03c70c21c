import Foundation
import SweepSimulation
import Testing

/// Whole sweeps in virtual time, by seed.
///
/// `PDSWEEP_HISTORIES=n` runs so many, from `PDSWEEP_FIRST_SEED` on; `PDSWEEP_SEED=n` runs one again and prints what
/// happened in it.
@Suite struct HistoryTests {
  @Test("sweeps whose coordinator, workers, engines and connections end at any point lose nothing")
  func histories() async {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["PDSWEEP_SEED"].flatMap(UInt64.init) {
      _ = run(seed, isTold: true)
      return
    }
    let first = environment["PDSWEEP_FIRST_SEED"].flatMap(UInt64.init) ?? 0
    let histories = environment["PDSWEEP_HISTORIES"].flatMap(UInt64.init) ?? 200
    let blocks = UInt64(ProcessInfo.processInfo.activeProcessorCount)
    let sights = await withTaskGroup(of: [String: Int]?.self) { group in
      for block in 0..<blocks {
        group.addTask {
          var sights: [String: Int] = [:]
          for seed in stride(from: first + block, to: first + histories, by: UInt64.Stride(blocks)) {
            guard let seen = run(seed, isTold: false) else { return nil }
            sights.merge(seen, uniquingKeysWith: +)
          }
          return sights
        }
      }
      return await group.reduce(into: [String: Int]?([:])) { sum, block in
        if let block { sum?.merge(block, uniquingKeysWith: +) } else { sum = nil }
      }
    }
    // A history that failed ends its block: what it did not come to see says nothing.
    guard let sights, histories >= 1000 else { return }
    for sight in Self.sights { #expect(sights[sight] ?? 0 > 0, "never seen: \(sight)") }
  }

  @Test("a history follows from its seed")
  func determinism() throws {
    for seed in UInt64(0)..<5 {
      var first = SimulatedHistory(seed: seed, isTold: true)
      var second = SimulatedHistory(seed: seed, isTold: true)
      try first.run()
      try second.run()
      #expect(first.log == second.log)
      #expect(first.log.count > 10)
    }
  }

  /// What happens in any thousand histories, or they test less than they say.
  private static let sights = [
    "result", "copy", "audit", "adopted", "taken back", "reopened", "set aside", "released", "crashed", "out-of-memory",
    "diverged", "preempted", "worker-lost", "unstarted", "undelivered", "forgotten", "worker-left", "abandoned",
    "audit agreed", "coordinator killed before the commit", "coordinator killed after the commit",
    "coordinator killed in the middle of sending", "coordinator killed between two turns", "worker killed", "parted",
  ]

  private func run(_ seed: UInt64, isTold: Bool) -> [String: Int]? {
    var history = SimulatedHistory(seed: seed, isTold: isTold)
    do {
      try history.run()
      if isTold { print(history.log.joined(separator: "\n")) }
      return history.sights
    } catch {
      if isTold { print(history.log.joined(separator: "\n")) }
      Issue.record("\(error); replay with PDSWEEP_SEED=\(seed)")
      return nil
    }
  }
}
