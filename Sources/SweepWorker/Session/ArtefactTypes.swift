public import ContentHash
public import SweepCore
public import SweepWire

/// A file of a sweep on this machine, found to have the digest that it goes by.
public struct LocalArtefact: Sendable, Hashable {
  /// What it is.
  public var artefact: Artefact
  /// Where it is.
  public var path: String
  /// What it was like when its digest was computed.
  public var stamp: FileStamp

  /// Creates a description.
  public init(artefact: Artefact, path: String, stamp: FileStamp) {
    self.artefact = artefact
    self.path = path
    self.stamp = stamp
  }
}

/// A session's need of a file, from when it arises to when it is over: what is said of an earlier need of the same file
/// is recognised by its number.
public struct ArtefactTicket: Sendable, Hashable {
  /// The file.
  public var digest: SHA256Digest
  /// Counts the needs of the session.
  public var number: Int

  /// Creates a ticket.
  public init(digest: SHA256Digest, number: Int) {
    self.digest = digest
    self.number = number
  }
}

/// What a session asks of whoever keeps its files.
public enum ArtefactCommand: Sendable, Hashable {
  /// Find the file, keep it from being removed, and see that it is right. Answered with one report. Comes again for the
  /// same ticket after ``ArtefactReport/busy(_:)``, ``ArtefactReport/noRoom(_:reason:)`` and
  /// ``ArtefactReport/corrupt(_:found:)``, and for a file that was ready and seems to have been changed.
  case obtain(ArtefactTicket, Artefact)
  /// Append a part of the file. Follows ``ArtefactReport/absent(_:from:)``, without gaps.
  case write(ArtefactTicket, offset: Int, [UInt8])
  /// The file is not needed any more; what is there of it stays for another time.
  case release(ArtefactTicket)
}

/// What whoever keeps a session's files has to say.
public enum ArtefactReport: Sendable, Hashable {
  /// The file is here.
  case ready(ArtefactTicket, LocalArtefact)
  /// It is not: it has to be fetched from this byte on, which lies before its end.
  case absent(ArtefactTicket, from: Int)
  /// The file is written up to this byte.
  case written(ArtefactTicket, upTo: Int)
  /// Another process on this machine is fetching it.
  case busy(ArtefactTicket)
  /// There is no room for it at the moment; for people, why.
  case noRoom(ArtefactTicket, reason: String)
  /// All of it was fetched, and it has another digest. It has been thrown away.
  case corrupt(ArtefactTicket, found: SHA256Digest)
  /// It cannot be had. Nothing is kept of it, and it is not to be released.
  case failed(ArtefactTicket, CellFailure)

  /// What it is about.
  var ticket: ArtefactTicket {
    switch self {
    case .ready(let ticket, _), .absent(let ticket, _), .written(let ticket, _), .busy(let ticket),
      .noRoom(let ticket, _), .corrupt(let ticket, _), .failed(let ticket, _):
      ticket
    }
  }
}
