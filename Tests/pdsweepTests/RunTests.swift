import Foundation
import SweepCore
import SweepStore
import Testing

/// `pdsweep run` and what it leaves behind, through the built program: real processes, sockets and stores.
@Suite(.serialized)
struct RunTests {
  @Test
  func aSweepCompletesWithTheSameExportsWhateverTheNumberOfWorkers() async throws {
    let laboratory = try Laboratory()
    for workers in [1, 3] {
      let run = try await Command.run(
        ["run", "sweep.yaml", "--workers", "\(workers)", "--store", "\(workers).sqlite", "--output", "\(workers)"],
        in: laboratory)
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.output.contains("Frontier of each method"))
      #expect(run.output.contains("\nWrote: \(workers)/provenance.csv\n"))
      #expect(run.errors.contains("\(Laboratory.cells)/\(Laboratory.cells) cells (100 %)"))
    }
    #expect(try laboratory.export("1") == laboratory.export("3"))
    #expect(try laboratory.read("1/cells.csv").contains("one-scalar"))
    let results = try ["1.sqlite", "3.sqlite"].map { name in
      let reader = try StoreReader(path: laboratory.folder.appending(path: name).path)
      return try reader.records(of: try #require(try reader.sweeps().first).id).map(\.result)
    }
    #expect(results[0] == results[1], "windows included")
    #expect(results[0].allSatisfy { $0?.isMeanOfItsWindows == true })
    #expect(results[0].allSatisfy { $0?.windows?.base[0].test.count == 2 })

    for workers in [1, 3] {
      let arguments = ["report", "\(workers).sqlite", "--output", "report-\(workers)", "--no-provenance"]
      let report = try await Command.run(arguments, in: laboratory)
      #expect(report.status == 0, "\(report.errors)")
      #expect(report.output.hasPrefix("report-\(workers)/report.html\n"))
    }
    let reports = try ["report-1", "report-3"].map(laboratory.report)
    #expect(reports[0] == reports[1])
    #expect(reports[0].count > 15)
    #expect(try laboratory.read("report-1/report.html").contains("<h1>tiny: how few tokens"))

    let page = try await Command.run(["report", "3.sqlite", "--output", "page/tiny.html", "--json"], in: laboratory)
    #expect(page.output == "{\"files\":[\"page/tiny.html\"],\"sweep\":\"tiny\"}\n")
    #expect(try laboratory.read("page/tiny.html").contains("<section id=\"provenance\">"))
  }

  @Test
  func aCompletedSweepIsNotComputedAgain() async throws {
    let laboratory = try Laboratory()
    let first = try await Command.run(["run", "sweep.yaml", "--quiet", "--json"], in: laboratory)
    #expect(first.status == 0, "\(first.errors)")
    let second = try await Command.run(["run", "sweep.yaml", "--quiet", "--json"], in: laboratory)
    #expect(second.status == 0, "\(second.errors)")
    #expect(second.errors.isEmpty)
    #expect(try RunReport(first).completedHere == Laboratory.cells)
    #expect(try RunReport(second).completedHere == 0)
    let plan = try await Command.run(["plan", "sweep.yaml", "--store", "tiny.sqlite"], in: laboratory)
    #expect(plan.output.contains("cached"))
    #expect(try laboratory.attempts("tiny.sqlite").values.allSatisfy { $0 == 1 })
  }

  @Test
  func resultsCanBeReadFromTheStoreAlone() async throws {
    let laboratory = try Laboratory()
    let run = try await Command.run(["run", "sweep.yaml", "--output", "run"], in: laboratory)
    #expect(run.status == 0, "\(run.errors)")

    let export = try await Command.run(["export", "--output", "export", "--json"], in: laboratory)
    #expect(export.status == 0, "\(export.errors)")
    #expect(try laboratory.export("export") == laboratory.export("run"))
    #expect(try laboratory.read("export/provenance.csv") == laboratory.read("run/provenance.csv"))

    let frontier = try await Command.run(["frontier", "tiny.sqlite"], in: laboratory)
    #expect(run.output.hasPrefix(frontier.output))
    let json = try await Command.run(["frontier", "--json", "--sweep", "tiny"], in: laboratory)
    #expect(try json.output == laboratory.read("run/frontier.json"))

    let status = try await Command.run(["status"], in: laboratory)
    #expect(status.output.hasPrefix("tiny: not running"))
    #expect(status.output.contains("all               -        -         15       -          -     15"))
  }

