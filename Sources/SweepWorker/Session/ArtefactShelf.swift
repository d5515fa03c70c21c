internal import ContentHash
internal import SweepCore
internal import SweepWire

/// The files that a worker's cells need, and how far each is on its way: all decisions about fetching, as a value.
///
///     asked ──ready────────────────────────────▶ ready
///       ▲ └───absent──▶ fetching ──all written──▲  │ changed
///       │                  │ corrupt               │
///       ├──────────────────┘                       │
///       ├── later ◀── busy, no room                │
///       └──────────────────────────────────────────┘
///
/// Files are fetched in the order in which cells came to need them, in parts that are asked for ahead. How many bytes
/// are asked for ahead follows the answers: as many as come almost as fast as a single one, so that what the coordinator
/// says besides never waits long behind them, on whatever link. Only what is written to disk makes room for more, so
/// that no more than that waits in memory either.
struct ArtefactShelf: Sendable {
  typealias Action = WorkerSession.Action

  /// A file that cannot be had, and why.
  typealias Loss = (digest: SHA256Digest, failure: CellFailure)

  /// Where a file is.
  private enum Place: Sendable {
    /// Whoever keeps the files has been asked.
    case asked
    /// They are to be asked again then.
    case later(Instant)
    /// It is on its way.
    case fetching(Fetch)
    /// It is here.
    case ready(LocalArtefact)
  }

  /// How far a file is, in bytes from its beginning: written <= received <= requested.
  private struct Fetch: Sendable {
    var requested: Int
    var received: Int
    var written: Int
  }

  private struct Entry: Sendable {
    let ticket: ArtefactTicket
    let artefact: Artefact
    /// Cells that need it.
    var uses = 0
    var place = Place.asked
    /// Whether it was fetched once and had another digest.
    var wasCorrupt = false
    /// Since when it could not be had for a reason that may pass.
    var hindered: Instant?
  }

  /// A part that has been asked for and has not come.
  private struct Request: Sendable {
    var digest: SHA256Digest
    var offset: Int
    var count: Int
    var asked: Instant
  }

  /// Bytes asked for ahead: at first, at least and at most.
  static let (firstWindow, smallestWindow, largestWindow) = (128 << 10, 32 << 10, 2 << 20)
  /// A part is an eighth of the window, and no larger than this.
  static let largestPart = 256 << 10
  /// While answers take at most so much longer than the fastest, the window grows.
  static let quick = Duration.milliseconds(100)
  /// When one takes longer than this, it shrinks.
  static let slow = Duration.milliseconds(400)
  /// Time between two questions for a file that another process fetches or that there is no room for.
  static let pause = Duration.milliseconds(500)
  /// Time for which cells wait for room that other cells may leave.
  static let longestWait = Duration.seconds(60)

  private var entries: [SHA256Digest: Entry] = [:]
  private var tickets = 0
  /// The files that are not here, in the order in which they came to be needed.
  private var missing: [SHA256Digest] = []

  // The present connection.
  private var outstanding: [Request] = []
  private var window = ArtefactShelf.firstWindow
  private var fastest: Duration?
  /// Answers that were on their way when the window was last made smaller.
  private var settling = 0
  /// The latest receipt, and the one that was quoted last.
  private var (receipt, quoted): (UInt64, UInt64) = (0, 0)
  /// The latest part that came, and when.
  private var latest: (digest: SHA256Digest, at: Instant)?

  // MARK: Needs

  /// A cell needs these files. Returns what it is to let go when it has ended.
  mutating func retain(_ artefacts: [Artefact], _ actions: inout [Action]) -> [ArtefactTicket] {
    var retained: [ArtefactTicket] = []
    for artefact in artefacts {
      let ticket: ArtefactTicket
      if let entry = entries[artefact.digest] {
        ticket = entry.ticket
      } else {
        tickets += 1
        ticket = ArtefactTicket(digest: artefact.digest, number: tickets)
        entries[artefact.digest] = Entry(ticket: ticket, artefact: artefact)
        missing.append(artefact.digest)
        actions.append(.keep(.obtain(ticket, artefact)))
      }
      entries[artefact.digest]?.uses += 1
      retained.append(ticket)
    }
    return retained
  }

