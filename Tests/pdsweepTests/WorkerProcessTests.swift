import ContentHash
import Foundation
import SweepCore
import Testing

/// `pdsweep worker` as people start it: apart from the coordinator, with engines of its own.
@Suite(.serialized)
struct WorkerProcessTests {
  /// A coordinator, and the address at which it listens.
  private func coordinator(_ laboratory: Laboratory) async throws -> (Command, address: String) {
    let command = try Command(
      ["coordinator", "sweep.yaml", "--listen", "tcp://127.0.0.1:0", "--output", "out"], in: laboratory)
    try await command.untilIt("listens") { try command.errors.contains("may connect to") }
    let match = try #require(try command.errors.firstMatch(of: /tcp:\/\/[0-9.]+:[0-9]+/))
    return (command, String(match.output))
  }

  @Test
  func aWorkerNeedsNoFilesAndKeepsWhatItFetched() async throws {
    let laboratory = try Laboratory()
    // Only its name says that this is not text.
    let french = try laboratory.read("fr.txt").split(separator: "\n").map { "{\"text\": \"\($0)\"}\n" }.joined()
    try laboratory.write(french, to: "fr.jsonl")
    try laboratory.edit("sweep.yaml", "fr.txt", "fr.jsonl")
    let elsewhere = try Laboratory(empty: ())
    let local = try await Command.run(
      ["run", "sweep.yaml", "--store", "l.sqlite", "--output", "local"], in: laboratory)
    #expect(local.status == 0, "\(local.errors)")

    let (command, address) = try await coordinator(laboratory)
    let workers = try (0..<2).map { _ in
      try Command(["worker", "--connect", address, "--slots", "2", "--cache", "cache"], in: elsewhere)
    }
    let outcome = try await command.outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    for worker in workers {
      let outcome = try await worker.outcome()
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    #expect(try laboratory.export("out") == laboratory.export("local"))

    let cache = elsewhere.folder.appending(path: "cache")
    let names = try FileManager.default.contentsOfDirectory(atPath: cache.appending(path: "sha256").path)
    // The model's three files, its decomposition, three texts.
    #expect(names.count == 7)
    for name in names {
      #expect(try SHA256Digest(ofFile: cache.appending(path: "sha256/\(name)")).hexadecimal == name)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: cache.appending(path: "partial").path).isEmpty)
    let fetched = try workers.reduce(0) { try $0 + $1.errors.matches(of: /\] fetching/).count }
    #expect(fetched == 7, "two workers of a machine fetch a file once")
  }

  @Test
  func aCacheThatIsTooSmallIsToldWithWhatToDo() async throws {
    let laboratory = try Laboratory()
    let (command, address) = try await coordinator(laboratory)
    // 10 KiB: room for some of the files, not for all.
    let worker = try Command(["worker", "--connect", address, "--cache-size", "0.00001"], in: laboratory)
    try await worker.untilIt("says so") { try worker.errors.contains("start the worker with a larger --cache-size") }
    worker.signal(SIGKILL)
    command.signal(SIGKILL)
    _ = try await (worker.outcome(), command.outcome())
  }

  @Test
  func aWorkerThatIsToldToStopFinishesWhatRunsWithinItsGrace() async throws {
    let laboratory = try Laboratory(steps: 240)
    let (command, address) = try await coordinator(laboratory)
    let worker = try Command(["worker", "--connect", address, "--slots", "2", "--grace", "100"], in: laboratory)
    try await worker.untilIt("runs cells") { try worker.errors.matches(of: /\] cell started/).count >= 2 }
    worker.signal(SIGTERM)
    let outcome = try await worker.outcome()
    #expect(outcome.status == 143, "\(outcome.errors)")
    // Each cell that was started has come to its result, and none was started after the signal's cells were done.
    let started = outcome.errors.matches(of: /\] cell started/).count
    #expect(outcome.errors.matches(of: /\] cell completed/).count == started)
    try await eventually("the results are in the store") { try laboratory.completed("tiny.sqlite").count == started }
    command.signal(SIGKILL)
    _ = try await command.outcome()
    #expect(try laboratory.attempts("tiny.sqlite").values.allSatisfy { $0 <= 1 })
  }

  @Test
  func theSecondSignalEndsAWorkerAndItsEnginesAtOnce() async throws {
    let laboratory = try Laboratory(steps: Laboratory.endless)
    let (command, address) = try await coordinator(laboratory)
    let worker = try Command(["worker", "--connect", address, "--slots", "2", "--grace", "3600"], in: laboratory)
    try await worker.untilIt("runs cells") { try worker.errors.matches(of: /\] cell started/).count >= 2 }
    let engines = Command.children(of: worker.processIdentifier)
    #expect(engines.count == 2)
    worker.signal(SIGTERM)
    worker.signal(SIGINT)
    let outcome = try await worker.outcome()
    #expect(outcome.status == 130 || outcome.status == 143, "\(outcome.errors)")
    try await eventually("the engines have left") { !engines.contains(where: Command.isRunning) }
    command.signal(SIGKILL)
    _ = try await command.outcome()
  }

  @Test
  func whatRunsIsHandedBackWhenTheGraceIsOver() async throws {
    let laboratory = try Laboratory(steps: Laboratory.endless)
    let (command, address) = try await coordinator(laboratory)
    let worker = try Command(["worker", "--connect", address, "--slots", "1", "--grace", "0"], in: laboratory)
    try await worker.untilIt("runs a cell that lasts") {
      try laboratory.running("tiny.sqlite").contains { $0.method != "scan" }
        && worker.errors.contains("] cell started")
    }
    worker.signal(SIGTERM)
    #expect(try await worker.outcome().status == 143)
    // Handed back, not lost: it waits for another worker at once.
    try await eventually("it waits again") { try laboratory.running("tiny.sqlite").isEmpty }
    command.signal(SIGKILL)
    _ = try await command.outcome()
  }
}