  @Test
  func cellsThatFailAreListedAndTheOthersCompleted() async throws {
    let laboratory = try Laboratory()
    try laboratory.edit("sweep.yaml", "learning_rate: [1e-2]", "learning_rate: [1e38]")
    let run = try await Command.run(["run", "sweep.yaml", "--quiet", "--output", "out"], in: laboratory)
    #expect(run.status == 1)
    #expect(run.errors.contains("(lora) failed: diverged: "))
    #expect(run.errors.contains("1 more cells failed: see `pdsweep status tiny.sqlite`"))
    #expect(try laboratory.read("out/cells.csv").contains(",failed,diverged,"))
    let status = try await Command.run(["status", "--json"], in: laboratory)
    #expect(status.output.contains("\"completed\":9,\"failed\":6"))
  }

  @Test
  func aSweepIsReadWhileItRuns() async throws {
    // Two workers are busy for good, and the third completes the cells that need no training.
    let laboratory = try Laboratory(steps: Laboratory.endless)
    let run = try Command(["run", "sweep.yaml", "--workers", "3"], in: laboratory)
    try await run.untilIt("completes a cell") { try laboratory.completed("tiny.sqlite").count >= 1 }
    let status = try await Command.run(["status"], in: laboratory)
    let frontier = try await Command.run(["frontier"], in: laboratory)
    let export = try await Command.run(["export", "--output", "out"], in: laboratory)
    let again = try await Command.run(["run", "sweep.yaml"], in: laboratory)
    run.signal(SIGTERM)
    let outcome = try await run.outcome()

    #expect(status.output.hasPrefix("tiny: run by process \(run.processIdentifier) on "))
    #expect(frontier.output.contains("Frontier of each method"))
    #expect(export.status == 0)
    #expect(again.status == 2)
    #expect(again.errors.contains("the store is in use by process \(run.processIdentifier)"))
    #expect(outcome.status == 143, "\(outcome.errors)")
  }

  // MARK: - Deaths

  /// Steps that make a sweep last for seconds, so that there is a middle of it.
  private static let slow = 240

