public import ContentHash
public import SweepCore

/// All that a worker can say to the coordinator. The grammar (who may say what, when) is in this folder's README.md.
public enum FromWorker: Sendable, Hashable {
  /// The first message on every connection: who the worker is and what it still holds. Until it is heard, all else
  /// from the peer is ignored.
  case hello(Hello)
  /// The number of unfinished leases, running and waiting together, that the worker wants to hold at a time from now
  /// on. It replaces the figure said before, so that saying it twice or losing it once does no harm; 0 = no more
  /// cells. A worker that holds nothing repeats it now and then.
  case ready(credit: Int)
  /// A sign of life, with every attempt that the worker answers for (see ``Hello/running``). A lease that a heartbeat
  /// does not name, though sent long before it, never arrived.
  case heartbeat([AttemptProgress])
  /// An attempt has given a result. Repeated until acknowledged.
  case result(AttemptResult)
  /// An attempt has ended without a result. Repeated until acknowledged.
  case failure(attempt: AttemptID, CellFailure)
  /// The worker ends; it holds nothing any more. The last message.
  case goodbye(reason: String)
  /// Asks for a part of an artefact that the welcome names. Answered with one ``ToWorker/artefactChunk(_:)`` or
  /// ``ToWorker/artefactMissing(digest:reason:)``, in the order of the requests, when nothing more urgent is to be said;
  /// not answered where too much has been asked for and not yet been received (``WireProtocol/artefactWindow``).
  case artefactRequest(ArtefactRequest)
}

/// All that the coordinator can say to a worker.
public enum ToWorker: Sendable, Hashable {
  /// Answers a hello: the context of the sweep.
  case welcome(Welcome)
  /// Cells to run, in this order.
  case lease([LeasedCell])
  /// These results and failures are recorded, or known already: the worker may forget them. An empty list answers a
  /// heartbeat.
  case acknowledge([AttemptID])
  /// The coordinator wants nothing more of these attempts, held or not: those waiting are dropped, those running are
  /// cancelled, and no word about them is expected.
  case revoke([AttemptID])
  /// The worker finishes what it runs, hands back what it has not started, and ends.
  case drain
  /// The worker is not wanted and ends.
  case refuse(reason: String)
  /// A part of an artefact that was asked for.
  case artefactChunk(ArtefactChunk)
  /// An artefact that was asked for cannot be given; the reason is for people.
  case artefactMissing(digest: SHA256Digest, reason: String)
}

/// How a worker introduces itself.
public struct Hello: Sendable, Hashable {
  /// The name that the worker chose for itself, kept over reconnections.
  public var workerID: WorkerID
  /// The version of pdsweep that the worker was built from.
  public var engineVersion: String
  /// The worker's ``CellSpecification/engineRevision``.
  public var engineRevision: Int
  /// The name of the worker's machine.
  public var host: String
  /// The worker's process identifier on its machine.
  public var processIdentifier: Int
  /// Processor cores that the worker may use.
  public var cores: Int
  /// Memory of the worker's machine, MiB.
  public var memoryMiB: Int
  /// The store that ``running`` speaks of (``Welcome/storeID``); `nil` before the worker's first welcome. Attempt
  /// numbers of another store mean nothing.
  public var storeID: String?
  /// Every attempt that the worker answers for: running, waiting to run, or ended and not yet acknowledged. Outcomes
  /// not yet acknowledged are sent again after the welcome.
  public var running: [AttemptID]
  /// Cells that the worker runs at a time: one engine process each.
  public var slots: Int
  /// Names the program that the worker runs: the same for equal executables.
  public var build: String

  /// Creates an introduction.
  public init(
    workerID: WorkerID,
    engineVersion: String,
    engineRevision: Int,
    host: String,
    processIdentifier: Int,
    cores: Int,
    memoryMiB: Int,
    storeID: String?,
    running: [AttemptID],
    slots: Int,
    build: String
  ) {
    self.workerID = workerID
    self.engineVersion = engineVersion
    self.engineRevision = engineRevision
    self.host = host
    self.processIdentifier = processIdentifier
    self.cores = cores
    self.memoryMiB = memoryMiB
    self.storeID = storeID
    self.running = running
    self.slots = slots
    self.build = build
  }
}

/// How far an attempt is.
public struct AttemptProgress: Sendable, Hashable {
  /// The attempt.
  public var attempt: AttemptID
  /// Steps done.
  public var step: Int
  /// Steps in all; 0 where the engine has not said yet, and once the attempt has ended.
  public var steps: Int
  /// The latest total loss, nats; `nil` before the first step.
  public var loss: Double?
  /// Whether an engine has begun it: what has not been begun can be taken back without loss.
  public var isStarted: Bool

