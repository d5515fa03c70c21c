import ContentHash
import Dispatch
import Foundation
import Logging
import SweepCore
import SweepWire
import SweepWorker

/// An engine that does as a test says.
struct ScriptedRunner: CellRunner {
  typealias Script =
    @Sendable (
      _ cell: CellSpecification, _ files: [LocalArtefact], _ progress: (CellProgress) -> Void, _ isCancelled: () -> Bool
    ) throws(CellFailure) -> CellRun

  let script: Script

  mutating func run(
    _ cell: CellSpecification, files: [LocalArtefact], progress: (CellProgress) -> Void, isCancelled: () -> Bool
  ) throws(CellFailure) -> CellRun {
    try script(cell, files, progress, isCancelled)
  }
}

/// Engines on threads of this process, behind pipes as those of processes are.
struct ThreadEngines: EngineLauncher {
  let clock: any WorkerClock
  let script: ScriptedRunner.Script

  func launch(
    slot: Int, onEnd: @escaping @Sendable (EngineEnd) -> Void
  ) throws(EngineLaunchError) -> LaunchedEngine {
    let (input, output) = (Pipe(), Pipe())
    let server = EngineServer(
      signature: EngineSignature(host: "node", version: "1.2.3"), clock: clock, pulse: .milliseconds(1)
    ) { [script] in ScriptedRunner(script: script) }
    let thread = Thread {
      do throws(EngineInputError) {
        try server.serve(input: input.fileHandleForReading, output: output.fileHandleForWriting)
        onEnd(EngineEnd(description: "the thread ended", wantedMemory: false))
      } catch {
        onEnd(EngineEnd(description: error.description, wantedMemory: false))
      }
    }
    thread.start()
    return LaunchedEngine(input: input.fileHandleForWriting, output: output.fileHandleForReading) {
      try? input.fileHandleForReading.close()
    }
  }
}

/// A worker between a scripted engine and a coordinator that is played by the test.
struct Stage {
  let hub = InMemoryTransport()
  let clock = ManualClock()
  let worker: Worker
  let ending: Task<WorkerOutcome, any Error>
  private var arrivals: AsyncStream<[CoordinatorEvent]>.Iterator
  private var rest: ArraySlice<CoordinatorEvent> = []

  /// Creates a worker.
  ///
  /// - Parameter files: used in their places; without any the worker has no files.
  init(_ files: Files? = nil, _ script: @escaping ScriptedRunner.Script) throws {
    try self.init(ArtefactKeeper(cache: nil, places: files?.places ?? [:]), script)
  }

  init(_ keeper: ArtefactKeeper, _ script: @escaping ScriptedRunner.Script) {
    var logger = Logger(label: "worker")
    logger.logLevel = .critical
    var configuration = WorkerSession.Configuration(identity: .example)
    // Engines pulse in real time, while the clock goes as fast as the test moves it.
    configuration.engineSilence = .seconds(1_000_000)
    let worker = Worker(
      configuration, connect: { [hub] in hub.connect() },
      launcher: ThreadEngines(clock: clock, script: script),
      keeper: keeper, clock: clock, logger: logger)
    self.worker = worker
    arrivals = hub.incoming.makeAsyncIterator()
    ending = Task { try await worker.run() }
  }

  /// What the worker says next, and over which connection.
  mutating func next() async -> (peer: PeerID, message: FromWorker)? {
    while rest.isEmpty {
      guard let batch = await arrivals.next() else { return nil }
      rest = batch[...]
    }
    guard case .message(let peer, let message) = rest.popFirst() else { return nil }
    return (peer, message)
  }

  /// Hears the hello, welcomes the worker and hears that it is ready.
  mutating func admit(artefacts: [Artefact] = []) async -> (peer: PeerID, hello: Hello)? {
    guard let (peer, message) = await next(), case .hello(let hello) = message else { return nil }
    say(.welcome(welcome(artefacts: artefacts)), to: peer)
    // The engine may become ready before the welcome or after it.
    while let (_, ready) = await next() {
      if ready == .ready(credit: 2) { return (peer, hello) }
    }
    return nil
  }

  func say(_ message: ToWorker, to peer: PeerID) {
    hub.send([OutgoingMessage(to: peer, message)])
  }

  /// Plays a whole sweep: leases the cells one by one and drains the worker. Returns what became of each.
  mutating func play(_ cells: [[UInt8]], artefacts: [Artefact]) async throws -> [FromWorker] {
    guard let (peer, _) = await admit(artefacts: artefacts) else { return [] }
    var outcomes: [FromWorker] = []
    for (index, cell) in cells.enumerated() {
      let attempt = AttemptID(UInt64(index) + 1)
      let named = artefacts.indices.filter { artefacts[$0].role != "other" }
      say(.lease([LeasedCell(attempt: attempt, index: index, cell: cell, artefacts: named)]), to: peer)
      if let (_, message) = await next() { outcomes.append(message) }
      say(.acknowledge([attempt]), to: peer)
    }
    say(.drain, to: peer)
    _ = try await ending.value
    return outcomes
  }
}

/// The files of a sweep in a folder of their own, removed with the value.
final class Files {
  let folder: URL
  let artefacts: [Artefact]
  /// Where they are.
  let places: [SHA256Digest: String]
  let specification: CellSpecification

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "sweep-worker-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var artefacts: [Artefact] = []
    var places: [SHA256Digest: String] = [:]
    for role in ["weights", "configuration", "tokenizer", "decomposition", "corpus:german", "cut:german"] {
      let path = folder.appending(path: role.replacing(":", with: "-"))
      let content = Data("the content of \(role)".utf8)
      try content.write(to: path)
      let digest = try SHA256Digest(ofFile: path)
      artefacts.append(Artefact(digest: digest, role: role, name: path.lastPathComponent, size: content.count))
      places[digest] = path.path()
    }
    self.artefacts = artefacts
    self.places = places
    specification = CellSpecification(
      target: TargetReference(
        weights: artefacts[0].digest, configuration: artefacts[1].digest, tokenizer: artefacts[2].digest,
        decomposition: artefacts[3].digest),
      corpora: [CorpusReference(name: "german", role: .forget, text: artefacts[4].digest, cut: artefacts[5].digest)],
      start: "<|endoftext|>", evaluation: EvaluationSettings(tokensPerCorpus: 16, context: 8),
      edit: .prefactors(subcomponents: ["h.0.mlp.c_fc:3"], alphas: .fixed(-1)), training: nil, seed: 5)
  }

  deinit {
    try? FileManager.default.removeItem(at: folder)
  }

  /// The specification in canonical form.
  var cell: [UInt8] { CanonicalJSON.encode(specification) }

  func path(_ role: String) -> String {
    artefacts.first { $0.role == role }.flatMap { places[$0.digest] } ?? ""
  }
}

extension CellRun {
  /// A small result.
  static func example(_ alpha: Double) -> CellRun {
    CellRun(
      result: CellResult(
        evaluations: [], steps: [], edit: .prefactors(alphas: [alpha]), forgetTokens: 4, retainTokens: 8),
      tokens: 1000)
  }
}
