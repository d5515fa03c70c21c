import Foundation
import Testing

/// `pdsweep simulate`, through the built program.
@Suite(.serialized)
struct SimulateTests {
  @Test
  func aSweepWithoutFailuresTakesItsRounds() async throws {
    let laboratory = try Laboratory()
    // The files that the sweep names are not needed.
    try FileManager.default.removeItem(at: laboratory.folder.appendingPathComponent("target"))
    let outcome = try await Command.run(
      ["simulate", "sweep.yaml", "--workers", "4", "--cell-seconds", "10", "--runs", "3", "--json"], in: laboratory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(report["cells"] as? Int == Laboratory.cells)
    let makespan = try #require(report["makespan_s"] as? [String: Double])
    #expect(makespan == ["lower": 40, "median": 40, "upper": 40], "15 cells on 4 workers")
    #expect((report["lost_share"] as? [String: Double])?["upper"] == 0)
  }

  @Test(
    arguments: [
      (["--workers", "0", "--cell-seconds", "1"], "expected --workers from 1 to 100000, found 0"),
      (["--workers", "1", "--cell-seconds", "soon"], "found soon"),
      (["--workers", "1", "--cell-seconds", "nosuch=4"], "found nosuch"),
      (["--workers", "1", "--cell-seconds", "one-scalar=4"], "expected --cell-seconds for every method"),
      (["--workers", "1", "--cell-seconds", "1", "--spread", "nan"], "expected --spread from 0.0 to 5.0, found nan"),
    ])
  func badNumbersAreRefused(arguments: [String], says: String) async throws {
    let laboratory = try Laboratory()
    let outcome = try await Command.run(["simulate", "sweep.yaml"] + arguments, in: laboratory)
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains(says), "\(outcome.errors)")
  }
}
