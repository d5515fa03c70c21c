internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Logging
internal import SweepCore
internal import SweepWire
internal import SweepWorker
internal import TensorKernels
internal import ZeroMQTransport

/// `pdsweep bench part`: the processes that `pdsweep bench coordinator` starts. Each leaves when its standard input
/// ends.
struct BenchPartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "part",
    abstract: "A process of `pdsweep bench coordinator`.",
    shouldDisplay: false,
    subcommands: [
      BenchCoordinatorPart.self, BenchWorkerPart.self, BenchEnginePart.self, BenchCrowdPart.self, BenchGuardPart.self,
    ]
  )
}

/// Where the parts that are workers connect.
struct BenchConnection: ParsableArguments {
  @Option var connect: String
  @Option var key: String?

  func endpoint() throws -> Endpoint { try Endpoint(connect) }

  func workerKey() throws -> WorkerKey? {
    try key.map { path throws(KeyError) in try WorkerKey(file: path) }
  }
}

/// A worker: a real one, whose engines do nothing.
struct BenchWorkerPart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "worker", shouldDisplay: false)
  /// What the names of real workers begin with.
  static let namePrefix = "bench-"

  @OptionGroup var connection: BenchConnection
  @Option var slots = 1
  @Option var prefetch: Int?
  /// Where the file is that all cells name.
  @Option var artefact: String
  /// Whether engines are processes, and then whether their cells run until they are cancelled.
  @Flag var processes = false
  @Flag var hold = false

  func run() async throws {
    let endpoint = try connection.endpoint()
    let key = try connection.workerKey()
    let process = ProcessInfo.processInfo
    let identity = WorkerIdentity(
      workerID: WorkerID("\(Self.namePrefix)\(process.processIdentifier)"), engineVersion: PDSweep.version,
      engineRevision: CellSpecification.engineRevision, host: process.hostName,
      processIdentifier: Int(process.processIdentifier), cores: process.activeProcessorCount,
      memoryMiB: Int(process.physicalMemory >> 20), slots: slots, build: Build.name)
    var logger = Logger(label: "pdsweep.bench") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .warning
    let worker: Worker
    let session = WorkerSession.Configuration(identity: identity, prefetch: prefetch)
    let keeper = try ArtefactKeeper(cache: nil, places: [BenchSweep.fileDigest: artefact])
    let connect: Worker.Connect = { try await ZeroMQWorkerTransport.connect(to: endpoint, key: key) }
    if processes {
      let arguments = ["bench", "part", "engine"] + (hold ? ["--hold"] : [])
      let launcher = EngineProcesses(arguments: arguments) { _, line in try? Terminal.write(line + "\n") }
      worker = Worker(session, connect: connect, launcher: launcher, keeper: keeper, logger: logger)
    } else {
      worker = Worker(session, connect: connect, engines: { InstantEngines($0) }, keeper: keeper, logger: logger)
    }
    try Terminal.write(BenchLine.ready + "\n")
    var orders = BenchInput.lines().makeAsyncIterator()
    _ = await orders.next()
    _ = try await worker.run()
    endProcess(0)
  }
}

/// An engine process of a worker.
struct BenchEnginePart: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "engine", shouldDisplay: false)

  @Flag var hold = false

  func run() throws {
    Terminal.writeError("\(BenchLine.engine) \(ProcessInfo.processInfo.processIdentifier)")
    try EngineCommand.serve { [hold] in BenchRunner(holds: hold) }
  }
}

