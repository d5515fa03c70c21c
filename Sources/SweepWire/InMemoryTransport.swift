internal import Synchronization

/// A coordinator's transport whose workers live in the same process: no sockets, no threads, no loss, and the order
/// in which messages are sent is the order in which they arrive. What is sent goes through ``MessageCodec``, so that
/// what could not cross a wire does not cross here.
public final class InMemoryTransport: CoordinatorTransport {
  private struct State {
    var nextPeer: UInt32 = 1
    var workers: [PeerID: Mailbox<WorkerEvent>] = [:]
    var isClosed = false
  }

  private let state = Mutex(State())
  private let mailbox = Mailbox<CoordinatorEvent>()
  /// What the workers say, in batches.
  public let incoming: AsyncStream<[CoordinatorEvent]>

  /// Creates a transport without workers.
  public init() {
    incoming = mailbox.batches
  }

  /// Connects a worker. After ``close()`` the connection is one that nobody answers.
  public func connect() -> InMemoryWorkerTransport {
    let inbox = Mailbox<WorkerEvent>()
    let peer = state.withLock { state in
      let number = state.nextPeer
      state.nextPeer += 1
      let peer = PeerID((0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) })
      if !state.isClosed { state.workers[peer] = inbox }
      return peer
    }
    return InMemoryWorkerTransport(peer: peer, inbox: inbox, coordinator: self)
  }

  /// Delivers messages to the workers at once; a peer that has closed is reported as unreachable.
  public func send(_ messages: [OutgoingMessage]) {
    for outgoing in messages {
      guard let inbox = state.withLock({ $0.workers[outgoing.peer] }) else {
        mailbox.put([.unreachable(outgoing.peer)])
        continue
      }
      for body in MessageCodec.encode(outgoing.message) {
        do throws(WireError) {
          inbox.put([.message(try MessageCodec.decodeToWorker([MessageCodec.versionFrame, body]))])
        } catch {
          inbox.put([.undecodable(error)])
        }
      }
    }
  }

  /// Delivers messages at once, too.
  public func sendLater(_ messages: [OutgoingMessage]) {
    send(messages)
  }

  /// Ends connections at once.
  public func drop(_ peers: [PeerID]) {
    for peer in peers {
      let inbox = state.withLock { $0.workers.removeValue(forKey: peer) }
      inbox?.put([.disconnected])
    }
  }

  /// Ends all connections. Workers notice it by silence only, as they would over a network.
  public func close() async {
    state.withLock { state in
      state.isClosed = true
      state.workers = [:]
    }
    mailbox.close()
  }

  fileprivate func receive(_ message: FromWorker, from peer: PeerID) {
    guard state.withLock({ $0.workers[peer] != nil }) else { return }
    do throws(WireError) {
      let frames = [MessageCodec.versionFrame, MessageCodec.encode(message)]
      mailbox.put([.message(peer, try MessageCodec.decodeFromWorker(frames))])
    } catch {
      mailbox.put([.undecodable(peer, error)])
    }
  }

  fileprivate func disconnect(_ peer: PeerID) {
    state.withLock { _ = $0.workers.removeValue(forKey: peer) }
  }
}

/// A worker's end of an ``InMemoryTransport``.
public final class InMemoryWorkerTransport: WorkerTransport {
  /// The name by which the coordinator knows the connection.
  public let peer: PeerID
  /// What the coordinator says, in batches.
  public let incoming: AsyncStream<[WorkerEvent]>
  private let inbox: Mailbox<WorkerEvent>
  private let coordinator: InMemoryTransport

  fileprivate init(peer: PeerID, inbox: Mailbox<WorkerEvent>, coordinator: InMemoryTransport) {
    self.peer = peer
    self.inbox = inbox
    self.coordinator = coordinator
    incoming = inbox.batches
  }

  /// Delivers messages to the coordinator at once.
  public func send(_ messages: [FromWorker]) {
    for message in messages {
      coordinator.receive(message, from: peer)
    }
  }

  /// Ends the connection.
  public func close() async {
    abandon()
  }

  /// Ends the connection.
  public func abandon() {
    coordinator.disconnect(peer)
    inbox.close()
  }
}
