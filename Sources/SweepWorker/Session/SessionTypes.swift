public import ContentHash
public import SweepCore
public import SweepWire

extension WorkerSession {
  /// Who a worker is and how patient.
  public struct Configuration: Sendable, Hashable {
    /// What the worker says of itself.
    public var identity: WorkerIdentity
    /// Unfinished leases that the worker wants to hold beyond those that run, so that no engine waits for a round trip
    /// between cells; `nil` = a few, and more where cells are short.
    public var prefetch: Int?
    /// Silence after which the coordinator is taken for lost, until a welcome says otherwise.
    public var lostAfter: Duration
    /// The longest pause between two connections.
    public var longestPause: Duration
    /// Silence after which the worker ends; `nil` = it tries for ever.
    public var giveUpAfter: Duration?
    /// Time that a worker told to stop waits for its last outcomes to be acknowledged, once nothing runs any more.
    public var farewell: Duration
    /// Silence of an engine after which it is killed. Time in which the worker itself did not listen does not count.
    public var engineSilence: Duration
    /// Time that an engine has to become ready, and to end a cell that is cancelled, before it is killed.
    public var enginePatience: Duration

    /// Most cells that a worker can run at a time: half of what it may hold, so that there is room for what waits.
    public static let mostSlots = WireProtocol.credit / 2

    /// Creates a configuration.
    ///
    public init(
      identity: WorkerIdentity, prefetch: Int? = nil, lostAfter: Duration = .seconds(2),
      longestPause: Duration = .seconds(5), giveUpAfter: Duration? = nil, farewell: Duration = .seconds(2),
      engineSilence: Duration = .seconds(10), enginePatience: Duration = .seconds(30)
    ) {
      precondition((1...Self.mostSlots).contains(identity.slots), "a worker without slots has no use")
      precondition((0...Self.mostSlots).contains(prefetch ?? 0), "more leases than a worker may hold")
      self.identity = identity
      self.prefetch = prefetch
      self.lostAfter = lostAfter
      self.longestPause = longestPause
      self.giveUpAfter = giveUpAfter
      self.farewell = farewell
      self.engineSilence = engineSilence
      self.enginePatience = enginePatience
    }
  }

  /// What can happen to a worker.
  public enum Event: Sendable, Hashable {
    /// The first event.
    case started
    /// The connection that ``Action/connect`` asked for cannot be made.
    case connectFailed(String)
    /// The connection broke.
    case disconnected
    /// The coordinator said something, over the present connection.
    case received(ToWorker)
    /// The coordinator sent what cannot be read.
    case undecodable(WireError)
    /// The engine of a slot is ready for its first cell.
    case engineReady(slot: Int)
    /// The engine of a slot gave a sign of life.
    case engineAlive(slot: Int)
    /// The engine of a slot has got further with the attempt that it runs.
    case progressed(slot: Int, AttemptProgress)
    /// The engine of a slot has ended the attempt that it ran, and is ready for another.
    case finished(slot: Int, AttemptID, AttemptOutcome)
    /// The engine of a slot has not run the attempt: these of its files are not what they were when they were looked at.
    /// It is ready for another.
    case stale(slot: Int, AttemptID, [SHA256Digest])
    /// Whoever keeps the files has something to say.
    case kept(ArtefactReport)
    /// The engine of a slot has ended, or could not be started: once for each ``Action/startEngine(slot:)``.
    case engineEnded(slot: Int, EngineEnd)
    /// The process was told to stop; what runs may go on for `grace`.
    case stopRequested(grace: Duration)
    /// Time passed: due at ``WorkerSession/nextDeadline``, harmless at any other moment.
    case timeReached
  }

  /// What is to be done, in the order of the list.
  public enum Action: Sendable, Hashable {
    /// Open a new connection.
    case connect
    /// Give the connection up; nothing that waits to be sent may be sent any more.
    case disconnect
    /// Say this over the present connection; it may still be being made.
    case send([FromWorker])
    /// Start an engine in a slot that has none.
    case startEngine(slot: Int)
    /// End the engine of a slot by force. It reports ``Event/engineEnded(slot:_:)`` all the same.
    case killEngine(slot: Int)
    /// Have the engine of a slot run a cell. It is idle, and the files are here.
    case run(slot: Int, LeasedCell, files: [LocalArtefact])
    /// Tell the engine of a slot to end its attempt early. It reports ``Event/finished(slot:_:_:)`` all the same.
    case cancel(slot: Int, AttemptID)
    /// Tell whoever keeps the files.
    case keep(ArtefactCommand)
    /// Tell people.
    case note(Note)
    /// The last action: send what waits, close the connection, end all engines, end.
    case exit(WorkerOutcome)
  }