  /// A cell does not need these files any more.
  mutating func release(_ tickets: [ArtefactTicket], _ actions: inout [Action]) {
    for ticket in tickets {
      // What could not be had was let go when that was known.
      guard let entry = entries[ticket.digest], entry.ticket == ticket else { continue }
      entries[ticket.digest]?.uses -= 1
      if entry.uses == 1 {
        drop(ticket.digest)
        actions.append(.keep(.release(ticket)))
      }
    }
  }

  /// The files, if all are here.
  func files(_ tickets: [ArtefactTicket]) -> [LocalArtefact]? {
    var files: [LocalArtefact] = []
    for ticket in tickets {
      guard case .ready(let file)? = entries[ticket.digest]?.place else { return nil }
      files.append(file)
    }
    return files
  }

  /// Files that seem to have been changed are looked at again.
  mutating func recheck(_ digests: [SHA256Digest], _ actions: inout [Action]) {
    for digest in digests {
      guard let entry = entries[digest], case .ready = entry.place else { continue }
      entries[digest]?.place = .asked
      missing.append(digest)
      actions.append(.keep(.obtain(entry.ticket, entry.artefact)))
    }
  }

  private mutating func drop(_ digest: SHA256Digest) {
    entries[digest] = nil
    settle(digest)
  }

  /// The file is not on its way any more. What was asked for of it may still come, and is passed over.
  private mutating func settle(_ digest: SHA256Digest) {
    missing.removeAll { $0 == digest }
    outstanding.removeAll { $0.digest == digest }
  }

  // MARK: What is kept

  /// Takes in what whoever keeps the files says.
  ///
  /// - Parameter othersRun: whether cells run whose files may make room when they end.
  mutating func take(
    _ report: ArtefactReport, othersRun: Bool, _ now: Instant, _ actions: inout [Action]
  ) -> Loss? {
    let digest = report.ticket.digest
    guard var entry = entries[digest], entry.ticket == report.ticket else { return nil }
    switch report {
    case .ready(_, let file):
      entry.place = .ready(file)
      entry.hindered = nil
      settle(digest)
    case .absent(_, let start):
      entry.place = .fetching(Fetch(requested: start, received: start, written: start))
      entry.hindered = nil
      actions.append(.note(.fetching(entry.artefact, from: start)))
    case .written(_, let end):
      guard case .fetching(var fetch) = entry.place else { return nil }
      fetch.written = end
      entry.place = .fetching(fetch)
    case .busy:
      if entry.hindered == nil { actions.append(.note(.fetchedByAnother(entry.artefact))) }
      entry.hindered = entry.hindered ?? now
      entry.place = .later(now + Self.pause)
    case .noRoom(_, let reason):
      let since = entry.hindered ?? now
      guard othersRun, now < since + Self.longestWait else { return lose(digest, .workerUnfit, reason, &actions) }
      entry.hindered = since
      entry.place = .later(now + Self.pause)
    case .corrupt(_, let found):
      guard !entry.wasCorrupt else {
        let reason =
          "expected SHA-256 \(digest), received a file with \(found), twice; "
          + "check the coordinator's copy and start the coordinator again"
        return lose(digest, .refusedInput, reason, &actions)
      }
      entry.wasCorrupt = true
      entry.place = .asked
      actions.append(.keep(.obtain(entry.ticket, entry.artefact)))
    case .failed(_, let failure):
      drop(digest)
      return (digest, failure)
    }
    entries[digest] = entry
    return nil
  }

  private mutating func lose(
    _ digest: SHA256Digest, _ kind: CellFailure.Kind, _ reason: String, _ actions: inout [Action]
  ) -> Loss? {
    guard let entry = entries[digest] else { return nil }
    drop(digest)
    actions.append(.keep(.release(entry.ticket)))
    return (digest, CellFailure(kind: kind, message: "\(entry.artefact.role): \(reason)"))
  }

  /// When ``askAgain(_:_:)`` is due.
  var nextDeadline: Instant? {
    missing.compactMap { digest in
      if case .later(let moment)? = entries[digest]?.place { moment } else { nil }
    }.min()
  }

  /// Asks again for files that could not be had.
  mutating func askAgain(_ now: Instant, _ actions: inout [Action]) {
    for digest in missing {
      guard let entry = entries[digest], case .later(let moment) = entry.place, moment <= now else { continue }
      entries[digest]?.place = .asked
      actions.append(.keep(.obtain(entry.ticket, entry.artefact)))
    }
  }

