public import ContentHash
internal import Foundation
internal import SweepCore
internal import SweepWire
internal import Synchronization

/// Keeps the files of a worker's session, on a thread of its own: files are written, hashed and removed there.
///
/// Files have places of their own on the machine of the coordinator that this worker was started for; they are used
/// there, once they are found right. All others live in the cache.
public final class ArtefactKeeper: Sendable {
  private struct State {
    var commands: [ArtefactCommand] = []
    var report: (@Sendable (ArtefactReport) -> Void)?
    var isClosed = false
  }

  private let places: [SHA256Digest: String]
  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - settings: where fetched files are kept; `nil` where none can be fetched.
  ///   - places: paths of files on this machine.
  /// - Throws: ``ArtefactCacheError``.
  public init(cache settings: ArtefactCacheSettings?, places: [SHA256Digest: String] = [:]) throws(ArtefactCacheError) {
    self.places = places
    let cache = try settings.map { settings throws(ArtefactCacheError) in try ArtefactCache(settings) }
    let thread = Thread { [self] in serve(cache) }
    thread.stackSize = 1 << 20
    thread.start()
  }

  /// Says where to report.
  func start(_ report: @escaping @Sendable (ArtefactReport) -> Void) {
    state.withLock { $0.report = report }
  }

  /// Hands on a command, in order.
  func perform(_ command: ArtefactCommand) {
    state.withLock { $0.commands.append(command) }
    wake.signal()
  }

  /// Lets the thread end and all files go.
  func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  private func serve(_ cache: ArtefactCache?) {
    var cache = cache
    var known: [SHA256Digest: FileStamp] = [:]
    while true {
      wake.wait()
      let (commands, report, isClosed) = state.withLock { state in
        defer { state.commands = [] }
        return (state.commands, state.report, state.isClosed)
      }
      if isClosed { return }
      for command in commands {
        let answer: ArtefactReport? =
          switch command {
          case .obtain(let ticket, let artefact):
            if let path = places[artefact.digest] {
              Self.look(ticket, artefact, path, &known)
            } else {
              cache?.obtain(ticket, artefact) ?? .failed(ticket, Self.noCache(artefact))
            }
          case .write(let ticket, let offset, let bytes): cache?.write(ticket, offset: offset, bytes)
          case .release(let ticket):
            Self.release(ticket, &cache)
          }
        if let answer { report?(answer) }
      }
    }
  }

  private static func release(_ ticket: ArtefactTicket, _ cache: inout ArtefactCache?) -> ArtefactReport? {
    cache?.release(ticket.digest)
    return nil
  }

  private static func noCache(_ artefact: Artefact) -> CellFailure {
    .unfit("\(artefact.role): expected a file of the run that started this worker, found one to be fetched")
  }

  /// Checks a file in its own place.
  private static func look(
    _ ticket: ArtefactTicket, _ artefact: Artefact, _ path: String, _ known: inout [SHA256Digest: FileStamp]
  ) -> ArtefactReport {
    guard let stamp = FileStamp(path: path) else {
      return .failed(
        ticket, .refused("\(artefact.role): \(path): expected a file with SHA-256 \(artefact.digest), found none"))
    }
    guard known[artefact.digest] != stamp else {
      return .ready(ticket, LocalArtefact(artefact: artefact, path: path, stamp: stamp))
    }
    let digest: SHA256Digest
    do {
      digest = try SHA256Digest(ofFile: URL(filePath: path))
    } catch {
      return .failed(
        ticket,
        .refused(
          "\(artefact.role): \(path): expected a file with SHA-256 \(artefact.digest), found none that this worker can "
            + "read (\(error.systemReason))"))
    }
    guard digest == artefact.digest else {
      return .failed(
        ticket,
        .refused(
          "\(artefact.role): \(path): expected SHA-256 \(artefact.digest), found \(digest); "
            + "the file has changed since the sweep was planned, start the coordinator again"))
    }
    known[artefact.digest] = stamp
    return .ready(ticket, LocalArtefact(artefact: artefact, path: path, stamp: stamp))
  }
}
