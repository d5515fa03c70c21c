internal import ArgumentParser
internal import Foundation
internal import Logging
internal import SweepCore
internal import SweepWorker
internal import Synchronization
internal import ZeroMQTransport

/// `pdsweep worker`.
struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Run the cells that a coordinator hands out.",
    discussion: """
      Connects to a coordinator, runs the cells that it leases and gives it the results, until it has no more. Cells run \
      in engine processes, one for each slot and each on one core. An engine that dies is reported at once with the way \
      it ended, and started again; its cell runs elsewhere, at most three times.

      A worker needs no files: the model, the decompositions and the corpora come from the coordinator into the --cache \
      folder, where they are checked by their SHA-256 and kept for next time, the least recently used going first when \
      --cache-size is reached. Workers of one machine share the folder.

      A worker that loses its coordinator goes on with what it runs and keeps trying to connect; results wait until \
      they are acknowledged. Ctrl-C or SIGTERM hands back what has not started, gives what runs --grace seconds to \
      finish, and hands back the rest; a second one ends it at once.

      EXAMPLES
        pdsweep worker --connect tcp://127.0.0.1:5555
        pdsweep worker --connect tcp://coordinator.example:5555 --key anna.key \\
            --slots 8 --grace 120

      EXIT STATUS
        0    the coordinator hands out no more cells: all have ended, or it was told
             to stop
        1    the coordinator was not heard of for --patience, or no engine can be kept
             running
        2    bad input, or refused by the coordinator
        130  ended by Ctrl-C (143 by SIGTERM)
      """
  )

  @Option(help: ArgumentHelp("The coordinator's address: tcp://HOST:PORT.", valueName: "address"))
  var connect: String

  @Option(
    help: ArgumentHelp(
      "The key file that `pdsweep keys new` made for this worker.",
      discussion: "A coordinator that was started with --keys asks for it. Nobody but you may be able to read it.",
      valueName: "file"),
    completion: .file(extensions: ["key"]))
  var key: String?

  @Option(help: "The first part of the name that the worker goes by. (default: host and process)")
  var name: String?

  @Option(
    help: ArgumentHelp("Cells to run at a time, each on a core; auto: as many as there are cores.", valueName: "number")
  )
  var slots = SlotCount.auto

  @Option(
    help: ArgumentHelp(
      "The folder for files from the coordinator. (default: pdsweep in $XDG_CACHE_HOME or ~/.cache)",
      valueName: "folder"),
    completion: .directory)
  var cache: String?

  @Option(help: ArgumentHelp("What the files in the cache may take together, GiB.", valueName: "GiB"))
  var cacheSize = 32.0

  @Option(help: ArgumentHelp("Seconds that running cells have to finish after SIGTERM.", valueName: "seconds"))
  var grace = 10

  @Option(help: ArgumentHelp("Seconds without a coordinator after which the worker ends.", valueName: "seconds"))
  var patience = 600

  @Flag(help: "Write warnings only.")
  var quiet = false

  /// A worker that `run` started: it leaves when its standard input ends, and says only what `run` passes on.
  @Flag(help: ArgumentHelp("Work for the run that started this process.", visibility: .hidden))
  var ofRun = false

  func validate() throws {
    guard cache != "" else { throw ValidationError("expected --cache with the name of a folder, found nothing") }
    guard patience > 0 else { throw ValidationError("expected --patience of at least 1 second, found \(patience)") }
    guard cacheSize > 0, cacheSize <= 1e6 else {
      throw ValidationError("expected --cache-size of more than 0 GiB and at most 1,000,000, found \(cacheSize)")
    }
    guard grace >= 0 else { throw ValidationError("expected --grace of 0 seconds or more, found \(grace)") }
    if let name {
      guard (1...100).contains(name.utf8.count), name == name.printable else {
        throw ValidationError("expected --name of 1 to 100 bytes of printable text, found \"\(name.printable)\"")
      }
    }
  }

  func run() async throws {
    let endpoint = try Endpoint(connect)
    let key = try key.map { path throws(KeyError) in try WorkerKey(file: path) }
    let logger = logger
    let keeper =
      try ofRun
      ? ArtefactKeeper(cache: nil, places: RunFiles(from: .standardInput).paths) : ArtefactKeeper(cache: cacheSettings)
    let engines = EngineProcesses { slot, line in logger.info("slot \(slot + 1): \(line)") }
    let worker = Worker(
      .init(identity: identity, giveUpAfter: .seconds(patience)),
      connect: { try await ZeroMQWorkerTransport.connect(to: endpoint, key: key) }, launcher: engines, keeper: keeper,
      logger: logger)
    let interruption = Mutex<Interruption?>(nil)
    let interruptions = Interruptions { [grace] signal in
      interruption.withLock { $0 = signal }
      worker.stop(grace: .seconds(grace))
    }
    if ofRun { Self.watchInput { worker.stop(grace: .zero) } }
    let outcome = try await worker.run()
    withExtendedLifetime(interruptions) {}
    switch outcome {
    case .drained:
      if !ofRun { logger.notice("the coordinator hands out no more cells: the worker ends") }
      endProcess(0)
    case .stopped: endProcess(interruption.withLock { $0 }?.exitStatus ?? 0)
    case .refused(let reason): throw RefusedWorker(address: connect, reason: reason)
    case .gaveUp(let silence, let loss):
      Terminal.writeError(
        "pdsweep: no coordinator at \(connect) for \(silence.components.seconds) s, and the worker ends: \(loss)")
      endProcess(1)
    case .unfit(let reason):
      Terminal.writeError("pdsweep: no engine can be kept running, and the worker ends: \(reason)")
      endProcess(1)
    }
  }

  private var logger: Logger {
    if ofRun {
      let display = ProgressDisplay(style: .silent)
      return Logger(label: "pdsweep.worker") { _ in RemarkLog(display: display, level: .error) }
    }
    var logger = Logger(label: "pdsweep.worker") { StreamLogHandler.standardError(label: $0) }
    if quiet { logger.logLevel = .warning }
    return logger
  }

  private var cacheSettings: ArtefactCacheSettings {
    let environment = ProcessInfo.processInfo.environment
    let caches =
      environment["XDG_CACHE_HOME"].map { URL(fileURLWithPath: $0) }
      ?? FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache")
    let folder = cache.map { URL(fileURLWithPath: $0) } ?? caches.appending(path: "pdsweep")
    return ArtefactCacheSettings(folder: folder, limit: Int(cacheSize * Double(1 << 30)))
  }

  private var identity: WorkerIdentity {
    let process = ProcessInfo.processInfo
    let host = process.hostName
    let pid = process.processIdentifier
    let nonce = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    return WorkerIdentity(
      workerID: WorkerID("\(name ?? String(host.prefix(100)))-\(pid)-\(nonce)"), engineVersion: PDSweep.version,
      engineRevision: CellSpecification.engineRevision, host: host, processIdentifier: Int(pid),
      cores: process.activeProcessorCount, memoryMiB: Int(process.physicalMemory >> 20), slots: slots.count,
      build: Build.name)
  }

  /// Calls `onEnd` when standard input has ended.
  private static func watchInput(_ onEnd: @escaping @Sendable () -> Void) {
    let thread = Thread {
      while let read = try? FileHandle.standardInput.read(upToCount: 1), !read.isEmpty {}
      onEnd()
    }
    thread.start()
  }
}

/// How many cells a worker runs at a time.
enum SlotCount: ExpressibleByArgument, Equatable {
  /// As many as there are cores.
  case auto
  /// So many.
  case exactly(Int)

  init?(argument: String) {
    if argument == "auto" {
      self = .auto
    } else if let count = Int(argument), (1...WorkerSession.Configuration.mostSlots).contains(count) {
      self = .exactly(count)
    } else {
      return nil
    }
  }

  var defaultValueDescription: String { "auto" }

  /// The number.
  var count: Int {
    switch self {
    case .auto: min(ProcessInfo.processInfo.activeProcessorCount, WorkerSession.Configuration.mostSlots)
    case .exactly(let count): count
    }
  }
}

/// The coordinator did not want the worker.
struct RefusedWorker: Error, CustomStringConvertible {
  let address: String
  let reason: String

  /// One line for people.
  var description: String { "the coordinator at \(address) refused this worker: \(reason)" }
}
