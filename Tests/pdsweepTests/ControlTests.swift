import Foundation
import SweepStore
import Testing

/// What people ask of sweeps, run or not, through the built program.
@Suite(.serialized)
struct ControlTests {
  /// Runs a command that is expected to succeed, and returns what it printed.
  private func succeed(
    _ arguments: [String], in laboratory: Laboratory, status: Int32 = 0, line: SourceLocation = #_sourceLocation
  ) async throws -> String {
    let outcome = try await Command.run(arguments, in: laboratory)
    #expect(outcome.status == status, "\(arguments): \(outcome.errors)", sourceLocation: line)
    return outcome.output
  }

  @Test
  func failedCellsAreRunAgainOnceTheirErrorIsNamed() async throws {
    let laboratory = try Laboratory()
    try laboratory.edit("sweep.yaml", "learning_rate: [1e-2]", "learning_rate: [1e38]")
    _ = try await succeed(["run", "sweep.yaml", "--quiet"], in: laboratory, status: 1)

    let unproven = try await succeed(["audit"], in: laboratory, status: 1)
    #expect(unproven.contains("tiny: not proven: 9 of 15 cells have exactly one accepted result"))
    #expect(unproven.contains("  failed: 6: "))
    #expect(
      try await succeed(["retry", "--error", "out-of-memory"], in: laboratory) == "tiny: 0 cells to be run again\n")
    let failed = try #require(unproven.firstMatch(of: /failed: 6: (\d+),/).map { "\($0.1)" })
    #expect(
      try await succeed(["retry", "--error", "DIVERGED", "--cell", failed], in: laboratory)
        == "tiny: 1 cell to be run again at the next start\n")
    #expect(try await succeed(["status"], in: laboratory).contains("Asked for: run 1 cell again"))
    _ = try await succeed(["run", "sweep.yaml", "--quiet"], in: laboratory, status: 1)
    let history = try await succeed(["events", "--cell", failed], in: laboratory)
    let kinds = history.split(separator: "\n").map { $0.split(separator: "  ")[1] }
    #expect(kinds == ["leased", "diverged", "cell-failed", "cell-reopened", "leased", "diverged", "cell-failed"])
    #expect(try laboratory.attempts("tiny.sqlite").values.reduce(0, +) == Laboratory.cells + 1)
    let plan = try await succeed(["plan", "sweep.yaml", "--store", "tiny.sqlite"], in: laboratory)
    #expect(plan.contains("failed before: diverged"))
    #expect(plan.contains("cached from tiny"))
  }

  @Test
  func aRunningSweepIsPausedResumedAndCancelled() async throws {
    let laboratory = try Laboratory(steps: Laboratory.endless)
    let run = try Command(["run", "sweep.yaml", "--workers", "1"], in: laboratory)
    try await run.untilIt("runs a cell") { try laboratory.attempts("tiny.sqlite").values.contains(1) }
    let paused = try await succeed(["pause"], in: laboratory)
    #expect(paused.hasPrefix("tiny: asked process \(run.processIdentifier) on "))
    try await run.untilIt("is paused") { try laboratory.sweep("tiny.sqlite").isPaused }
    #expect(try await succeed(["status"], in: laboratory).contains(", paused\n"))
    _ = try await succeed(["prioritise", "tiny.sqlite", "--priority", "-3"], in: laboratory)
    _ = try await succeed(["resume"], in: laboratory)
    try await run.untilIt("goes on") {
      let sweep = try laboratory.sweep("tiny.sqlite")
      return !sweep.isPaused && sweep.priority == -3
    }
    _ = try await succeed(["cancel", "--sweep", "tiny"], in: laboratory)
    let outcome = try await run.outcome()
    #expect(outcome.status == 1)
    let audit = try await succeed(["audit"], in: laboratory, status: 1)
    #expect(audit.contains("  cancelled: "))
    let unknown = try await Command.run(["pause", "--sweep", "nobody"], in: laboratory)
    #expect(unknown.status == 2)
    #expect(unknown.errors.contains("expected a sweep named nobody, found only tiny"))
    // What was cancelled is taken back while nobody runs it, and called off again at the next start.
    #expect(try await succeed(["retry"], in: laboratory) == "tiny: 0 cells to be run again\n")
    let retried = try await succeed(["retry", "--state", "cancelled"], in: laboratory)
    #expect(retried.contains(/tiny: \d+ cells to be run again at the next start/))
    _ = try await succeed(["cancel"], in: laboratory)
    _ = try await succeed(["run", "sweep.yaml", "--quiet"], in: laboratory, status: 1)
    #expect(try laboratory.requests("tiny.sqlite").isEmpty)
  }

  @Test
  func resultsOfAnotherSweepAreCached() async throws {
    let laboratory = try Laboratory()
    _ = try await succeed(["run", "sweep.yaml", "--quiet", "--output", "first"], in: laboratory)
    try laboratory.write(
      try laboratory.read("sweep.yaml").replacing("sweep: tiny", with: "sweep: second")
        .replacing("seed: [0, 1]", with: "seed: [0, 1, 2]"), to: "second.yaml")
    let plan = try await succeed(["plan", "second.yaml", "--store", "tiny.sqlite"], in: laboratory)
    #expect(plan.contains("cached from tiny"))
    #expect(plan.contains("seed: no result with 2"))
    _ = try await succeed(["run", "second.yaml", "--store", "tiny.sqlite", "--quiet"], in: laboratory)
    let status = try await succeed(["status", "--json"], in: laboratory)
    #expect(status.contains("\"cached\":15"))
    _ = try await succeed(["export", "--output", "second"], in: laboratory)
    #expect(try laboratory.read("second/provenance.csv").contains(",tiny\n"))
    #expect(try await succeed(["audit"], in: laboratory).contains("cached from other sweeps: 15"))
    // The corpus is another now, and so is every cell.
    try laboratory.write(try laboratory.read("de.txt") + "Noch ein Satz.\n", to: "de.txt")
    let changed = try await succeed(["plan", "sweep.yaml", "--store", "tiny.sqlite"], in: laboratory)
    #expect(changed.contains("corpora.forget.german changed"))
    #expect(!changed.contains("cached from"))
  }

  @Test
  func sweepsThatRunTogetherGiveWhatEachGivesAlone() async throws {
    let laboratory = try Laboratory()
    try laboratory.write(
      try laboratory.read("sweep.yaml").replacing("sweep: tiny", with: "sweep: other")
        .replacing("steps: [4]", with: "steps: [5]"), to: "other.yaml")
    for name in ["sweep", "other"] {
      _ = try await succeed(
        ["run", "\(name).yaml", "--store", "\(name).sqlite", "--quiet", "--output", "alone-\(name)"], in: laboratory)
    }
    let run = try await Command.run(
      ["run", "sweep.yaml", "other.yaml", "--store", "both.sqlite", "--workers", "2", "--output", "both"],
      in: laboratory)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("tiny, other: "))
    #expect(try laboratory.export("both/tiny") == laboratory.export("alone-sweep"))
    #expect(try laboratory.export("both/other") == laboratory.export("alone-other"))
    let audit = try await succeed(["audit", "both.sqlite"], in: laboratory)
    #expect(audit.contains("tiny: proven: each of 15 cells") && audit.contains("other: proven: each of 15 cells"))
    let twice = try await Command.run(["run", "sweep.yaml", "sweep.yaml"], in: laboratory)
    #expect(twice.status == 2)
    #expect(twice.errors.contains("expected sweeps of different names"))
  }

  @Test
  func aBundleIsCarriedOnElsewhere() async throws {
    let laboratory = try Laboratory()
    _ = try await succeed(["run", "sweep.yaml", "--quiet", "--output", "out"], in: laboratory)
    let made = try await succeed(["bundle", "tiny.sqlite", "--output", "tiny.tar"], in: laboratory)
    #expect(made == "Wrote: tiny.tar: tiny (15 of 15 cells completed)\n")
    let command = try await succeed(["unbundle", "tiny.tar", "--output", "elsewhere"], in: laboratory)
    #expect(command == "pdsweep run elsewhere/tiny.yaml --store elsewhere/store.sqlite --corpora FOLDER\n")
    #expect(try laboratory.export("elsewhere/tiny") == laboratory.export("out"))
    let again = try await succeed(
      [
        "run", "elsewhere/tiny.yaml", "--store", "elsewhere/store.sqlite", "--target", "target", "--corpora", ".",
        "--json", "--quiet",
      ], in: laboratory)
    #expect(again.contains("\"completed_in_this_run\":0"))
  }
}

extension Laboratory {
  /// The only sweep of a store.
  fileprivate func sweep(_ store: String) throws -> SweepRecord {
    try #require(try StoreReader(path: folder.appending(path: store).path).sweeps().first)
  }

  /// What was asked for and not yet done.
  fileprivate func requests(_ store: String) throws -> [StoreRequest] {
    try StoreReader(path: folder.appending(path: store).path).openRequests()
  }
}
