internal import ContentHash
internal import Foundation
internal import SweepCoordinator
internal import SweepCore
internal import SweepWire
internal import ZeroMQTransport

/// Measures how fast workers fetch a file from a coordinator over loopback, and how long their heartbeats wait for
/// their answers meanwhile. What arrives is neither checked nor written.
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

  /// As a worker does: so many requests at a time, each for so many bytes.
  private static let window = 8
  private static let part = 256 << 10
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
    let start = ContinuousClock.now
    let server = ArtefactServer.start([file]) {
      Instant(nanoseconds: 0) + (ContinuousClock.now - start)
    } send: {
      transport.sendLater([$0])
    } onStalled: { _ in
    }
    let coordinator = Task { await Self.serve(transport, server) }
    var roundTrips: [Duration] = []
    try await withThrowingTaskGroup(of: [Duration].self) { group in
      for _ in 0..<workers {
        group.addTask { [key] in
          try await Self.fetch(file, try await ZeroMQWorkerTransport.connect(to: transport.endpoint, key: key))
        }
      }
      for try await more in group { roundTrips += more }
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    server.close()
    await transport.close()
    await coordinator.value
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
    return SweepFile(path: url.path, digest: SHA256Digest(of: "the file of the benchmark"), stamp: stamp)
  }

  /// Answers heartbeats, and hands requests on.
  private static func serve(_ transport: ZeroMQCoordinatorTransport, _ server: ArtefactServer) async {
    for await batch in transport.incoming {
      for case .message(let peer, let message) in batch {
        switch message {
        case .heartbeat: transport.send([OutgoingMessage(to: peer, .acknowledge([]))])
        case .artefactRequest(let request): server.take(request, of: peer)
        case .hello, .ready, .result, .failure, .goodbye: break
        }
      }
    }
  }

  /// Fetches the file, and returns how long each heartbeat waited for its answer.
  private static func fetch(_ file: SweepFile, _ transport: ZeroMQWorkerTransport) async throws -> [Duration] {
    var asked = 0
    var arrived = 0
    var receipt: UInt64 = 0
    var roundTrips: [Duration] = []
    var beat = ContinuousClock.now
    var isAnswered = true
    func request() -> FromWorker {
      defer { asked += part }
      return .artefactRequest(
        ArtefactRequest(digest: file.digest, offset: asked, count: part, receipt: receipt))
    }
    transport.send((0..<window).map { _ in request() })
    for await batch in transport.incoming {
      for case .message(let message) in batch {
        switch message {
        case .artefactChunk(let chunk):
          arrived += chunk.content.count
          receipt = chunk.receipt
          if asked < file.size { transport.send([request()]) }
        case .acknowledge:
          roundTrips.append(ContinuousClock.now - beat)
          isAnswered = true
        case .welcome, .lease, .revoke, .drain, .refuse, .artefactMissing: break
        }
      }
      if arrived >= file.size { break }
      let now = ContinuousClock.now
      if isAnswered, now >= beat + heartbeat {
        beat = now
        isAnswered = false
        transport.send([.heartbeat([])])
      }
    }
    await transport.close()
    return roundTrips
  }
}
