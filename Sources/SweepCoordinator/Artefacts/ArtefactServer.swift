internal import ContentHash
internal import Dispatch
internal import Foundation
package import SweepCore
package import SweepWire
internal import Synchronization

/// Answers workers' requests for the files that a sweep is computed from, on a thread of its own: a disk may take its
/// time, and nothing else waits for it.
package final class ArtefactServer: Sendable {
  private struct State {
    var queue: ArtefactQueue
    var isClosed = false
  }

  private let state: Mutex<State>
  private let wake = DispatchSemaphore(value: 0)
  private let now: @Sendable () -> Instant
  private let send: @Sendable (OutgoingMessage) -> Void
  private let onStalled: @Sendable (PeerID) -> Void

  /// Time in which not one part is proved to have arrived, after which a peer is taken for one that does not read. It
  /// is looked at only while others are held up.
  private static let patience = Duration.seconds(30)

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - files: what may be asked for.
  ///   - now: what time it is.
  ///   - send: called on the thread with every answer.
  ///   - onStalled: called on the thread with peers that keep others waiting because they do not read.
  package static func start(
    _ files: [SweepFile], now: @escaping @Sendable () -> Instant, send: @escaping @Sendable (OutgoingMessage) -> Void,
    onStalled: @escaping @Sendable (PeerID) -> Void
  ) -> ArtefactServer {
    let server = ArtefactServer(now: now, send: send, onStalled: onStalled)
    let thread = Thread { server.serve(files) }
    thread.stackSize = 1 << 20
    thread.start()
    // A name given before the start is lost on Linux.
    thread.name = "pdsweep-files"
    return server
  }

  private init(
    now: @escaping @Sendable () -> Instant,
    send: @escaping @Sendable (OutgoingMessage) -> Void, onStalled: @escaping @Sendable (PeerID) -> Void
  ) {
    state = Mutex(State(queue: ArtefactQueue()))
    self.now = now
    self.send = send
    self.onStalled = onStalled
  }

  /// Lets a request be answered when its turn comes. Returns at once.
  package func take(_ request: ArtefactRequest, of peer: PeerID) {
    state.withLock { $0.queue.note(request, of: peer, at: now()) }
    wake.signal()
  }

  /// Sends a peer nothing more.
  package func forget(_ peers: [PeerID]) {
    state.withLock { state in
      for peer in peers { state.queue.forget(peer) }
    }
    wake.signal()
  }

  /// Lets the thread end.
  package func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  private func serve(_ files: [SweepFile]) {
    var files = ArtefactFiles(files)
    while true {
      let next = state.withLock { state in state.isClosed ? nil : state.queue.next() }
      if let (peer, request) = next {
        answer(request, of: peer, &files)
      } else {
        let (stalled, isHeldUp, isClosed) = state.withLock { state in
          let isHeldUp = state.queue.isHeldUp
          return (isHeldUp ? state.queue.stalled(at: now(), patience: Self.patience) : [], isHeldUp, state.isClosed)
        }
        if isClosed { return }
        for peer in stalled { onStalled(peer) }
        _ = wake.wait(timeout: isHeldUp ? .now() + .seconds(1) : .distantFuture)
      }
    }
  }

  private func answer(_ request: ArtefactRequest, of peer: PeerID, _ files: inout ArtefactFiles) {
    let message: ToWorker
    var bytes = 0
    let receipt = UInt64.random(in: 1...UInt64.max)
    do throws(ArtefactFiles.Missing) {
      let content = try files.read(request.digest, from: request.offset, count: request.count)
      bytes = content.count
      message = .artefactChunk(
        ArtefactChunk(digest: request.digest, offset: request.offset, content: content, receipt: receipt))
    } catch {
      message = .artefactMissing(digest: request.digest, reason: error.reason)
    }
    let isWanted = state.withLock { $0.queue.answered(peer, receipt: receipt, bytes: bytes, at: now()) }
    if isWanted { send(OutgoingMessage(to: peer, message)) }
  }
}