  /// What people may want to know.
  public enum Note: Sendable, Hashable {
    /// The coordinator admitted the worker.
    case welcomed(Welcome)
    /// The connection was given up; the next is made after the pause.
    case lost(Loss, pause: Duration)
    /// The coordinator has another store: these attempts mean nothing any more.
    case dropped([AttemptID])
    /// A message was out of place or unreadable.
    case ignored(String)
    /// A file is fetched, from this byte on.
    case fetching(Artefact, from: Int)
    /// Another process on this machine fetches a file; it is waited for.
    case fetchedByAnother(Artefact)
    /// A file cannot be had, and the cells that wait for it cannot be run here.
    case noFile(CellFailure)
    /// The engine of a slot has ended; another is started after the pause, if there is one.
    case engineEnded(slot: Int, reason: String, pause: Duration?)
  }

  /// Why a connection was given up.
  public enum Loss: Sendable, Hashable, CustomStringConvertible {
    /// It could not be made; the reason is given.
    case connectFailed(String)
    /// It broke.
    case broken
    /// Nothing was heard for so long.
    case silent(Duration)

    /// For people.
    public var description: String {
      switch self {
      case .connectFailed(let reason): reason
      case .broken: "the connection broke"
      case .silent(let time): "nothing heard for \(time.inSeconds)"
      }
    }
  }
}

/// How an engine's process ended.
public struct EngineEnd: Sendable, Hashable {
  /// For people: which process, its exit status or signal, its last words.
  public var description: String
  /// Whether it ended for want of memory.
  public var wantedMemory: Bool

  /// Creates an end.
  public init(description: String, wantedMemory: Bool) {
    self.description = description
    self.wantedMemory = wantedMemory
  }
}

/// What an attempt came to on this worker.
public enum AttemptOutcome: Sendable, Hashable {
  /// It gave a result.
  case result(AttemptResult)
  /// It did not.
  case failure(CellFailure)
}

/// How a worker's life ended.
public enum WorkerOutcome: Sendable, Hashable {
  /// The coordinator had no more for it to do; every outcome is acknowledged.
  case drained
  /// It was told to stop. `undelivered` attempts were neither acknowledged nor handed back in time: they will run
  /// elsewhere.
  case stopped(undelivered: Int)
  /// The coordinator did not want it; the reason is given.
  case refused(String)
  /// The coordinator was not heard of for so long; why the latest connection came to nothing is given.
  case gaveUp(after: Duration, WorkerSession.Loss)
  /// No engine can be kept running; the reason is given.
  case unfit(String)
}

/// What a worker says of itself in every hello.
public struct WorkerIdentity: Sendable, Hashable {
  /// Its name, kept over reconnections.
  public var workerID: WorkerID
  /// The version of pdsweep that it was built from.
  public var engineVersion: String
  /// The engine's revision.
  public var engineRevision: Int
  /// Its machine's name.
  public var host: String
  /// Its process identifier.
  public var processIdentifier: Int
  /// Processor cores that it may use.
  public var cores: Int
  /// Memory of its machine, MiB.
  public var memoryMiB: Int
  /// Cells that it runs at a time.
  public var slots: Int
  /// Names the program that it runs.
  public var build: String

  /// Creates an identity.
  public init(
    workerID: WorkerID, engineVersion: String, engineRevision: Int, host: String, processIdentifier: Int, cores: Int,
    memoryMiB: Int, slots: Int, build: String
  ) {
    self.workerID = workerID
    self.engineVersion = engineVersion
    self.engineRevision = engineRevision
    self.host = host
    self.processIdentifier = processIdentifier
    self.cores = cores
    self.memoryMiB = memoryMiB
    self.slots = slots
    self.build = build
  }
}
