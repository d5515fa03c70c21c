internal import SweepCoordinator
internal import SweepStore
internal import SweepWire
internal import SweepWorker

/// What goes wrong, and what people ask for.
extension SimulatedHistory {
  mutating func wreak() throws {
    if random.chance(1, in: 150) { kill("between two turns") }
    if random.chance(1, in: 100), let number = aWorker() {
      tell("worker-\(number) killed")
      sight("worker killed")
      if let link = workers[number]?.link {
        if random.chance(1, in: 2) { links[link]?.isCut = true } else { abandon(link, tellingWorker: false) }
      }
      workers[number] = nil
      try bear(.good)
    }
    if random.chance(1, in: 100), let number = aWorker(), let worker = workers[number] {
      let slot = Int.random(in: worker.engines.indices, using: &random)
      switch worker.engines[slot] {
      case .idle, .running, .starting:
        tell("an engine of worker-\(number) is killed")
        workers[number]?.engines[slot] = .ending(at: now, wantedMemory: false)
      case .absent, .ending: break
      }
    }
    if random.chance(1, in: 60), let number = aLink() {
      tell("connection \(number) breaks")
      abandon(number, tellingWorker: true)
      if random.chance(1, in: 2) { try coordinate([.arrived(.unreachable(peer(number)))]) }
      try tellBroken()
    }
    if random.chance(1, in: 60), let number = aLink() {
      tell("connection \(number) is cut in silence")
      links[number]?.isCut = true
    }
    if random.chance(1, in: 60), let number = aLink() {
      let until = now + random.time(0.5...5)
      sight("parted")
      if random.chance(2, in: 3) { links[number]?.heldToCoordinator = until }
      if random.chance(2, in: 3) { links[number]?.heldToWorker = until }
    }
    if random.chance(1, in: 100), let number = aWorker() {
      tell("worker-\(number) is frozen")
      workers[number]?.frozenUntil = now + random.time(0...5)
    }
    if random.chance(1, in: 300), let number = aWorker() {
      tell("worker-\(number) is told to stop")
      try feed(number, .stopRequested(grace: .seconds(Int.random(in: 0...2, using: &random))))
    }
    if random.chance(1, in: 100) { ask() }
    if random.chance(1, in: 1500) { try coordinate([.drain]) }
    if workers.isEmpty { try bear(.good) }
  }

  private mutating func aWorker() -> Int? { workers.keys.sorted().randomElement(using: &random) }

  private mutating func aLink() -> Int? {
    links.keys.sorted().filter { links[$0]?.isAbandoned == false }.randomElement(using: &random)
  }

  private mutating func ask() {
    let sweep = store.sweeps().randomElement(using: &random)?.id
    let cells = plan.sweeps.map(\.cells.count).max() ?? 0
    let wish: StoreRequest.Wish =
      switch Int.random(in: 0..<10, using: &random) {
      case 0, 1: .pause
      case 2, 3: .resume
      case 4: .cancel
      case 5: .prioritise(Int.random(in: -1...1, using: &random))
      default: .retry((0..<cells).filter { _ in random.chance(1, in: 2) })
      }
    if case .cancel = wish { wasCancelled = true }
    tell("asked to \(wish)")
    store.enter(wish, for: sweep, at: date)
  }
}
