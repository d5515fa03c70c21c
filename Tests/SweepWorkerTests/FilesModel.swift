import ContentHash
import SweepCore
import SweepWire

@testable import SweepWorker

/// What is asked of a session as to its files, kept apart from how ``ArtefactShelf`` does it.
struct FilesModel {
  enum State: Equatable {
    /// The keeper has been asked.
    case asked
    /// The keeper may be asked again.
    case hindered
    case fetching
    case ready(LocalArtefact)
  }

  /// A need of a file, from its first obtaining to its release.
  struct Need {
    let ticket: ArtefactTicket
    let artefact: Artefact
    var state = State.asked
    /// Bytes that the keeper has been given, and that it says it has written.
    var given = 0
    var written = 0
  }

  /// Requests of the present connection whose answers have not been sent.
  struct Request: Equatable {
    var digest: SHA256Digest
    var offset: Int
    var count: Int
  }

  private(set) var needs: [SHA256Digest: Need] = [:]
  private(set) var faults: [String] = []
  var requests: [Request] = []
  private var tickets: Set<ArtefactTicket> = []
  /// Where the next request of each file begins.
  private var requested: [SHA256Digest: Int] = [:]
  private var latestReceipt: UInt64 = 0
  private var latestChunk: ArtefactChunk?

  private mutating func expect(_ truth: Bool, _ fault: @autoclosure () -> String) {
    if !truth { faults.append(fault()) }
  }

  mutating func disconnect() {
    requests = []
    requested = [:]
    latestReceipt = 0
  }

  // MARK: What happens

  mutating func hear(_ chunk: ArtefactChunk) {
    latestReceipt = chunk.receipt
    latestChunk = chunk
  }

  /// Follows a report; returns a file that cannot be had.
  mutating func take(_ report: ArtefactReport) -> Bool {
    let digest = report.ticket.digest
    guard needs[digest]?.ticket == report.ticket else { return false }
    switch report {
    case .ready(_, let file): needs[digest]?.state = .ready(file)
    case .absent(_, let start):
      needs[digest]?.state = .fetching
      needs[digest]?.given = start
      needs[digest]?.written = start
      requested[digest] = nil
    case .written(_, let end): needs[digest]?.written = end
    case .busy, .noRoom, .corrupt: needs[digest]?.state = .hindered
    case .failed:
      forget(digest)
      return true
    }
    return false
  }

  mutating func forget(_ digest: SHA256Digest) {
    needs[digest] = nil
    requested[digest] = nil
  }

  /// A file that is ready may be looked at again.
  mutating func doubt(_ digests: [SHA256Digest]) {
    for digest in digests {
      if case .ready = needs[digest]?.state { needs[digest]?.state = .hindered }
    }
  }

  func isReady(_ digest: SHA256Digest) -> Bool {
    if case .ready = needs[digest]?.state { true } else { false }
  }

  func file(_ digest: SHA256Digest) -> LocalArtefact? {
    if case .ready(let file) = needs[digest]?.state { file } else { nil }
  }

  // MARK: What is done

  mutating func perform(_ command: ArtefactCommand) {
    switch command {
    case .obtain(let ticket, let artefact):
      expect(ticket.digest == artefact.digest, "obtains another file than its ticket's")
      if let need = needs[artefact.digest] {
        expect(need.ticket == ticket && need.state == .hindered, "obtains a file again without reason")
        needs[artefact.digest]?.state = .asked
      } else {
        expect(tickets.insert(ticket).inserted, "uses a ticket twice")
        needs[artefact.digest] = Need(ticket: ticket, artefact: artefact)
      }
    case .write(let ticket, let offset, let bytes):
      guard let need = needs[ticket.digest], need.ticket == ticket, need.state == .fetching else {
        return expect(false, "writes a file that is not fetched")
      }
      expect(need.given == offset, "leaves a gap")
      expect(bytes == latestChunk?.content && offset == latestChunk?.offset, "writes what did not come")
      expect(offset + bytes.count <= need.artefact.size, "writes beyond the end")
      needs[ticket.digest]?.given += bytes.count
    case .release(let ticket):
      expect(needs[ticket.digest]?.ticket == ticket, "releases what it does not have")
      forget(ticket.digest)
    }
  }

  mutating func say(_ request: ArtefactRequest) {
    expect(request.receipt == latestReceipt, "quotes another receipt")
    guard request.count > 0 else { return }
    guard let need = needs[request.digest], need.state == .fetching else {
      return expect(false, "asks for a file that is not fetched")
    }
    // What was asked for may be asked for again, from where the file ends.
    let next = requested[request.digest] ?? need.given
    expect(request.offset == next || request.offset == need.given, "asks out of order")
    if request.offset != next { requests = [] }
    expect(request.offset + request.count <= need.artefact.size, "asks beyond the end")
    requested[request.digest] = request.offset + request.count
    requests.append(Request(digest: request.digest, offset: request.offset, count: request.count))
    let ahead = needs.values.reduce(0) { sum, need in
      need.state == .fetching ? sum + (requested[need.artefact.digest] ?? need.given) - need.written : sum
    }
    expect(ahead < ArtefactShelf.largestWindow + ArtefactShelf.largestPart, "asks for more than it can keep")
  }

  /// - Parameters:
  ///   - held: files of cells that run or wait.
  ///   - isOpen: whether there is a coordinator to ask.
  mutating func check(held: Set<SHA256Digest>, isOpen: Bool) {
    expect(Set(needs.keys) == held, "needs other files than its cells")
    guard isOpen, let need = needs.values.first(where: { $0.state == .fetching }) else { return }
    let isAsking = needs.values.contains { need in
      need.state == .fetching && (need.given > need.written || (requested[need.artefact.digest] ?? 0) > need.given)
    }
    expect(isAsking || need.given == need.artefact.size, "does not ask for what it needs")
  }
}
