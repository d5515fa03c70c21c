internal import SweepCoordinator
internal import SweepCore
internal import SweepWire
internal import SweepWorker

/// Connections: ordered each, and slow, mute or broken.
extension SimulatedHistory {
  func peer(_ number: Int) -> PeerID {
    PeerID((0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) })
  }

  func number(of peer: PeerID) -> Int {
    peer.bytes.reduce(0) { $0 << 8 | Int($1) }
  }

  /// Does what the coordinator's server of artefacts does.
  mutating func answer(_ query: CoordinatorSession.ArtefactQuery) {
    let request = query.request
    guard request.count > 0, request.offset < TrialCells.file.count else { return }
    receipts += 1
    let part = TrialCells.file[request.offset...].prefix(request.count)
    let chunk = ArtefactChunk(
      digest: request.digest, offset: request.offset, content: Array(part), receipt: receipts)
    send(.toWorker(.artefactChunk(chunk)), over: number(of: query.peer))
  }

  mutating func send(_ parcel: Parcel, over number: Int) {
    guard var link = links[number], !link.isCut, !link.isAbandoned else { return }
    let held =
      switch parcel {
      case .toCoordinator: link.heldToCoordinator
      case .toWorker: link.heldToWorker
      }
    let delay = random.chance(1, in: 20) ? random.time(0.1...1) : random.time(0.0001...0.02)
    link.lastArrival = max(link.lastArrival, held, now + delay)
    links[number] = link
    parcels += 1
    let new = InFlight(at: link.lastArrival, order: parcels, link: number, parcel: parcel)
    let place = inFlight.firstIndex { ($0.at, $0.order) > (new.at, new.order) } ?? inFlight.endIndex
    inFlight.insert(new, at: place)
  }

  mutating func deliver(_ item: InFlight) throws {
    guard let link = links[item.link] else { return }
    switch item.parcel {
    case .toCoordinator(let message):
      try coordinate([.arrived(.message(peer(item.link), message))])
    case .toWorker(let message):
      guard workers[link.worker]?.link == item.link else { return }
      if let until = workers[link.worker]?.frozenUntil, until > now {
        // It lies in the socket's buffer.
        let place = inFlight.firstIndex { $0.at > until } ?? inFlight.endIndex
        inFlight.insert(InFlight(at: until, order: item.order, link: item.link, parcel: item.parcel), at: place)
      } else {
        try feed(link.worker, .received(message))
      }
    }
  }

  /// Ends a connection. What the worker had sent may still arrive; the coordinator may be told.
  mutating func abandon(_ number: Int, tellingWorker: Bool) {
    guard let link = links[number], !link.isAbandoned else { return }
    links[number]?.isAbandoned = true
    let isLost = random.chance(1, in: 2)
    inFlight.removeAll { item in
      guard item.link == number else { return false }
      if case .toWorker = item.parcel { return true }
      return isLost
    }
    guard tellingWorker, workers[link.worker]?.link == number else { return }
    workers[link.worker]?.link = nil
    broken.append(link.worker)
  }
}
