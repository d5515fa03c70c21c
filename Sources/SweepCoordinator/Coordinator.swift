public import Foundation
public import Logging
public import SweepCore
public import SweepStore
public import SweepWire

/// Where a coordinator commits. ``SweepStore`` is one; tests put another in its place.
public protocol CoordinatorStore: Sendable {
  /// Writes a batch in one transaction; see ``SweepStore/commit(_:of:at:)``.
  func commit(_ writes: [StoreWrite], of sweep: SweepID, at time: Date) async throws(StoreError)
}

extension SweepStore: CoordinatorStore {}

/// Drives a sweep: a ``CoordinatorSession`` wired to a transport, a store and the clock.
///
/// Events are taken in turns. A turn decides without awaiting anything, then commits what it decided, and only then
/// sends. While a commit is under way the transport gathers what arrives, and the next turn takes all of it: one
/// transaction serves a whole batch, and a flood waits with its senders.
public actor Coordinator {
  /// Where the sweep stands, at most ten times a second: always the latest, for one consumer. Ends with ``run()``.
  public nonisolated let progress: AsyncStream<SweepProgress>

  private let sweep: SweepID
  private let store: any CoordinatorStore
  private let transport: any CoordinatorTransport
  private let clock: CoordinatorClock
  private let logger: Logger
  private let publish: AsyncStream<SweepProgress>.Continuation
  private let heartbeat: Duration
  private let files: [SweepFile]
  private var server: ArtefactServer?
  private var session: CoordinatorSession
  private var lastPublished: Instant?
  private var failure: StoreError?

  // Turns.
  private var isTaken = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  /// Creates a coordinator; nothing happens until ``run()``.
  ///
  /// - Parameters:
  ///   - sweep: What ``SweepStore/begin(_:cells:at:)`` returned.
  ///   - configuration: What workers are told.
  ///   - files: What workers may fetch.
  ///   - store: Where to commit.
  ///   - transport: How to talk to workers; closed at the end of ``run()``.
  ///   - clock: What time it is.
  ///   - logger: Where to tell people.
  public init(
    _ sweep: OpenSweep, _ configuration: CoordinatorSession.Configuration, files: [SweepFile] = [],
    store: any CoordinatorStore, transport: any CoordinatorTransport, clock: CoordinatorClock = .system(),
    logger: Logger
  ) {
    self.sweep = sweep.id
    self.store = store
    self.transport = transport
    self.clock = clock
    self.logger = logger
    self.files = files
    heartbeat = configuration.settings.heartbeatInterval
    session = CoordinatorSession(sweep, configuration, at: clock.now())
    (progress, publish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Works until every cell has ended and every worker has left or is lost; after ``drain()``, until nothing runs any
  /// more. To be called once.
  ///
  /// - Returns: Where the sweep stood at the end.
  /// - Throws: ``StoreError`` if something could not be committed. Nothing of it was acknowledged: workers keep it for
  ///   the next coordinator on the store. `CancellationError` if the task was cancelled.
  public func run() async throws -> SweepProgress {
    let server = ArtefactServer.start(files, now: clock.now) { [transport] answer in
      transport.sendLater([answer])
    } onStalled: { peer in
      Task { try? await self.turn([.arrived(.unreachable(peer))]) }
    }
    self.server = server
    defer {
      server.close()
      publish.finish()
    }
    do {
      try await turn([.tick])
      if !isOver {
        await withTaskGroup { group in
          group.addTask { await self.listen() }
          group.addTask { await self.watchTime() }
          await group.next()
          group.cancelAll()
        }
      }
    } catch {
      // Told by `failure` below.
    }
    await transport.close()
    if let failure { throw failure }
    guard isOver else { throw CancellationError() }
    let last = session.progress(at: clock.now())
    publish.yield(last)
    return last
  }

  /// Hands out no more cells; what runs may finish. The store can be carried on later.
  public func drain() async {
    try? await turn([.drain])
  }

  /// Calls off every cell that has not ended.
  public func cancel() async {
    try? await turn([.cancel])
  }

  private var isOver: Bool { session.isOver(at: clock.now()) }

  private func listen() async {
    for await batch in transport.incoming {
      do {
        try await turn(batch.map { .arrived($0) })
      } catch {
        return
      }
      if isOver { return }
    }
  }

  private func watchTime() async {
    while !Task.isCancelled {
      let beat = clock.now() + heartbeat
      await clock.sleep(min(session.nextDeadline ?? beat, beat))
      guard !Task.isCancelled else { return }
      do {
        try await turn([.tick])
      } catch {
        return
      }
      if isOver { return }
    }
  }

  // MARK: - One turn

  /// Decides on events, commits, and sends, before any other turn begins. After a failure nothing more is decided:
  /// the session is ahead of the store.
  private func turn(_ events: [CoordinatorSession.Event]) async throws(StoreError) {
    await take()
    defer { pass() }
    if let failure { throw failure }
    let step = session.handle(events, at: clock.now())
    if !step.writes.isEmpty {
      do {
        try await store.commit(step.writes, of: sweep, at: clock.date())
      } catch {
        failure = error
        logger.critical("\(error)")
        throw error
      }
    }
    transport.send(step.messages)
    for query in step.requests { server?.take(query.request, of: query.peer) }
    if !step.dropped.isEmpty {
      server?.forget(step.dropped)
      transport.drop(step.dropped)
    }
    for write in step.writes { log(write) }
    for note in step.notes { log(note) }
    publishProgress()
  }

  private func take() async {
    guard isTaken else {
      isTaken = true
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  /// Hands the turn to whoever has waited longest.
  private func pass() {
    if waiting.isEmpty {
      isTaken = false
    } else {
      waiting.removeFirst().resume()
    }
  }

  private func publishProgress() {
    let now = clock.now()
    if let lastPublished, now - lastPublished < .milliseconds(100), !isOver { return }
    lastPublished = now
    publish.yield(session.progress(at: now))
  }

  // MARK: - The log

  private func log(_ write: StoreWrite) {
    switch write {
    case .leased(let attempt, _, _, _):
      logger.debug("leased", metadata: metadata(attempt))
    case .adopted(let attempt):
      logger.notice("adopted: its worker came back with it", metadata: metadata(attempt))
    case .ended(let attempt, .failed(let failure)):
      logger.log(
        level: failure.kind == .preempted ? .info : .warning,
        "attempt failed: \(failure.kind.rawValue): \(failure.message)", metadata: metadata(attempt))
    case .ended(let attempt, .lost(let loss, let message)):
      logger.log(
        level: loss == .workerLeft ? .info : .warning, "attempt lost: \(loss.rawValue): \(message)",
        metadata: metadata(attempt))
    case .ended(let attempt, .duplicate):
      logger.info("duplicate result, equal to the first", metadata: metadata(attempt))
    case .ended(let attempt, .revoked):
      logger.debug("revoked", metadata: metadata(attempt))
    case .ended(let attempt, .takenBack):
      logger.debug("taken back before it was started", metadata: metadata(attempt))
    case .result(let attempt, _):
      logger.info("result", metadata: metadata(attempt))
    case .fault(let attempt, _):
      logger.error("the result differs from the first of its cell: kept as a fault", metadata: metadata(attempt))
    case .outcome(let cell, .failed(let failure)):
      logger.error(
        "cell failed: \(failure.kind.rawValue): \(failure.message)", metadata: ["cell": "\(cell.index)"])
    case .outcome(let cell, .cancelled):
      logger.notice("cell cancelled", metadata: ["cell": "\(cell.index)"])
    case .outcome(let cell, .completed):
      logger.debug("cell completed", metadata: ["cell": "\(cell.index)"])
    case .reopened(let cell, _):
      logger.notice("cell reopened", metadata: ["cell": "\(cell.index)"])
    case .audited(let cell, let outcome):
      logger.log(
        level: outcome == .differed ? .error : .info, "audit: \(outcome.rawValue)", metadata: ["cell": "\(cell.index)"])
    case .sweep(let sweep, let change):
      logger.notice("sweep \(change)", metadata: ["sweep": "\(sweep.position)"])
    case .worker(let worker, .joined):
      logger.info("worker joined", metadata: ["worker": "\(worker.name)"])
    case .worker(let worker, .left(let reason)):
      logger.info("worker left: \(reason)", metadata: ["worker": "\(worker.name)"])
    case .worker(let worker, .lost):
      logger.warning("worker lost", metadata: ["worker": "\(worker.name)"])
    case .worker(let worker, .revoked(let reason)):
      logger.warning("worker cut off: \(reason)", metadata: ["worker": "\(worker.name)"])
    case .worker(let worker, .quarantined(let reason)):
      logger.error("worker set aside: \(reason)", metadata: ["worker": "\(worker.name)"])
    case .worker(let worker, .released):
      logger.notice("worker gets cells again", metadata: ["worker": "\(worker.name)"])
    }
  }

  private func log(_ note: CoordinatorSession.Note) {
    switch note {
    case .refused(let worker, let host, let reason):
      logger.error("worker refused: \(reason)", metadata: ["worker": "\(worker.name)", "host": "\(host)"])
    case .ignored(let reason, let count):
      logger.warning("message ignored: \(reason)", metadata: ["ignored": "\(count)"])
    case .remark(let text):
      logger.warning("\(text)")
    case .cutOff(let worker, let key):
      logger.warning("worker cut off: its key was revoked", metadata: ["worker": "\(worker.name)", "key": "\(key)"])
    case .finished:
      logger.info("nothing left to do")
    }
  }

  private func metadata(_ attempt: AttemptID) -> Logger.Metadata {
    var metadata: Logger.Metadata = ["attempt": "\(attempt.number)"]
    if let (cell, worker) = session.whereabouts(of: attempt) {
      metadata["cell"] = "\(cell.index)"
      metadata["worker"] = "\(worker.name)"
    }
    return metadata
  }
}
