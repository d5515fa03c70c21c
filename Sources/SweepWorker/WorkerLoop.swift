internal import Logging
internal import SweepCore
internal import SweepWire

/// Feeds a ``WorkerSession`` with what happens and performs what it decides. Lives in one task.
struct WorkerLoop {
  /// What can come in from other tasks and threads.
  enum Input: Sendable {
    /// A connection has been opened, or not. Connections are numbered, so that what comes late from one that was given
    /// up is recognised.
    case connected(Int, Result<any WorkerTransport, any Error>)
    /// Something arrived over a connection.
    case arrived(Int, WorkerEvent)
    /// An engine, or whoever keeps the files, has something to say.
    case happened(WorkerSession.Event)
    /// The process is to stop.
    case stop(grace: Duration)
    /// A moment that was waited for has come.
    case due
  }

  private var session: WorkerSession
  private let connect: Worker.Connect
  private let engines: any WorkerEngines
  private let keeper: ArtefactKeeper
  private let clock: any WorkerClock
  private let logger: Logger
  private let inputs: Mailbox<Input>

  private var connection = 0
  private var hasConnected = false
  private var transport: (any WorkerTransport)?
  private var reader: Task<Void, Never>?
  /// What was said before the connection was open.
  private var unsent: [FromWorker] = []
  private var alarm: (at: Instant, task: Task<Void, Never>)?
  private var outcome: WorkerOutcome?

  init(
    session: WorkerSession, connect: @escaping Worker.Connect, engines: any WorkerEngines,
    keeper: ArtefactKeeper,
    clock: any WorkerClock, logger: Logger, inputs: Mailbox<Input>
  ) {
    self.session = session
    self.connect = connect
    self.engines = engines
    self.keeper = keeper
    self.clock = clock
    self.logger = logger
    self.inputs = inputs
  }

  /// Runs the session to its end.
  ///
  /// - Throws: the error of an attempt to connect, if none has succeeded before; `CancellationError` if the task is
  ///   cancelled.
  mutating func run() async throws -> WorkerOutcome {
    defer {
      alarm?.task.cancel()
      reader?.cancel()
      inputs.close()
    }
    await handle(.started)
    for await batch in inputs.batches {
      for input in batch {
        try await take(input)
        if let outcome { return outcome }
      }
    }
    // The mailbox closes only here, or when the task that runs the worker is cancelled.
    transport?.abandon()
    throw CancellationError()
  }

  private mutating func take(_ input: Input) async throws {
    switch input {
    case .connected(connection, .success(let transport)): opened(transport)
    case .connected(_, .success(let transport)): transport.abandon()
    // An address that has never worked is taken for a wrong one.
    case .connected(_, .failure(let error)) where !hasConnected: throw error
    case .connected(connection, .failure(let error)): await handle(.connectFailed(String(describing: error)))
    case .connected(_, .failure): break
    case .arrived(connection, .message(let message)): await handle(.received(message))
    case .arrived(connection, .undecodable(let error)): await handle(.undecodable(error))
    case .arrived(connection, .disconnected): await handle(.disconnected)
    case .arrived(connection, .rejected(let reason)): await handle(.connectFailed(reason))
    case .arrived: break
    case .happened(let event):
      if case .finished(_, let attempt, let outcome) = event { log(attempt, outcome) }
      await handle(event)
    case .stop(let grace): await handle(.stopRequested(grace: grace))
    case .due:
      alarm = nil
      await handle(.timeReached)
    }
  }

  private mutating func handle(_ event: WorkerSession.Event) async {
    let actions = session.handle(event, at: clock.now)
    // First, so that the alarm stands when others learn of what was done.
    setAlarm()
    for action in actions {
      await perform(action)
    }
  }

  private mutating func perform(_ action: WorkerSession.Action) async {
    switch action {
    case .connect: open()
    case .disconnect: giveUp()
    case .send(let messages):
      if let transport { transport.send(messages) } else { unsent += messages }
    case .startEngine(let slot): engines.start(slot: slot)
    case .killEngine(let slot): engines.kill(slot: slot)
    case .run(let slot, let cell, let files):
      logger.info("cell started", metadata: ["cell": "\(cell.index)", "attempt": "\(cell.attempt.number)"])
      engines.run(slot: slot, cell, files: files)
    case .cancel(let slot, let attempt): engines.cancel(slot: slot, attempt)
    case .keep(let command): keeper.perform(command)
    case .note(let note): log(note)
    case .exit(let outcome):
      self.outcome = outcome
      await transport?.close()
    }
  }

  private mutating func open() {
    connection += 1
    Task { [number = connection, connect, inputs] in
      do {
        inputs.put([.connected(number, .success(try await connect()))])
      } catch {
        inputs.put([.connected(number, .failure(error))])
      }
    }
  }

  private mutating func opened(_ new: any WorkerTransport) {
    hasConnected = true
    transport = new
    reader = Task { [number = connection, inputs] in
      for await events in new.incoming {
        inputs.put(events.map { .arrived(number, $0) })
      }
    }
    new.send(unsent)
    unsent = []
  }

  private mutating func giveUp() {
    // What the connection still brings, even the opening of it, now has another number.
    connection += 1
    reader?.cancel()
    transport?.abandon()
    transport = nil
    unsent = []
  }

  /// Sees to it that ``Input/due`` comes at the session's deadline or before: coming too early does no harm.
  private mutating func setAlarm() {
    guard let deadline = session.nextDeadline else { return }
    if let alarm {
      if alarm.at <= deadline { return }
      alarm.task.cancel()
    }
    alarm = (
      deadline,
      Task { [clock, inputs] in
        await clock.sleep(until: deadline)
        if !Task.isCancelled { inputs.put([.due]) }
      }
    )
  }

  private func log(_ attempt: AttemptID, _ outcome: AttemptOutcome) {
    switch outcome {
    case .result: logger.info("cell completed", metadata: ["attempt": "\(attempt.number)"])
    case .failure(let failure):
      logger.warning(
        "cell not completed",
        metadata: ["attempt": "\(attempt.number)", "kind": "\(failure.kind.rawValue)", "reason": "\(failure.message)"])
    }
  }

  private func log(_ note: WorkerSession.Note) {
    switch note {
    case .welcomed(let welcome):
      logger.info(
        "admitted", metadata: ["sweep": "\(welcome.sweep)", "coordinator": "\(welcome.coordinatorID)"])
    case .lost(let loss, let pause):
      logger.warning("no coordinator: \(loss); trying again in \(pause.inSeconds)")
    case .dropped(let attempts):
      logger.warning(
        "another store: leases dropped", metadata: ["attempts": "\(attempts.map(\.number))"])
    case .ignored(let reason):
      logger.debug("message ignored", metadata: ["reason": "\(reason)"])
    case .fetching(let artefact, let start):
      var metadata: Logger.Metadata = ["file": "\(artefact.role)", "size": "\(artefact.size.asBytes)"]
      if start > 0 { metadata["from"] = "\(start.asBytes)" }
      logger.info("fetching", metadata: metadata)
    case .fetchedByAnother(let artefact):
      logger.info("waiting for another process that fetches a file", metadata: ["file": "\(artefact.role)"])
    case .noFile(let failure):
      logger.error(
        "cells cannot be run", metadata: ["kind": "\(failure.kind.rawValue)", "reason": "\(failure.message)"])
    case .engineEnded(let slot, let reason, let pause):
      let next = pause.map { "another is started in \($0)" } ?? "no other is started in its place"
      logger.error("slot \(slot + 1): \(reason); \(next)")
    }
  }
}
