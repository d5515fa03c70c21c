import ContentHash
import SweepCore
import SweepWire
import TestSupport
import Testing

@testable import SweepCoordinator

/// Whose request is answered next, and how much is on its way.
@Suite struct ArtefactQueueTests {
  private let digest = SHA256Digest(of: "a file")
  private let anna = PeerID([1])
  private let bert = PeerID([2])
  private var queue = ArtefactQueue(.init(window: 100, total: 250, requests: 4))
  private let start = Instant(nanoseconds: 0)

  private mutating func ask(_ peer: PeerID, _ count: Int, offset: Int = 0, receipt: UInt64 = 0) {
    queue.note(ArtefactRequest(digest: digest, offset: offset, count: count, receipt: receipt), of: peer, at: start)
  }

  /// Answers what may be answered, with receipts from 1 up, and returns whom and what.
  private mutating func answerAll(from receipt: UInt64 = 1) -> [String] {
    var answered: [String] = []
    while let (peer, request) = queue.next() {
      answered.append("\(peer):\(request.offset)")
      let isWanted = queue.answered(
        peer, receipt: receipt + UInt64(answered.count) - 1, bytes: request.count, at: start)
      #expect(isWanted)
    }
    return answered
  }

  @Test("Peers take turns, and each is answered in its order")
  mutating func turns() {
    for offset in 1...3 { ask(anna, 10, offset: offset) }
    for offset in 4...5 { ask(bert, 10, offset: offset) }
    #expect(answerAll() == ["01:1", "02:4", "01:2", "02:5", "01:3"])
  }

  @Test("No more is on its way to a peer than its window, and a receipt makes room for what came before it")
  mutating func window() {
    for offset in 1...4 { ask(anna, 40, offset: offset) }
    #expect(answerAll() == ["01:1", "01:2"])
    #expect(queue.flyingBytes == 80)
    ask(anna, 40, offset: 5, receipt: 7)
    #expect(answerAll() == [], "a receipt that was never given")
    ask(anna, 0, receipt: 2)
    #expect(queue.flyingBytes == 0)
    #expect(answerAll(from: 3) == ["01:3", "01:4"])
    ask(anna, 0, receipt: 3)
    #expect(answerAll(from: 5) == ["01:5"])
    ask(anna, 0, receipt: 3)
    #expect(queue.flyingBytes == 80, "a receipt counts once")
  }

  @Test("A part that is larger than the window goes alone")
  mutating func largePart() {
    ask(anna, 400)
    ask(anna, 10)
    #expect(answerAll() == ["01:0"])
    ask(anna, 0, receipt: 1)
    #expect(answerAll(from: 2).count == 1)
  }

  @Test("No more is on its way to all peers than the total; who waits for it keeps the turn")
  mutating func total() {
    let peers = (1...4).map { PeerID([$0]) }
    for peer in peers { for _ in 0..<2 { ask(peer, 50) } }
    #expect(answerAll() == ["01:0", "02:0", "03:0", "04:0", "01:0"])
    #expect(queue.flyingBytes == 250)
    #expect(queue.isHeldUp)
    ask(peers[3], 0, receipt: 4)
    #expect(answerAll(from: 6) == ["02:0"])
    queue.forget(peers[0])
    #expect(queue.flyingBytes == 150)
    #expect(answerAll(from: 7) == ["03:0", "04:0"])
    #expect(!queue.isHeldUp)
  }

  @Test("Requests beyond the bound are dropped, and asking for nothing waits for nothing")
  mutating func excess() {
    for offset in 1...20 { ask(anna, 1, offset: offset) }
    for _ in 1...20 { ask(bert, 0) }
    #expect(answerAll() == ["01:1", "01:2", "01:3", "01:4"])
    #expect(queue.peers == 1)
    ask(anna, 0, receipt: 4)
    #expect(queue.peers == 0)
  }

  @Test("A peer that is forgotten gets nothing more, not even what is being read for it")
  mutating func forgetting() {
    ask(anna, 10)
    ask(anna, 10)
    let next = queue.next()
    #expect(next?.peer == anna)
    queue.forget(anna)
    let isWanted = queue.answered(anna, receipt: 1, bytes: 10, at: start)
    #expect(!isWanted)
    let none = queue.next()
    #expect(none == nil)
    #expect(queue.flyingBytes == 0)
    #expect(queue.peers == 0)
    // The same connection may ask again.
    ask(anna, 10)
    #expect(answerAll() == ["01:0"])
  }

  @Test("Who proves nothing for long is told apart from who reads slowly")
  mutating func stalling() {
    func later(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }
    for peer in [anna, bert] { for _ in 0..<2 { ask(peer, 40) } }
    #expect(answerAll().count == 4)
    #expect(queue.stalled(at: later(29), patience: .seconds(30)) == [])
    queue.note(ArtefactRequest(digest: digest, offset: 0, count: 0, receipt: 1), of: anna, at: later(29))
    #expect(queue.stalled(at: later(30), patience: .seconds(30)) == [bert])
    #expect(queue.stalled(at: later(59), patience: .seconds(30)).count == 2)
  }

  @Test("Whatever peers ask, the bounds hold and no request is answered twice", arguments: 0..<20)
  func storm(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var queue = ArtefactQueue(.init(window: 100, total: 250, requests: 4))
    let peers = (0..<6).map { PeerID([UInt8($0)]) }
    var flying: [PeerID: [(receipt: UInt64, bytes: Int)]] = [:]
    var asked = 0
    var answered: Set<Int> = []
    var receipt: UInt64 = 0
    for _ in 0..<3000 {
      let peer = peers[Int.random(in: 0..<6, using: &random)]
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        asked += 1
        let known = flying[peer] ?? []
        let place = known.isEmpty ? nil : Int.random(in: known.indices, using: &random)
        let quoted =
          Bool.random(using: &random) ? place.map { known[$0].receipt } : UInt64.random(in: 0...9, using: &random)
        if let at = known.firstIndex(where: { $0.receipt == quoted }) { flying[peer]?.removeFirst(at + 1) }
        queue.note(
          ArtefactRequest(
            digest: digest, offset: asked, count: Int.random(in: 0...60, using: &random), receipt: quoted ?? 0),
          of: peer, at: start)
      case 5..<9:
        guard let (peer, request) = queue.next() else { continue }
        #expect(answered.insert(request.offset).inserted, "seed \(seed)")
        if Int.random(in: 0..<20, using: &random) == 0 {
          queue.forget(peer)
          flying[peer] = nil
          let isWanted = queue.answered(peer, receipt: 1, bytes: 5, at: start)
          #expect(!isWanted, "seed \(seed)")
        } else {
          receipt += 1
          let isWanted = queue.answered(peer, receipt: receipt + 100, bytes: request.count, at: start)
          #expect(isWanted, "seed \(seed)")
          flying[peer, default: []].append((receipt + 100, request.count))
        }
      default:
        queue.forget(peer)
        flying[peer] = nil
      }
      #expect(queue.flyingBytes == flying.values.joined().reduce(0) { $0 + $1.bytes }, "seed \(seed)")
      #expect(queue.flyingBytes <= 250, "seed \(seed)")
      for parts in flying.values { #expect(parts.reduce(0) { $0 + $1.bytes } <= 100, "seed \(seed)") }
    }
    #expect(answered.count > 300, "the storm is one")
  }
}
