import SweepCore
import SweepWire
import Testing
import ZeroMQTransport

/// What peers that are no workers can do: nothing but be counted.
@Suite(.serialized, .timeLimit(.minutes(10))) struct HostilePeerTests {
  @Test("Frames that no worker sends are reported with their error, one event each")
  func garbageFrames() async throws {
    let coordinator = try await listen()
    let peer = RawDealer(port: coordinator.endpoint.port)
    let body = MessageCodec.encode(.ready(credit: 1))
    let many = [[UInt8]](repeating: [0xff], count: 50)
    let garbage: [([[UInt8]], WireError)] = [
      ([[]], .frameCount(1)), ([[3]], .frameCount(1)), ([[3], body, [0]], .frameCount(3)), (many, .frameCount(3)),
      ([[], []], .versionFrame(length: 0)), ([[9], body], .unknownVersion(9)),
      ([[3], []], .malformed("an empty body")), ([[3], [0x7a, 0]], .unknownKind(15)),
    ]
    var events = Events(coordinator.incoming)
    for (frames, error) in garbage {
      #expect(peer.send(frames))
      guard case .undecodable(_, let found) = await events.next() else {
        return #expect(Bool(false), "another event")
      }
      #expect(found == error)
    }
    #expect(peer.send([[3], body]))
    guard case .message(_, .ready(1)) = await events.next() else { return #expect(Bool(false), "nothing arrived") }
    await coordinator.close()
  }

  @Test("Bytes that are no ZeroMQ, and frames beyond the largest, only end their own connection")
  func brokenConnections() async throws {
    let coordinator = try await listen()
    let port = coordinator.endpoint.port
    let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
    var events = Events(coordinator.incoming)
    var random = SystemRandomNumberGenerator()
    for round in 1...50 {
      let connection = RawConnection(port: port)
      switch round % 4 {
      case 0: connection.send((0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) })
      case 1: connection.send(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
      // The greeting of ZMTP 3.0 with the NULL mechanism, then a frame that announces 2^63 - 1 bytes.
      case 2:
        let greeting: [UInt8] =
          [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0] + Array("NULL".utf8) + [UInt8](repeating: 0, count: 48)
        connection.send(greeting + [0x02, 0x7f] + [UInt8](repeating: 0xff, count: 7))
      default: connection.send([0xff])
      }
      let dealer = RawDealer(port: port)
      #expect(dealer.send([[3], [UInt8](repeating: 0x22, count: WireProtocol.resultBytes + 1)]))
      worker.send([.ready(credit: round)])
      // Noise may pass for the first version of ZMTP, which has no greeting; then it is counted.
      var event = await events.next()
      while case .undecodable = event { event = await events.next() }
      guard case .message(_, .ready(round)) = event else {
        return #expect(Bool(false), "\(String(describing: event)) arrived in round \(round)")
      }
    }
    await worker.close()
    await coordinator.close()
  }

  @Test("A name that is in use cannot be taken over")
  func stolenName() async throws {
    let coordinator = try await listen()
    let first = RawDealer(port: coordinator.endpoint.port, name: "worker")
    #expect(first.send([[3], MessageCodec.encode(.ready(credit: 1))]))
    var events = Events(coordinator.incoming)
    guard case .message(let peer, _) = await events.next() else { return #expect(Bool(false), "nothing arrived") }
    let second = RawDealer(port: coordinator.endpoint.port, name: "worker")
    _ = second.send([[3], MessageCodec.encode(.ready(credit: 2))])
    // Comes after the second connection was looked at, and from another one.
    let third = RawDealer(port: coordinator.endpoint.port)
    #expect(third.send([[3], MessageCodec.encode(.ready(credit: 3))]))
    guard case .message(let other, .ready(3)) = await events.next() else {
      return #expect(Bool(false), "another message arrived")
    }
    #expect(other != peer)
    coordinator.send([OutgoingMessage(to: peer, .drain)])
    #expect(first.receive() == [[3]] + MessageCodec.encode(.drain))
    await coordinator.close()
  }

  @Test("While nobody takes what arrives, a flood stops at its source; afterwards all of it arrives")
  func flood() async throws {
    let coordinator = try await listen()
    // Gives up when nothing moves for half a second.
    let peer = RawDealer(port: coordinator.endpoint.port, patience: 500)
    let size = 1 << 20
    let message = [[3], MessageCodec.encode(result(1, bytes: size))]
    var sent = 0
    while sent < 1000, peer.send(message) { sent += 1 }
    // The inbox holds 8 MiB, libzmq 64 messages, TCP and the sender a few more.
    #expect(sent < 150)
    var events = Events(coordinator.incoming)
    for _ in 0..<sent {
      guard case .message(_, .result(let result)) = await events.next() else {
        return #expect(Bool(false), "another message arrived")
      }
      #expect(result.result.count == size)
    }
    #expect(peer.send(message))
    guard case .message = await events.next() else { return #expect(Bool(false), "nothing arrived") }
    await coordinator.close()
  }
}
