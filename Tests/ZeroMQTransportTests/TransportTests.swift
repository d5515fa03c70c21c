import ContentHash
import SweepCore
import SweepWire
import Testing
import ZeroMQTransport

/// Real sockets over loopback.
@Suite(.serialized, .timeLimit(.minutes(10))) struct TransportTests {
  @Test("Every worker's messages arrive in order, and so do the answers")
  func orderPerPeer() async throws {
    let workers = 24
    let messages = 150
    let coordinator = try await listen()
    let echo = Task {
      for await batch in coordinator.incoming {
        coordinator.send(
          batch.compactMap { event in
            guard case .message(let peer, .ready(let credit)) = event else { return nil }
            return OutgoingMessage(to: peer, .acknowledge([AttemptID(UInt64(credit) + 1)]))
          })
      }
    }
    try await withThrowingTaskGroup { group in
      for _ in 0..<workers {
        group.addTask {
          let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
          // Batches of uneven length.
          for start in stride(from: 0, to: messages, by: 7) {
            worker.send((start..<min(start + 7, messages)).map { .ready(credit: $0) })
          }
          var events = Events(worker.incoming)
          for number in 0..<messages {
            #expect(await events.next() == .message(.acknowledge([AttemptID(UInt64(number) + 1)])))
          }
          await worker.close()
        }
      }
      try await group.waitForAll()
    }
    await coordinator.close()
    await echo.value
  }

  @Test("The largest messages arrive whole")
  func largeMessages() async throws {
    let coordinator = try await listen()
    let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
    let large = result(7, bytes: WireProtocol.cellResultBytes)
    worker.send([large, .goodbye(reason: "after it")])
    var requests = Events(coordinator.incoming)
    guard case .message(let peer, let message) = await requests.next() else {
      return #expect(Bool(false), "nothing arrived")
    }
    #expect(message == large)
    #expect(await requests.next() == .message(peer, .goodbye(reason: "after it")))
    let cell = LeasedCell(
      attempt: AttemptID(1), index: 0, cell: [UInt8](repeating: 0x20, count: WireProtocol.cellBytes),
      artefacts: [])
    coordinator.send([OutgoingMessage(to: peer, .lease([cell, cell]))])
    var replies = Events(worker.incoming)
    #expect(await replies.next() == .message(.lease([cell])))
    #expect(await replies.next() == .message(.lease([cell])))
    await worker.close()
    await coordinator.close()
  }

  @Test("What is sent before there is a listener waits for it")
  func workerFirst() async throws {
    let endpoint = try await freePort()
    let worker = try await ZeroMQWorkerTransport.connect(to: endpoint)
    worker.send([.ready(credit: 1), .ready(credit: 2)])
    let coordinator = try await ZeroMQCoordinatorTransport.listen(on: endpoint)
    var events = Events(coordinator.incoming)
    #expect(await credit(&events) == 1)
    #expect(await credit(&events) == 2)
    await worker.close()
    await coordinator.close()
  }

  @Test("What was handed on before closing is sent; what waits on an abandoned connection is not")
  func closingAndAbandoning() async throws {
    let endpoint = try await freePort()
    let abandoned = try await ZeroMQWorkerTransport.connect(to: endpoint)
    abandoned.send([.ready(credit: 1)])
    abandoned.abandon()
    // Waits for the end; how to close was said first.
    await abandoned.close()
    let coordinator = try await ZeroMQCoordinatorTransport.listen(on: endpoint)
    let closed = try await ZeroMQWorkerTransport.connect(to: endpoint)
    closed.send((2...200).map { .ready(credit: $0) })
    await closed.close()
    closed.send([.ready(credit: 201)])
    let last = try await ZeroMQWorkerTransport.connect(to: endpoint)
    last.send([.ready(credit: 202)])
    var events = Events(coordinator.incoming)
    var credits: [Int] = []
    while credits.count < 200, let credit = await credit(&events) { credits.append(credit) }
    #expect(credits.sorted() == Array(2...200) + [202])
    await last.close()
    await coordinator.close()
  }

  @Test("A worker hears of the end of its connection")
  func disconnection() async throws {
    let coordinator = try await listen()
    let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
    worker.send([.ready(credit: 1)])
    var requests = Events(coordinator.incoming)
    _ = await requests.next()
    await coordinator.close()
    var replies = Events(worker.incoming)
    #expect(await replies.next() == .disconnected)
    await worker.close()
    #expect(await replies.next() == nil)
  }

  @Test("A message to a peer that has gone, or never was, is reported")
  func unreachablePeers() async throws {
    let coordinator = try await listen()
    var events = Events(coordinator.incoming)
    coordinator.send([OutgoingMessage(to: PeerID([1, 2, 3]), .drain)])
    #expect(await events.next() == .unreachable(PeerID([1, 2, 3])))
    let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
    worker.send([.ready(credit: 1)])
    guard case .message(let peer, _) = await events.next() else { return #expect(Bool(false), "nothing arrived") }
    await worker.close()
    // The other side learns of it when it reads the end of the stream; a message to nobody marks the time until then.
    let nobody = PeerID([9])
    var event: CoordinatorEvent?
    repeat {
      coordinator.send([OutgoingMessage(to: peer, .drain), OutgoingMessage(to: nobody, .drain)])
      event = await events.next()
    } while event == .unreachable(nobody)
    #expect(event == .unreachable(peer))
    await coordinator.close()
  }

  @Test("A peer that does not read is reported, and holds nobody else up")
  func peerThatDoesNotRead() async throws {
    let coordinator = try await listen()
    let deaf = RawDealer(port: coordinator.endpoint.port)
    #expect(deaf.send([[3], MessageCodec.encode(.ready(credit: 1))]))
    var events = Events(coordinator.incoming)
    guard case .message(let peer, _) = await events.next() else { return #expect(Bool(false), "nothing arrived") }
    let cell = LeasedCell(
      attempt: AttemptID(1), index: 0, cell: [UInt8](repeating: 0x20, count: 1 << 16), artefacts: [])
    // Far more than the queues and the buffers of the system hold.
    for _ in 0..<40 {
      coordinator.send(Array(repeating: OutgoingMessage(to: peer, .lease([cell])), count: 100))
    }
    #expect(await events.next() == .unreachable(peer))
    let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
    worker.send([.ready(credit: 2)])
    var event = await events.next()
    while event == .unreachable(peer) { event = await events.next() }
    guard case .message(let other, .ready(2)) = event else {
      return #expect(Bool(false), "\(String(describing: event))")
    }
    coordinator.send([OutgoingMessage(to: other, .drain)])
    var replies = Events(worker.incoming)
    #expect(await replies.next() == .message(.drain))
    await worker.close()
    await coordinator.close()
  }

  @Test("Closing from under many senders ends in order")
  func closingWhileSending() async throws {
    for _ in 0..<5 {
      let coordinator = try await listen()
      let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
      worker.send([.ready(credit: 1)])
      var events = Events(coordinator.incoming)
      guard case .message(let peer, _) = await events.next() else { return #expect(Bool(false), "nothing arrived") }
      await withTaskGroup { group in
        for _ in 0..<4 {
          group.addTask {
            for _ in 0..<50 { coordinator.send([OutgoingMessage(to: peer, .acknowledge([AttemptID(1)]))]) }
          }
          group.addTask {
            for _ in 0..<50 { worker.send([result(1, bytes: 10_000)]) }
          }
        }
        group.addTask { await coordinator.close() }
        group.addTask { await coordinator.close() }
        group.addTask { await worker.close() }
      }
      var arrived = 0
      while await events.next() != nil { arrived += 1 }
      #expect(arrived <= 204)
    }
  }

  @Test("Opening and closing leaves no thread and no file behind")
  func noLeaks() async throws {
    let before = try resources()
    let cycles = 1000
    for cycle in 0..<cycles {
      let coordinator = try await listen()
      let worker = try await ZeroMQWorkerTransport.connect(to: coordinator.endpoint)
      if cycle.isMultiple(of: 10) {
        worker.send([.ready(credit: 1)])
        var events = Events(coordinator.incoming)
        _ = await events.next()
      }
      // Closed, abandoned, or just let go.
      switch cycle % 3 {
      case 0: await worker.close()
      case 1: worker.abandon()
      default: break
      }
      if cycle.isMultiple(of: 2) { await coordinator.close() }
    }
    // Threads that were let go end by themselves: each leaves when it has closed its socket.
    var after = try resources()
    while after.threads > before.threads + 100 || after.files > before.files + 100 {
      await Task.yield()
      after = try resources()
    }
    #expect(after.threads <= before.threads + 100)
    #expect(after.files <= before.files + 100)
  }

  private func freePort() async throws -> Endpoint {
    let probe = try await listen()
    await probe.close()
    return probe.endpoint
  }

  private func credit(_ events: inout Events<CoordinatorEvent>) async -> Int? {
    guard case .message(_, .ready(let credit)) = await events.next() else { return nil }
    return credit
  }
}
