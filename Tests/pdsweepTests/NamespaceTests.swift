import Foundation
import Testing

/// A sweep over a network that is cut, loses packets, and whose processes are killed one after another.
///
/// PDSWEEP_PARTITION_SECONDS and PDSWEEP_KILL_SECONDS say for how long (default 6 and 20; `deploy/partition.sh` takes 30
/// and 120). They are how long the scenario lasts; nothing is judged by a clock.
@Suite(.serialized)
struct NamespaceTests {
  private static func seconds(_ name: String, default usual: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? usual
  }

  private let partition = seconds("PDSWEEP_PARTITION_SECONDS", default: 6)
  private let killing = seconds("PDSWEEP_KILL_SECONDS", default: 20)
  private static let port = 5591

  /// The processes of the scenario, each started again with the same command when it has been killed.
  private final class Cast {
    let laboratory: Laboratory
    let network: Namespaces
    private(set) var coordinator: Command
    private(set) var workers: [Command] = []

    init(_ laboratory: Laboratory, _ network: Namespaces) throws {
      self.laboratory = laboratory
      self.network = network
      coordinator = try Self.startCoordinator(laboratory, network)
      for number in 0..<2 { workers.append(try Self.startWorker(number, laboratory, network)) }
    }

    func killCoordinator() async throws {
      coordinator.signal(SIGKILL)
      _ = try await coordinator.outcome()
      coordinator = try Self.startCoordinator(laboratory, network)
    }

    func killWorker(_ number: Int) async throws {
      workers[number].signal(SIGKILL)
      _ = try await workers[number].outcome()
      workers[number] = try Self.startWorker(number, laboratory, network)
    }

    func killEngine(of number: Int) {
      if let engine = workers[number].children.first { kill(engine, SIGKILL) }
    }

    private static func startCoordinator(_ laboratory: Laboratory, _ network: Namespaces) throws -> Command {
      try Command(
        [
          "coordinator", "sweep.yaml", "--listen", "tcp://*:\(port)", "--keys", "keys", "--store", "s.sqlite",
          "--output", "disturbed",
        ], in: laboratory, namespace: network.coordinator)
    }

    private static func startWorker(
      _ number: Int, _ laboratory: Laboratory, _ network: Namespaces
    ) throws -> Command {
      try Command(
        [
          "worker", "--connect", network.address(for: number, port: port), "--key", "keys/worker\(number).key",
          "--slots", "1", "--cache", "cache\(number)",
        ], in: laboratory, namespace: network.worker(number))
    }
  }

  @Test(.enabled(if: Namespaces.obstacle == nil, "\(Namespaces.obstacle ?? "")"))
  func aSweepThatIsCutLosesPacketsAndHasEveryProcessKilledGivesTheBytesOfAnUndisturbedOne() async throws {
    let laboratory = try Laboratory(steps: 600)
    // Enough cells that the sweep outlasts the scenario.
    let seeds = (0..<max(16, (partition + killing) / 2)).map(String.init).joined(separator: ", ")
    try laboratory.edit("sweep.yaml", "seed: [0, 1]", "seed: [\(seeds)]")
    let undisturbed = try await Command.run(
      ["run", "sweep.yaml", "--workers", "2", "--store", "u.sqlite", "--output", "undisturbed"], in: laboratory)
    #expect(undisturbed.status == 0, "\(undisturbed.errors)")

    for number in 0..<2 {
      let made = try await Command.run(["keys", "new", "worker\(number)"], in: laboratory)
      #expect(made.status == 0, "\(made.errors)")
    }
    let network = try Namespaces(workers: 2)
    let cast = try Cast(laboratory, network)
    try await cast.coordinator.untilIt("has results of both workers") {
      try laboratory.completed("s.sqlite").count > 2
    }

    try network.cut(0)
    try await Task.sleep(for: .seconds(partition))
    try network.mend(0)
    for number in 0..<2 { try network.loseOneInTwenty(number) }

    let end = ContinuousClock.now + .seconds(killing)
    var turn = 0
    while ContinuousClock.now < end, cast.coordinator.isRunning {
      switch turn % 5 {
      case 0: cast.killEngine(of: 0)
      case 1: try await cast.killCoordinator()
      case 2: try await cast.killWorker(1)
      case 3: cast.killEngine(of: 1)
      default: try await cast.killWorker(0)
      }
      turn += 1
      try await Task.sleep(for: .seconds(2))
    }
    #expect(turn > 0, "the sweep ended before anything was killed")
    for number in 0..<2 { try network.mend(number) }

    var outcome = try await cast.coordinator.outcome()
    if outcome.status == 1 {
      // A cell that was hit three times has failed, as it must; whoever runs the sweep has it run again.
      let retried = try await Command.run(["retry", "s.sqlite"], in: laboratory)
      #expect(retried.status == 0, "\(retried.errors)")
      outcome = try await Command.run(
        ["run", "sweep.yaml", "--store", "s.sqlite", "--output", "disturbed"], in: laboratory)
    }
    for worker in cast.workers { worker.signal(SIGKILL) }
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try laboratory.export("disturbed") == laboratory.export("undisturbed"))
    let audit = try await Command.run(["audit", "s.sqlite"], in: laboratory)
    #expect(audit.status == 0, "\(audit.output) \(audit.errors)")
  }
}
