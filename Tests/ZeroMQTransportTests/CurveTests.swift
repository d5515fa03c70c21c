import Foundation
import SweepWire
import Testing

@testable import ZeroMQTransport

/// Real sockets with keys, over loopback.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CurveTests {
  private let scratch = ScratchFolder()

  private func listen() async throws -> (ZeroMQCoordinatorTransport, Endpoint) {
    let coordinator = try await ZeroMQCoordinatorTransport.listen(
      on: Endpoint("tcp://127.0.0.1:*"), security: .keys(scratch.keys), mostConnections: 1000, grace: .zero)
    return (coordinator, coordinator.endpoint)
  }

  /// The next message and its peer; remarks are passed over.
  private func message(
    _ events: inout Events<CoordinatorEvent>
  ) async throws -> (peer: PeerID, message: FromWorker) {
    while let event = await events.next() {
      switch event {
      case .message(let peer, let message): return (peer, message)
      case .remark: continue
      case .undecodable, .unreachable, .revoked: throw Unexpected(what: "\(event)")
      }
    }
    throw Unexpected(what: "the end")
  }

  private struct Unexpected: Error {
    let what: String
  }

  @Test("Workers with keys are heard under their keys' names, and answered")
  func admitted() async throws {
    let keys = try ["anna", "bert"].map { try scratch.key($0) }
    let (coordinator, endpoint) = try await listen()
    var events = Events(coordinator.incoming)
    for (index, key) in keys.enumerated() {
      let worker = try await ZeroMQWorkerTransport.connect(to: endpoint, key: key)
      worker.send([.ready(credit: index), result(1, bytes: 1 << 20)])
      let (peer, credit) = try await message(&events)
      #expect(peer.key == key.name.description)
      #expect(credit == .ready(credit: index))
      let (same, large) = try await message(&events)
      #expect(same == peer)
      #expect(large == result(1, bytes: 1 << 20))
      coordinator.send([OutgoingMessage(to: peer, .drain)])
      var replies = Events(worker.incoming)
      #expect(await replies.next() == .message(.drain))
      await worker.close()
    }
    await coordinator.close()
  }

  @Test("Who has no key, another's, or one for another coordinator is told so, and nothing of it is heard")
  func strangers() async throws {
    let elsewhere = ScratchFolder()
    let stranger = try elsewhere.key("anna")
    let known = try scratch.key("anna")
    let (coordinator, endpoint) = try await listen()
    var events = Events(coordinator.incoming)
    let attempts: [(WorkerKey?, String)] = [
      (nil, "with --key"),
      (
        WorkerKey(name: stranger.name, pair: stranger.pair, coordinator: known.coordinator),
        "does not admit this worker's key"
      ),
      (WorkerKey(name: known.name, pair: known.pair, coordinator: stranger.coordinator), "is not the coordinator"),
    ]
    for (key, reason) in attempts {
      let worker = try await ZeroMQWorkerTransport.connect(to: endpoint, key: key)
      worker.send([.ready(credit: 666)])
      var replies = Events(worker.incoming)
      guard case .rejected(let found) = await replies.next() else {
        return #expect(Bool(false), "it was not rejected")
      }
      #expect(found.contains(reason))
      worker.abandon()
    }
    let worker = try await ZeroMQWorkerTransport.connect(to: endpoint, key: known)
    worker.send([.ready(credit: 7)])
    var remarks: [String] = []
    loop: while let event = await events.next() {
      switch event {
      case .remark(let text): remarks.append(text)
      case .message(let peer, let message):
        #expect(message == .ready(credit: 7))
        #expect(peer.key == "anna")
        break loop
      case .undecodable, .unreachable, .revoked: return #expect(Bool(false), "\(event)")
      }
    }
    #expect(remarks == ["a peer at 127.0.0.1 was refused: its key is not admitted (1 so far)"])
    await worker.close()
    await coordinator.close()
  }

  @Test("A worker with a key is told that the coordinator has none")
  func keyWithoutNeed() async throws {
    let coordinator = try await ZeroMQCoordinatorTransport.listen(on: Endpoint("tcp://127.0.0.1:*"))
    let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint, key: scratch.key("anna"))
    var replies = Events(worker.incoming)
    guard case .rejected(let reason) = await replies.next() else {
      return #expect(Bool(false), "it was not rejected")
    }
    #expect(reason.contains("has no keys"))
    worker.abandon()
    await coordinator.close()
  }

  @Test("A key that is revoked is cut off, and only that one; it cannot come back")
  func revocation() async throws {
    let (anna, bert) = (try scratch.key("anna"), try scratch.key("bert"))
    let (coordinator, endpoint) = try await listen()
    var events = Events(coordinator.incoming)
    let bad = try await ZeroMQWorkerTransport.connect(to: endpoint, key: anna)
    let good = try await ZeroMQWorkerTransport.connect(to: endpoint, key: bert)
    bad.send([.ready(credit: 1)])
    #expect(try await message(&events).message == .ready(credit: 1))
    good.send([.ready(credit: 2)])
    #expect(try await message(&events).message == .ready(credit: 2))

    try scratch.keys.revoke(WorkerKeyName("anna"))
    #expect(await events.next() == .revoked(key: "anna"))
    bad.send([.ready(credit: 666)])
    var replies = Events(bad.incoming)
    // Without another word the connection ends, and no other is made: libzmq asks for the key again.
    #expect(await replies.next() == .disconnected)
    guard case .rejected = await replies.next() else { return #expect(Bool(false), "it came back") }
    good.send([.ready(credit: 3)])
    let (peer, credit) = try await message(&events)
    #expect(credit == .ready(credit: 3))
    #expect(peer.key == "bert")
    bad.abandon()
    await good.close()
    await coordinator.close()
  }

  @Test("A key that is made while the coordinator runs is admitted")
  func addition() async throws {
    _ = try scratch.key("anna")
    let (coordinator, endpoint) = try await listen()
    let replies = Task {
      for await batch in coordinator.incoming {
        for case .message(let peer, .ready) in batch { coordinator.send([OutgoingMessage(to: peer, .drain)]) }
      }
    }
    let key = try scratch.key("bert")
    // Rejected until the list is looked at again; a worker opens one connection after the other.
    var event: WorkerEvent?
    repeat {
      let worker = try await ZeroMQWorkerTransport.connect(to: endpoint, key: key)
      worker.send([.ready(credit: 1)])
      var events = Events(worker.incoming)
      event = await events.next()
      worker.abandon()
    } while event != .message(.drain)
    await coordinator.close()
    await replies.value
  }

  @Test("Without keys to read there is no listening")
  func unreadableKeys() async throws {
    await #expect(throws: TransportError.keys(.noCoordinatorKey(folder: scratch.keys.path))) {
      try await ZeroMQCoordinatorTransport.listen(
        on: Endpoint("tcp://127.0.0.1:*"), security: .keys(scratch.keys))
    }
    _ = try scratch.key("anna")
    try scratch.chmod("coordinator.key", 0o644)
    await #expect(
      throws: TransportError.keys(.exposed(path: scratch.keys.path + "/coordinator.key", mode: 0o644))
    ) {
      try await ZeroMQCoordinatorTransport.listen(
        on: Endpoint("tcp://127.0.0.1:*"), security: .keys(scratch.keys))
    }
  }

  @Test("With keys, an address that others can reach may be listened on")
  func beyondLoopback() async throws {
    let key = try scratch.key("anna")
    let coordinator = try await ZeroMQCoordinatorTransport.listen(
      on: Endpoint("tcp://*:*"), security: .keys(scratch.keys))
    let worker = try await ZeroMQWorkerTransport.connect(
      to: Endpoint(host: "127.0.0.1", port: coordinator.endpoint.port), key: key)
    worker.send([.ready(credit: 1)])
    var events = Events(coordinator.incoming)
    #expect(try await message(&events).message == .ready(credit: 1))
    await worker.close()
    await coordinator.close()
  }

  @Test("Noise in place of the handshake only ends its own connection")
  func noise() async throws {
    let key = try scratch.key("anna")
    let (coordinator, endpoint) = try await listen()
    let worker = try await ZeroMQWorkerTransport.connect(to: endpoint, key: key)
    var events = Events(coordinator.incoming)
    var random = SystemRandomNumberGenerator()
    // The greeting of ZMTP 3.0 with the CURVE mechanism.
    let greeting: [UInt8] =
      [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0] + Array("CURVE".utf8) + [UInt8](repeating: 0, count: 47)
    for round in 1...40 {
      let connection = RawConnection(port: endpoint.port)
      let noise = (0..<300).map { _ in UInt8.random(in: 0...255, using: &random) }
      switch round % 4 {
      case 0: connection.send(noise)
      case 1: connection.send(greeting + [0x04, 200, 5] + Array("HELLO".utf8) + noise)
      case 2: connection.send(greeting + [0x04, 9, 8] + Array("INITIATE".utf8) + noise)
      // A message before the handshake.
      default: connection.send(greeting + [0x00, 1, 0x01])
      }
      worker.send([.ready(credit: round)])
      let (peer, credit) = try await message(&events)
      #expect(credit == .ready(credit: round))
      #expect(peer.key == "anna")
    }
    await worker.close()
    await coordinator.close()
  }

  @Test("Connections beyond the limit are cut and told of; there is room again when others end")
  func crowd() async throws {
    let coordinator = try await ZeroMQCoordinatorTransport.listen(
      on: Endpoint("tcp://127.0.0.1:*"), security: .loopback, mostConnections: 5, grace: .zero)
    let chosen = coordinator.endpoint
    var events = Events(coordinator.incoming)
    var crowd = (0..<6).map { _ in RawConnection(port: chosen.port) }
    guard case .remark(let text) = await events.next() else { return #expect(Bool(false), "nothing was told") }
    #expect(text.hasPrefix("5 connections are open, the most"))
    #expect(text.contains("(1 so far)"))
    crowd.removeAll()
    let worker = try await ZeroMQWorkerTransport.connect(to: chosen)
    worker.send([.ready(credit: 1)])
    #expect(try await message(&events).message == .ready(credit: 1))
    await worker.close()
    await coordinator.close()
  }

  @Test("Whoever speaks as soon as it is connected can be dropped, however many do")
  func droppingNewcomers() async throws {
    let coordinator = try await ZeroMQCoordinatorTransport.listen(on: Endpoint("tcp://127.0.0.1:*"))
    var events = Events(coordinator.incoming)
    var workers: [ZeroMQWorkerTransport] = []
    for _ in 0..<40 {
      workers.append(try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint))
      workers.last?.send([.ready(credit: 1)])
      coordinator.drop([try await message(&events).peer])
    }
    for worker in workers {
      var replies = Events(worker.incoming)
      #expect(await replies.next() == .disconnected)
      worker.abandon()
    }
    await coordinator.close()
  }

  @Test("A peer that is dropped gets what was said before, then its connection ends; the others stay")
  func dropping() async throws {
    let coordinator = try await ZeroMQCoordinatorTransport.listen(on: Endpoint("tcp://127.0.0.1:*"))
    var events = Events(coordinator.incoming)
    var workers: [ZeroMQWorkerTransport] = []
    var peers: [PeerID] = []
    for credit in 0..<3 {
      workers.append(try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint))
      workers[credit].send([.ready(credit: credit)])
      peers.append(try await message(&events).peer)
    }
    coordinator.send([OutgoingMessage(to: peers[1], .refuse(reason: "no more"))])
    coordinator.drop([peers[1]])
    var replies = Events(workers[1].incoming)
    #expect(await replies.next() == .message(.refuse(reason: "no more")))
    #expect(await replies.next() == .disconnected)
    workers[1].abandon()
    for credit in [0, 2] {
      workers[credit].send([.ready(credit: 10 + credit)])
      let (peer, answer) = try await message(&events)
      #expect(peer == peers[credit])
      #expect(answer == .ready(credit: 10 + credit))
      await workers[credit].close()
    }
    await coordinator.close()
  }
}
