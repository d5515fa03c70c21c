internal import SweepCoordinator
internal import SweepCore
internal import SweepStore
internal import SweepWire

/// What happens to a coordinator, event by event, and what must hold after each.
///
///     script  = *( event )
///     event   = op time [ argument ]
///     op      = kind + 8 * peer          ; kind 0 to 7, peer 0 to 31
///     time    = units of 20 ms that pass before it
///
///     kind 0 to 3   the peer sends a body: two bytes of length, lowest first, and as many bytes
///     kind 4        time passes
///     kind 5        the peer cannot be reached
///     kind 6        the peer's key is revoked
///     kind 7        by the peer's number: the coordinator drains, hears something unreadable, or is asked to do something
struct Script {
  private var rest: ArraySlice<UInt8>
  private var session = Trial.session()
  private var now = Instant(nanoseconds: 0)
  /// Peers that have been welcomed and neither left nor been given up: who may be spoken to.
  private var welcomed: Set<PeerID> = []
  /// Attempts that hold a lease, as far as the store is told.
  private var live: Set<AttemptID> = []
  private var latest = AttemptID(0)
  /// Cells that have come to their end.
  private var ended: Set<CellID> = []

  init(_ bytes: ArraySlice<UInt8>) {
    rest = bytes
  }

  /// The peer of a number: a third of them have no key, the others one of two.
  static func peer(_ number: Int) -> PeerID {
    PeerID([UInt8(number)], key: [nil, "anna", "bert"][number % 3])
  }

  mutating func play() {
    for _ in 0..<1000 {
      guard let op = rest.popFirst(), let time = rest.popFirst() else { return }
      now = now + .milliseconds(20) * Int(time)
      let peer = Self.peer(Int(op >> 3))
      switch op & 7 {
      case 0...3: hear(peer)
      case 4: happen(.tick)
      case 5: happen(.arrived(.unreachable(peer)))
      case 6: happen(.arrived(.revoked(key: peer.key ?? "anna")))
      default: other(Int(op >> 3), peer)
      }
    }
  }

  private mutating func hear(_ peer: PeerID) {
    guard let low = rest.popFirst(), let high = rest.popFirst() else { return }
    let body = Array(rest.prefix(Int(low) | Int(high) << 8))
    rest = rest.dropFirst(body.count)
    do throws(WireError) {
      let message = try MessageCodec.decodeFromWorker(framed(body))
      happen(.arrived(.message(peer, message)))
      if case .goodbye = message { welcomed.remove(peer) }
    } catch {
      happen(.arrived(.undecodable(peer, error)))
    }
  }

  private mutating func other(_ number: Int, _ peer: PeerID) {
    switch number % 8 {
    case 0: happen(.drain)
    case 1: happen(.arrived(.undecodable(peer, .unknownVersion(9))))
    case 2: happen(.arrived(.undecodable(peer, .frameCount(3))))
    default: happen(.requests([Trial.wish(number / 8 * 5 + number % 8 - 3)]))
    }
  }

  private mutating func happen(_ event: CoordinatorSession.Event) {
    let step = session.handle([event], at: now)
    for outgoing in step.messages {
      switch outgoing.message {
      case .refuse:
        // Whoever says hello begins anew.
        if case .arrived(.message(outgoing.peer, .hello)) = event { welcomed.remove(outgoing.peer) }
      case .welcome: welcomed.insert(outgoing.peer)
      case .lease, .acknowledge, .revoke, .drain:
        precondition(welcomed.contains(outgoing.peer), "\(outgoing.message) to a peer that is nobody")
      case .artefactChunk, .artefactMissing: preconditionFailure("a session has no files")
      }
      for body in MessageCodec.encode(outgoing.message) {
        precondition((try? MessageCodec.decodeToWorker(framed(body))) != nil, "what is sent cannot be read")
      }
    }
    for query in step.queries {
      precondition(welcomed.contains(query.peer), "a request of a peer that is nobody")
    }
    for peer in step.dropped {
      precondition(welcomed.remove(peer) != nil, "a peer that is nobody is dropped")
    }
    let progress = session.progress(at: now)
    precondition(progress.workers.count == welcomed.count, "\(progress.workers.count) workers, \(welcomed.count) peers")
    precondition(progress.total == Trial.cells.count, "cells come or go")
    for write in step.batch.writes { note(write) }
    precondition(
      session.footprint <= 2 * welcomed.count + live.count,
      "\(session.footprint) things are kept of \(welcomed.count) peers with \(live.count) attempts")
    if let deadline = session.nextDeadline {
      precondition(deadline <= now + .seconds(1), "nobody looks at the clock for long")
    }
  }

  /// Checks what the store is told against what it was told before.
  private mutating func note(_ write: StoreWrite) {
    switch write {
    case .leased(let attempt, let cell, _, for: let purpose):
      precondition(attempt > latest, "attempt \(attempt.number) is spent")
      precondition(purpose == .audit || !ended.contains(cell), "cell \(cell.index) is leased, and has ended")
      latest = attempt
      live.insert(attempt)
    case .adopted(let attempt): live.insert(attempt)
    case .ended(let attempt, _), .result(let attempt, _), .fault(let attempt, _): live.remove(attempt)
    case .outcome(let cell, _): precondition(ended.insert(cell).inserted, "cell \(cell.index) ends twice")
    case .reopened(let cell, from: _): precondition(ended.remove(cell) != nil, "cell \(cell.index) had not ended")
    case .audited, .worker, .sweep: break
    }
  }
}