/// Many workers that are simulated: they say hello and give signs of life as real ones do, and ask for no cells.
struct BenchCrowdPart: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "crowd", shouldDisplay: false)

  @OptionGroup var connection: BenchConnection
  @Option var workers: Int

  /// Time in which every worker is looked at once, nanoseconds, and the number of moments that it is cut into.
  private static let round = 500_000_000
  private static let moments = 50

  func run() throws {
    _ = BenchInput.lines()
    OpenFiles.raiseLimit()
    let crowd = try WorkerCrowd(workers, to: connection.endpoint(), key: connection.workerKey())
    var members = (0..<workers).map { SimulatedWorker(number: $0) }
    var welcomed = 0
    var next = BenchClock.nanoseconds
    while true {
      for moment in 0..<Self.moments {
        for number in stride(from: moment, to: workers, by: Self.moments) {
          while let event = crowd.hear(over: number) {
            guard try members[number].hears(event) == .firstWelcome else { continue }
            welcomed += 1
            if welcomed == workers { try Terminal.write(BenchLine.connected + "\n") }
          }
          for message in members[number].says(at: BenchClock.nanoseconds) where !crowd.say(message, over: number) {
            throw BenchError("a simulated worker cannot say more: the coordinator does not listen")
          }
        }
        next += UInt64(Self.round / Self.moments)
        let now = BenchClock.nanoseconds
        if next > now { Thread.sleep(forTimeInterval: Double(next - now) * 1e-9) } else { next = now }
      }
    }
  }
}

/// What a simulated worker knows.
private struct SimulatedWorker {
  /// What it makes of a message.
  enum Hearing {
    case firstWelcome, nothingNew
  }

  /// How often it says what, and when it is to say it next: nanoseconds.
  private struct Rhythm {
    var interval: UInt64
    var next: UInt64

    init(_ interval: Duration) {
      self.interval = UInt64(interval / .nanoseconds(1))
      next = 0
    }

    /// Whether it is time. What is late by less than an interval stays in time with the others.
    mutating func isDue(at now: UInt64) -> Bool {
      guard now >= next else { return false }
      next = next + interval > now ? next + interval : now + interval
      return true
    }
  }

  let number: Int
  private var hasGreeted = false
  private var hasBeenWelcomed = false
  private var heartbeat: Rhythm?
  private var ready: Rhythm?

  init(number: Int) {
    self.number = number
  }

  /// Takes in what the coordinator says.
  mutating func hears(_ event: WorkerEvent) throws(BenchError) -> Hearing {
    switch event {
    case .message(.welcome(let welcome)):
      heartbeat = Rhythm(welcome.heartbeatInterval)
      ready = Rhythm(welcome.lostAfter)
      defer { hasBeenWelcomed = true }
      return hasBeenWelcomed ? .nothingNew : .firstWelcome
    case .message(.acknowledge): return .nothingNew
    case .message(.drain):
      (heartbeat, ready) = (nil, nil)
      return .nothingNew
    case .message, .undecodable, .disconnected, .rejected:
      throw BenchError("a simulated worker expected a welcome and acknowledgements, found \(event)")
    }
  }

  /// What is to be said now.
  mutating func says(at now: UInt64) -> [FromWorker] {
    var messages: [FromWorker] = []
    if heartbeat?.isDue(at: now) == true { messages.append(.heartbeat([])) }
    if ready?.isDue(at: now) == true { messages.append(.ready(credit: 0)) }
    guard !hasGreeted else { return messages }
    hasGreeted = true
    let process = Int(ProcessInfo.processInfo.processIdentifier)
    return [
      .hello(
        Hello(
          workerID: WorkerID("crowd-\(process)-\(number)"), engineVersion: PDSweep.version,
          engineRevision: CellSpecification.engineRevision, host: "crowd", processIdentifier: process, cores: 1,
          memoryMiB: 1, storeID: nil, running: [], slots: 1, build: Build.name))
    ]
  }
}

/// Sees to it that nothing of the benchmark is left when it ends, however that happens: kills the processes that it was
/// told of and removes a folder.
struct BenchGuardPart: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "guard", shouldDisplay: false)

  @Argument var folder: String

  func run() throws {
    var processes: Set<Int32> = []
    while let line = readLine() {
      guard let process = Int32(line.dropFirst()), process > 1 else { continue }
      if line.first == "+" { processes.insert(process) } else { processes.remove(process) }
    }
    for process in processes { kill(process, SIGKILL) }
    try FileManager.default.removeItem(atPath: folder)
  }
}

/// What the benchmark says to its parts.
enum BenchInput {
  /// The lines of standard input. The process ends when that does: nobody is left to measure for.
  static func lines() -> AsyncStream<String> {
    let (lines, continuation) = AsyncStream<String>.makeStream()
    let thread = Thread {
      while let line = readLine() { continuation.yield(line) }
      endProcess(0)
    }
    thread.start()
    return lines
  }
}
