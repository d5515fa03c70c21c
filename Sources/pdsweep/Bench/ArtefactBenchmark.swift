internal import ContentHash
internal import Foundation
internal import Logging
internal import SweepCoordinator
internal import SweepCore
internal import SweepStore
internal import SweepWire
internal import SweepWorker
internal import Synchronization
internal import ZeroMQTransport

/// Measures how fast workers fetch a file from a coordinator over loopback into caches of their own, all of it: asked
/// for, sent, checked by its SHA-256 and written; and how long their heartbeats wait for their answers meanwhile.
struct ArtefactBenchmark {
  /// What was measured.
  struct Figures: Encodable {
    let workers: Int
    let megabytes: Int
    let isEncrypted: Bool
    let megabytesPerSecond: Double
    let heartbeatMilliseconds: [String: Double]

    enum CodingKeys: String, CodingKey {
      case workers, megabytes
      case isEncrypted = "curve"
      case megabytesPerSecond = "mb_per_s"
      case heartbeatMilliseconds = "heartbeat_round_trip_ms"
    }
  }

  let workers: Int
  /// Millions of bytes that each worker fetches.
  let megabytes: Int
  let isEncrypted: Bool

  /// Often enough for a transfer of a second to tell how late they come.
  private static let heartbeat = Duration.milliseconds(20)

  /// Fetches.
  func run() async throws -> Figures {
    let folder = FileManager.default.temporaryDirectory.appending(path: "pdsweep-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = try makeFile(folder.appending(path: "file"))
    var security = CoordinatorSecurity.loopback
    var key: WorkerKey?
    if isEncrypted {
      let keys = KeyFolder(folder.appending(path: "keys").path)
      key = try WorkerKey(file: try keys.add(WorkerKeyName("bench"), at: Date()))
      security = .keys(keys)
    }
    let transport = try await ZeroMQCoordinatorTransport.listen(
      on: Endpoint(host: "127.0.0.1", port: 0), security: security)
    let coordinator = try coordinator(of: file, transport)
    let sweep = Task { try await coordinator.run() }

    let start = ContinuousClock.now
    var roundTrips: [Duration] = []
    try await withThrowingTaskGroup(of: [Duration].self) { group in
      for number in 0..<workers {
        group.addTask { [key] in
          try await fetch(number, key, from: transport.endpoint, into: folder.appending(path: "cache-\(number)"))
        }
      }
      for try await more in group { roundTrips += more }
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    _ = try await sweep.value
    let sorted = roundTrips.map { $0 / .milliseconds(1) }.sorted()
    func quantile(_ share: Double) -> Double { sorted.isEmpty ? 0 : sorted[Int(Double(sorted.count - 1) * share)] }
    return Figures(
      workers: workers, megabytes: megabytes, isEncrypted: isEncrypted,
      megabytesPerSecond: Double(workers * file.size) / 1e6 / seconds,
      heartbeatMilliseconds: ["median": quantile(0.5), "p99": quantile(0.99), "longest": quantile(1)])
  }

  private func makeFile(_ url: URL) throws -> SweepFile {
    var generator = SystemRandomNumberGenerator()
    let block = Data((0..<1_000_000).map { _ in UInt8.random(in: 0...255, using: &generator) })
    try Data().write(to: url)
    let handle = try FileHandle(forWritingTo: url)
    for _ in 0..<megabytes { try handle.write(contentsOf: block) }
    try handle.close()
    guard let stamp = FileStamp(path: url.path) else { throw CocoaError(.fileNoSuchFile) }
    return SweepFile(path: url.path, digest: try SHA256Digest(ofFile: url), stamp: stamp)
  }

  /// A coordinator of a sweep with one cell for each worker, which names the file.
  private func coordinator(of file: SweepFile, _ transport: ZeroMQCoordinatorTransport) throws -> Coordinator {
    let cells = BenchSweep.cells(workers, naming: file.digest)
    let store = MemoryStore()
    return Coordinator(
      try store.begin(BenchSweep.description(of: cells), cells: cells),
      CoordinatorSession.Configuration(
        coordinatorID: "bench", storeID: store.storeID, engineVersion: PDSweep.version, build: Build.name,
        artefacts: [Artefact(digest: file.digest, role: "everything", name: "everything", size: file.size)],
        settings: Scheduler.Settings(
          heartbeatInterval: Self.heartbeat, lostAfter: .seconds(60), copyAfter: .seconds(3600))),
      files: [file], store: store, transport: transport, logger: Self.logger)
  }

  /// Works off one cell, for which the file must be fetched, and returns how long each heartbeat waited for its answer.
  private func fetch(
    _ number: Int, _ key: WorkerKey?, from endpoint: Endpoint, into cache: URL
  ) async throws -> [Duration] {
    let timed = TimedTransport(try await ZeroMQWorkerTransport.connect(to: endpoint, key: key))
    let process = ProcessInfo.processInfo
    let identity = WorkerIdentity(
      workerID: WorkerID("bench-\(number)"), engineVersion: PDSweep.version,
      engineRevision: CellSpecification.engineRevision, host: process.hostName,
      processIdentifier: Int(process.processIdentifier), cores: process.activeProcessorCount,
      memoryMiB: Int(process.physicalMemory >> 20), slots: 1, build: Build.name)
    let worker = Worker(
      WorkerSession.Configuration(identity: identity, prefetch: 0), connect: { timed }, engines: { InstantEngines($0) },
      keeper: try ArtefactKeeper(cache: ArtefactCacheSettings(folder: cache, limit: .max)), logger: Self.logger)
    _ = try await worker.run()
    return timed.roundTrips
  }

  private static let logger = {
    var logger = Logger(label: "pdsweep.bench") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .warning
    return logger
  }()
}

/// A worker's connection that notes how long heartbeats wait for their answers.
private final class TimedTransport: WorkerTransport {
  let incoming: AsyncStream<[WorkerEvent]>

  private struct State {
    var beat: ContinuousClock.Instant?
    var roundTrips: [Duration] = []
  }

  private let base: ZeroMQWorkerTransport
  private let state = Mutex(State())

  init(_ base: ZeroMQWorkerTransport) {
    self.base = base
    let (stream, continuation) = AsyncStream.makeStream(of: [WorkerEvent].self)
    incoming = stream
    Task {
      for await batch in base.incoming {
        hear(batch)
        continuation.yield(batch)
      }
      continuation.finish()
    }
  }

  var roundTrips: [Duration] { state.withLock { $0.roundTrips } }

  func send(_ messages: [FromWorker]) {
    for case .heartbeat in messages {
      state.withLock { state in
        if state.beat == nil { state.beat = ContinuousClock.now }
      }
    }
    base.send(messages)
  }

  func close() async { await base.close() }
  func abandon() { base.abandon() }

  private func hear(_ batch: [WorkerEvent]) {
    for case .message(.acknowledge) in batch {
      state.withLock { state in
        guard let beat = state.beat else { return }
        state.roundTrips.append(ContinuousClock.now - beat)
        state.beat = nil
      }
    }
  }
}