  @Test
  func anEngineThatIsKilledCostsNoResult() async throws {
    let laboratory = try Laboratory(steps: Self.slow)
    let undisturbed = try await Self.undisturbedExport()
    let run = try Command(["run", "sweep.yaml", "--workers", "2", "--output", "out"], in: laboratory)
    try await run.untilIt("completes a cell") { try laboratory.completed("tiny.sqlite").count >= 2 }
    let worker = try #require(run.children.first)
    let victim = try #require(Command.children(of: worker).first)
    kill(victim, SIGKILL)
    let outcome = try await run.outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("the engine (process \(victim)) ended with signal 9 (killed); another is started"))
    #expect(try laboratory.export("out") == undisturbed)
    #expect(try laboratory.attempts("tiny.sqlite").values.reduce(0, +) > Laboratory.cells)
  }

  @Test
  func anEngineThatIsStoppedIsReplacedAndCostsNoResult() async throws {
    let laboratory = try Laboratory(steps: Self.slow)
    let undisturbed = try await Self.undisturbedExport()
    let run = try Command(["run", "sweep.yaml", "--workers", "2", "--output", "out"], in: laboratory)
    try await run.untilIt("completes a cell") { try laboratory.completed("tiny.sqlite").count >= 2 }
    let worker = try #require(run.children.first)
    let victim = try #require(Command.children(of: worker).first)
    kill(victim, SIGSTOP)
    let outcome = try await run.outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("the engine gave no sign of life for 10.0 s and was killed"))
    #expect(!Command.isRunning(victim))
    #expect(try laboratory.export("out") == undisturbed)
  }

  @Test
  func aWorkerThatIsKilledTakesItsEnginesAlongAndCostsNoResult() async throws {
    let laboratory = try Laboratory(steps: Self.slow)
    let undisturbed = try await Self.undisturbedExport()
    let run = try Command(["run", "sweep.yaml", "--workers", "2", "--output", "out"], in: laboratory)
    try await run.untilIt("completes a cell") { try laboratory.completed("tiny.sqlite").count >= 2 }
    let victim = try #require(run.children.first)
    let engines = Command.children(of: victim)
    #expect(engines.count == 2)
    kill(victim, SIGKILL)
    try await eventually("the engines have left") { !engines.contains(where: Command.isRunning) }
    let outcome = try await run.outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("the worker process (\(victim)) ended with signal 9 (killed); another is started"))
    #expect(try laboratory.export("out") == undisturbed)
  }

  @Test
  func aRunWhoseWorkersKeepDyingEnds() async throws {
    let laboratory = try Laboratory(steps: Laboratory.endless)
    let run = try Command(["run", "sweep.yaml", "--workers", "1"], in: laboratory)
    var killed: Set<Int32> = []
    for deaths in 1...6 {
      try await run.untilIt("starts a worker") { run.children.contains { !killed.contains($0) } }
      for worker in run.children where killed.insert(worker).inserted { kill(worker, SIGKILL) }
      try await eventually("its end is told") { try run.errors.matches(of: /ended with signal 9/).count == deaths }
    }
    let outcome = try await run.outcome()
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("no other is started in its place"))
    #expect(outcome.errors.contains("run the same command again to carry on"))
  }

  @Test
  func aCellWhoseEnginesAreKilledFailsAndTheOthersAreCompleted() async throws {
    let laboratory = try Laboratory(steps: Laboratory.endless)
    try laboratory.edit("sweep.yaml", "token_budget: [1, 4, 16]", "token_budget: [1]")
    try laboratory.edit("sweep.yaml", "seed: [0, 1]", "seed: [0]")
    let run = try Command(["run", "sweep.yaml", "--workers", "1", "--quiet"], in: laboratory)
    let worker = try await run.onlyChild()
    var killed: Set<Int32> = []
    // Two cells that last, three attempts each; an engine that has no cell yet dies without one.
    try await eventually("the run ends") {
      let busy = try laboratory.running("tiny.sqlite")
      if busy.contains(where: { $0.method != "scan" }) {
        for engine in Command.children(of: worker) where killed.insert(engine).inserted { kill(engine, SIGKILL) }
      }
      return !run.isRunning
    }
    #expect(killed.count >= 6)
    let outcome = try await run.outcome()
    #expect(outcome.status == 1)
    #expect(outcome.errors.matches(of: /failed: crashed: the engine \(process [0-9]+\) ended with signal 9/).count == 2)
    #expect(try laboratory.completed("tiny.sqlite").count == 3)
  }

  @Test
  func aRunThatIsKilledIsCarriedOn() async throws {
    let laboratory = try Laboratory(steps: Self.slow)
    let undisturbed = try await Self.undisturbedExport()
    let command = ["run", "sweep.yaml", "--workers", "2", "--output", "out"]
    let run = try Command(command, in: laboratory)
    try await run.untilIt("completes some cells") { try laboratory.completed("tiny.sqlite").count >= 3 }
    let worker = try await run.onlyChild()
    let processes = [worker] + Command.children(of: worker)
    #expect(processes.count == 3)
    run.signal(SIGKILL)
    #expect(try await run.outcome().wasKilled)
    try await eventually("the worker and its engines have left") { !processes.contains(where: Command.isRunning) }
    let before = try laboratory.attempts("tiny.sqlite")
    let completed = try laboratory.completed("tiny.sqlite")
    #expect(completed.count < Laboratory.cells)

    let again = try await Command.run(command, in: laboratory)
    #expect(again.status == 0, "\(again.errors)")
    #expect(try laboratory.export("out") == undisturbed)
    let after = try laboratory.attempts("tiny.sqlite")
    for cell in completed { #expect(after[cell] == before[cell]) }
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aRunThatIsStoppedIsCarriedOn(_ signal: Int32) async throws {
    let laboratory = try Laboratory(steps: Self.slow)
    let undisturbed = try await Self.undisturbedExport()
    let command = ["run", "sweep.yaml", "--workers", "2", "--output", "out"]
    let run = try Command(command, in: laboratory)
    try await run.untilIt("completes a cell") { try laboratory.completed("tiny.sqlite").count >= 1 }
    run.signal(signal)
    let outcome = try await run.outcome()
    #expect(outcome.status == 128 + signal)
    #expect(outcome.errors.contains("run the same command again to carry on"))
    #expect(!FileManager.default.fileExists(atPath: laboratory.folder.appending(path: "out/cells.csv").path))
    #expect(try laboratory.completed("tiny.sqlite").count < Laboratory.cells)

    let again = try await Command.run(command, in: laboratory)
    #expect(again.status == 0, "\(again.errors)")
    #expect(try laboratory.export("out") == undisturbed)
  }

  @Test
  func theSecondSignalEndsARunAtOnce() async throws {
    let laboratory = try Laboratory(steps: Laboratory.endless)
    let run = try Command(["run", "sweep.yaml", "--workers", "2"], in: laboratory)
    try await run.untilIt("runs a cell") { try laboratory.attempts("tiny.sqlite").values.contains(1) }
    let worker = try await run.onlyChild()
    let processes = [worker] + Command.children(of: worker)
    run.signal(SIGINT)
    try await run.untilIt("notices the first") { try run.errors.contains("stopping") }
    run.signal(SIGINT)
    let outcome = try await run.outcome()
    #expect(outcome.status == 130)
    #expect(!outcome.errors.contains("carry on"))
    try await eventually("the worker and its engines are gone") { !processes.contains(where: Command.isRunning) }
  }

  @Test
  func workersGoOnWithACoordinatorThatWasKilledAndStartedAgain() async throws {
    let laboratory = try Laboratory(steps: Self.slow)
    let undisturbed = try await Self.undisturbedExport()
    func coordinator(_ address: String) throws -> Command {
      try Command(["coordinator", "sweep.yaml", "--listen", address, "--output", "out"], in: laboratory)
    }
    let first = try coordinator("tcp://127.0.0.1:0")
    try await first.untilIt("listens") { try first.errors.contains("may connect to") }
    let address = try #require(try first.errors.firstMatch(of: /tcp:\/\/[0-9.]+:[0-9]+/)).output
    let workers = try (0..<2).map { _ in
      try Command(["worker", "--connect", "\(address)", "--slots", "1"], in: laboratory)
    }
    try await first.untilIt("completes some cells") { try laboratory.completed("tiny.sqlite").count >= 3 }
    first.signal(SIGKILL)
    #expect(try await first.outcome().wasKilled)
    let completed = try laboratory.completed("tiny.sqlite")
    let before = try laboratory.attempts("tiny.sqlite")

    let second = try await coordinator("\(address)").outcome()
    #expect(second.status == 0, "\(second.errors)")
    for worker in workers {
      let outcome = try await worker.outcome()
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    #expect(try laboratory.export("out") == undisturbed)
    let after = try laboratory.attempts("tiny.sqlite")
    for cell in completed { #expect(after[cell] == before[cell]) }
  }

  // MARK: - What an undisturbed run of the slow sweep exports

  private static let undisturbed = Task {
    let laboratory = try Laboratory(steps: slow)
    let run = try await Command.run(["run", "sweep.yaml", "--workers", "2", "--output", "out"], in: laboratory)
    #expect(run.status == 0, "\(run.errors)")
    return try laboratory.export("out")
  }

  private static func undisturbedExport() async throws -> [String: String] {
    try await undisturbed.value
  }
}

/// What `run --json` prints.
private struct RunReport: Decodable {
  var completedHere: Int

  enum CodingKeys: String, CodingKey {
    case completedHere = "completed_in_this_run"
  }

  init(_ outcome: Command.Outcome) throws {
    self = try JSONDecoder().decode(RunReport.self, from: Data(outcome.output.utf8))
  }
}

extension Laboratory {
  /// The cells of the only sweep in a store that stand completed; none while there is no sweep.
  func completed(_ store: String) throws -> [Int] {
    try records(store).filter { $0.state == .completed }.map(\.cell.index)
  }

  /// The cells of the only sweep in a store that run.
  func running(_ store: String) throws -> [Cell] {
    try records(store).filter { $0.state == .running }.map(\.cell)
  }

  /// How many attempts each cell has had.
  func attempts(_ store: String) throws -> [Int: Int] {
    Dictionary(uniqueKeysWithValues: try records(store).map { ($0.cell.index, $0.attempts) })
  }

  private func records(_ store: String) throws -> [CellRecord] {
    do {
      let reader = try StoreReader(path: folder.appending(path: store).path)
      return try reader.sweeps().first.map { try reader.records(of: $0.id) } ?? []
    } catch StoreError.missing, StoreError.empty {
      return []
    }
  }
}
