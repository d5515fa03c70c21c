import Foundation
import Testing

/// `pdsweep bench coordinator` in small: what it prints, and what it leaves behind.
@Suite(.serialized)
struct CoordinatorBenchTests {
  /// What is printed, as far as it can be judged on any machine.
  private struct Figures: Decodable {
    struct Quantiles: Decodable {
      let median: Double
      let p99: Double
    }

    struct Recovery: Decodable {
      let killed: Double
      let silent: Double
    }

    let cells_per_s: Double
    let coordinator_cpu_us_per_cell: Double
    let idle_round_trip_ms: Quantiles
    let recovery_s: Recovery
    let coordinator_rss_mib: Double
    let cells: Int
    let workers: Int
    let connections: Int
    let store: String
    let curve: Bool
    let parameter_bytes: Int
    let result_bytes: Int
  }

  private func figures(_ arguments: [String]) async throws -> Figures {
    let laboratory = try Laboratory()
    let outcome = try await Command.run(
      ["bench", "coordinator", "--workers", "2", "--cells", "60", "--recoveries", "1"] + arguments, in: laboratory,
      environment: ["TMPDIR": laboratory.folder.path])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.split(separator: "\n").count == 1)
    #expect(try laboratory.benchFolders().isEmpty)
    return try JSONDecoder().decode(Figures.self, from: Data(outcome.output.utf8))
  }

  @Test
  func figuresAreThoseOfTheSweepThatWasAskedFor() async throws {
    let figures = try await figures(["--durable", "--curve", "--connections", "20"])
    #expect(figures.cells == 60)
    #expect(figures.workers == 2)
    #expect(figures.connections == 20)
    #expect(figures.curve)
    #expect(figures.store.contains("FULL"))
    #expect(figures.cells_per_s > 0)
    #expect(figures.coordinator_cpu_us_per_cell > 0)
    #expect(figures.coordinator_rss_mib > 1)
    #expect(figures.idle_round_trip_ms.median > 0)
    #expect(figures.idle_round_trip_ms.p99 >= figures.idle_round_trip_ms.median)
    #expect(figures.recovery_s.killed > 0)
    // A worker is not taken for lost before it has been silent for two seconds, half a second of which may have passed.
    #expect(figures.recovery_s.silent > 1)
    #expect(figures.parameter_bytes >= 200)
    #expect(figures.result_bytes >= 200)
  }

  @Test
  func whatWasStartedEndsAndIsRemovedWhenTheBenchmarkIsKilled() async throws {
    let laboratory = try Laboratory()
    let bench = try Command(
      ["bench", "coordinator", "--workers", "2", "--cells", "10", "--recoveries", "100"], in: laboratory,
      environment: ["TMPDIR": laboratory.folder.path])
    // The guard, a coordinator, and a worker with its engine.
    try await bench.untilIt("starts a worker") { bench.children.flatMap { Command.children(of: $0) }.count >= 1 }
    let parts = bench.children + bench.children.flatMap { Command.children(of: $0) }
    bench.signal(SIGKILL)
    _ = try await bench.outcome()
    try await eventually("everything ends") { !parts.contains { Command.isRunning($0) } }
    try await eventually("the folder is removed") { try laboratory.benchFolders().isEmpty }
  }
}

extension Laboratory {
  /// What benchmarks have left behind.
  fileprivate func benchFolders() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("pdsweep-bench-") }
  }
}