  // MARK: What the coordinator gives

  /// The connection is gone, and with it all that was asked for.
  mutating func disconnect() {
    forgetRequests()
    (receipt, quoted, latest) = (0, 0, nil)
    (window, fastest, settling) = (Self.firstWindow, nil, 0)
  }

  private mutating func forgetRequests() {
    outstanding = []
    for digest in missing {
      guard case .fetching(var fetch)? = entries[digest]?.place else { continue }
      fetch.requested = fetch.received
      entries[digest]?.place = .fetching(fetch)
    }
  }

  /// Takes in a part of a file; `false` if it was not asked for, or not lately.
  mutating func take(_ chunk: ArtefactChunk, _ now: Instant, _ actions: inout [Action]) -> Bool {
    receipt = chunk.receipt
    latest = (chunk.digest, now)
    guard let request = outstanding.first, request.digest == chunk.digest, request.offset == chunk.offset,
      request.count == chunk.content.count, let entry = entries[chunk.digest],
      case .fetching(var fetch) = entry.place, fetch.received == chunk.offset
    else { return false }
    outstanding.removeFirst()
    fetch.received += chunk.content.count
    entries[chunk.digest]?.place = .fetching(fetch)
    actions.append(.keep(.write(entry.ticket, offset: chunk.offset, chunk.content)))
    adapt(to: now - request.asked, of: request.count)
    return true
  }

  /// The coordinator cannot give a file. That says nothing of the cells: a worker that has the file can run them.
  mutating func take(missing digest: SHA256Digest, _ reason: String, _ actions: inout [Action]) -> Loss? {
    lose(digest, .workerUnfit, "the coordinator cannot give the file: \(reason)", &actions)
  }

  /// Follows the time that an answer took.
  private mutating func adapt(to time: Duration, of count: Int) {
    let excess = time - min(time, fastest ?? time)
    fastest = min(time, fastest ?? time)
    settling = max(0, settling - 1)
    if excess < Self.quick {
      window = min(window + count, Self.largestWindow)
    } else if excess > Self.slow, settling == 0 {
      window = max(window / 2, Self.smallestWindow)
      settling = outstanding.count
    }
  }

  /// When ``requests(lostAfter:_:)`` is due over an open connection.
  func requestDeadline(lostAfter: Duration) -> Instant? {
    outstanding.first.map { max($0.asked, latest?.at ?? $0.asked) + lostAfter }
  }

  /// What there is to ask the coordinator for, over an open connection.
  ///
  /// - Parameter lostAfter: time after which an answer is taken for lost.
  mutating func requests(lostAfter: Duration, _ now: Instant) -> [ArtefactRequest] {
    guard !missing.isEmpty || receipt != quoted else { return [] }
    if let deadline = requestDeadline(lostAfter: lostAfter), now >= deadline {
      forgetRequests()
      window = max(window / 2, Self.smallestWindow)
    }
    var requests: [ArtefactRequest] = []
    var room = window - ahead
    let part = min(window / 8, Self.largestPart)
    for digest in missing {
      guard let entry = entries[digest], case .fetching(var fetch) = entry.place else { continue }
      while room > 0, fetch.requested < entry.artefact.size, outstanding.count < WireProtocol.artefactRequests {
        let count = min(part, entry.artefact.size - fetch.requested)
        requests.append(ArtefactRequest(digest: digest, offset: fetch.requested, count: count, receipt: receipt))
        outstanding.append(Request(digest: digest, offset: fetch.requested, count: count, asked: now))
        fetch.requested += count
        room -= count
      }
      entries[digest]?.place = .fetching(fetch)
    }
    // Of the last parts the coordinator learns by a request that asks for nothing.
    if let latest, requests.isEmpty, outstanding.isEmpty, receipt != quoted {
      requests.append(ArtefactRequest(digest: latest.digest, offset: 0, count: 0, receipt: receipt))
    }
    if !requests.isEmpty { quoted = receipt }
    return requests
  }

  /// Bytes that have been asked for and are not on disk yet.
  private var ahead: Int {
    missing.reduce(0) { sum, digest in
      if case .fetching(let fetch)? = entries[digest]?.place { sum + fetch.requested - fetch.written } else { sum }
    }
  }
}