  /// Creates a progress report.
  public init(attempt: AttemptID, step: Int, steps: Int, loss: Double?, isStarted: Bool = true) {
    self.attempt = attempt
    self.step = step
    self.steps = steps
    self.loss = loss
    self.isStarted = isStarted
  }
}

/// What an attempt came to.
public struct AttemptResult: Sendable, Hashable {
  /// The attempt.
  public var attempt: AttemptID
  /// The fingerprint of the cell that was run.
  public var fingerprint: SHA256Digest
  /// Canonical JSON of the `CellResult`.
  public var result: [UInt8]
  /// Canonical JSON of the `AttemptReport`.
  public var report: [UInt8]
  /// What every evaluation window read; `nil` where the engine keeps none.
  public var windows: WindowBytes?

  /// Creates a result.
  public init(
    attempt: AttemptID, fingerprint: SHA256Digest, result: [UInt8], report: [UInt8], windows: WindowBytes? = nil
  ) {
    self.attempt = attempt
    self.fingerprint = fingerprint
    self.result = result
    self.report = report
    self.windows = windows
  }
}

/// The context of a sweep, told to a worker that is admitted.
public struct Welcome: Sendable, Hashable {
  /// The sweep's name.
  public var sweep: String
  /// Names the coordinator's process: another after each restart.
  public var coordinatorID: String
  /// Names the store, within which attempt numbers are unique: the same after a restart of the coordinator.
  public var storeID: String
  /// The files that cells refer to by digest.
  public var artefacts: [Artefact]
  /// Time between a worker's heartbeats.
  public var heartbeatInterval: Duration
  /// Silence after which either side takes the other for lost.
  public var lostAfter: Duration

  /// Creates a welcome.
  public init(
    sweep: String,
    coordinatorID: String,
    storeID: String,
    artefacts: [Artefact],
    heartbeatInterval: Duration,
    lostAfter: Duration
  ) {
    self.sweep = sweep
    self.coordinatorID = coordinatorID
    self.storeID = storeID
    self.artefacts = artefacts
    self.heartbeatInterval = heartbeatInterval
    self.lostAfter = lostAfter
  }
}

/// A file that cells refer to by its digest.
public struct Artefact: Sendable, Hashable {
  /// The SHA-256 of the file's content.
  public var digest: SHA256Digest
  /// What the file is, for people: `weights`, `tokenizer`, `corpus:german`.
  public var role: String
  /// The file's own name, which says what it holds where its content does not: `de.jsonl`.
  public var name: String
  /// The size of the file, bytes.
  public var size: Int

  /// Creates an artefact.
  public init(digest: SHA256Digest, role: String, name: String, size: Int) {
    self.digest = digest
    self.role = role
    self.name = name
    self.size = size
  }
}

/// A part of an artefact that a worker asks for.
public struct ArtefactRequest: Sendable, Hashable {
  /// The artefact.
  public var digest: SHA256Digest
  /// Where the part begins, bytes.
  public var offset: Int
  /// How long it is to be, bytes: less only where the artefact ends. 0 asks for nothing: it gives the receipt alone.
  public var count: Int
  /// The ``ArtefactChunk/receipt`` of the latest chunk that arrived on this connection; 0 before the first.
  public var receipt: UInt64

  /// Creates a request.
  public init(digest: SHA256Digest, offset: Int, count: Int, receipt: UInt64) {
    self.digest = digest
    self.offset = offset
    self.count = count
    self.receipt = receipt
  }
}

/// A part of an artefact. Nothing says that its bytes are right but the digest of the whole.
public struct ArtefactChunk: Sendable, Hashable {
  /// The artefact.
  public var digest: SHA256Digest
  /// Where the part begins, bytes.
  public var offset: Int
  /// The part.
  public var content: [UInt8]
  /// Proves, when a later request quotes it, that this chunk and all before it have arrived: only so much is sent that
  /// is not proved to have arrived. Drawn at random, never 0.
  public var receipt: UInt64

  /// Creates a part.
  public init(digest: SHA256Digest, offset: Int, content: [UInt8], receipt: UInt64) {
    self.digest = digest
    self.offset = offset
    self.content = content
    self.receipt = receipt
  }
}

/// A cell to run.
public struct LeasedCell: Sendable, Hashable {
  /// The attempt by which its outcome is recognised.
  public var attempt: AttemptID
  /// The cell's place in its sweep, for people.
  public var index: Int
  /// Canonical JSON of the `CellSpecification`.
  public var cell: [UInt8]
  /// The files that the cell names: places in the list of ``Welcome/artefacts``, ascending.
  public var artefacts: [Int]

  /// Creates a leased cell.
  public init(attempt: AttemptID, index: Int, cell: [UInt8], artefacts: [Int]) {
    self.attempt = attempt
    self.index = index
    self.cell = cell
    self.artefacts = artefacts
  }
}
