public import Logging
internal import SweepCore
public import SweepWire

/// A worker: a ``WorkerSession`` wired to a transport, its engines, and the clock.
///
/// All that happens goes through one queue into the session, whose actions are performed in order. The session's task
/// never blocks, so heartbeats leave on time while the engines train.
public final class Worker: Sendable {
  /// Opens a connection to the coordinator; throws if the address cannot be one of a coordinator.
  public typealias Connect = @Sendable () async throws -> any WorkerTransport
  /// Makes engines that report what happens to them, on any thread.
  public typealias MakeEngines =
    @Sendable (_ report: @escaping @Sendable (WorkerSession.Event) -> Void) -> any WorkerEngines

  private let configuration: WorkerSession.Configuration
  private let connect: Connect
  private let makeEngines: MakeEngines
  private let keeper: ArtefactKeeper
  private let clock: any WorkerClock
  private let logger: Logger
  private let inputs = Mailbox<WorkerLoop.Input>()

  /// Creates a worker whose engines are processes; nothing happens until ``run()``.
  ///
  /// - Parameters:
  ///   - configuration: who the worker is and how patient.
  ///   - connect: opens a connection; called again after every loss.
  ///   - launcher: starts the engines.
  ///   - keeper: keeps the files that cells name.
  ///   - clock: what time it is.
  ///   - logger: where to tell people.
  public convenience init(
    _ configuration: WorkerSession.Configuration, connect: @escaping Connect,
    launcher: any EngineLauncher, keeper: ArtefactKeeper, clock: any WorkerClock = SystemClock(), logger: Logger
  ) {
    self.init(
      configuration, connect: connect, engines: { EnginePool(launcher, report: $0) }, keeper: keeper, clock: clock,
      logger: logger)
  }

  /// Creates a worker with engines of any kind; nothing happens until ``run()``.
  ///
  /// - Parameters:
  ///   - configuration: who the worker is and how patient.
  ///   - connect: opens a connection; called again after every loss.
  ///   - engines: makes the engines.
  ///   - keeper: keeps the files that cells name.
  ///   - clock: what time it is.
  ///   - logger: where to tell people.
  public init(
    _ configuration: WorkerSession.Configuration, connect: @escaping Connect, engines: @escaping MakeEngines,
    keeper: ArtefactKeeper, clock: any WorkerClock = SystemClock(), logger: Logger
  ) {
    self.configuration = configuration
    self.connect = connect
    makeEngines = engines
    self.keeper = keeper
    self.clock = clock
    self.logger = logger
  }

  /// Works until the coordinator drains or refuses the worker, it is told to stop, or its patience ends. To be called
  /// once.
  ///
  /// - Throws: what `connect` throws the first time: an address that can never work. Later failures are tried again.
  public func run() async throws -> WorkerOutcome {
    let inputs = inputs
    let engines = makeEngines { inputs.put([.happened($0)]) }
    keeper.start { inputs.put([.happened(.kept($0))]) }
    defer {
      engines.close()
      keeper.close()
    }
    var loop = WorkerLoop(
      session: WorkerSession(configuration), connect: connect, engines: engines, keeper: keeper, clock: clock,
      logger: logger,
      inputs: inputs)
    return try await loop.run()
  }

  /// Tells the worker to stop: it hands back what it has not started, lets what runs go on for `grace`, then hands
  /// that back too. Any thread may call it, before ``run()`` as well, and again to shorten the grace.
  public func stop(grace: Duration) {
    inputs.put([.stop(grace: grace)])
  }
}
