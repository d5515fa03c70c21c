public import Logging
public import SweepCore
public import SweepStore
public import SweepWire

/// Drives sweeps: a ``CoordinatorSession`` wired to a transport, a store and the clock.
///
/// Events are taken in turns. A turn decides without awaiting anything, then commits what it decided, and only then
/// sends. While a commit is under way the transport gathers what arrives, and the next turn takes all of it: one
/// transaction serves a whole batch, and a flood waits with its senders.
///
/// Where the store has no room, or another program keeps it locked, the coordinator keeps what it has decided, tries
/// again every second, and decides and sends nothing else meanwhile, but that it is there. Workers go on with what they
/// run and repeat what matters.
public actor Coordinator {
  /// Where the sweeps stand, at most ten times a second, and so rarely that it takes a fiftieth of the time at most:
  /// always the latest, for one consumer. Ends with ``run()``.
  public nonisolated let progress: AsyncStream<SweepProgress>

  /// A step that cannot be committed yet, and what is to be heard after it.
  private struct Stall {
    let step: CoordinatorSession.Step
    let reason: StoreError
    var backlog: [CoordinatorSession.Event] = []
  }

  /// Most messages that are kept while nothing can be committed. Peers repeat whatever matters.
  private static let longestBacklog = 4096
  private static let retryInterval = Duration.seconds(1)

  private let places: CellPlaces
  private let store: any CoordinatorStore
  private let transport: any CoordinatorTransport
  private let clock: CoordinatorClock
  private let publish: AsyncStream<SweepProgress>.Continuation
  private let heartbeat: Duration
  private let files: [SweepFile]
  private var server: ArtefactServer?
  private var session: CoordinatorSession
  private var log: CoordinatorLog
  private var published: (nextAt: Instant, isWaiting: Bool)?
  private var failure: StoreError?
  private var stall: Stall?

  // Turns.
  private var isTaken = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  /// Creates a coordinator; nothing happens until ``run()``.
  ///
  /// - Parameters:
  ///   - sweeps: What ``SweepKeeper/begin(_:at:)`` returned.
  ///   - configuration: What workers are told.
  ///   - files: What workers may fetch.
  ///   - store: Where to commit.
  ///   - transport: How to talk to workers; closed at the end of ``run()``.
  ///   - clock: What time it is.
  ///   - logger: Where to tell people.
  public init(
    _ sweeps: OpenSweeps, _ configuration: CoordinatorSession.Configuration, files: [SweepFile] = [],
    store: any CoordinatorStore, transport: any CoordinatorTransport, clock: CoordinatorClock = .system(),
    logger: Logger
  ) {
    places = sweeps.places
    self.store = store
    self.transport = transport
    self.clock = clock
    self.files = files
    log = CoordinatorLog(logger)
    heartbeat = configuration.settings.heartbeatInterval
    session = CoordinatorSession(sweeps, configuration, at: clock.now())
    (progress, publish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Works until every cell has ended and every worker has left or is lost; after ``drain()``, until nothing runs any
  /// more. To be called once.
  ///
  /// - Returns: Where the sweeps stood at the end.
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
      // What people want of cells that have all ended is taken up before that is noticed.
      try await turn([.requests(requests()), .tick])
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

  /// Hands out no more cells; what runs may finish. The store can be carried on later. A coordinator that waits for its
  /// store ends at once, with the reason for which it waits.
  public func drain() async {
    try? await turn([.drain])
  }

  private var isOver: Bool { stall == nil && session.isOver(at: clock.now()) }

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

  /// Ticks whenever the session wants it and at every heartbeat, looks for requests at every heartbeat, and tries to
  /// commit again what could not be.
  private func watchTime() async {
    var nextLook = clock.now() + heartbeat
    while !Task.isCancelled {
      let beat = clock.now() + (stall == nil ? heartbeat : Self.retryInterval)
      await clock.sleep(stall == nil ? min(session.nextDeadline ?? beat, beat) : beat)
      guard !Task.isCancelled else { return }
      do {
        var events: [CoordinatorSession.Event] = []
        if stall == nil, !session.isFinished, clock.now() >= nextLook {
          nextLook = clock.now() + heartbeat
          events.append(.requests(try await requests()))
        }
        try await turn(events + [.tick])
      } catch {
        return
      }
      if isOver { return }
    }
  }

  private func requests() async throws(StoreError) -> [StoreRequest] {
    do {
      return try await store.openRequests()
    } catch {
      if error.isPassing { return [] }
      failure = error
      log.tell(of: error)
      throw error
    }
  }

  // MARK: - One turn

  /// Decides on events, commits, and sends, before any other turn begins. After a failure nothing more is decided:
  /// the session is ahead of the store.
  private func turn(_ events: [CoordinatorSession.Event]) async throws(StoreError) {
    await take()
    defer { pass() }
    if let failure { throw failure }
    defer { publishProgress() }
    if let stall {
      putOff(events)
      if let failure { throw failure }
      guard events.contains(where: { if case .tick = $0 { true } else { false } }) else { return }
      guard try await perform(stall.step) else { return }
      log.tellOfRoom()
      let backlog = self.stall?.backlog ?? []
      self.stall = nil
      try await decide(backlog + [.tick])
    } else {
      try await decide(events)
    }
  }

  private func decide(_ events: [CoordinatorSession.Event]) async throws(StoreError) {
    let step = session.handle(events, at: clock.now())
    _ = try await perform(step)
  }

  /// Commits and sends. Returns whether that was possible; where it was not, the step waits.
  private func perform(_ step: CoordinatorSession.Step) async throws(StoreError) -> Bool {
    do {
      try await store.commit(step.batch, in: places, at: clock.date())
    } catch {
      guard error.isPassing else {
        failure = error
        log.tell(of: error)
        throw error
      }
      if stall == nil {
        stall = Stall(step: step, reason: error)
        log.tell(of: error)
      }
      return false
    }
    transport.send(step.messages)
    for query in step.queries { server?.take(query.request, of: query.peer) }
    if !step.dropped.isEmpty {
      server?.forget(step.dropped)
      transport.drop(step.dropped)
    }
    log.tell(of: step, session)
    return true
  }

  /// Hears, while nothing can be committed, only what must not be missed and cannot grow without bound, and answers
  /// signs of life.
  private func putOff(_ events: [CoordinatorSession.Event]) {
    var replies: [OutgoingMessage] = []
    for event in events {
      switch event {
      case .arrived(let arrived):
        if let reply = session.replyUnheard(arrived) { replies.append(reply) }
        if let query = session.query(in: arrived) { server?.take(query.request, of: query.peer) }
        guard arrived.isWorthKeeping, let count = stall?.backlog.count, count < Self.longestBacklog else { continue }
        stall?.backlog.append(event)
      // Nobody waits for room any more. What was not committed was not acknowledged either.
      case .drain: failure = stall?.reason
      case .tick, .requests: break
      }
    }
    transport.send(replies)
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

  /// Publishes where the sweeps are, if it is time to, and at once when they begin or cease to wait for the store.
  private func publishProgress() {
    let now = clock.now()
    let isWaiting = stall != nil
    if let published, now < published.nextAt, published.isWaiting == isWaiting, !isOver { return }
    var progress = session.progress(at: now)
    progress.waitsForStore = stall?.reason
    publish.yield(progress)
    // With thousands of workers there is much to gather.
    let cost = clock.now() - now
    published = (now + max(.milliseconds(100), cost * 50), isWaiting)
  }
}

extension CoordinatorEvent {
  /// Whether it is small, and is not repeated in time by its peer.
  fileprivate var isWorthKeeping: Bool {
    switch self {
    case .message(_, .ready), .message(_, .failure), .message(_, .goodbye), .unreachable, .revoked, .remark: true
    case .message(_, .hello), .message(_, .heartbeat), .message(_, .result), .message(_, .artefactRequest),
      .undecodable:
      false
    }
  }
}
